//! The queue of quotas whose reservation must be renewed, and the checks that wait for a renewal.
//!
//! The queue does not know what a quota is: `Q` waits in it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyhouse_storage::Stop;

use crate::index::quota::renewal::Renewal;

/// The most quotas in the queue. A quota that finds the queue full tries again with its next call.
pub const RENEWALS_WAITING_MAX: usize = 65_536;

#[derive(Debug)]
pub struct RenewalQueue<Q> {
    queue: Mutex<WaitingQuotas<Q>>,
    arrived: Condvar,
    answered: Condvar,
}

#[derive(Debug)]
struct WaitingQuotas<Q> {
    waiting: VecDeque<Arc<Q>>,
    /// Whether the store rejected the last renewal or does not respond. Checks then do not wait.
    is_failing: bool,
    has_ended: bool,
}

impl<Q> Default for RenewalQueue<Q> {
    fn default() -> Self {
        let queue = WaitingQuotas { waiting: VecDeque::new(), is_failing: false, has_ended: false };
        Self { queue: Mutex::new(queue), arrived: Condvar::new(), answered: Condvar::new() }
    }
}

impl<Q> RenewalQueue<Q> {
    /// Appends a quota. Returns false if the queue is full.
    pub(super) fn push(&self, quota: &Arc<Q>) -> bool {
        let mut queue = self.lock();
        let room = queue.waiting.len() < RENEWALS_WAITING_MAX && !queue.has_ended;
        if room {
            queue.waiting.push_back(Arc::clone(quota));
            self.arrived.notify_one();
        }
        room
    }

    /// Waits for queued quotas and takes up to `limit`, longest waiting first. `None` means that
    /// the thread must end.
    pub(super) fn take_waiting(&self, limit: usize) -> Option<Vec<Arc<Q>>> {
        let idle = |queue: &mut WaitingQuotas<Q>| queue.waiting.is_empty() && !queue.has_ended;
        let waited = self.arrived.wait_while(self.lock(), idle);
        let mut queue = waited.unwrap_or_else(PoisonError::into_inner);
        if queue.has_ended {
            return None;
        }
        let count = queue.waiting.len().min(limit);
        Some(queue.waiting.drain(..count).collect())
    }

    #[cfg(test)]
    pub(super) fn take_without_waiting(&self) -> Vec<Arc<Q>> {
        self.lock().waiting.drain(..).collect()
    }

    /// Reports the result of these renewals to the waiting checks.
    pub fn answer(&self, renewals: &[Renewal], were_written: bool) {
        let mut queue = self.lock();
        // The flag is set first, so that a check that sees a durable reservation does not see a
        // failing store.
        queue.is_failing = !were_written;
        if were_written {
            renewals.iter().for_each(Renewal::mark_durable);
        }
        drop(queue);
        self.answered.notify_all();
    }

    pub fn end(&self) {
        self.lock().has_ended = true;
        self.arrived.notify_all();
        self.answered.notify_all();
    }

    /// Waits until `done` and returns `true`, or returns `false` after `timeout` or when the store
    /// rejects renewals.
    pub(super) fn wait(&self, done: impl Fn() -> bool, timeout: Duration) -> bool {
        let going = |queue: &mut WaitingQuotas<Q>| !done() && !queue.is_failing && !queue.has_ended;
        let waited = self.answered.wait_timeout_while(self.lock(), timeout, going);
        let (mut queue, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        let is_done = done();
        // A store that does not respond counts as failing until it responds, so that later checks
        // do not wait as well.
        queue.is_failing |= waited.timed_out() && !is_done;
        is_done
    }

    fn lock(&self) -> MutexGuard<'_, WaitingQuotas<Q>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handle that ends the renewals.
#[derive(Debug)]
pub struct EndOfRenewals<Q>(pub Arc<RenewalQueue<Q>>);

impl<Q: fmt::Debug + Send + Sync> Stop for EndOfRenewals<Q> {
    fn stop(&self) {
        self.0.end();
    }
}
