//! The queue of quotas whose reservation must be renewed, and the checks that wait for a renewal.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyhouse_storage::Stop;

use crate::index::quota::{QuotaCounter, Renewal};

/// The most quotas in the queue. A quota that finds the queue full tries again with its next call.
pub const RENEWALS_WAITING_MAX: usize = 65_536;

/// The queue of one instance.
#[derive(Debug, Default)]
pub struct Reservations {
    queue: Mutex<ReservationQueue>,
    arrived: Condvar,
    answered: Condvar,
}

#[derive(Debug, Default)]
struct ReservationQueue {
    waiting: VecDeque<Arc<QuotaCounter>>,
    /// Whether the store rejected the last renewal or does not respond. Checks then do not wait.
    is_failing: bool,
    has_ended: bool,
}

impl Reservations {
    /// Appends a quota. Returns false if the queue is full.
    pub(super) fn push(&self, counter: &Arc<QuotaCounter>) -> bool {
        let mut queue = self.lock();
        let room = queue.waiting.len() < RENEWALS_WAITING_MAX && !queue.has_ended;
        if room {
            queue.waiting.push_back(Arc::clone(counter));
            self.arrived.notify_one();
        }
        room
    }

    /// Waits for queued quotas and takes up to `limit`, longest waiting first. `None` means that
    /// the thread must end.
    pub fn take(&self, limit: usize) -> Option<Vec<Arc<QuotaCounter>>> {
        let idle = |queue: &mut ReservationQueue| queue.waiting.is_empty() && !queue.has_ended;
        let waited = self.arrived.wait_while(self.lock(), idle);
        let mut queue = waited.unwrap_or_else(PoisonError::into_inner);
        if queue.has_ended {
            return None;
        }
        let count = queue.waiting.len().min(limit);
        let taken: Vec<_> = queue.waiting.drain(..count).collect();
        for counter in &taken {
            counter.leave_queue();
        }
        Some(taken)
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
        let going = |queue: &mut ReservationQueue| !done() && !queue.is_failing && !queue.has_ended;
        let waited = self.answered.wait_timeout_while(self.lock(), timeout, going);
        let (mut queue, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        let is_done = done();
        // A store that does not respond counts as failing until it responds, so that later checks
        // do not wait as well.
        queue.is_failing |= waited.timed_out() && !is_done;
        is_done
    }

    fn lock(&self) -> MutexGuard<'_, ReservationQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handle that ends the renewals.
#[derive(Debug)]
pub struct EndOfRenewals(pub Arc<Reservations>);

impl Stop for EndOfRenewals {
    fn stop(&self) {
        self.0.end();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Renews all queued quotas, as if a store had accepted them at once.
    pub(crate) fn renew_all(reservations: &Reservations) {
        let waiting: Vec<_> = reservations.lock().waiting.drain(..).collect();
        for counter in &waiting {
            counter.leave_queue();
        }
        let renewals: Vec<_> = waiting.iter().filter_map(|counter| counter.renewal()).collect();
        reservations.answer(&renewals, true);
    }
}
