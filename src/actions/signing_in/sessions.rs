//! Sessions of users in browsers: opens, finds, lists and ends sessions.
//!
//! The batch that opens a session has guards on the user's record and second factor. If the
//! password changes meanwhile, or another session uses the code, no session is opened. A session
//! stores whether the user presented a code, since removing another user's second factor requires
//! such a session.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use keyhouse_storage::{Batch, Revision};

use crate::actions::events::AuditEntry;
use crate::actions::signing_in::session_user::Me;
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::index::CallOrigin;
use crate::index::facts::UserFacts;
use crate::model::audit_action::AuditAction;
use crate::model::id::{OrganizationId, SessionId, UserId};
use crate::model::moment::Moment;
use crate::model::secret::{Digest, Secret};
use crate::records::Revised;
use crate::records::access::{BROWSER_BYTES_MAX, SessionRecord, SessionsRecord};
use crate::records::place::StoreKey;
use crate::records::uses::cut;

/// Maximum number of sessions of one user. A further session ends the oldest.
pub const SESSIONS_MAX: usize = 20;
/// Shortest time between two writes of a session's last use.
const SEEN_RESOLUTION: Duration = Duration::from_mins(1);

/// A session that was just opened.
#[derive(Debug)]
pub struct NewSession {
    pub token: Secret,
    /// The latest end of the session.
    pub ends_at: Moment,
    pub user: UserId,
}

/// The guards and writes of a session to open, and whether its user presented a code.
pub(in crate::actions) struct Admitted {
    pub(in crate::actions) batch: Batch,
    /// Whether a code of a second factor was used up.
    pub(in crate::actions) second_factor: bool,
}

impl Admitted {
    pub(in crate::actions) fn by_password(batch: Batch) -> Self {
        Self { batch, second_factor: false }
    }
}

/// The change of a session when all other sessions of its user end.
#[derive(Clone, Copy)]
pub(in crate::actions) enum SessionKept<'a> {
    Unchanged,
    Under(&'a Secret),
    /// The user has just presented a code of a second factor.
    WithSecondFactor,
}

impl Actions {
    /// Returns the session of a cookie and its user, and records the use of the session.
    ///
    /// # Errors
    /// [`ActionError::SessionEnded`] for a session that ended or never existed, or whose user is
    /// disabled.
    pub fn session(&self, token: &Secret) -> Result<(SessionRecord, Arc<UserFacts>), ActionError> {
        let place = StoreKey::Session(token.digest());
        let held: Revised<SessionRecord> = self.read(&place)?.ok_or(ActionError::SessionEnded)?;
        let (mut session, now) = (held.record, self.clock.now().wall);
        if now >= session.ends_at(self.session_times) {
            return Err(ActionError::SessionEnded);
        }
        let user = self.index.user(session.user).filter(|user| !user.standing.disabled);
        let user = user.ok_or(ActionError::SessionEnded)?;
        if now.since(session.seen_at) >= SEEN_RESOLUTION {
            session.seen_at = now;
            let batch = Batch::new().unchanged(place.to_bytes(), held.revision);
            // The request does not wait for this write.
            drop(self.store.submit(put(batch, &place, &session)?));
        }
        Ok((session, user))
    }

    /// Ends a session. Ending a session again is not an error.
    pub fn sign_out(&self, token: &Secret, address: Option<IpAddr>) -> Result<(), ActionError> {
        let digest = token.digest();
        let place = StoreKey::Session(digest);
        Self::until_done(|| {
            let Some(held) = self.read::<SessionRecord>(&place)? else {
                return Ok(Attempt::Done(()));
            };
            let (user, now) = (held.record.user, self.clock.now().wall);
            let mut batch = Batch::new().delete(place.to_bytes());
            let (mut sessions, guard) = self.sessions_of(user)?;
            sessions.digests.retain(|known| *known != digest);
            batch = put(guard.on(batch), &StoreKey::Sessions(user), &sessions)?;
            let known = self.index.user(user).map(|user| user.organization);
            let batch = self.record(
                batch,
                now,
                AuditEntry::by_user(AuditAction::SESSION_END, user, known, address),
            )?;
            Ok(self.commit_upkeep(batch)?.map_or(Attempt::Again, |_revision| Attempt::Done(())))
        })
    }

    pub(in crate::actions) fn open_session(
        &self,
        user: UserId,
        organization: OrganizationId,
        origin: CallOrigin<'_>,
    ) -> Result<NewSession, ActionError> {
        let admit = |batch| Ok(Admitted::by_password(batch));
        self.open_session_with(user, organization, origin, admit)
    }

    /// Opens a session in a batch. Each attempt calls `admit`, which adds the guards and writes of
    /// the session.
    pub(in crate::actions) fn open_session_with(
        &self,
        user: UserId,
        organization: OrganizationId,
        origin: CallOrigin<'_>,
        admit: impl Fn(Batch) -> Result<Admitted, ActionError>,
    ) -> Result<NewSession, ActionError> {
        let token = self.new_token();
        let digest = token.digest();
        let place = StoreKey::Session(digest);
        Self::until_done(|| {
            let now = self.clock.now().wall;
            let admitted = admit(Batch::new())?;
            let id = SessionId::new(now, &mut *self.random());
            let session = SessionRecord {
                id,
                user,
                created_at: now,
                seen_at: now,
                second_factor: admitted.second_factor,
                proven_at: None,
                address: origin.ip,
                user_agent: origin.user_agent.map(|name| cut(name, BROWSER_BYTES_MAX).into()),
            };
            let batch = put(admitted.batch.absent(place.to_bytes()), &place, &session)?;
            let (mut sessions, guard) = self.sessions_of(user)?;
            let mut batch = guard.on(batch);
            let ended = self.ended_among(&sessions, now)?;
            sessions.digests.retain(|known| !ended.contains(known));
            for digest in ended {
                batch = batch.delete(StoreKey::Session(digest).to_bytes());
            }
            while sessions.digests.len() >= SESSIONS_MAX {
                batch = batch.delete(StoreKey::Session(sessions.digests.remove(0)).to_bytes());
            }
            sessions.digests.push(digest);
            let batch = put(batch, &StoreKey::Sessions(user), &sessions)?;
            let began = AuditEntry::by_user(
                AuditAction::SESSION_BEGIN,
                user,
                Some(organization),
                origin.ip,
            );
            let batch = self.record(batch, now, began)?;
            Ok(self.commit_upkeep(batch)?.map_or(Attempt::Again, |_revision| Attempt::Done(now)))
        })
        .map(|now| NewSession {
            token,
            ends_at: now.after(self.session_times.absolute()),
            user,
        })
    }

    /// The expired sessions of a list. The rows of expired sessions exist until a request ends the
    /// sessions.
    fn ended_among(
        &self,
        sessions: &SessionsRecord,
        now: Moment,
    ) -> Result<Vec<Digest>, ActionError> {
        let mut ended = Vec::new();
        for digest in &sessions.digests {
            let held: Option<Revised<SessionRecord>> = self.read(&StoreKey::Session(*digest))?;
            if held.is_none_or(|held| now >= held.record.ends_at(self.session_times)) {
                ended.push(*digest);
            }
        }
        Ok(ended)
    }

    /// Adds the end of all sessions of a user to a batch.
    pub(in crate::actions) fn end_sessions(
        &self,
        batch: Batch,
        user: UserId,
    ) -> Result<Batch, ActionError> {
        let (sessions, guard) = self.sessions_of(user)?;
        if sessions.digests.is_empty() {
            // The guard prevents a session that is opened meanwhile from surviving the batch.
            return Ok(guard.on(batch));
        }
        let gone = sessions.digests.iter().map(|digest| StoreKey::Session(*digest).to_bytes());
        let batch = gone.fold(guard.on(batch), Batch::delete);
        Ok(batch.delete(StoreKey::Sessions(user).to_bytes()))
    }

    /// Adds the end of all other sessions of a user to a batch.
    pub(in crate::actions) fn keep_session(
        &self,
        batch: Batch,
        me: &Me<'_>,
        kept: SessionKept<'_>,
    ) -> Result<Batch, ActionError> {
        let own = me.token.digest();
        let (sessions, guard) = self.sessions_of(me.user)?;
        let held: Option<Revised<SessionRecord>> = self.read(&StoreKey::Session(own))?;
        let session = held.filter(|_held| sessions.digests.contains(&own));
        let mut session = session.ok_or(ActionError::SessionEnded)?.record;
        let mut batch = guard.on(batch);
        for digest in sessions.digests.iter().filter(|digest| **digest != own) {
            batch = batch.delete(StoreKey::Session(*digest).to_bytes());
        }
        let digest = match kept {
            SessionKept::Unchanged => own,
            SessionKept::Under(token) => {
                batch = batch.delete(StoreKey::Session(own).to_bytes());
                batch = put(batch, &StoreKey::Session(token.digest()), &session)?;
                token.digest()
            },
            SessionKept::WithSecondFactor => {
                session.second_factor = true;
                batch = put(batch, &StoreKey::Session(own), &session)?;
                own
            },
        };
        put(batch, &StoreKey::Sessions(me.user), &SessionsRecord { digests: vec![digest] })
    }

    /// The open sessions of a user, the newest first, each with the digest of its cookie.
    pub fn sessions(&self, user: UserId) -> Result<Vec<(Digest, SessionRecord)>, ActionError> {
        let (now, times) = (self.clock.now().wall, self.session_times);
        let mut sessions = Vec::new();
        for digest in self.sessions_of(user)?.0.digests.into_iter().rev() {
            let held: Option<Revised<SessionRecord>> = self.read(&StoreKey::Session(digest))?;
            let going_on = held.filter(|held| now < held.record.ends_at(times));
            sessions.extend(going_on.map(|held| (digest, held.record)));
        }
        Ok(sessions)
    }

    /// Ends one session of a user by its id.
    ///
    /// # Errors
    /// [`ActionError::NotFound`] for a session that belongs to another user or has ended.
    pub fn end_session(&self, me: &Me<'_>, id: SessionId) -> Result<(), ActionError> {
        Self::until_done(|| {
            let decided = self.authorize(me.actor)?;
            let batch = self.without_session(Batch::new(), me.user, id)?;
            let ended = AuditEntry::by(&decided, AuditAction::SESSION_END, id);
            self.commit_change(decided, batch, ended, ())
        })
    }

    /// Adds the end of one session of a user to a batch.
    ///
    /// # Errors
    /// [`ActionError::NotFound`] for a session that belongs to another user or has ended.
    pub(in crate::actions) fn without_session(
        &self,
        batch: Batch,
        user: UserId,
        id: SessionId,
    ) -> Result<Batch, ActionError> {
        // The guard is taken before the read, so that a session found below still belongs to the
        // user at the commit.
        let (mut sessions, guard) = self.sessions_of(user)?;
        let named = self.sessions(user)?.into_iter().find(|(_, session)| session.id == id);
        let (digest, _) = named.ok_or(ActionError::NotFound("session"))?;
        sessions.digests.retain(|known| *known != digest);
        let batch = guard.on(batch.delete(StoreKey::Session(digest).to_bytes()));
        put(batch, &StoreKey::Sessions(user), &sessions)
    }

    /// The sessions of a user, and a guard that the list is unchanged at the commit.
    pub(in crate::actions) fn sessions_of(
        &self,
        user: UserId,
    ) -> Result<(SessionsRecord, SessionsGuard), ActionError> {
        let place = StoreKey::Sessions(user);
        let held: Option<Revised<SessionsRecord>> = self.read(&place)?;
        let guard = SessionsGuard(place.to_bytes(), held.as_ref().map(|held| held.revision));
        Ok((held.map(|held| held.record).unwrap_or_default(), guard))
    }
}

/// A guard that the list of a user's sessions is unchanged.
pub(in crate::actions) struct SessionsGuard(Vec<u8>, Option<Revision>);

impl SessionsGuard {
    pub(in crate::actions) fn on(self, batch: Batch) -> Batch {
        match self.1 {
            Some(revision) => batch.unchanged(self.0, revision),
            None => batch.absent(self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::test_instance::TestInstance;

    #[test]
    fn a_session_ends_when_it_is_idle_and_at_the_latest_after_its_absolute_time() {
        let instance = TestInstance::new();
        let (actions, times) = (&instance.actions, instance.actions.session_times);
        let organization = actions.index.user(instance.owner).unwrap().organization;
        let open = || {
            let origin = CallOrigin::default();
            actions.open_session(instance.owner, organization, origin).unwrap().token
        };
        let is_open = |token: &Secret| match actions.session(token) {
            Ok(_) => true,
            Err(ActionError::SessionEnded) => false,
            Err(error) => panic!("{error}"),
        };
        let moment = Duration::from_millis(1);
        let almost = |span: Duration| span.saturating_sub(moment);
        let idle = open();
        instance.clock.advance(almost(times.idle()));
        assert!(is_open(&idle));
        instance.clock.advance(almost(times.idle()));
        assert!(is_open(&idle), "it was seen meanwhile");
        instance.clock.advance(times.idle());
        assert!(!is_open(&idle));
        assert_eq!(actions.sessions(instance.owner).unwrap().len(), 0);
        let busy = open();
        let mut left = almost(times.absolute());
        while !left.is_zero() {
            let step = left.min(times.idle() / 2);
            instance.clock.advance(step);
            assert!(is_open(&busy), "{left:?} before its end");
            left = left.saturating_sub(step);
        }
        instance.clock.advance(moment);
        assert!(!is_open(&busy));
    }

    /// Regression: expired sessions stayed in the store and in the index until their user had 20
    /// newer sessions.
    #[test]
    fn a_new_session_takes_those_away_that_ended_by_time() {
        let instance = TestInstance::new();
        let (actions, user) = (&instance.actions, instance.owner);
        let organization = actions.index.user(user).unwrap().organization;
        let open = || {
            let origin = CallOrigin::default();
            let opened = actions.open_session(user, organization, origin).unwrap();
            opened.token.digest()
        };
        let idle = [open(), open()];
        instance.clock.advance(actions.session_times.idle() / 2);
        let going_on = open();
        instance.clock.advance(actions.session_times.idle() / 2);
        let new = open();
        let (sessions, _) = actions.sessions_of(user).unwrap();
        assert_eq!(sessions.digests, [going_on, new]);
        for digest in idle {
            assert_eq!(actions.index.session_user(&digest), None);
        }
        for digest in [going_on, new] {
            assert_eq!(actions.index.session_user(&digest), Some(user));
        }
        assert_eq!(instance.count(b"session/"), 2);
    }
}
