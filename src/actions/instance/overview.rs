//! Facts about an organization and the instance that need the attention of their owners: users without
//! a second factor, and the age of the last backup.

use std::time::Duration;

use crate::actions::actor::Actor;
use crate::actions::rows::{ROWS_A_PAGE, newest_first, rows_in_turns};
use crate::actions::{ActionError, Actions};
use crate::model::audit_action::AuditAction;
use crate::model::moment::Moment;
use crate::model::role::{INSTANCE_MANAGE, USERS_READ};
use crate::records::Revised;
use crate::records::event::EventRecord;
use crate::records::people::TotpRecord;
use crate::records::place::StoreKey;
use crate::records::read_row;

/// Maximum number of users that are read: the newest of the organization.
pub const USERS_READ_MAX: usize = 1_000;
/// Maximum number of audit events that are read to find the last backup.
pub const EVENTS_READ_MAX: usize = 10_000;

/// The facts that an actor may see.
#[derive(Debug)]
pub struct Overview {
    pub users: Option<UserFactors>,
    pub backup: Option<LastBackup>,
}

/// The second factors of an organization's enabled users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserFactors {
    pub users: usize,
    pub without_second_factor: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastBackup {
    /// The time of the last backup: a scheduled one, or one that an operator requested.
    pub at: Option<Moment>,
    /// The interval of scheduled backups; zero if no backup is scheduled.
    pub every: Duration,
}

impl Actions {
    /// Returns the facts that the actor may see.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] if the actor may see none; the errors of the store.
    pub fn overview(&self, actor: &Actor) -> Result<Overview, ActionError> {
        let sees_backups = actor.has(INSTANCE_MANAGE);
        if !sees_backups {
            actor.require(USERS_READ)?;
        }
        let users = actor.has(USERS_READ).then(|| self.user_factors(actor)).transpose()?;
        let backup = sees_backups.then(|| self.last_backup(actor)).transpose()?;
        Ok(Overview { users, backup })
    }

    fn user_factors(&self, actor: &Actor) -> Result<UserFactors, ActionError> {
        // The index has the users of all organizations in one map.
        let users = {
            let _turn = self.page_turn(actor);
            self.index.users_of(actor.organization_id())
        };
        let newest: Vec<_> = users.iter().rev().take(USERS_READ_MAX).collect();
        let mut factors = UserFactors { users: 0, without_second_factor: 0 };
        for some in newest.chunks(ROWS_A_PAGE) {
            let _turn = self.page_turn(actor);
            for user in some.iter().filter(|user| !user.standing.disabled) {
                let totp: Option<Revised<TotpRecord>> = self.read(&StoreKey::Totp(user.id))?;
                factors.users += 1;
                if !totp.is_some_and(|held| held.record.confirmed) {
                    factors.without_second_factor += 1;
                }
            }
        }
        Ok(factors)
    }

    fn last_backup(&self, actor: &Actor) -> Result<LastBackup, ActionError> {
        let scheduled = self.scheduled_backups.now();
        let requested = self.last_requested_backup(actor, scheduled.last_success)?;
        Ok(LastBackup { at: requested.or(scheduled.last_success), every: scheduled.every })
    }

    /// The time of the last backup that an operator requested after `since`. The audit log records
    /// these backups.
    fn last_requested_backup(
        &self,
        actor: &Actor,
        since: Option<Moment>,
    ) -> Result<Option<Moment>, ActionError> {
        let range = newest_first(StoreKey::EVENTS, None);
        let rows = rows_in_turns(&*self.store, &range, || self.page_turn(actor));
        for row in rows.take(EVENTS_READ_MAX) {
            // The check of the log reports an event that cannot be decoded.
            let Ok(held) = read_row::<EventRecord>(&row?) else { continue };
            let event = held.record;
            if since.is_some_and(|since| event.id.moment() <= since) {
                break;
            }
            if *event.action == *AuditAction::INSTANCE_BACKUP.name {
                return Ok(Some(event.id.moment()));
            }
        }
        Ok(None)
    }
}
