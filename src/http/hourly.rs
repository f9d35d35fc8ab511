//! A warning that is logged at most once an hour.

use std::sync::atomic::{AtomicU64, Ordering};

/// Minimum time between two log lines of a warning that any client can cause.
const REPEAT_SECONDS: u64 = 60 * 60;

/// A warning that is logged at most once an hour.
#[derive(Debug)]
pub(super) struct Hourly(AtomicU64);

impl Default for Hourly {
    fn default() -> Self {
        Self(AtomicU64::new(u64::MAX))
    }
}

impl Hourly {
    /// Whether the warning is due at a tick of the monotonic clock. Only one of several concurrent
    /// callers receives `true`.
    pub(super) fn is_due(&self, ticks: u64) -> bool {
        let second = ticks / 1_000_000_000;
        let logged = self.0.load(Ordering::Relaxed);
        let due = logged == u64::MAX || second.saturating_sub(logged) >= REPEAT_SECONDS;
        due && self.0.compare_exchange(logged, second, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_due_once_an_hour() {
        let second = 1_000_000_000;
        let hourly = Hourly::default();
        for (at, due) in [(0, true), (1, false), (3_599, false), (3_600, true), (3_601, false)] {
            assert_eq!(hourly.is_due(at * second), due, "{at}");
        }
    }
}
