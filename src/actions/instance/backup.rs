//! Backups of the whole instance. For operators: a backup contains the records of every organization.

use std::io::{self, Read};
use std::sync::Arc;

use keyhouse_storage::{At, Batch};
use serde_json::json;

use crate::actions::actor::Actor;
use crate::actions::events::AuditEntry;
use crate::actions::instance::running_backups::BackupSlot;
use crate::actions::{ActionError, Actions};
use crate::backup::{BackupError, BackupStream, Recipients};
use crate::model::audit_action::AuditAction;
use crate::model::role::INSTANCE_MANAGE;
use crate::records::PrepareError;
use crate::records::identity::instance_id;
use crate::telemetry::with_sources;

/// A backup that is read as a stream.
#[derive(Debug)]
pub struct RunningBackup {
    stream: BackupStream,
    _slot: BackupSlot,
}

impl Read for RunningBackup {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buf)
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
        let stream = BackupStream::begin(Arc::clone(&self.store), created_at, recipients)?;
        Ok(RunningBackup { stream, _slot: slot })
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
