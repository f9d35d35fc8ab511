//! Sessions of people in browsers: sign in, be known, sign out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use keyhouse_storage::{Batch, Revision};

use crate::actions::access::{happening, hash_failed};
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::index::facts::UserFacts;
use crate::model::id::{OrganizationId, SessionId, UserId};
use crate::model::moment::Moment;
use crate::model::name::parse_email;
use crate::model::secret::Secret;
use crate::records::Held;
use crate::records::access::{EmailRecord, SessionRecord, SessionsRecord, UserRecord};
use crate::records::place::Place;

/// How long a session lasts without a request.
pub const SESSION_IDLE: Duration = Duration::from_hours(1);
/// How long a session lasts at all.
pub const SESSION_LIFETIME: Duration = Duration::from_hours(24);
/// Most sessions of one user; a further one ends the oldest.
pub const SESSIONS_MAX: usize = 20;
/// How often being seen is written.
const SEEN_RESOLUTION: Duration = Duration::from_mins(1);

/// A session that was just opened.
#[derive(Debug)]
pub struct NewSession {
    /// The cookie's text.
    pub token: Secret,
    /// When the session ends at the latest.
    pub ends_at: Moment,
    /// Whose it is.
    pub user: UserId,
}

impl Actions {
    /// Opens a session for the one who knows the password. Takes as long for an unknown address.
    ///
    /// # Errors
    /// [`ActionError::SignInFailed`], [`ActionError::Busy`].
    pub fn sign_in(
        &self,
        email: &str,
        password: &Secret,
        address: Option<IpAddr>,
    ) -> Result<NewSession, ActionError> {
        let user = self.user_by_email(email)?;
        let stored = user.as_ref().map(|user| user.password.as_str());
        let fits = self.passwords.verify(password, stored).map_err(hash_failed)?;
        match user {
            Some(user) if fits && !user.disabled => {
                self.open_session(user.id, user.organization, address)
            },
            Some(_) | None => Err(ActionError::SignInFailed),
        }
    }

    /// The user of a session's cookie, with the session; notes that it was seen.
    ///
    /// # Errors
    /// [`ActionError::SessionEnded`] for one that ended, or never was, or whose user is stopped.
    pub fn session(&self, token: &Secret) -> Result<(SessionRecord, Arc<UserFacts>), ActionError> {
        let place = Place::Session(token.digest());
        let held: Held<SessionRecord> = self.read(&place)?.ok_or(ActionError::SessionEnded)?;
        let (mut session, now) = (held.record, self.clock.now().wall);
        let idle_end = session.seen_at.after(SESSION_IDLE);
        if now >= idle_end || now >= session.created_at.after(SESSION_LIFETIME) {
            return Err(ActionError::SessionEnded);
        }
        let user = self.index.user(session.user).filter(|user| !user.standing.disabled);
        let user = user.ok_or(ActionError::SessionEnded)?;
        if now.since(session.seen_at) >= SEEN_RESOLUTION {
            session.seen_at = now;
            let batch = Batch::new().unchanged(place.to_bytes(), held.revision);
            // Not waited for: that a session was seen is no reason to let its request wait.
            drop(self.store.submit(put(batch, &place, &session)?));
        }
        Ok((session, user))
    }

    /// Ends a session. Ending one that has ended is no error.
    ///
    /// # Errors
    /// The store's.
    pub fn sign_out(&self, token: &Secret, address: Option<IpAddr>) -> Result<(), ActionError> {
        let digest = token.digest();
        let place = Place::Session(digest);
        Self::until_done(|| {
            let Some(held) = self.read::<SessionRecord>(&place)? else {
                return Ok(Attempt::Done(()));
            };
            let (user, now) = (held.record.user, self.clock.now().wall);
            let mut batch = Batch::new().delete(place.to_bytes());
            let (mut sessions, guard) = self.sessions_of(user)?;
            sessions.digests.retain(|known| *known != digest);
            batch = put(guard.on(batch), &Place::Sessions(user), &sessions)?;
            let known = self.index.user(user).map(|user| user.organization);
            let batch = self.record(batch, now, happening("session.end", user, known, address))?;
            Ok(self.commit(batch)?.map_or(Attempt::Again, |_revision| Attempt::Done(())))
        })
    }

    pub(super) fn open_session(
        &self,
        user: UserId,
        organization: OrganizationId,
        address: Option<IpAddr>,
    ) -> Result<NewSession, ActionError> {
        let token = self.new_token();
        let digest = token.digest();
        let place = Place::Session(digest);
        Self::until_done(|| {
            let now = self.clock.now().wall;
            let id = SessionId::new(now, &mut *self.random());
            let session = SessionRecord { id, user, created_at: now, seen_at: now, address };
            let batch = put(Batch::new().absent(place.to_bytes()), &place, &session)?;
            let (mut sessions, guard) = self.sessions_of(user)?;
            let mut batch = guard.on(batch);
            while sessions.digests.len() >= SESSIONS_MAX {
                batch = batch.delete(Place::Session(sessions.digests.remove(0)).to_bytes());
            }
            sessions.digests.push(digest);
            let batch = put(batch, &Place::Sessions(user), &sessions)?;
            let began = happening("session.begin", user, Some(organization), address);
            let batch = self.record(batch, now, began)?;
            Ok(self.commit(batch)?.map_or(Attempt::Again, |_revision| Attempt::Done(now)))
        })
        .map(|now| NewSession { token, ends_at: now.after(SESSION_LIFETIME), user })
    }

    /// Adds to a batch that all sessions of a user end with it.
    pub(super) fn end_sessions(&self, batch: Batch, user: UserId) -> Result<Batch, ActionError> {
        let (sessions, guard) = self.sessions_of(user)?;
        if sessions.digests.is_empty() {
            // One that opens meanwhile would outlive this.
            return Ok(guard.on(batch));
        }
        let gone = sessions.digests.iter().map(|digest| Place::Session(*digest).to_bytes());
        let batch = gone.fold(guard.on(batch), Batch::delete);
        Ok(batch.delete(Place::Sessions(user).to_bytes()))
    }

    /// The sessions of a user, and what must hold for a change of them to go in.
    pub(super) fn sessions_of(
        &self,
        user: UserId,
    ) -> Result<(SessionsRecord, SessionsGuard), ActionError> {
        let place = Place::Sessions(user);
        let held: Option<Held<SessionsRecord>> = self.read(&place)?;
        let guard = SessionsGuard(place.to_bytes(), held.as_ref().map(|held| held.revision));
        Ok((held.map(|held| held.record).unwrap_or_default(), guard))
    }

    pub(super) fn user_by_email(&self, email: &str) -> Result<Option<UserRecord>, ActionError> {
        let Ok(email) = parse_email(email) else { return Ok(None) };
        let Some(owner) = self.read::<EmailRecord>(&Place::Email(email))? else { return Ok(None) };
        Ok(self.read(&Place::User(owner.record.user))?.map(|held| held.record))
    }
}

/// That a user's sessions are still as they were read.
pub(super) struct SessionsGuard(Vec<u8>, Option<Revision>);

impl SessionsGuard {
    pub(super) fn on(self, batch: Batch) -> Batch {
        match self.1 {
            Some(revision) => batch.unchanged(self.0, revision),
            None => batch.absent(self.0),
        }
    }
}
