//! Counters and histograms made of atomics. Recording neither blocks nor allocates.
//!
//! Each number is read separately, so several numbers together are not a consistent snapshot.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A count that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one to the count.
    pub fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The count since the start.
    pub fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper bounds of the buckets of every histogram, from a fast check to a store that stalls.
const BOUNDS: [Duration; 16] = [
    Duration::from_micros(10),
    Duration::from_micros(25),
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// Durations of an operation, in buckets.
#[derive(Debug, Default)]
pub struct Histogram {
    within: [Counter; BOUNDS.len()],
    beyond: Counter,
    nanoseconds: AtomicU64,
}

/// The content of a histogram.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// Sum of all durations, in seconds.
    pub seconds: f64,
    pub count: u64,
    /// The upper bound of each bucket in seconds, and the number of durations in the bucket. The
    /// last bound is infinite.
    pub buckets: Vec<(f64, u64)>,
}

impl Histogram {
    pub fn record(&self, span: Duration) {
        let bounds = BOUNDS.iter().zip(&self.within);
        let fitting =
            bounds.into_iter().find_map(|(bound, count)| (span <= *bound).then_some(count));
        fitting.unwrap_or(&self.beyond).count();
        let nanoseconds = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// The durations recorded so far.
    pub fn distribution(&self) -> Distribution {
        let bounds = BOUNDS.iter().map(Duration::as_secs_f64).chain([f64::INFINITY]);
        let counts = self.within.iter().chain([&self.beyond]).map(Counter::total);
        let buckets: Vec<_> = bounds.zip(counts).collect();
        let seconds = Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)).as_secs_f64();
        Distribution { seconds, count: buckets.iter().map(|(_, count)| count).sum(), buckets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_first_bucket_with_a_sufficient_bound() {
        let histogram = Histogram::default();
        for micros in [0, 10, 11, 5_000_000, 5_000_001] {
            histogram.record(Duration::from_micros(micros));
        }
        let seen = histogram.distribution();
        let counts: Vec<u64> = seen.buckets.iter().map(|(_, count)| *count).collect();
        assert_eq!((counts[0], counts[1], counts[15], counts[16]), (2, 1, 1, 1));
        assert_eq!(seen.count, 5);
        assert!((seen.seconds - 10.000_022).abs() < 1e-9, "{}", seen.seconds);
        assert!(BOUNDS.is_sorted());
    }
}
