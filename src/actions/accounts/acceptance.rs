//! Accepting an invitation: the holder of its one-time link becomes a user.

use serde_json::json;

use crate::actions::accounts::emails::email_taken;
use crate::actions::events::AuditEntry;
use crate::actions::signing_in::sessions::NewSession;
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::index::CallOrigin;
use crate::model::audit_action::AuditAction;
use crate::model::fault::{Fault, FaultCode};
use crate::model::id::{InvitationId, OrganizationId, TeamId, UserId};
use crate::model::moment::Moment;
use crate::model::name::parse_name;
use crate::model::password::{Factors, Personal};
use crate::model::secret::Secret;
use crate::records::Revised;
use crate::records::access::{EmailRecord, UserRecord};
use crate::records::key::Author;
use crate::records::notice::Notices;
use crate::records::people::InvitationRecord;
use crate::records::place::StoreKey;

/// The input of a person who accepts an invitation.
#[derive(Debug)]
pub struct Newcomer {
    pub token: Secret,
    /// The name. Without a name, the user gets the name that the invitation proposes.
    pub name: Option<String>,
    pub password: Secret,
}

/// The facts of a one-time link that its holder may see before using it.
#[derive(Debug)]
pub struct LinkFacts {
    pub kind: LinkKind,
    pub ends_at: Moment,
    /// The account that the link creates or resets. `None` for a setup link.
    pub account: Option<LinkAccount>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    Invitation,
    Reset,
    Setup,
}

/// The account of an invitation or a reset.
#[derive(Debug)]
pub struct LinkAccount {
    pub email: String,
    pub name: Option<String>,
    pub organization: String,
    /// The name of the user who created the link, in a session or with a personal key. `None` if the
    /// operator on the host or a service key created the link.
    pub created_by: Option<String>,
}

impl Actions {
    /// Creates a user for the holder of an invitation's token and opens the user's first session.
    ///
    /// # Errors
    /// [`ActionError::LinkInvalid`] for a link that was used or withdrawn, has expired, or whose
    /// creator lost the right to invite; [`ActionError::Conflict`] if a user already has the
    /// address.
    pub fn accept_invitation(
        &self,
        newcomer: &Newcomer,
        origin: CallOrigin<'_>,
    ) -> Result<NewSession, ActionError> {
        let invitation = self.invitation_of(&newcomer.token)?.record;
        // Only the holder of a valid link may cause a hash, which is expensive.
        self.require_maker(&invitation)?;
        let name = self.checked_newcomer(newcomer, &invitation)?;
        let password = self.hash(&newcomer.password)?;
        let user = self.in_turn(|| {
            let now = self.clock.now().wall;
            let batch = self.guard_people()?;
            let held = self.invitation_of(&newcomer.token)?;
            let batch = self.guard_author(batch, held.record.created_by, held.record.organization);
            let batch = batch.map_err(as_invalid_link)?;
            self.require_maker(&held.record)?;
            self.require_place(held.record.organization)?;
            let email = StoreKey::Email(held.record.email.clone(), held.record.organization);
            if self.read::<EmailRecord>(&email)?.is_some() {
                return Err(email_taken());
            }
            let id = UserId::new(now, &mut *self.random());
            let used = StoreKey::Invitation(held.record.id).to_bytes();
            let record = self.new_user(id, held.record, (name.clone(), password.clone()), now);
            let batch = batch.unchanged(used.clone(), held.revision).delete(used);
            let batch = batch.absent(email.to_bytes());
            let batch = put(batch, &email, &EmailRecord { user: id })?;
            let batch = put(batch, &StoreKey::User(id), &record)?;
            let audit_entry = AuditEntry::by_user(
                AuditAction::INVITATION_ACCEPT,
                id,
                Some(record.organization),
                origin.ip,
            )
            .with_change(&json!({}), &json!({ "role": record.role.to_string() }));
            let committed = self.commit_upkeep(self.record(batch, now, audit_entry)?)?;
            Ok(committed.map_or(Attempt::Again, |_revision| Attempt::Done(id)))
        })?;
        self.open_session(user, invitation.organization, origin)
    }

    fn new_user(
        &self,
        id: UserId,
        invitation: InvitationRecord,
        (name, password): (String, String),
        now: Moment,
    ) -> UserRecord {
        let exists = |team: &TeamId| self.index.team(*team).is_some();
        UserRecord {
            id,
            organization: invitation.organization,
            email: invitation.email,
            email_unconfirmed: false,
            name,
            password,
            role: invitation.role,
            operator: false,
            disabled: false,
            teams: invitation.teams.into_iter().filter(exists).collect(),
            locale: None,
            notices: Notices::default(),
            password_changes: 0,
            created_at: now,
            version: 1,
        }
    }

    /// Returns the facts of a one-time link to its holder. The link stays usable.
    ///
    /// # Errors
    /// [`ActionError::LinkInvalid`] for a link that was used or withdrawn, has expired, or never
    /// existed, and for a link whose creator may no longer create it.
    pub fn link_facts(&self, token: &Secret) -> Result<LinkFacts, ActionError> {
        match self.invited(token) {
            Err(ActionError::LinkInvalid) => {},
            invited => return invited,
        }
        match self.reset_for(token) {
            Err(ActionError::LinkInvalid) => self.setup_for(token),
            reset => reset,
        }
    }

    fn invited(&self, token: &Secret) -> Result<LinkFacts, ActionError> {
        let invitation = self.invitation_of(token)?.record;
        self.require_maker(&invitation)?;
        let account = LinkAccount {
            organization: self.organization_name(invitation.organization),
            created_by: self.link_author(invitation.created_by, invitation.organization),
            email: invitation.email,
            name: invitation.name,
        };
        let (kind, ends_at) = (LinkKind::Invitation, invitation.ends_at);
        Ok(LinkFacts { kind, ends_at, account: Some(account) })
    }

    /// The name of the user who created a link, for [`LinkAccount::created_by`].
    pub(in crate::actions) fn link_author(
        &self,
        author: Author,
        organization: OrganizationId,
    ) -> Option<String> {
        let author = self.author_today(author, organization)?;
        author.user_facts().map(|user| user.name.clone())
    }

    /// Checks the newcomer's input and returns the name.
    fn checked_newcomer(
        &self,
        newcomer: &Newcomer,
        invitation: &InvitationRecord,
    ) -> Result<String, ActionError> {
        let mut faults = Vec::new();
        let name = newcomer.name.as_deref().or(invitation.name.as_deref());
        let name = match name.map(parse_name) {
            Some(Ok(name)) => name,
            Some(Err(error)) => {
                faults.push(Fault::new("/name", FaultCode::INVALID_NAME, error));
                String::new()
            },
            None => {
                faults.push(Fault::new("/name", FaultCode::REQUIRED, "is required"));
                String::new()
            },
        };
        let organization = self.organization_name(invitation.organization);
        let about = Personal { name: &name, email: &invitation.email, organization: &organization };
        faults.extend(self.judge(&newcomer.password, &about, Factors::Password)?);
        if faults.is_empty() { Ok(name) } else { Err(ActionError::Invalid(faults)) }
    }

    /// The invitation of a token; an expired invitation is not returned.
    fn invitation_of(&self, token: &Secret) -> Result<Revised<InvitationRecord>, ActionError> {
        let id = token.reveal().split_once('.').and_then(|(id, _)| id.parse().ok());
        let id: InvitationId = id.ok_or(ActionError::LinkInvalid)?;
        let held: Option<Revised<InvitationRecord>> = self.read(&StoreKey::Invitation(id))?;
        let now = self.clock.now().wall;
        let fits = |held: &Revised<InvitationRecord>| {
            held.record.digest == token.digest() && now < held.record.ends_at
        };
        held.filter(fits).ok_or(ActionError::LinkInvalid)
    }
}

/// Maps the error of a creator's missing rights to an invalid link.
pub(in crate::actions) fn as_invalid_link(error: ActionError) -> ActionError {
    match error {
        ActionError::PermissionRequired(_)
        | ActionError::BeyondKey(_)
        | ActionError::NotFound(_)
        | ActionError::Invalid(_) => ActionError::LinkInvalid,
        ActionError::SubscriptionRequired { .. }
        | ActionError::LimitReached { .. }
        | ActionError::Conflict { .. }
        | ActionError::VersionConflict { .. }
        | ActionError::SignInFailed
        | ActionError::CodeRequired
        | ActionError::OrganizationRequired(_)
        | ActionError::SecondFactorRequired
        | ActionError::ProofRequired
        | ActionError::Throttled { .. }
        | ActionError::SessionEnded
        | ActionError::KeyRefused(_)
        | ActionError::LinkInvalid
        | ActionError::Busy
        | ActionError::StorageFull
        | ActionError::StorageUnavailable
        | ActionError::OutcomeUnknown => error,
    }
}
