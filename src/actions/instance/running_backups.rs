//! The bound of backups that are read at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Maximum number of backups that are read at once. Each holds one of the store's revisions.
pub const BACKUPS_AT_ONCE_MAX: usize = 2;

/// The number of backups that are read now.
#[derive(Debug, Default)]
pub(in crate::actions) struct RunningBackups(Arc<AtomicUsize>);

/// The place of one backup. The drop returns the place.
#[derive(Debug)]
pub(in crate::actions) struct BackupSlot(Arc<AtomicUsize>);

impl RunningBackups {
    pub(in crate::actions) fn begin(&self) -> Option<BackupSlot> {
        let more = |running| (running < BACKUPS_AT_ONCE_MAX).then_some(running + 1);
        let begun = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        begun.ok().map(|_before| BackupSlot(Arc::clone(&self.0)))
    }
}

impl Drop for BackupSlot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
