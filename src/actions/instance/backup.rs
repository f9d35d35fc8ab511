//! Backups of the whole instance. For operators: a backup contains the records of every organization.

use std::io::{self, Read};
use std::sync::Arc;

use keyhouse_storage::{At, Batch, Store};
use serde_json::json;

use crate::actions::actor::Actor;
use crate::actions::events::AuditEntry;
use crate::actions::instance::running_backups::BackupSlot;
use crate::actions::{ActionError, Actions};
use crate::backup::{BackupError, BackupStream, Recipients};
use crate::model::audit_action::AuditAction;
use crate::model::moment::Moment;
use crate::model::role::INSTANCE_MANAGE;
use crate::records::backup::LastBackupRecord;
use crate::records::identity::instance_id;
use crate::records::place::StoreKey;
use crate::records::{PrepareError, encode, read_row};
use crate::telemetry::with_sources;
use crate::upkeep::error::UpkeepError;

/// A backup that is read as a stream. Its time is stored when its end is read, so that a backup that
/// broke off does not count as the last backup.
#[derive(Debug)]
pub struct RunningBackup {
    stream: BackupStream,
    store: Arc<dyn Store>,
    created_at: Moment,
    has_ended: bool,
    _slot: BackupSlot,
}

impl Read for RunningBackup {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buf)?;
        if count == 0 && !buf.is_empty() && !std::mem::replace(&mut self.has_ended, true) {
            // The backup is complete, so an error affects only the time that the overview shows.
            if let Err(error) = self.store_time() {
                let error = with_sources(&error);
                tracing::warn!(error, "actions: could not store the time of a backup");
            }
        }
        Ok(count)
    }
}

impl RunningBackup {
    /// Stores the time of the backup, unless a later backup has ended before.
    fn store_time(&self) -> Result<(), UpkeepError> {
        let place = StoreKey::LastBackup;
        let stored = self.store.get(&place.to_bytes(), At::Latest)?;
        let stored = stored.as_ref().map(read_row::<LastBackupRecord>).transpose()?;
        if stored.is_some_and(|held| held.record.at >= self.created_at) {
            return Ok(());
        }
        let value = encode(&place, &LastBackupRecord { at: self.created_at })?;
        self.store.commit(Batch::new().put(place.to_bytes(), value))?;
        Ok(())
    }
}

impl Actions {
    /// Begins a backup of the whole instance, encrypted to the recipients if there are any. The audit
    /// log records the backup before its first byte is read, and the backup contains this event.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] for actors that are not operators; [`ActionError::Busy`]
    /// while [`BACKUPS_AT_ONCE_MAX`](super::running_backups::BACKUPS_AT_ONCE_MAX) backups are read; the errors of the store.
    pub fn begin_backup(
        &self,
        actor: &Actor,
        recipients: &Recipients,
    ) -> Result<RunningBackup, ActionError> {
        actor.require(INSTANCE_MANAGE)?;
        let slot = self.backups.begin().ok_or(ActionError::Busy)?;
        let created_at = Self::until_done(|| {
            let decided = self.authorize_holder(actor, INSTANCE_MANAGE)?;
            let now = decided.now;
            let target = instance_id(&*self.store, At::Latest)?;
            let target = target.map(|id| id.to_string()).unwrap_or_default();
            let audit_entry = AuditEntry::by(&decided, AuditAction::INSTANCE_BACKUP, target)
                .of_instance()
                .with_change(&json!({}), &json!({ "recipients": recipients.texts() }));
            self.commit_change(decided, Batch::new(), audit_entry, now)
        })?;
        let store = Arc::clone(&self.store);
        let stream = BackupStream::begin(Arc::clone(&store), created_at, recipients)?;
        Ok(RunningBackup { stream, store, created_at, has_ended: false, _slot: slot })
    }
}

impl From<PrepareError> for ActionError {
    fn from(error: PrepareError) -> Self {
        let error = with_sources(&error);
        tracing::error!(error, "actions: could not read the store's identity");
        Self::StorageUnavailable
    }
}

impl From<BackupError> for ActionError {
    fn from(error: BackupError) -> Self {
        let error = with_sources(&error);
        tracing::error!(error, "actions: could not begin a backup");
        Self::StorageUnavailable
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::actions::test_instance::TestInstance;

    /// Regression: a backup counted as the last backup when it began, also if it broke off.
    #[test]
    fn a_backup_is_the_last_backup_once_its_end_is_read() {
        let mut instance = TestInstance::new();
        let last = |instance: &TestInstance| {
            instance.actions.overview(&instance.owner()).unwrap().backup.unwrap().at
        };
        let begin = |instance: &TestInstance| {
            let recipients = Recipients::default();
            instance.actions.begin_backup(&instance.owner(), &recipients).unwrap()
        };
        let mut broken_off = begin(&instance);
        broken_off.read_exact(&mut [0; 20]).unwrap();
        drop(broken_off);
        assert_eq!(last(&instance), None);
        let (first, mut slow) = (instance.clock_now().wall, begin(&instance));
        instance.clock.advance(Duration::from_mins(1));
        let (second, mut quick) = (instance.clock_now().wall, begin(&instance));
        instance.clock.advance(Duration::from_mins(1));
        assert_eq!(last(&instance), None, "none has ended");
        io::copy(&mut quick, &mut io::sink()).unwrap();
        assert_eq!(last(&instance), Some(second), "the time of its data");
        io::copy(&mut slow, &mut io::sink()).unwrap();
        assert_eq!(last(&instance), Some(second), "the data of the other is from {first}");
        instance.crash();
        assert_eq!(last(&instance), Some(second));
    }
}
