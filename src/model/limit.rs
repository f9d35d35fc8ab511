//! Rate limits and quotas: their fields and their arithmetic.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Zoned;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use crate::model::moment::Moment;

/// The most rate limits of one key.
pub const RATE_LIMITS_MAX: usize = 8;
/// The longest name of a rate limit.
pub const RATE_LIMIT_NAME_BYTES_MAX: usize = 32;
/// The most calls in one window.
pub const RATE_LIMIT_CALLS_MAX: u32 = 1_000_000_000;
/// The longest window: a day.
pub const RATE_LIMIT_WINDOW_SECONDS_MAX: u32 = 86_400;
/// The most calls in a quota's period.
pub const QUOTA_CALLS_MAX: u64 = 1_000_000_000_000;
/// The most units that one call may cost.
pub const COST_MAX: u32 = 1_000;

/// At most `limit` calls at once, and one more each `window / limit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// The name, under which the limit's state is kept: `[a-z0-9_-]{1,32}`.
    pub name: Box<str>,
    /// Calls in a window, 1 to [`RATE_LIMIT_CALLS_MAX`].
    pub limit: u32,
    /// The window, 1 to [`RATE_LIMIT_WINDOW_SECONDS_MAX`] seconds.
    pub window_seconds: u32,
}

/// The result of drawing from a rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    Granted {
        /// The new theoretical arrival time, which the caller stores, in nanoseconds of the same
        /// clock.
        arrival: u64,
    },
    Refused {
        /// The wait until the same draw passes; a whole window for a cost above the limit, which
        /// never passes.
        wait: Duration,
    },
}

impl RateLimit {
    /// Whether a text can be the name of a rate limit.
    pub fn is_name(text: &str) -> bool {
        let allowed = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
        };
        (1..=RATE_LIMIT_NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed)
    }

    /// Draws `cost` units by the generic cell rate algorithm (ITU-T I.371) with a burst of `limit`.
    ///
    /// `arrival` is the value that the last draw left, zero at first; `now` is monotonic, in
    /// nanoseconds.
    pub fn draw(&self, arrival: u64, now: u64, cost: u32) -> Draw {
        let next = self.settled(arrival, now).saturating_add(self.weight(cost));
        let latest = now.saturating_add(self.burst());
        if next <= latest {
            return Draw::Granted { arrival: next };
        }
        let wait =
            if cost > self.limit { self.window() } else { Duration::from_nanos(next - latest) };
        Draw::Refused { wait }
    }

    /// The amount that a draw of `cost` adds to the arrival time. Subtracting this amount takes the
    /// draw back.
    pub fn weight(&self, cost: u32) -> u64 {
        self.interval().saturating_mul(u64::from(cost))
    }

    /// The number of calls that would pass now.
    pub fn remaining(&self, arrival: u64, now: u64) -> u32 {
        let free = now.saturating_add(self.burst()).saturating_sub(self.settled(arrival, now));
        u32::try_from(free / self.interval()).unwrap_or(self.limit).min(self.limit)
    }

    /// The time until the whole limit is available again.
    pub fn full_after(&self, arrival: u64, now: u64) -> Duration {
        Duration::from_nanos(self.settled(arrival, now).saturating_sub(now))
    }

    /// The arrival time, limited to the range that this limit can produce. A later time was stored
    /// before the limit was raised, and counts as an exhausted limit. The caller must store the
    /// returned value.
    pub fn settled(&self, arrival: u64, now: u64) -> u64 {
        arrival.clamp(now, now.saturating_add(self.burst()))
    }

    /// Whether this limit never allows more calls than `other`, at once or in the long run.
    pub fn is_within(&self, other: &Self) -> bool {
        let product = |calls: u32, seconds: u32| u64::from(calls) * u64::from(seconds);
        let sustained = product(self.limit, other.window_seconds);
        self.limit <= other.limit && sustained <= product(other.limit, self.window_seconds)
    }

    pub fn window(&self) -> Duration {
        Duration::from_secs(u64::from(self.window_seconds))
    }

    /// Nanoseconds until a unit is available again, rounded up so that a window never exceeds the
    /// limit.
    fn interval(&self) -> u64 {
        let window_ns = u64::from(self.window_seconds) * 1_000_000_000;
        window_ns.div_ceil(u64::from(self.limit.max(1))).max(1)
    }

    fn burst(&self) -> u64 {
        self.interval().saturating_mul(u64::from(self.limit))
    }
}

/// A number of calls in a calendar day, week or month of a time zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Quota {
    /// Calls in a period, 1 to [`QUOTA_CALLS_MAX`].
    pub limit: u64,
    /// The length of a period.
    pub period: Period,
    /// The time zone of the calendar.
    pub zone: Zone,
}

/// A period of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    Day,
    /// From Monday to Monday (ISO 8601).
    Week,
    /// From the first to the first of the next month.
    Month,
}

/// The text is not a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be day, week or month")]
pub struct InvalidPeriod;

impl Period {
    const NAMES: [(Self, &'static str); 3] =
        [(Self::Day, "day"), (Self::Week, "week"), (Self::Month, "month")];
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(period, _)| period == self).map(|(_, name)| *name);
        f.write_str(name.unwrap_or("day"))
    }
}

impl FromStr for Period {
    type Err = InvalidPeriod;

    fn from_str(text: &str) -> Result<Self, InvalidPeriod> {
        let found = Self::NAMES.iter().find(|(_, name)| *name == text);
        found.map(|(period, _)| *period).ok_or(InvalidPeriod)
    }
}

/// A time zone of the IANA database, which is bundled.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone(TimeZone);

/// The text is not the name of a time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a time zone such as UTC or Europe/Paris")]
pub struct InvalidZone;

impl Zone {
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }
}

impl FromStr for Zone {
    type Err = InvalidZone;

    fn from_str(text: &str) -> Result<Self, InvalidZone> {
        let zone = TimeZone::get(text).map_err(|_source| InvalidZone)?;
        // `Etc/Unknown` is the name of an unknown time zone.
        let is_named = zone.iana_name().is_some() && !zone.is_unknown();
        is_named.then_some(Self(zone)).ok_or(InvalidZone)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

/// The period that contains a moment: from its first millisecond to the first of the next period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub begins: Moment,
    /// The first moment after the period.
    pub ends: Moment,
}

impl Quota {
    /// The period that contains `now`; if a day's midnight does not exist, the period begins at the
    /// first moment that does.
    pub fn span(&self, now: Moment) -> Span {
        self.calendar_span(now).unwrap_or(Span { begins: Moment::BEGINNING, ends: Moment::NEVER })
    }

    /// Whether this quota never allows more calls in a period of `other` than `other` does. The
    /// periods must be the same, or each period of `other` must lie within one period of this
    /// quota.
    pub fn is_within(&self, other: &Self) -> bool {
        let periods = self.period == other.period || other.period == Period::Day;
        self.zone == other.zone && periods && self.limit <= other.limit
    }

    fn calendar_span(&self, now: Moment) -> Option<Span> {
        let today = now.timestamp()?.to_zoned(self.zone.0.clone()).date();
        let (first, next) = match self.period {
            Period::Day => (today, today.tomorrow().ok()?),
            Period::Week => {
                let back = today.weekday().since(Weekday::Monday);
                let monday = today.checked_sub(jiff::Span::new().days(back)).ok()?;
                (monday, monday.checked_add(jiff::Span::new().days(7)).ok()?)
            },
            Period::Month => {
                let first = today.first_of_month();
                (first, first.checked_add(jiff::Span::new().months(1)).ok()?)
            },
        };
        Some(Span { begins: self.midnight(first)?, ends: self.midnight(next)? })
    }

    fn midnight(&self, date: Date) -> Option<Moment> {
        let zoned: Zoned = date.to_zoned(self.zone.0.clone()).ok()?;
        Some(Moment::from_milliseconds(zoned.timestamp().as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(limit: u32, window_seconds: u32) -> RateLimit {
        RateLimit { name: "default".into(), limit, window_seconds }
    }

    #[test]
    fn a_burst_of_the_limit_passes_and_then_one_each_interval() {
        let rule = limit(20, 10);
        let mut arrival = 0;
        let mut passed = 0;
        while let Draw::Granted { arrival: next } = rule.draw(arrival, 5, 1) {
            arrival = next;
            passed += 1;
        }
        assert_eq!(passed, 20);
        let half = 500_000_000;
        assert_eq!(rule.draw(arrival, 5, 1), Draw::Refused { wait: Duration::from_nanos(half) });
        assert!(matches!(rule.draw(arrival, 5 + half, 1), Draw::Granted { .. }));
        assert_eq!(rule.remaining(arrival, 5 + 3 * half), 3);
    }

    #[test]
    fn no_window_holds_twice_the_limit() {
        for (count, window) in [(3, 10), (7, 1), (1, 1), (1_000, 3)] {
            let rule = limit(count, window);
            let (mut arrival, mut now, mut passed) = (0, 1, 0);
            while now < 1 + u64::from(window) * 1_000_000_000 {
                match rule.draw(arrival, now, 1) {
                    Draw::Granted { arrival: next } => {
                        arrival = next;
                        passed += 1;
                    },
                    Draw::Refused { wait } => now += u64::try_from(wait.as_nanos()).unwrap(),
                }
            }
            assert!(passed < 2 * count, "{passed} of {count} in {window} s");
        }
    }

    #[test]
    fn a_raised_limit_counts_from_now_on() {
        let (daily, raised) = (limit(1, 86_400), limit(1_000, 60));
        let Draw::Granted { arrival } = daily.draw(0, 1, 1) else { panic!("the first passes") };
        let wait = Duration::from_millis(60);
        assert_eq!(raised.draw(arrival, 1, 1), Draw::Refused { wait });
        assert_eq!(raised.full_after(arrival, 1), Duration::from_mins(1));
        let kept = raised.settled(arrival, 1);
        assert!(matches!(raised.draw(kept, 1 + 60_000_000, 1), Draw::Granted { .. }));
    }

    #[test]
    fn a_cost_over_the_limit_never_passes_and_none_costs_nothing() {
        let rule = limit(5, 1);
        let never = Draw::Refused { wait: Duration::from_secs(1) };
        assert_eq!(rule.draw(0, 0, 6), never);
        assert_eq!(rule.draw(0, 9, 0), Draw::Granted { arrival: 9 });
    }

    #[test]
    fn periods_follow_the_calendar_of_the_zone() {
        for (period, zone, now, begins, ends) in [
            ("day", "UTC", "2026-11-21T10:00:00Z", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"),
            ("week", "UTC", "2026-11-22T10:00:00Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"),
            // Paris leaves summer time on 25 October 2026: that day has 25 hours.
            (
                "day",
                "Europe/Paris",
                "2026-10-25T10:00:00Z",
                "2026-10-24T22:00:00Z",
                "2026-10-25T23:00:00Z",
            ),
            (
                "month",
                "Europe/Paris",
                "2026-10-31T22:59:59Z",
                "2026-09-30T22:00:00Z",
                "2026-10-31T23:00:00Z",
            ),
        ] {
            let quota =
                Quota { limit: 1, period: period.parse().unwrap(), zone: zone.parse().unwrap() };
            let span = quota.span(now.parse().unwrap());
            let expected = Span { begins: begins.parse().unwrap(), ends: ends.parse().unwrap() };
            assert_eq!(span, expected, "{period} {zone} {now}");
        }
    }

    #[test]
    fn zones_and_periods_have_their_names() {
        for wrong in ["Mars/Olympus", "Etc/Unknown", "", "+02:00"] {
            assert!(wrong.parse::<Zone>().is_err(), "{wrong}");
        }
        assert_eq!("utc".parse::<Zone>().unwrap(), Zone::utc());
        assert_eq!("Europe/Paris".parse::<Zone>().unwrap().to_string(), "Europe/Paris");
        assert!("year".parse::<Period>().is_err());
        assert!(RateLimit::is_name("per-second_1") && !RateLimit::is_name("Per Second"));
    }
}
