//! What a signed-in user may do with their own account: see it, name it, change its password.

use keyhouse_storage::Batch;

use crate::actions::actor::Actor;
use crate::actions::events::Happening;
use crate::actions::sign_in::wrong_password;
use crate::actions::throttle::Source;
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::model::edit::Edit;
use crate::model::fault::Fault;
use crate::model::id::UserId;
use crate::model::locale::Locale;
use crate::model::password::{Factors, check_password};
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

/// A user as they see themselves.
#[derive(Debug)]
pub struct Account {
    /// The record.
    pub user: UserRecord,
    /// What proves who signs in.
    pub factors: Factors,
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
    /// The password until now: whoever finds an open session must not take the account over.
    pub current_password: Option<Secret>,
    /// The versions that the caller takes (`If-Match`).
    pub versions: Option<Vec<u64>>,
}

/// A new password in the making.
struct NewPassword {
    /// The hash that the current password was held against.
    before: String,
    after: String,
    /// The session's new cookie.
    token: Secret,
}

impl Actions {
    /// A user's own account.
    ///
    /// # Errors
    /// [`ActionError::SessionEnded`] once there is no such user.
    pub fn account(&self, user: UserId) -> Result<Account, ActionError> {
        let user = self.own_record(user)?.record;
        let factors = self.factors(Batch::new(), user.id)?.0;
        Ok(Account { user, factors })
    }

    /// Changes a user's own account. A new password ends all their other sessions, and gives this
    /// one the cookie that is returned.
    ///
    /// # Errors
    /// [`ActionError::Invalid`], [`ActionError::Throttled`], [`ActionError::VersionConflict`].
    pub fn change_me(
        &self,
        me: &Me<'_>,
        change: &MeChange,
    ) -> Result<(Account, Option<Secret>), ActionError> {
        let password = change.password.as_ref();
        let new = password.map(|password| self.new_password(me, change, password)).transpose()?;
        let account = Self::until_done(|| {
            let decided = self.authorize(me.actor)?;
            let held = self.own_record(me.user)?;
            Self::check_version(change.versions.as_ref(), held.record.version)?;
            let (factors, batch) = self.factors(Batch::new(), me.user)?;
            let mut user = held.record.clone();
            if let Some(name) = &change.name {
                user.name.clone_from(name);
            }
            change.locale.clone().map(|locale| locale.name().into()).apply(&mut user.locale);
            if let Some(new) = &new {
                // Changed meanwhile: the current password was another one's.
                if user.password != new.before {
                    return Err(wrong_password());
                }
                user.set_password(&new.after);
                password.map_or(Ok(()), |it| check_own(it, &user.email, factors))?;
            }
            if user == held.record {
                self.await_index(held.revision);
                return Ok(Attempt::Done(Account { user, factors }));
            }
            user.version += 1;
            let place = Place::User(me.user);
            let batch = put(batch.unchanged(place.to_bytes(), held.revision), &place, &user)?;
            let batch = match &new {
                Some(new) => self.keep_session(batch, me, Some(&new.token))?,
                None => batch,
            };
            let happening = Happening::by(&decided, "user.update", me.user);
            let happening = changed(happening, &held.record, &user);
            let now = self.clock.now().wall;
            let committed = self.commit_change(decided, batch, now, happening)?;
            Ok(committed.map_or(Attempt::Again, |_r| Attempt::Done(Account { user, factors })))
        })?;
        Ok((account, new.map(|new| new.token)))
    }

    /// Checks and hashes a new password for the one who knows the current one.
    fn new_password(
        &self,
        me: &Me<'_>,
        change: &MeChange,
        password: &Secret,
    ) -> Result<NewPassword, ActionError> {
        let user = self.own_record(me.user)?.record;
        check_own(password, &user.email, self.factors(Batch::new(), me.user)?.0)?;
        let Some(current) = &change.current_password else {
            let fault = Fault::new("/current_password", "required", "must be given");
            return Err(ActionError::Invalid(vec![fault]));
        };
        drop(self.prove(&user, current, me.source)?);
        let (after, token) = (self.hash(password)?, self.new_token());
        Ok(NewPassword { before: user.password, after, token })
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

fn check_own(password: &Secret, email: &str, factors: Factors) -> Result<(), ActionError> {
    check_password(password.reveal(), email, factors).map_err(|error| {
        ActionError::Invalid(vec![Fault::new("/password", "invalid_password", error)])
    })
}

/// The fields that changed; of a password, that it did.
fn changed(mut happening: Happening, before: &UserRecord, after: &UserRecord) -> Happening {
    if before.name != after.name {
        happening.before.insert("name".to_owned(), before.name.clone().into());
        happening.after.insert("name".to_owned(), after.name.clone().into());
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
