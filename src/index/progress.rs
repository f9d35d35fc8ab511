//! The revision and the state of the index, and actions that wait for a revision.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyhouse_storage::Revision;

/// The state of the index relative to its store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexState {
    /// The index is being built or rebuilt.
    Loading,
    /// The index has every commit of the feed so far.
    Following,
    /// The store cannot be read, or the system has no thread to read it; the index does not change.
    Unavailable(String),
    /// Following ended: the store was closed, or a row cannot be read.
    Ended(String),
}

impl IndexState {
    /// The name of the state, without its cause.
    pub const fn name(&self) -> &'static str {
        let [loading, following, unavailable, ended] = Self::NAMES;
        match self {
            Self::Loading => loading,
            Self::Following => following,
            Self::Unavailable(_) => unavailable,
            Self::Ended(_) => ended,
        }
    }

    pub const NAMES: [&'static str; 4] = ["loading", "following", "unavailable", "ended"];
}

impl fmt::Display for IndexState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loading => f.write_str("loading"),
            Self::Following => f.write_str("following"),
            Self::Unavailable(cause) => write!(f, "store unavailable: {cause}"),
            Self::Ended(cause) => write!(f, "no longer following the store: {cause}"),
        }
    }
}

/// The revision and the state of the index.
#[derive(Debug)]
pub(super) struct IndexProgress {
    reached: Mutex<IndexState>,
    moved: Condvar,
    revision: AtomicU64,
    /// The greatest acknowledged revision that the index has not seen.
    owed: AtomicU64,
}

impl IndexProgress {
    pub(super) fn new() -> Self {
        Self {
            reached: Mutex::new(IndexState::Loading),
            moved: Condvar::new(),
            revision: AtomicU64::new(0),
            owed: AtomicU64::new(0),
        }
    }

    pub(super) fn reach(&self, revision: Revision) {
        let _held = self.lock();
        self.revision.store(revision.0, Ordering::Release);
        self.moved.notify_all();
    }

    pub(super) fn set_state(&self, state: IndexState) {
        *self.lock() = state;
    }

    pub(super) fn state(&self) -> IndexState {
        self.lock().clone()
    }

    pub(super) fn revision(&self) -> Revision {
        Revision(self.revision.load(Ordering::Acquire))
    }

    pub(super) fn is_behind(&self) -> bool {
        self.owed.load(Ordering::Relaxed) > self.revision.load(Ordering::Acquire)
    }

    pub(super) fn wait_for(&self, revision: Revision, timeout: Duration) -> bool {
        if self.revision() >= revision {
            return true;
        }
        let held = self.lock();
        let not_there = |_: &mut IndexState| self.revision() < revision;
        let waited = self.moved.wait_timeout_while(held, timeout, not_there);
        let late = waited.unwrap_or_else(PoisonError::into_inner).1.timed_out();
        if late {
            self.owed.fetch_max(revision.0, Ordering::Relaxed);
        }
        !late
    }

    fn lock(&self) -> MutexGuard<'_, IndexState> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_that_does_not_come_leaves_the_index_behind_until_it_does() {
        let progress = IndexProgress::new();
        progress.reach(Revision(4));
        assert!(progress.wait_for(Revision(4), Duration::ZERO) && !progress.is_behind());
        assert!(!progress.wait_for(Revision(6), Duration::from_millis(1)));
        assert!(progress.is_behind());
        progress.reach(Revision(5));
        assert!(progress.is_behind());
        progress.reach(Revision(6));
        assert!(!progress.is_behind());
    }
}
