//! Clocks: wall time that never goes back, and monotonic time for rate limits.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::model::moment::Moment;

/// One reading of both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Wall time. Within a process, wall time never goes back.
    pub wall: Moment,
    /// Nanoseconds on a monotonic clock.
    pub ticks: u64,
}

/// The source of time. No other code reads the system's clocks.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Reads both clocks at once.
    fn now(&self) -> Now;
}

/// A time of day. The operator of the host may set the time forward or back at any moment.
pub trait TimeOfDay: Send + Sync + fmt::Debug {
    /// Milliseconds since the Unix epoch.
    fn milliseconds(&self) -> i64;
}

/// The time of day of the operating system.
#[derive(Debug)]
pub struct MachineTime;

impl TimeOfDay for MachineTime {
    #[expect(
        clippy::disallowed_methods,
        reason = "only this clock reads the time; other code receives the clock"
    )]
    fn milliseconds(&self) -> i64 {
        let since_1970 =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
    }
}

/// The clock of the operating system.
#[derive(Debug)]
pub struct SystemClock<T = MachineTime> {
    time_of_day: T,
    started: Instant,
    latest: AtomicI64,
}

impl SystemClock {
    /// Starts the monotonic time at zero.
    pub fn start() -> Self {
        Self::over(MachineTime)
    }
}

impl<T: TimeOfDay> SystemClock<T> {
    /// Like [`SystemClock::start`], with another source of the time of day.
    #[expect(
        clippy::disallowed_methods,
        reason = "only this clock reads the time; other code receives the clock"
    )]
    pub fn over(time_of_day: T) -> Self {
        Self { time_of_day, started: Instant::now(), latest: AtomicI64::new(i64::MIN) }
    }
}

impl<T: TimeOfDay> Clock for SystemClock<T> {
    fn now(&self) -> Now {
        let read = self.time_of_day.milliseconds();
        let latest = self.latest.load(Ordering::Relaxed);
        // The latest time is written at most once a millisecond, so that cores do not contend for
        // its cache line.
        let wall = if read > latest {
            self.latest.fetch_max(read, Ordering::Relaxed).max(read)
        } else {
            latest
        };
        let ticks = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Now { wall: Moment::from_milliseconds(wall), ticks }
    }
}

/// A clock that changes only when a test advances it.
#[derive(Debug)]
pub struct ManualClock {
    wall: AtomicI64,
    ticks: AtomicU64,
}

impl ManualClock {
    /// A clock whose wall time is `wall`.
    pub fn at(wall: Moment) -> Self {
        Self { wall: AtomicI64::new(wall.milliseconds()), ticks: AtomicU64::new(1) }
    }

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
