//! How far a long operation is, for a thread that reports it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How much of a long operation is done. The unit is that of the operation.
#[derive(Debug, Default)]
pub struct Progress {
    has_begun: AtomicBool,
    done: AtomicU64,
    /// Zero while the whole amount is not known.
    total: AtomicU64,
}

impl Progress {
    /// Begins an operation of `total` units. Zero: the amount is not known.
    pub fn begin(&self, total: u64) {
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
        self.has_begun.store(true, Ordering::Relaxed);
    }

    /// Whether the operation has begun.
    pub fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Relaxed)
    }

    /// Whether all units are done. False while the whole amount is not known.
    pub fn is_complete(&self) -> bool {
        let total = self.total.load(Ordering::Relaxed);
        total > 0 && self.done() >= total
    }

    /// Counts units that were done.
    pub fn add(&self, units: u64) {
        self.done.fetch_add(units, Ordering::Relaxed);
    }

    /// The number of units that were done.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// The part that is done, in percent, at most 99 until the caller knows that the operation has
    /// ended. `None` while the whole amount is not known.
    pub fn percent(&self) -> Option<u8> {
        let total = self.total.load(Ordering::Relaxed);
        let percent = self.done().saturating_mul(100).checked_div(total)?;
        Some(u8::try_from(percent).unwrap_or(99).min(99))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_of_an_unknown_amount_is_none_and_never_100() {
        let progress = Progress::default();
        progress.add(5);
        assert_eq!((progress.percent(), progress.done()), (None, 5));
        assert!(!progress.has_begun());
        for (total, done, percent) in [(200, 0, 0), (200, 84, 42), (200, 200, 99), (1, 9_000, 99)] {
            progress.begin(total);
            progress.add(done);
            assert_eq!(progress.percent(), Some(percent), "{done} of {total}");
            assert!(progress.has_begun());
        }
    }
}
