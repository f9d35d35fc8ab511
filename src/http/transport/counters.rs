//! What the transport counts, for metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::telemetry::measure::Histogram;

/// Counts since the start of a `Server`, except `connections_open` and `pool_in_flight`, which go
/// down again.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections that are open now.
    pub connections_open: AtomicU64,
    /// Connections accepted, those closed at once by the limit per address included.
    pub connections_accepted: AtomicU64,
    /// Connections closed at once because their address had too many.
    pub connections_refused: AtomicU64,
    /// Times that accepting had to wait because connections in all were at their limit.
    pub connections_waited: AtomicU64,
    /// Errors of accept, out of file descriptors among them.
    pub accept_errors: AtomicU64,
    /// Requests on which the application panicked.
    pub panics: AtomicU64,
    /// Requests refused because the pool or the memory for bodies was in full use.
    pub busy: AtomicU64,
    /// Requests refused by the transport for any reason, the two above included.
    pub requests_refused: AtomicU64,
    /// Requests on the blocking pool now.
    pub pool_in_flight: AtomicU64,
    /// From the handing over of a request until a thread of the pool took it up.
    pub pool_wait: Histogram,
}

/// Counts a request on the pool, until it is dropped.
#[derive(Debug)]
pub(super) struct OnPool(Arc<Counters>);

impl OnPool {
    pub(super) fn enter(counters: &Arc<Counters>) -> Self {
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

/// Adds one; counters order nothing.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
