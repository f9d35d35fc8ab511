//! Notices of a user's own account, which only the user acknowledges.
//!
//! [`crate::records::notice::Notices::add`] adds notices.

use keyhouse_storage::Batch;

use crate::actions::events::AuditEntry;
use crate::actions::signing_in::session_user::Me;
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::model::audit_action::AuditAction;
use crate::model::moment::Moment;
use crate::records::place::StoreKey;

impl Actions {
    /// Removes a user's notices up to a moment. Later notices stay, because the user has not seen
    /// them. Grave notices stay for a week.
    pub fn acknowledge_notices(&self, me: &Me<'_>, until: Moment) -> Result<(), ActionError> {
        Self::until_done(|| {
            let decided = self.authorize(me.actor)?;
            let held = self.own_record(me.user)?;
            let mut user = held.record.clone();
            let now = self.clock.now().wall;
            user.notices.acknowledge(until, now);
            if user.notices == held.record.notices {
                return Ok(Attempt::Done(()));
            }
            let place = StoreKey::User(me.user);
            let batch = Batch::new().unchanged(place.to_bytes(), held.revision);
            let batch = put(batch, &place, &user)?;
            let audit_entry = AuditEntry::by(&decided, AuditAction::NOTICE_ACKNOWLEDGE, me.user);
            self.commit_change(decided, batch, audit_entry, ())
        })
    }
}
