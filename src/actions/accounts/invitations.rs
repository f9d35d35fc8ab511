//! Invitations of users to an organization: created, listed and withdrawn.
//!
//! The rights of the creator are checked again when the invitation is accepted. The invitation is
//! invalid if its creator has lost the right to create it.

use keyhouse_storage::Batch;
use serde_json::{Value, json};

use crate::actions::accounts::acceptance::as_invalid_link;
use crate::actions::accounts::emails::email_taken;
use crate::actions::accounts::people::knows_team;
use crate::actions::actor::Actor;
use crate::actions::events::AuditEntry;
use crate::actions::rows::{newest_first, rows_in_turns};
use crate::actions::{ActionError, Actions, put};
use crate::model::audit_action::AuditAction;
use crate::model::errors;
use crate::model::id::{InvitationId, OrganizationId, TeamId};
use crate::model::moment::Moment;
use crate::model::role::{INSTANCE_MANAGE, Role, USERS_MANAGE, USERS_READ};
use crate::model::secret::Secret;
use crate::records::people::InvitationRecord;
use crate::records::place::StoreKey;
use crate::records::{Revised, read_row};

/// Maximum number of pending invitations of an organization.
pub const INVITATIONS_MAX: usize = 1_000;
/// Maximum number of expired invitations that one new invitation deletes.
const SWEPT_MAX: usize = 100;
/// The name of the plan's limit on users and invitations.
const USERS_LIMIT: &str = "users";

/// An invitation to be created.
#[derive(Debug)]
pub struct InvitationDraft {
    /// The invited address, in canonical form.
    pub email: String,
    /// The role of the future user.
    pub role: Role,
    /// The name that the invitation proposes.
    pub name: Option<String>,
    /// The teams of the future user.
    pub teams: Vec<TeamId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitationStatus {
    Pending,
    Expired,
    /// The creator of the invitation may no longer create it.
    Void,
}

impl InvitationStatus {
    /// The name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Expired => "expired",
            Self::Void => "void",
        }
    }
}

/// An invitation as an actor sees it.
#[derive(Debug)]
pub struct SeenInvitation {
    /// The record, limited to the teams that the actor may see.
    pub record: InvitationRecord,
    pub status: InvitationStatus,
}

impl Actions {
    /// Invites a person. Only the response contains the token. A pending invitation of the same
    /// address becomes invalid.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] if the actor may not invite, or does not hold all that
    /// the new and the replaced invitation grant; [`ActionError::Conflict`] if a user of the
    /// organization has the address; [`ActionError::ProofRequired`].
    pub fn invite(
        &self,
        actor: &Actor,
        draft: &InvitationDraft,
    ) -> Result<(SeenInvitation, Secret), ActionError> {
        let organization = actor.organization_id();
        self.in_turn(|| {
            let decided = self.authorize_people(actor, USERS_MANAGE)?;
            let (today, batch) = (&decided.actor, Batch::new());
            decided.require_lasting()?;
            today.require_role(&self.requested_role(organization, draft.role)?)?;
            self.require_teams(today, organization, &draft.teams)?;
            self.refuse_known(organization, &draft.email)?;
            let batch = self.make_room(batch, today, &draft.email)?;
            decided.require_proof()?;
            let email = draft.email.clone();
            let (mut record, token) =
                self.new_invitation(organization, email, draft.role, actor.author());
            record.name.clone_from(&draft.name);
            record.teams.clone_from(&draft.teams);
            let place = StoreKey::Invitation(record.id);
            let batch = put(batch.absent(place.to_bytes()), &place, &record)?;
            let audit_entry = AuditEntry::by(&decided, AuditAction::INVITATION_CREATE, record.id)
                .with_change(&json!({}), &shape(&record));
            let made = SeenInvitation { record, status: InvitationStatus::Pending };
            self.commit_change(decided, batch, audit_entry, (made, token))
        })
    }

    pub fn invitation(
        &self,
        actor: &Actor,
        id: InvitationId,
    ) -> Result<SeenInvitation, ActionError> {
        actor.require(USERS_READ)?;
        Ok(self.seen_invitation(actor, self.find_invitation(actor, id)?.record))
    }

    /// Lists the organization's invitations after `after`, the newest first, at most `limit`.
    /// Returns the id of the last listed invitation if more may follow.
    pub fn list_invitations(
        &self,
        actor: &Actor,
        limit: usize,
        after: Option<InvitationId>,
    ) -> Result<(Vec<SeenInvitation>, Option<InvitationId>), ActionError> {
        actor.require(USERS_READ)?;
        let after = after.map(|id| StoreKey::Invitation(id).to_bytes());
        let range = newest_first(StoreKey::INVITATIONS, after.as_deref());
        let (mut seen, mut more) = (Vec::new(), false);
        for held in self.records::<InvitationRecord>(&range) {
            let record = held?.record;
            if record.organization != actor.organization_id() {
                continue;
            }
            if seen.len() == limit {
                more = true;
                break;
            }
            seen.push(self.seen_invitation(actor, record));
        }
        let last = seen.last().filter(|_last| more).map(|last| last.record.id);
        Ok((seen, last))
    }

    /// Whether the organization has an invitation that can be accepted. The store has the invitations of
    /// all organizations in one range, which is read in turns.
    pub(in crate::actions) fn has_pending_invitation(
        &self,
        actor: &Actor,
    ) -> Result<bool, ActionError> {
        actor.require(USERS_READ)?;
        let range = newest_first(StoreKey::INVITATIONS, None);
        for row in rows_in_turns(&*self.store, &range, || self.page_turn(actor)) {
            let record = read_row::<InvitationRecord>(&row?)?.record;
            if record.organization == actor.organization_id()
                && self.seen_invitation(actor, record).status == InvitationStatus::Pending
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Withdraws an invitation. Requires everything that the invitation grants.
    pub fn withdraw_invitation(&self, actor: &Actor, id: InvitationId) -> Result<(), ActionError> {
        self.in_turn(|| {
            let decided = self.authorize_people(actor, USERS_MANAGE)?;
            let (today, batch) = (&decided.actor, Batch::new());
            let held = self.find_invitation(today, id)?;
            let (record, now) = (held.record, self.clock.now().wall);
            self.require_over_invitation(today, &record, now)?;
            let place = StoreKey::Invitation(id).to_bytes();
            let batch = batch.unchanged(place.clone(), held.revision).delete(place);
            let audit_entry = AuditEntry::by(&decided, AuditAction::INVITATION_DELETE, id)
                .inside(record.organization)
                .with_change(&shape(&record), &json!({ "email": null, "role": null }));
            self.commit_change(decided, batch, audit_entry, ())
        })
    }

    /// Checks that the creator of an invitation could create it now.
    pub(in crate::actions) fn require_maker(
        &self,
        invitation: &InvitationRecord,
    ) -> Result<(), ActionError> {
        let organization = invitation.organization;
        let maker = self.author_today(invitation.created_by, organization);
        let maker = maker.ok_or(ActionError::LinkInvalid)?;
        let role = self.held_role(organization, invitation.role).map_err(as_invalid_link)?;
        let may = if maker.organization_id() == organization {
            // Teams that were removed since the invitation are skipped.
            let exists = |team: &TeamId| self.index.team(*team).is_some();
            let standing: Vec<TeamId> = invitation.teams.iter().copied().filter(exists).collect();
            maker
                .require(USERS_MANAGE)
                .and_then(|()| maker.require_role(&role))
                .and_then(|()| self.require_teams(&maker, organization, &standing))
        } else {
            // An operator of another organization invites the first owner of an organization.
            maker.require(INSTANCE_MANAGE)
        };
        may.map_err(as_invalid_link)
    }

    /// Checks that the plan allows one more user.
    pub(in crate::actions) fn require_place(
        &self,
        organization: OrganizationId,
    ) -> Result<(), ActionError> {
        self.require_users(organization, self.index.users_of(organization).len() + 1)
    }

    fn require_users(
        &self,
        organization: OrganizationId,
        wanted: usize,
    ) -> Result<(), ActionError> {
        let facts = self.index.organization(organization);
        let facts = facts.ok_or(ActionError::NotFound("organization"))?;
        let Some(maximum) = facts.plan.facts().plan.limits.users.map(u64::from) else {
            return Ok(());
        };
        if u64::try_from(wanted).is_ok_and(|wanted| wanted <= maximum) {
            return Ok(());
        }
        let plan = facts.subscription.plan.to_string();
        Err(ActionError::LimitReached { plan, limit: USERS_LIMIT, maximum })
    }

    /// Makes room for a new invitation: ends a pending invitation of the same address, and deletes
    /// some expired invitations. Fails if the organization still has too many.
    fn make_room(
        &self,
        mut batch: Batch,
        actor: &Actor,
        email: &str,
    ) -> Result<Batch, ActionError> {
        let (organization, now) = (actor.organization_id(), self.clock.now().wall);
        let (mut waiting, mut pending, mut swept) = (0, 0, 0);
        for record in self.invitations_in(organization)? {
            let place = StoreKey::Invitation(record.id).to_bytes();
            if record.email == email {
                self.require_over_invitation(actor, &record, now)?;
                batch = batch.delete(place);
            } else if now < record.ends_at {
                waiting += 1;
                pending += usize::from(self.require_maker(&record).is_ok());
            } else if swept < SWEPT_MAX {
                swept += 1;
                batch = batch.delete(place);
            }
        }
        if waiting >= INVITATIONS_MAX {
            return Err(ActionError::Conflict {
                error: errors::TOO_MANY_INVITATIONS,
                detail: "the organization has 1,000 open invitations: withdraw some first",
            });
        }
        self.require_users(organization, self.index.users_of(organization).len() + pending + 1)?;
        Ok(batch)
    }

    fn invitations_in(
        &self,
        organization: OrganizationId,
    ) -> Result<Vec<InvitationRecord>, ActionError> {
        let mut invitations: Vec<InvitationRecord> = self.read_all(StoreKey::INVITATIONS)?;
        invitations.retain(|record| record.organization == organization);
        Ok(invitations)
    }

    /// Checks that the actor holds everything that a pending invitation grants.
    fn require_over_invitation(
        &self,
        actor: &Actor,
        invitation: &InvitationRecord,
        now: Moment,
    ) -> Result<(), ActionError> {
        match self.held_role(invitation.organization, invitation.role) {
            Ok(role) if now < invitation.ends_at => {
                actor.require_role(&role)?;
                self.require_sight_of(actor, &invitation.teams)
            },
            // An expired invitation, or an invitation with a removed role, grants nothing.
            Ok(_) | Err(ActionError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn find_invitation(
        &self,
        actor: &Actor,
        id: InvitationId,
    ) -> Result<Revised<InvitationRecord>, ActionError> {
        let held: Option<Revised<InvitationRecord>> = self.read(&StoreKey::Invitation(id))?;
        let own = |held: &Revised<InvitationRecord>| {
            actor.is_local() || held.record.organization == actor.organization_id()
        };
        held.filter(own).ok_or(ActionError::NotFound("invitation"))
    }

    fn seen_invitation(&self, actor: &Actor, mut record: InvitationRecord) -> SeenInvitation {
        let status = if self.clock.now().wall >= record.ends_at {
            InvitationStatus::Expired
        } else if self.require_maker(&record).is_ok() {
            InvitationStatus::Pending
        } else {
            InvitationStatus::Void
        };
        record.teams.retain(|id| self.index.team(*id).is_some_and(|team| knows_team(actor, &team)));
        SeenInvitation { record, status }
    }

    fn refuse_known(&self, organization: OrganizationId, email: &str) -> Result<(), ActionError> {
        match self.user_of(organization, email)? {
            Some(_) => Err(email_taken()),
            None => Ok(()),
        }
    }
}

/// The fields of an invitation in an audit event.
fn shape(invitation: &InvitationRecord) -> Value {
    json!({ "email": invitation.email, "role": invitation.role.to_string() })
}
