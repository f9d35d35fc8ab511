//! Quotas whose reservation runs out, on their way to the thread that renews it, and the checks
//! that wait for one.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyhouse_storage::Stop;

use crate::index::quota::{QuotaCounter, Renewal};

/// Most quotas in the queue. One that finds it full asks again with its next call.
pub const RENEWALS_WAITING_MAX: usize = 65_536;

/// The queue of one instance.
#[derive(Debug, Default)]
pub struct Reservations {
    queue: Mutex<Queue>,
    arrived: Condvar,
    answered: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Arc<QuotaCounter>>,
    /// Whether the store refused the last renewal, or is silent: then nobody waits for it.
    is_failing: bool,
    has_ended: bool,
}

impl Reservations {
    /// Puts a quota at the end. Returns whether there was room.
    pub(super) fn push(&self, counter: &Arc<QuotaCounter>) -> bool {
        let mut queue = self.lock();
        let room = queue.waiting.len() < RENEWALS_WAITING_MAX && !queue.has_ended;
        if room {
            queue.waiting.push_back(Arc::clone(counter));
            self.arrived.notify_one();
        }
        room
    }

    /// Waits until a quota waits, and takes up to `limit`, the longest waiting first. `None`: it is
    /// time to end.
    pub fn take(&self, limit: usize) -> Option<Vec<Arc<QuotaCounter>>> {
        let idle = |queue: &mut Queue| queue.waiting.is_empty() && !queue.has_ended;
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

    /// Tells those who wait what became of these renewals.
    pub fn answer(&self, renewals: &[Renewal], were_written: bool) {
        let mut queue = self.lock();
        // First: whoever draws on what is durable now must not be told that the store refuses.
        queue.is_failing = !were_written;
        if were_written {
            renewals.iter().for_each(Renewal::mark_durable);
        }
        drop(queue);
        self.answered.notify_all();
    }

    /// From now on nothing is renewed.
    pub fn end(&self) {
        self.lock().has_ended = true;
        self.arrived.notify_all();
        self.answered.notify_all();
    }

    /// Waits until `done`. Returns whether it came to that: not within `timeout`, and not where the
    /// store refuses.
    pub(super) fn wait(&self, done: impl Fn() -> bool, timeout: Duration) -> bool {
        let going = |queue: &mut Queue| !done() && !queue.is_failing && !queue.has_ended;
        let waited = self.answered.wait_timeout_while(self.lock(), timeout, going);
        let (mut queue, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        let is_done = done();
        // A store that keeps silent is one that refuses, until it answers: one check has waited in
        // vain, the next ones need not.
        queue.is_failing |= waited.timed_out() && !is_done;
        is_done
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the renewing from outside.
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

    /// Renews what waits, as if a store had taken it at once.
    pub(crate) fn renew_all(reservations: &Reservations) {
        let waiting: Vec<_> = reservations.lock().waiting.drain(..).collect();
        for counter in &waiting {
            counter.leave_queue();
        }
        let renewals: Vec<_> = waiting.iter().filter_map(|counter| counter.renewal()).collect();
        reservations.answer(&renewals, true);
    }
}
