//! Functions for changes of users' rights: roles, teams and one-time links.
//!
//! A change that grants or removes rights waits until the index has all earlier such changes, and
//! increments the counter `people` in its batch. Two owners therefore cannot demote each other at
//! once, and a link whose creator is removed at the same time is invalid. Changes of keys and
//! sign-ins do not use this counter.

use crate::actions::actor::Actor;
use crate::actions::signing_in::setup::LINK_LIFETIME;
use crate::actions::{ActionError, Actions};
use crate::index::facts::{HeldRole, TeamFacts};
use crate::model::fault::{Fault, FaultCode};
use crate::model::id::{InvitationId, KeyId, OrganizationId, TeamId};
use crate::model::role::{Role, TEAMS_MANAGE, TEAMS_READ};
use crate::model::secret::Secret;
use crate::records::Revised;
use crate::records::key::{Author, KeyRecord};
use crate::records::people::InvitationRecord;
use crate::records::place::StoreKey;

impl Actions {
    /// The facts of a role, if the organization has it.
    pub(in crate::actions) fn held_role(
        &self,
        organization: OrganizationId,
        role: Role,
    ) -> Result<HeldRole, ActionError> {
        match role {
            Role::Builtin(role) => Ok(HeldRole::Builtin(role)),
            Role::Custom(id) => {
                let known = self.index.shared_role(id, organization);
                known.map(HeldRole::Custom).ok_or(ActionError::NotFound("role"))
            },
        }
    }

    /// A new invitation with its one-time token. The caller authorizes and writes the invitation.
    pub(in crate::actions) fn new_invitation(
        &self,
        organization: OrganizationId,
        email: String,
        role: Role,
        created_by: Author,
    ) -> (InvitationRecord, Secret) {
        let now = self.clock.now().wall;
        let id = InvitationId::new(now, &mut *self.random());
        let token = Secret::new(format!("{id}.{}", self.new_token().reveal()));
        let record = InvitationRecord {
            id,
            organization,
            email,
            name: None,
            role,
            teams: Vec::new(),
            digest: token.digest(),
            created_by,
            created_at: now,
            ends_at: now.after(LINK_LIFETIME),
        };
        (record, token)
    }

    /// The role that a request names for a user, if the organization has it.
    pub(in crate::actions) fn requested_role(
        &self,
        organization: OrganizationId,
        role: Role,
    ) -> Result<HeldRole, ActionError> {
        self.held_role(organization, role).map_err(|_none| {
            let detail = "must be a role of the organization";
            ActionError::Invalid(vec![Fault::new("/role", FaultCode::UNKNOWN_ROLE, detail)])
        })
    }

    /// Checks that the actor may add a user to these teams. Each team must belong to the
    /// organization, and the actor must be in the team or manage all teams.
    pub(in crate::actions) fn require_teams(
        &self,
        actor: &Actor,
        organization: OrganizationId,
        teams: &[TeamId],
    ) -> Result<(), ActionError> {
        let mut faults = Vec::new();
        for (at, id) in teams.iter().enumerate() {
            let team = self.index.team(*id).filter(|team| team.organization == organization);
            if !team.is_some_and(|team| knows_team(actor, &team)) {
                let detail = "must be a team of the organization";
                faults.push(Fault::new(format!("/teams/{at}"), FaultCode::UNKNOWN_TEAM, detail));
            }
        }
        if !faults.is_empty() {
            return Err(ActionError::Invalid(faults));
        }
        if teams.iter().all(|team| actor.is_in(*team)) {
            return Ok(());
        }
        actor.require(TEAMS_MANAGE)
    }

    /// Finds a key by its id in any organization. Searches one given organization first.
    pub(in crate::actions) fn key_anywhere(
        &self,
        id: KeyId,
        likely: OrganizationId,
    ) -> Result<Option<Revised<KeyRecord>>, ActionError> {
        let others = self.index.organization_ids().into_iter().filter(|other| *other != likely);
        for organization in std::iter::once(likely).chain(others) {
            if let Some(held) = self.read(&StoreKey::Key(organization, id))? {
                return Ok(Some(held));
            }
        }
        Ok(None)
    }
}

/// Whether an actor may see a team.
pub(in crate::actions) fn knows_team(actor: &Actor, team: &TeamFacts) -> bool {
    let sees_all = || actor.has(TEAMS_READ) || actor.has(TEAMS_MANAGE);
    !team.secret || actor.is_in(team.id) || sees_all()
}
