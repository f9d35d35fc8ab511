//! What a signed-in user may do with their own account: see it, name it, change its password.

use keyhouse_storage::Batch;

use crate::actions::accounts::account_of;
use crate::actions::actor::Actor;
use crate::actions::events::Happening;
use crate::actions::new_password::require_length;
use crate::actions::sessions::Kept;
use crate::actions::sign_in::wrong_password;
use crate::actions::throttle::{Attempter, Browser, Guess, Source};
use crate::actions::totp::{spend, wrong_code};
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::model::edit::Edit;
use crate::model::fault::Fault;
use crate::model::id::UserId;
use crate::model::locale::Locale;
use crate::model::password::{Factors, Personal};
use crate::model::role::USERS_MANAGE;
use crate::model::secret::Secret;
use crate::records::Held;
use crate::records::access::UserRecord;
use crate::records::people::TotpRecord;
use crate::records::place::Place;

/// A user in their own session.
#[derive(Clone, Copy, Debug)]
pub struct Me<'a> {
    /// The session's user as an actor.
    pub actor: &'a Actor,
    /// The user.
    pub user: UserId,
    /// The session's cookie.
    pub token: &'a Secret,
    /// Where they ask from.
    pub source: Source,
}

impl Me<'_> {
    /// Who guesses at what this user must show again: an open session is a known browser, so that a
    /// stranger's guesses don't keep its user from changing anything.
    pub(super) fn attempter(&self) -> Attempter {
        let browser = Some(Browser::of_session(self.token.digest()));
        Attempter { source: self.source, browser }
    }
}

/// A user as they see themselves.
#[derive(Debug)]
pub struct Account {
    /// The record.
    pub user: UserRecord,
    /// What proves who signs in.
    pub factors: Factors,
    /// Whether the address counts as theirs.
    pub email_verified: bool,
    /// How many backup codes of the second factor are left; none where there is no second factor.
    pub backup_codes: Option<usize>,
}

/// What a user changes of themselves.
#[derive(Debug, Default)]
pub struct MeChange {
    /// The name, where it changes; checked.
    pub name: Option<String>,
    /// The language of the page.
    pub locale: Edit<Locale>,
    /// A new password.
    pub password: Option<Secret>,
    /// A new address, in its one form.
    pub email: Option<String>,
    /// The password until now: whoever finds an open session must not take the account over.
    pub current_password: Option<Secret>,
    /// A code of the second factor, where there is one: a new address takes it too.
    pub code: Option<Secret>,
    /// The versions that the caller takes (`If-Match`).
    pub versions: Option<Vec<u64>>,
}

/// A change by one who knows the current password.
struct Proven<'a> {
    /// The hash that the current password was held against.
    before: String,
    /// The guess at the account, which a wrong code makes a failure.
    guess: Guess<'a>,
    new: Option<NewPassword>,
}

/// A new password in the making.
struct NewPassword {
    hash: String,
    /// The session's new cookie.
    token: Secret,
}

/// A user as a change finds them, and who makes it.
struct Before<'a> {
    actor: &'a Actor,
    user: &'a UserRecord,
    /// Guards every change of who may do what.
    people: Batch,
}

/// A user as a change leaves them.
struct Changed {
    user: UserRecord,
    factors: Factors,
    batch: Batch,
}

impl Actions {
    /// A user's own account.
    ///
    /// # Errors
    /// [`ActionError::SessionEnded`] once there is no such user.
    pub fn account(&self, user: UserId) -> Result<Account, ActionError> {
        let user = self.own_record(user)?.record;
        let factors = self.factors(Batch::new(), user.id)?.0;
        self.account_as(user, factors)
    }

    /// Changes a user's own account. A new password, and a new address, end all their other sessions;
    /// a new password gives this one the cookie that is returned. A new address counts as theirs
    /// once one who manages users confirms it, and at once where they manage users themselves.
    ///
    /// # Errors
    /// [`ActionError::Invalid`], [`ActionError::Throttled`], [`ActionError::VersionConflict`];
    /// [`ActionError::Conflict`] for an address that is a user's of the organization.
    pub fn change_me(
        &self,
        me: &Me<'_>,
        change: &MeChange,
    ) -> Result<(Account, Option<Secret>), ActionError> {
        let needs_proof = change.password.is_some() || change.email.is_some();
        let proven = needs_proof.then(|| self.prove_change(me, change)).transpose()?;
        let account = self.in_turn(|| {
            // Who may vouch for addresses is decided as for every change of who may do what.
            let people = if change.email.is_some() { self.guard_people()? } else { Batch::new() };
            let decided = self.authorize(me.actor)?;
            let held = self.own_record(me.user)?;
            Self::check_version(change.versions.as_ref(), held.record.version)?;
            let before = Before { actor: &decided.actor, user: &held.record, people };
            let Some(changed) = self.changed_me(before, change, proven.as_ref())? else {
                return Ok(Attempt::Done(None));
            };
            let Changed { mut user, factors, batch } = changed;
            if user == held.record {
                self.await_index(held.revision);
                return Ok(Attempt::Done(Some((user, factors))));
            }
            user.version += 1;
            let place = Place::User(me.user);
            let batch = put(batch.unchanged(place.to_bytes(), held.revision), &place, &user)?;
            let batch = self.move_email(batch, &held.record, &user)?;
            let new = proven.as_ref().and_then(|proven| proven.new.as_ref());
            let batch = match new {
                Some(new) => self.keep_session(batch, me, Kept::Under(&new.token))?,
                None if user.email != held.record.email => {
                    self.keep_session(batch, me, Kept::Unchanged)?
                },
                None => batch,
            };
            let happening = Happening::by(&decided, "user.update", me.user);
            let happening = told(happening, &held.record, &user);
            let account = Some((user, factors));
            let now = self.clock.now().wall;
            let committed = self.commit_change(decided, batch, now, happening)?;
            Ok(committed.map_or(Attempt::Again, |_revision| Attempt::Done(account)))
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

    /// The user as a change leaves them, with a batch that holds only while that is right; nothing
    /// where the code of the second factor was wrong.
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
        // Changed meanwhile: the current password was another one's.
        if proven.is_some_and(|proven| proven.before != user.password) {
            return Err(wrong_password());
        }
        // The same address again is confirmed by one who has come to manage users since.
        let is_news = |email: &&String| **email != before.email || before.email_unconfirmed;
        let email = change.email.as_ref().filter(is_news);
        let batch = if email.is_some() { people } else { Batch::new() };
        let (factors, mut batch) = self.factors(batch, before.id)?;
        if let Some(email) = email {
            user.email.clone_from(email);
            // Who manages users vouches for any address.
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

    fn account_as(&self, user: UserRecord, factors: Factors) -> Result<Account, ActionError> {
        let totp: Option<Held<TotpRecord>> = self.read(&Place::Totp(user.id))?;
        let confirmed = totp.filter(|held| held.record.confirmed);
        let backup_codes = confirmed.map(|held| held.record.backup.len());
        let email_verified = self.is_email_verified(&user);
        Ok(Account { user, factors, email_verified, backup_codes })
    }

    /// Adds to a batch that a code of a user's second factor is used up, where they have one;
    /// nothing for a wrong code.
    fn spend_code(
        &self,
        batch: Batch,
        user: UserId,
        code: Option<&Secret>,
    ) -> Result<Option<Batch>, ActionError> {
        let place = Place::Totp(user);
        let held: Option<Held<TotpRecord>> = self.read(&place)?;
        let Some(held) = held.filter(|held| held.record.confirmed) else { return Ok(Some(batch)) };
        let Some(code) = code else {
            let fault = Fault::new("/code", "required", "must be given beside a second factor");
            return Err(ActionError::Invalid(vec![fault]));
        };
        let spent = spend(held.record, code, self.clock.now().wall);
        spent.map(|record| put(batch, &place, &record)).transpose()
    }

    /// Takes the current password, and checks and hashes a new one where there is one.
    fn prove_change(&self, me: &Me<'_>, change: &MeChange) -> Result<Proven<'_>, ActionError> {
        let user = self.own_record(me.user)?.record;
        let factors = self.factors(Batch::new(), me.user)?.0;
        if let Some(password) = &change.password {
            require_length(password, factors)?;
        }
        let Some(current) = &change.current_password else {
            let fault = Fault::new("/current_password", "required", "must be given");
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
    pub(super) fn own_record(&self, user: UserId) -> Result<Held<UserRecord>, ActionError> {
        self.read(&Place::User(user))?.ok_or(ActionError::SessionEnded)
    }

    /// What proves who signs in as this user; the batch goes in only while that is so.
    pub(super) fn factors(
        &self,
        batch: Batch,
        user: UserId,
    ) -> Result<(Factors, Batch), ActionError> {
        let place = Place::Totp(user).to_bytes();
        Ok(match self.read::<TotpRecord>(&Place::Totp(user))? {
            Some(held) => {
                let confirmed = held.record.confirmed;
                let factors = if confirmed { Factors::PasswordAndCode } else { Factors::Password };
                (factors, batch.unchanged(place, held.revision))
            },
            None => (Factors::Password, batch.absent(place)),
        })
    }
}

/// The fields that changed; of a password, that it did.
fn told(mut happening: Happening, before: &UserRecord, after: &UserRecord) -> Happening {
    if before.name != after.name {
        happening.before.insert("name".to_owned(), before.name.clone().into());
        happening.after.insert("name".to_owned(), after.name.clone().into());
    }
    if before.email != after.email {
        happening.before.insert("email".to_owned(), before.email.clone().into());
        happening.after.insert("email".to_owned(), after.email.clone().into());
        let unconfirmed = after.email_unconfirmed.into();
        happening.after.insert("email_unconfirmed".to_owned(), unconfirmed);
    }
    if before.locale != after.locale {
        happening.before.insert("locale".to_owned(), before.locale.as_deref().into());
        happening.after.insert("locale".to_owned(), after.locale.as_deref().into());
    }
    if before.password != after.password {
        happening.after.insert("password".to_owned(), "changed".into());
    }
    happening
}
