//! Actions that wait until the index has a revision, and used keys that wait until they are
//! written.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyhouse_storage::Revision;

use crate::index::live::KeyCounters;

/// The most used keys in the queue. If the queue is full, a search through the index finds the
/// other keys.
pub const USES_WAITING_MAX: usize = 65_536;

/// The state of the index relative to its store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The index is being built or rebuilt.
    Loading,
    /// The index has every commit of the feed so far.
    Following,
    /// The store cannot be read; the index does not change.
    Unavailable(String),
    /// Following ended: the store was closed, or a row cannot be read.
    Ended(String),
}

impl State {
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

impl fmt::Display for State {
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
pub(super) struct Progress {
    reached: Mutex<State>,
    moved: Condvar,
    revision: AtomicU64,
    /// The greatest acknowledged revision that the index has not seen.
    owed: AtomicU64,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            reached: Mutex::new(State::Loading),
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

    pub(super) fn set_state(&self, state: State) {
        *self.lock() = state;
    }

    pub(super) fn state(&self) -> State {
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
        let not_there = |_: &mut State| self.revision() < revision;
        let waited = self.moved.wait_timeout_while(held, timeout, not_there);
        let late = waited.unwrap_or_else(PoisonError::into_inner).1.timed_out();
        if late {
            self.owed.fetch_max(revision.0, Ordering::Relaxed);
        }
        !late
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Used keys, in the order in which they began to wait.
pub(super) struct FlushQueue {
    push: SyncSender<Arc<KeyCounters>>,
    take: Mutex<Receiver<Arc<KeyCounters>>>,
    /// Whether a used key found the queue full.
    overflowed: AtomicBool,
}

impl fmt::Debug for FlushQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FlushQueue")
    }
}

impl FlushQueue {
    pub(super) fn new() -> Self {
        let (push, take) = sync_channel(USES_WAITING_MAX);
        Self { push, take: Mutex::new(take), overflowed: AtomicBool::new(false) }
    }

    pub(super) fn push(&self, live: &Arc<KeyCounters>) {
        // The load avoids a write: a busy key nearly always waits already. `SeqCst` orders the flag
        // with the counts, which were written before: see [`crate::index::calls::Calls::count`].
        if live.waiting.load(Ordering::SeqCst) || live.waiting.swap(true, Ordering::SeqCst) {
            return;
        }
        match self.push.try_send(Arc::clone(live)) {
            Ok(()) => {},
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.overflowed.store(true, Ordering::Release);
            },
        }
    }

    pub(super) fn take(
        &self,
        limit: usize,
        all: impl FnOnce() -> Vec<Arc<KeyCounters>>,
    ) -> Vec<Arc<KeyCounters>> {
        let queue = self.take.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken: Vec<_> = queue.try_iter().take(limit).collect();
        if taken.len() < limit && self.overflowed.swap(false, Ordering::AcqRel) {
            // The queue is empty. A key that waits and was not taken above was left out of the
            // queue, or the calling thread holds it. The caller excludes the keys that it holds.
            let known: std::collections::HashSet<_> = taken.iter().map(Arc::as_ptr).collect();
            let left_out = all().into_iter().filter(|live| {
                live.waiting.load(Ordering::Acquire) && !known.contains(&Arc::as_ptr(live))
            });
            taken.extend(left_out);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::KeyId;

    #[test]
    fn a_revision_that_does_not_come_leaves_the_index_behind_until_it_does() {
        let progress = Progress::new();
        progress.reach(Revision(4));
        assert!(progress.wait_for(Revision(4), Duration::ZERO) && !progress.is_behind());
        assert!(!progress.wait_for(Revision(6), Duration::from_millis(1)));
        assert!(progress.is_behind());
        progress.reach(Revision(5));
        assert!(progress.is_behind());
        progress.reach(Revision(6));
        assert!(!progress.is_behind());
    }

    #[test]
    fn no_use_is_lost_when_the_queue_is_full() {
        let waiting = FlushQueue::new();
        let lives: Vec<_> = (0..USES_WAITING_MAX + 3)
            .map(|_| Arc::new(KeyCounters::new(KeyId::default())))
            .collect();
        for live in &lives {
            waiting.push(live);
        }
        let first = waiting.take(10, || lives.clone());
        for live in &first {
            live.waiting.store(false, Ordering::Relaxed);
        }
        let rest = waiting.take(usize::MAX, || lives.clone());
        assert_eq!(first.len(), 10);
        assert_eq!(rest.len(), lives.len() - 10);
    }
}
