//! The lifetimes of browser sessions.

use std::time::Duration;

/// The shortest idle and absolute lifetime: filling in a form takes time.
pub const SESSION_MIN: Duration = Duration::from_mins(5);
/// The longest absolute lifetime (NIST SP 800-63B-4, 2.1.3).
pub const SESSION_MAX: Duration = Duration::from_hours(30 * 24);
/// The time after a sign-in or a proof in which a session may create secrets without another proof.
pub const PROOF_LIFETIME: Duration = Duration::from_mins(15);
const IDLE_DEFAULT: Duration = Duration::from_hours(1);
const ABSOLUTE_DEFAULT: Duration = Duration::from_hours(24);

/// The valid lifetimes of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimes {
    idle: Duration,
    absolute: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSessionTimes {
    #[error("must be from 5m to 720h (30 days)")]
    OutOfBounds,
    /// The idle lifetime is longer than the absolute lifetime.
    #[error("must not exceed the absolute time")]
    IdleBeyondAbsolute,
}

impl Default for SessionTimes {
    fn default() -> Self {
        Self { idle: IDLE_DEFAULT, absolute: ABSOLUTE_DEFAULT }
    }
}

impl SessionTimes {
    /// The configured lifetimes. The idle lifetime defaults to an hour, or to the absolute lifetime
    /// if that is shorter.
    pub fn new(
        idle: Option<Duration>,
        absolute: Option<Duration>,
    ) -> Result<Self, InvalidSessionTimes> {
        let absolute = absolute.unwrap_or(ABSOLUTE_DEFAULT);
        let idle = idle.unwrap_or(IDLE_DEFAULT.min(absolute));
        let bounds = SESSION_MIN..=SESSION_MAX;
        if !bounds.contains(&idle) || !bounds.contains(&absolute) {
            return Err(InvalidSessionTimes::OutOfBounds);
        }
        if idle > absolute {
            return Err(InvalidSessionTimes::IdleBeyondAbsolute);
        }
        Ok(Self { idle, absolute })
    }

    /// The time after which a session ends without a request.
    pub const fn idle(self) -> Duration {
        self.idle
    }

    /// The time after which a session ends in any case.
    pub const fn absolute(self) -> Duration {
        self.absolute
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_stay_within_their_bounds() {
        let minutes = |count: u64| Some(Duration::from_mins(count));
        for (idle, absolute, outcome) in [
            (None, None, Ok((60, 24 * 60))),
            (minutes(15), minutes(8 * 60), Ok((15, 8 * 60))),
            (None, minutes(30), Ok((30, 30))),
            (minutes(5), minutes(5), Ok((5, 5))),
            (minutes(4), None, Err(InvalidSessionTimes::OutOfBounds)),
            (None, minutes(4), Err(InvalidSessionTimes::OutOfBounds)),
            (None, minutes(30 * 24 * 60 + 1), Err(InvalidSessionTimes::OutOfBounds)),
            (minutes(61), minutes(60), Err(InvalidSessionTimes::IdleBeyondAbsolute)),
        ] {
            let times = SessionTimes::new(idle, absolute);
            let times = times.map(|it| (it.idle().as_secs() / 60, it.absolute().as_secs() / 60));
            assert_eq!(times, outcome, "{idle:?} {absolute:?}");
        }
    }
}
