//! Actors who manage users list and end the sessions of another user.
//!
//! The user sees a notice at the next sign-in.

use keyhouse_storage::Batch;
use serde_json::json;

use crate::actions::actor::Actor;
use crate::actions::events::AuditEntry;
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::model::audit_action::AuditAction;
use crate::model::errors;
use crate::model::id::{SessionId, UserId};
use crate::model::moment::Moment;
use crate::model::role::USERS_MANAGE;
use crate::model::secret::Digest;
use crate::records::Revised;
use crate::records::access::{SessionRecord, UserRecord};
use crate::records::notice::NoticeKind;
use crate::records::place::StoreKey;

impl Actions {
    /// The open sessions of another user, each with the digest of its cookie.
    ///
    /// # Errors
    /// The errors of [`Actions::end_user_sessions`].
    pub fn user_sessions(
        &self,
        actor: &Actor,
        id: UserId,
    ) -> Result<Vec<(Digest, SessionRecord)>, ActionError> {
        actor.require(USERS_MANAGE)?;
        self.require_other(actor, id)?;
        self.sessions(id)
    }

    /// Ends all sessions, or one session, of another user. If the user has no session, ending all
    /// is not an error.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] if the user holds a permission that the actor does not
    /// hold; [`ActionError::NotFound`] for the user or the named session; [`ActionError::Conflict`]
    /// for the actor's own account.
    pub fn end_user_sessions(
        &self,
        actor: &Actor,
        id: UserId,
        only: Option<SessionId>,
    ) -> Result<(), ActionError> {
        self.in_turn(|| {
            let decided = self.authorize_people(actor, USERS_MANAGE)?;
            let (today, batch) = (&decided.actor, Batch::new());
            let held = self.require_other(today, id)?;
            let (batch, ended) = if let Some(session) = only {
                (self.without_session(batch, id, session)?, 1)
            } else {
                let open = self.sessions(id)?.len();
                (self.end_sessions(batch, id)?, open)
            };
            if ended == 0 {
                return Ok(Attempt::Done(()));
            }
            let now = self.clock.now().wall;
            let batch = put_notice(batch, held, (NoticeKind::SessionsEnded, now), today)?;
            let target = only.map_or_else(|| id.to_string(), |session| session.to_string());
            let audit_entry = AuditEntry::by(&decided, AuditAction::SESSION_END, target)
                .inside(today.organization_id())
                .with_change(&json!({}), &json!({ "user": id.to_string(), "count": ended }));
            self.commit_change(decided, batch, audit_entry, ())
        })
    }

    /// The record of another user. The actor must hold everything that the user holds.
    fn require_other(&self, actor: &Actor, id: UserId) -> Result<Revised<UserRecord>, ActionError> {
        if actor.user_id() == Some(id) {
            let detail = "use /v1/sessions for your own sessions";
            return Err(ActionError::Conflict { error: errors::OWN_ACCOUNT, detail });
        }
        let held = self.find_user(actor, id)?;
        self.require_over(actor, &held.record)?;
        Ok(held)
    }
}

fn put_notice(
    batch: Batch,
    held: Revised<UserRecord>,
    (kind, at): (NoticeKind, Moment),
    actor: &Actor,
) -> Result<Batch, ActionError> {
    let mut user = held.record;
    user.notices.add(kind, actor.author(), at);
    let place = StoreKey::User(user.id);
    put(batch.unchanged(place.to_bytes(), held.revision), &place, &user)
}
