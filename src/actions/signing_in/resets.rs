//! Resets: one-time links with which users set a new password.
//!
//! The creator of a reset does not learn the password. Like an invitation, a reset is invalid if
//! its creator has lost the right to create it.

use std::net::IpAddr;

use keyhouse_storage::Batch;
use serde_json::json;

use crate::actions::accounts::acceptance::{LinkAccount, LinkFacts, LinkKind, as_invalid_link};
use crate::actions::accounts::emails::account_of;
use crate::actions::accounts::users::own_account;
use crate::actions::actor::Actor;
use crate::actions::changes::rewrite;
use crate::actions::events::AuditEntry;
use crate::actions::signing_in::new_password::require_length;
use crate::actions::signing_in::setup::LINK_LIFETIME;
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::model::audit_action::AuditAction;
use crate::model::id::UserId;
use crate::model::moment::Moment;
use crate::model::password::{Factors, Personal};
use crate::model::role::USERS_MANAGE;
use crate::model::secret::Secret;
use crate::records::Revised;
use crate::records::access::UserRecord;
use crate::records::notice::NoticeKind;
use crate::records::people::ResetRecord;
use crate::records::place::StoreKey;

#[derive(Debug)]
pub struct NewReset {
    pub token: Secret,
    pub ends_at: Moment,
}

impl Actions {
    /// Creates a link with which a user sets a new password. The previous link becomes invalid.
    /// With `totp`, the use of the link also removes the second factor. `totp` requires an owner in
    /// a session with a second factor, or the operator on the host.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] if the user holds a permission that the actor does not
    /// hold; [`ActionError::Conflict`] for the actor's own account, so that a stranger at an open
    /// session or with a key cannot take the account over; [`ActionError::ProofRequired`].
    pub fn reset_user(
        &self,
        actor: &Actor,
        id: UserId,
        totp: bool,
    ) -> Result<NewReset, ActionError> {
        self.in_turn(|| {
            let decided = self.authorize_people(actor, USERS_MANAGE)?;
            let (today, batch) = (&decided.actor, Batch::new());
            decided.require_lasting()?;
            if today.user_id() == Some(id) {
                return Err(own_account("change your own password with PATCH /v1/me"));
            }
            let held = self.find_user(today, id)?;
            self.require_over(today, &held.record)?;
            if totp {
                today.require_factor_removal()?;
            }
            decided.require_proof()?;
            let now = self.clock.now().wall;
            let token = Secret::new(format!("{id}.{}", self.new_token().reveal()));
            let (digest, ends_at) = (token.digest(), now.after(LINK_LIFETIME));
            let record = ResetRecord { digest, created_by: actor.author(), ends_at, totp };
            let batch = batch.unchanged(StoreKey::User(id).to_bytes(), held.revision);
            let batch = put(batch, &StoreKey::Reset(id), &record)?;
            let audit_entry = AuditEntry::by(&decided, AuditAction::RESET_CREATE, id)
                .inside(held.record.organization)
                .with_change(&json!({}), &json!({ "totp": totp }));
            let made = NewReset { token, ends_at };
            self.commit_change(decided, batch, audit_entry, made)
        })
    }

    /// Sets the password of the link's user and ends all the user's sessions. The user's second
    /// factor stays unless the link removes it.
    ///
    /// # Errors
    /// [`ActionError::LinkInvalid`] for a link that was used, has expired, or whose creator may no
    /// longer create it; [`ActionError::Invalid`] for a password that is not allowed.
    pub fn use_reset(
        &self,
        token: &Secret,
        password: &Secret,
        address: Option<IpAddr>,
    ) -> Result<(), ActionError> {
        let (reset, user) = self.reset_of(token)?;
        // Only the holder of a valid link may cause a hash, which is expensive.
        self.require_resetter(&reset.record, &user.record)?;
        let (factors, _guard) = self.factors_left(Batch::new(), &reset.record, user.record.id)?;
        let user = &user.record;
        let organization = self.organization_name(user.organization);
        let about = Personal { name: &user.name, email: &user.email, organization: &organization };
        self.require_good(password, &about, factors)?;
        let hash = self.hash(password)?;
        self.in_turn(|| {
            let batch = self.guard_people()?;
            let (reset, held) = self.reset_of(token)?;
            let (id, organization) = (held.record.id, held.record.organization);
            let batch = self
                .guard_author(batch, reset.record.created_by, organization)
                .map_err(as_invalid_link)?;
            self.require_resetter(&reset.record, &held.record)?;
            let (factors, batch) = self.factors_left(batch, &reset.record, id)?;
            require_length(password, factors)?;
            let now = self.clock.now().wall;
            let mut record = held.record.clone();
            record.set_password(&hash);
            record.notices.add(NoticeKind::PasswordReset, reset.record.created_by, now);
            let had_totp = self.factors(Batch::new(), id)?.0 == Factors::PasswordAndCode;
            if reset.record.totp && had_totp {
                record.notices.add(NoticeKind::TotpRemoved, reset.record.created_by, now);
            }
            let batch = self.follow_user(batch, &held.record, &record)?;
            let batch = rewrite(batch, &held, &mut record, now)?;
            let used = StoreKey::Reset(id).to_bytes();
            let mut batch = batch.unchanged(used.clone(), reset.revision).delete(used);
            if reset.record.totp {
                batch = batch.delete(StoreKey::Totp(id).to_bytes());
            }
            if reset.record.totp && had_totp {
                let removed = Self::factor_removed(&reset.record, &held.record);
                batch = self.record(batch, now, removed)?;
            }
            let audit_entry =
                AuditEntry::by_user(AuditAction::RESET_USE, id, Some(organization), address)
                    .with_change(&json!({}), &json!({ "totp": reset.record.totp }));
            let batch = self.record(batch, now, audit_entry)?;
            Ok(self.commit_upkeep(batch)?.map_or(Attempt::Again, |_revision| Attempt::Done(id)))
        })
        .map(|user| self.throttle.forgive(&account_of(user)))
    }

    pub(in crate::actions) fn reset_for(&self, token: &Secret) -> Result<LinkFacts, ActionError> {
        let (reset, user) = self.reset_of(token)?;
        self.require_resetter(&reset.record, &user.record)?;
        let (reset, user) = (reset.record, user.record);
        let account = LinkAccount {
            organization: self.organization_name(user.organization),
            created_by: self.link_author(reset.created_by, user.organization),
            email: user.email,
            name: Some(user.name),
        };
        Ok(LinkFacts { kind: LinkKind::Reset, ends_at: reset.ends_at, account: Some(account) })
    }

    /// The factors with which the user signs in after using the link.
    fn factors_left(
        &self,
        batch: Batch,
        reset: &ResetRecord,
        user: UserId,
    ) -> Result<(Factors, Batch), ActionError> {
        let (factors, batch) = self.factors(batch, user)?;
        Ok((if reset.totp { Factors::Password } else { factors }, batch))
    }

    /// The reset of a token, and its user. An expired reset is not returned.
    fn reset_of(
        &self,
        token: &Secret,
    ) -> Result<(Revised<ResetRecord>, Revised<UserRecord>), ActionError> {
        let id = token.reveal().split_once('.').and_then(|(id, _)| id.parse().ok());
        let id: UserId = id.ok_or(ActionError::LinkInvalid)?;
        let reset: Option<Revised<ResetRecord>> = self.read(&StoreKey::Reset(id))?;
        let now = self.clock.now().wall;
        let fits = |held: &Revised<ResetRecord>| {
            held.record.digest == token.digest() && now < held.record.ends_at
        };
        let reset = reset.filter(fits).ok_or(ActionError::LinkInvalid)?;
        let user = self.read(&StoreKey::User(id))?.ok_or(ActionError::LinkInvalid)?;
        Ok((reset, user))
    }

    /// Checks that the creator of a reset could create it now.
    fn require_resetter(&self, reset: &ResetRecord, user: &UserRecord) -> Result<(), ActionError> {
        let maker = self.author_today(reset.created_by, user.organization);
        let maker = maker.filter(|maker| maker.organization_id() == user.organization);
        let maker = maker.ok_or(ActionError::LinkInvalid)?;
        let may = maker.require(USERS_MANAGE).and_then(|()| self.require_over(&maker, user));
        let may = match may {
            Ok(()) if reset.totp && !maker.is_owner() => Err(ActionError::LinkInvalid),
            may => may,
        };
        may.map_err(as_invalid_link)
    }

    /// The event of a second factor that a link removes. The actor of the event is the creator of
    /// the link.
    fn factor_removed(reset: &ResetRecord, user: &UserRecord) -> AuditEntry {
        let removed = AuditEntry::by_user(
            AuditAction::USER_SECOND_FACTOR_REMOVE,
            user.id,
            Some(user.organization),
            None,
        );
        AuditEntry { actor: Some(reset.created_by), ..removed }
    }
}
