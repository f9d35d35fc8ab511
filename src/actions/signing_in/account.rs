//! A signed-in user's own account: shows the account, and changes name, password and address.

use keyhouse_storage::Batch;

use crate::actions::accounts::emails::account_of;
use crate::actions::actor::Actor;
use crate::actions::events::AuditEntry;
use crate::actions::signing_in::new_password::require_length;
use crate::actions::signing_in::session_user::Me;
use crate::actions::signing_in::sessions::SessionKept;
use crate::actions::signing_in::sign_in::wrong_password;
use crate::actions::signing_in::throttle::Guess;
use crate::actions::signing_in::totp::wrong_code;
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::model::audit_action::AuditAction;
use crate::model::edit::Edit;
use crate::model::fault::{Fault, FaultCode};
use crate::model::id::UserId;
use crate::model::locale::Locale;
use crate::model::password::{Factors, Personal};
use crate::model::role::USERS_MANAGE;
use crate::model::secret::Secret;
use crate::records::Revised;
use crate::records::access::UserRecord;
use crate::records::people::TotpRecord;
use crate::records::place::StoreKey;

/// A user's account as the user sees it.
#[derive(Debug)]
pub struct OwnAccount {
    pub user: UserRecord,
    /// The factors with which the user signs in.
    pub factors: Factors,
    /// Whether the address is verified.
    pub email_verified: bool,
    /// The number of unused backup codes; `None` without a second factor.
    pub backup_codes: Option<usize>,
}

/// A change of the user's own account.
#[derive(Debug, Default)]
pub struct MeChange {
    /// The new name, already checked.
    pub name: Option<String>,
    /// The language of the page.
    pub locale: Edit<Locale>,
    pub password: Option<Secret>,
    /// A new address, in canonical form.
    pub email: Option<String>,
    /// The current password. Requiring the current password prevents a stranger at an open session
    /// from taking the account over.
    pub current_password: Option<Secret>,
    /// A code of the second factor, if the user has a second factor. A new address requires a code
    /// too.
    pub code: Option<Secret>,
    pub versions: Option<Vec<u64>>,
}

/// A change by a user who has proven the current password.
struct Proven<'a> {
    /// The hash with which the current password was compared.
    before: String,
    /// The open guess at the account. A wrong code turns the guess into a failure.
    guess: Guess<'a>,
    new: Option<NewPassword>,
}

/// A new password, checked and hashed.
struct NewPassword {
    hash: String,
    token: Secret,
}

/// A user before a change, with the actor of the change.
struct Before<'a> {
    actor: &'a Actor,
    user: &'a UserRecord,
    /// A guard on every change of users' rights.
    people: Batch,
}

/// A user after a change.
struct Changed {
    user: UserRecord,
    factors: Factors,
    batch: Batch,
}

impl Actions {
    pub fn account(&self, user: UserId) -> Result<OwnAccount, ActionError> {
        let user = self.own_record(user)?.record;
        let factors = self.factors(Batch::new(), user.id)?.0;
        self.account_as(user, factors)
    }

    /// Changes a user's own account. A new password or a new address ends all other sessions of the
    /// user. A new password also gives this session a new cookie, which is returned. A new address
    /// counts as verified once an actor with [`USERS_MANAGE`] confirms it, or at once if the user
    /// has that permission.
    ///
    /// # Errors
    /// [`ActionError::Conflict`] if another user of the organization has the address.
    pub fn change_me(
        &self,
        me: &Me<'_>,
        change: &MeChange,
    ) -> Result<(OwnAccount, Option<Secret>), ActionError> {
        let needs_proof = change.password.is_some() || change.email.is_some();
        let proven = needs_proof.then(|| self.prove_change(me, change)).transpose()?;
        let account = self.in_turn(|| {
            // A new address may be confirmed by the user's own right to manage users, so the change
            // is guarded like a change of users' rights.
            let people = if change.email.is_some() { self.guard_people()? } else { Batch::new() };
            let decided = self.authorize(me.actor)?;
            let held = self.own_record(me.user)?;
            Self::check_version(change.versions.as_ref(), held.record.version)?;
            let before = Before { actor: &decided.actor, user: &held.record, people };
            let Some(changed) = self.changed_me(before, change, proven.as_ref())? else {
                return Ok(Attempt::Done(None));
            };
            let Changed { user, factors, batch } = changed;
            let batch = self.move_email(batch, &held.record, &user)?;
            let new = proven.as_ref().and_then(|proven| proven.new.as_ref());
            let batch = match new {
                Some(new) => self.keep_session(batch, me, SessionKept::Under(&new.token))?,
                None if user.email != held.record.email => {
                    self.keep_session(batch, me, SessionKept::Unchanged)?
                },
                None => batch,
            };
            let audit_entry = AuditEntry::by(&decided, AuditAction::USER_UPDATE, me.user);
            let audit_entry = reported(audit_entry, &held.record, &user);
            let attempt = self.update_as(decided, audit_entry, (&held, user), batch)?;
            Ok(attempt.map(|user| Some((user, factors))))
        })?;
        let Some((user, factors)) = account else {
            if let Some(proven) = proven {
                self.refuse(proven.guess, &account_of(me.user), me.source);
            }
            return Err(wrong_code());
        };
        let account = self.account_as(user, factors)?;
        Ok((account, proven.and_then(|proven| proven.new).map(|new| new.token)))
    }

    /// The user after the change, with a batch that is committed only if the records that decide
    /// about the change are unchanged; `None` if the code of the second factor was wrong.
    fn changed_me(
        &self,
        Before { actor, user: before, people }: Before<'_>,
        change: &MeChange,
        proven: Option<&Proven<'_>>,
    ) -> Result<Option<Changed>, ActionError> {
        let mut user = before.clone();
        if let Some(name) = &change.name {
            user.name.clone_from(name);
        }
        change.locale.clone().map(|locale| locale.name().into()).apply(&mut user.locale);
        // The password changed in the meantime, so the client presented the earlier password.
        if proven.is_some_and(|proven| proven.before != user.password) {
            return Err(wrong_password());
        }
        // The unchanged address also counts as a change if it is unconfirmed: a user who may manage
        // users now can confirm it this way.
        let is_news = |email: &&String| **email != before.email || before.email_unconfirmed;
        let email = change.email.as_ref().filter(is_news);
        let batch = if email.is_some() { people } else { Batch::new() };
        let (factors, mut batch) = self.factors(batch, before.id)?;
        if let Some(email) = email {
            user.email.clone_from(email);
            // An address that a manager of users sets is confirmed, even the manager's own.
            user.email_unconfirmed = !actor.has(USERS_MANAGE);
            let Some(spent) = self.spend_code(batch, before.id, change.code.as_ref())? else {
                return Ok(None);
            };
            batch = spent;
        }
        if let Some(new) = proven.and_then(|proven| proven.new.as_ref()) {
            user.set_password(&new.hash);
            change.password.as_ref().map_or(Ok(()), |it| require_length(it, factors))?;
        }
        Ok(Some(Changed { user, factors, batch }))
    }

    fn account_as(&self, user: UserRecord, factors: Factors) -> Result<OwnAccount, ActionError> {
        let totp: Option<Revised<TotpRecord>> = self.read(&StoreKey::Totp(user.id))?;
        let confirmed = totp.filter(|held| held.record.confirmed);
        let backup_codes = confirmed.map(|held| held.record.backup.len());
        let email_verified = self.is_email_verified(&user);
        Ok(OwnAccount { user, factors, email_verified, backup_codes })
    }

    /// Adds the use of a code to a batch if the user has a second factor. `None` for a wrong code.
    fn spend_code(
        &self,
        batch: Batch,
        user: UserId,
        code: Option<&Secret>,
    ) -> Result<Option<Batch>, ActionError> {
        let place = StoreKey::Totp(user);
        let held: Option<Revised<TotpRecord>> = self.read(&place)?;
        let Some(held) = held.filter(|held| held.record.confirmed) else { return Ok(Some(batch)) };
        let Some(code) = code else {
            let fault = Fault::new(
                "/code",
                FaultCode::REQUIRED,
                "is required, because your account has a second factor",
            );
            return Err(ActionError::Invalid(vec![fault]));
        };
        let spent = self.spend(user, held.record, code, self.clock.now().wall);
        spent.map(|record| put(batch, &place, &record)).transpose()
    }

    /// Verifies the current password, and checks and hashes the new password, if the change has
    /// one.
    fn prove_change(&self, me: &Me<'_>, change: &MeChange) -> Result<Proven<'_>, ActionError> {
        let user = self.own_record(me.user)?.record;
        let factors = self.factors(Batch::new(), me.user)?.0;
        if let Some(password) = &change.password {
            require_length(password, factors)?;
        }
        let Some(current) = &change.current_password else {
            let fault = Fault::new("/current_password", FaultCode::REQUIRED, "is required");
            return Err(ActionError::Invalid(vec![fault]));
        };
        let guess = self.prove(&user, current, me)?;
        if let Some(password) = &change.password {
            let organization = self.organization_name(user.organization);
            let name = change.name.as_deref().unwrap_or(&user.name);
            let email = change.email.as_deref().unwrap_or(&user.email);
            let about = Personal { name, email, organization: &organization };
            self.require_good(password, &about, factors)?;
        }
        let hash = change.password.as_ref().map(|password| self.hash(password)).transpose()?;
        let new = hash.map(|hash| NewPassword { hash, token: self.new_token() });
        Ok(Proven { before: user.password, guess, new })
    }

    /// The record of a session's user.
    pub(in crate::actions) fn own_record(
        &self,
        user: UserId,
    ) -> Result<Revised<UserRecord>, ActionError> {
        self.read(&StoreKey::User(user))?.ok_or(ActionError::SessionEnded)
    }

    /// The factors with which a user signs in. The batch is committed only if the factors are
    /// unchanged.
    pub(in crate::actions) fn factors(
        &self,
        batch: Batch,
        user: UserId,
    ) -> Result<(Factors, Batch), ActionError> {
        let place = StoreKey::Totp(user).to_bytes();
        Ok(match self.read::<TotpRecord>(&StoreKey::Totp(user))? {
            Some(held) => {
                let confirmed = held.record.confirmed;
                let factors = if confirmed { Factors::PasswordAndCode } else { Factors::Password };
                (factors, batch.unchanged(place, held.revision))
            },
            None => (Factors::Password, batch.absent(place)),
        })
    }
}

/// Adds the changed fields to an audit event. A new password is recorded without its value.
fn reported(mut audit_entry: AuditEntry, before: &UserRecord, after: &UserRecord) -> AuditEntry {
    if before.name != after.name {
        audit_entry.before.insert("name".to_owned(), before.name.clone().into());
        audit_entry.after.insert("name".to_owned(), after.name.clone().into());
    }
    if before.email != after.email {
        audit_entry.before.insert("email".to_owned(), before.email.clone().into());
        audit_entry.after.insert("email".to_owned(), after.email.clone().into());
        let unconfirmed = after.email_unconfirmed.into();
        audit_entry.after.insert("email_unconfirmed".to_owned(), unconfirmed);
    }
    if before.locale != after.locale {
        audit_entry.before.insert("locale".to_owned(), before.locale.as_deref().into());
        audit_entry.after.insert("locale".to_owned(), after.locale.as_deref().into());
    }
    if before.password != after.password {
        audit_entry.after.insert("password".to_owned(), "changed".into());
    }
    audit_entry
}
