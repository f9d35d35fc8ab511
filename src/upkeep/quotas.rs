//! A thread that reserves the use of quotas in the store in advance.
//!
//! A reservation is 1% of the quota, 1 to 1,000 calls, and is renewed when half of it is used. One
//! batch holds many reservations. A shutdown returns unused reservations. After a crash, all
//! reserved calls count as used.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use keyhouse_storage::{BATCH_WRITES_MAX, Batch, Store};

use crate::index::quota::{EndOfRenewals, QuotaCounter, QuotaOwner, Renewal, Reservations};
use crate::records::encode;
use crate::worker::{Halt, Worker};

/// The wait after the store rejected a batch.
const RETRY_WAIT: Duration = Duration::from_millis(200);
/// The thread searches for counters of deleted keys only if it holds this many counters.
const HELD_SWEPT_MIN: usize = 4_096;

/// Starts the thread.
///
/// # Errors
/// If the system cannot start a thread.
pub fn start(reservations: Arc<Reservations>, store: Arc<dyn Store>) -> std::io::Result<Worker> {
    Worker::spawn("quotas", move |halt| {
        halt.watch(Box::new(EndOfRenewals(Arc::clone(&reservations))));
        Reserving::new(reservations, store).run(halt);
    })
}

struct Reserving {
    reservations: Arc<Reservations>,
    store: Arc<dyn Store>,
    /// The counters for which the store holds a reservation.
    held: HashMap<QuotaOwner, Arc<QuotaCounter>>,
    swept_at: usize,
}

/// The end of the thread, even by a panic, ends all waits for renewals.
impl Drop for Reserving {
    fn drop(&mut self) {
        self.reservations.end();
    }
}

impl Reserving {
    fn new(reservations: Arc<Reservations>, store: Arc<dyn Store>) -> Self {
        Self { reservations, store, held: HashMap::new(), swept_at: HELD_SWEPT_MIN }
    }

    fn run(mut self, halt: &Halt) {
        while let Some(counters) = self.reservations.take(BATCH_WRITES_MAX) {
            // Repeats until the reservations are written. After each failed attempt, waiting checks
            // stop waiting.
            while !self.renew(&counters) {
                if halt.pause(RETRY_WAIT) {
                    break;
                }
            }
            self.sweep();
        }
        self.settle();
    }

    /// Reserves calls for these counters. Returns whether the store accepted the batch.
    fn renew(&mut self, counters: &[Arc<QuotaCounter>]) -> bool {
        let renewals: Vec<_> = counters.iter().filter_map(|counter| counter.renewal()).collect();
        let is_written = self.write(&renewals);
        if is_written {
            self.held.extend(counters.iter().map(|counter| (counter.owner(), Arc::clone(counter))));
        }
        self.reservations.answer(&renewals, is_written);
        is_written
    }

    /// Drops the counters of keys that no longer exist.
    fn sweep(&mut self) {
        if self.held.len() >= self.swept_at {
            self.held.retain(|_, counter| Arc::strong_count(counter) > 1);
            self.swept_at = HELD_SWEPT_MIN.max(2 * self.held.len());
        }
    }

    /// Writes the actual use of each quota. Deletes the rows of keys that no longer exist.
    fn settle(&mut self) {
        self.held.retain(|_, counter| Arc::strong_count(counter) > 1);
        let settled: Vec<_> = self.held.values().filter_map(|counter| counter.settle()).collect();
        for chunk in settled.chunks(BATCH_WRITES_MAX) {
            self.write(chunk);
        }
    }

    fn write(&self, renewals: &[Renewal]) -> bool {
        let mut batch = Batch::new();
        for renewal in renewals {
            let place = renewal.owner.place();
            match encode(&place, &renewal.record()) {
                Ok(value) => batch = batch.put(place.to_bytes(), value),
                Err(error) => {
                    tracing::error!(%error, "quotas: could not write a reservation");
                    return false;
                },
            }
        }
        if batch.writes().is_empty() {
            return true;
        }
        match self.store.commit(batch) {
            Ok(_) => true,
            Err(error) => {
                tracing::warn!(%error, quotas = renewals.len(), "quotas: could not reserve");
                false
            },
        }
    }
}
