//! The queue of used keys that wait for a flush.
//!
//! A key is in the queue at most once, since its `waiting` flag is set while it waits. A call
//! increments its counter and then reads the flag. The flusher clears the flag and then reads the
//! counters. These accesses are `SeqCst`, and so have one total order: either the call finds the
//! flag cleared and queues the key, or the flusher finds the call in the counter.
//!
//! The queue is bounded. A key that finds the queue full keeps its flag, and the flusher searches
//! the index for such keys when the queue is empty.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use crate::index::live::KeyCounters;

/// The most used keys in the queue. If the queue is full, a search through the index finds the
/// other keys.
pub const USES_WAITING_MAX: usize = 65_536;

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
        // The load avoids a write: a busy key nearly always waits already.
        if live.marks().waiting.load(Ordering::SeqCst)
            || live.marks().waiting.swap(true, Ordering::SeqCst)
        {
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
            let known: HashSet<_> = taken.iter().map(Arc::as_ptr).collect();
            let left_out = all().into_iter().filter(|live| {
                live.marks().waiting.load(Ordering::Acquire) && !known.contains(&Arc::as_ptr(live))
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
    fn no_use_is_lost_when_the_queue_is_full() {
        let queue = FlushQueue::new();
        let lives: Vec<_> = (0..USES_WAITING_MAX + 3)
            .map(|_| Arc::new(KeyCounters::new(KeyId::default())))
            .collect();
        for live in &lives {
            queue.push(live);
        }
        let first = queue.take(10, || lives.clone());
        for live in &first {
            live.marks().waiting.store(false, Ordering::Relaxed);
        }
        let rest = queue.take(usize::MAX, || lives.clone());
        assert_eq!(first.len(), 10);
        assert_eq!(rest.len(), lives.len() - 10);
    }
}
