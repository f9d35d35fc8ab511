//! The clock: wall time that never goes back, and monotonic time for limits.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::model::moment::Moment;

/// One reading of both times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Wall time; within a process it never goes back.
    pub wall: Moment,
    /// Nanoseconds on a clock that nobody sets.
    pub ticks: u64,
}

/// Tells the time. Nobody reads it elsewhere.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time.
    fn now(&self) -> Now;
}

/// What is taken for the time of day, and may be set, forward or back, at any moment.
pub trait TimeOfDay: Send + Sync + fmt::Debug {
    /// Milliseconds since 1970.
    fn milliseconds(&self) -> i64;
}

/// The machine's time of day.
#[derive(Debug)]
pub struct MachineTime;

impl TimeOfDay for MachineTime {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock that is handed round")]
    fn milliseconds(&self) -> i64 {
        let since_1970 =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
    }
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock<T = MachineTime> {
    time_of_day: T,
    started: Instant,
    latest: AtomicI64,
}

impl SystemClock {
    /// Starts reading the machine's clock.
    pub fn start() -> Self {
        Self::over(MachineTime)
    }
}

impl<T: TimeOfDay> SystemClock<T> {
    /// The same over another time of day.
    #[expect(clippy::disallowed_methods, reason = "this is the Clock that is handed round")]
    pub fn over(time_of_day: T) -> Self {
        Self { time_of_day, started: Instant::now(), latest: AtomicI64::new(i64::MIN) }
    }
}

impl<T: TimeOfDay> Clock for SystemClock<T> {
    fn now(&self) -> Now {
        let read = self.time_of_day.milliseconds();
        let latest = self.latest.load(Ordering::Relaxed);
        // Written once a millisecond at most, so that busy cores don't pass its line to and fro.
        let wall = if read > latest {
            self.latest.fetch_max(read, Ordering::Relaxed).max(read)
        } else {
            latest
        };
        let ticks = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Now { wall: Moment::from_milliseconds(wall), ticks }
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock {
    wall: AtomicI64,
    ticks: AtomicU64,
}

impl ManualClock {
    /// A clock that shows `wall`.
    pub fn at(wall: Moment) -> Self {
        Self { wall: AtomicI64::new(wall.milliseconds()), ticks: AtomicU64::new(1) }
    }

    /// Lets time pass on both clocks.
    pub fn advance(&self, span: Duration) {
        let milliseconds = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        self.wall.fetch_add(milliseconds, Ordering::Relaxed);
        let nanoseconds = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        self.ticks.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Now {
        Now {
            wall: Moment::from_milliseconds(self.wall.load(Ordering::Relaxed)),
            ticks: self.ticks.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_never_goes_back() {
        let clock = SystemClock::start();
        let future = clock.now().wall.after(Duration::from_hours(1));
        clock.latest.store(future.milliseconds(), Ordering::Relaxed);
        assert_eq!(clock.now().wall, future);
        assert!(clock.now().ticks <= clock.now().ticks);
    }
}
