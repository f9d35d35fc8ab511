//! Counters of the transport, for metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::telemetry::measure::Histogram;

/// Counts since the start of a `Server`. `connections_open` and `pool_in_flight` are current values.
#[derive(Debug, Default)]
pub struct TransportCounters {
    /// Connections that are currently open.
    pub connections_open: AtomicU64,
    /// Accepted connections, including those closed at once by the limit per address.
    pub connections_accepted: AtomicU64,
    /// Connections closed at once because their client address had too many open connections.
    pub connections_refused: AtomicU64,
    /// Number of times that accepting paused because the total number of connections was at its
    /// limit.
    pub connections_waited: AtomicU64,
    /// Accept errors, such as too many open files.
    pub accept_errors: AtomicU64,
    /// Requests on which the application panicked.
    pub panics: AtomicU64,
    /// Requests rejected because the pool or the memory for bodies was full.
    pub busy: AtomicU64,
    /// Requests rejected by the transport for any reason, including panics and busy.
    pub requests_refused: AtomicU64,
    /// Requests that currently run on the blocking pool.
    pub pool_in_flight: AtomicU64,
    /// Time from submitting a request to the pool until a thread started it.
    pub pool_wait: Histogram,
}

/// Counts a request on the pool, until it is dropped.
#[derive(Debug)]
pub(super) struct OnPool(Arc<TransportCounters>);

impl OnPool {
    pub(super) fn enter(counters: &Arc<TransportCounters>) -> Self {
        count(&counters.pool_in_flight);
        Self(Arc::clone(counters))
    }

    pub(super) fn is_taken_up(&self, waited: Duration) {
        self.0.pool_wait.record(waited);
    }
}

impl Drop for OnPool {
    fn drop(&mut self) {
        self.0.pool_in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Adds one. The ordering is relaxed, because no other memory access depends on a counter.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
