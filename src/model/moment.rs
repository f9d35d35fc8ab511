//! Moments and spans of time, and their text forms.
//!
//! Moments are milliseconds. If moments were whole seconds, a key that expires "in one second"
//! could expire at once.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

/// A point of wall-clock time in whole milliseconds, UTC.
///
/// A moment is printed as RFC 3339 with three digits of fraction: `2026-11-21T01:54:20.000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

impl Moment {
    /// A moment before every moment that can be written.
    pub const BEGINNING: Self = Self(i64::MIN);
    /// A moment after every moment that can be written: the end of an object that never ends.
    pub const NEVER: Self = Self(i64::MAX);

    /// The last moment that can be written: 9999-12-30T21:59:59.999Z. A later moment has a
    /// five-digit year in some time zones.
    pub const LATEST: Self = Self(253_402_207_199_999);

    /// The moment `milliseconds` after the start of 1970, UTC.
    pub const fn from_milliseconds(milliseconds: i64) -> Self {
        Self(milliseconds)
    }

    pub const fn milliseconds(self) -> i64 {
        self.0
    }

    /// The moment `span` later; [`Moment::NEVER`] if it is out of range.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        i64::try_from(span.as_millis())
            .ok()
            .and_then(|milliseconds| self.0.checked_add(milliseconds))
            .map_or(Self::NEVER, Self)
    }

    /// The moment `span` earlier; [`Moment::BEGINNING`] if it is out of range.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        i64::try_from(span.as_millis())
            .ok()
            .and_then(|milliseconds| self.0.checked_sub(milliseconds))
            .map_or(Self::BEGINNING, Self)
    }

    /// The time since `earlier`; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        let milliseconds = self.0.saturating_sub(earlier.0).max(0);
        Duration::from_millis(milliseconds.unsigned_abs())
    }

    /// The library's type, for calendars and formats; `None` outside years -9999 to 9999.
    pub fn timestamp(self) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.0).ok()
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.timestamp() {
            Some(timestamp) => write!(f, "{timestamp:.3}"),
            None => f.write_str(if self.0 < 0 { "beginning" } else { "never" }),
        }
    }
}

/// The text is not a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a time such as 2027-01-31T12:00:00Z (RFC 3339 with an offset)")]
pub struct InvalidMoment;

impl FromStr for Moment {
    type Err = InvalidMoment;

    /// Parses RFC 3339 with `Z` or a numeric offset; fractions of a millisecond are cut off. A
    /// moment of the year 9999 after [`Moment::LATEST`], which people use for "never", becomes
    /// [`Moment::LATEST`].
    fn from_str(text: &str) -> Result<Self, InvalidMoment> {
        // The library accepts more than RFC 3339: time zones in brackets, compact forms.
        if text.len() > 40 || !has_shape(text.as_bytes()) {
            return Err(InvalidMoment);
        }
        match text.parse::<Timestamp>() {
            Ok(timestamp) => Ok(Self(timestamp.as_millisecond())),
            Err(_source) if is_end_of_calendar(text) => Ok(Self::LATEST),
            Err(_source) => Err(InvalidMoment),
        }
    }
}

/// Whether the text has the punctuation of `2027-01-31T12:00:00` and an offset.
fn has_shape(text: &[u8]) -> bool {
    let has = |at: usize, byte: u8| text.get(at).is_some_and(|known| *known == byte);
    let is_plain = text.iter().all(|byte| byte.is_ascii_digit() || b"-:.TtZz+".contains(byte));
    let date = has(4, b'-') && has(7, b'-') && (has(10, b'T') || has(10, b't'));
    is_plain && date && has(13, b':') && has(16, b':')
}

/// A valid date and time on the last two days with a four-digit year.
fn is_end_of_calendar(text: &str) -> bool {
    let civil = text.get(..19).and_then(|text| text.parse::<jiff::civil::DateTime>().ok());
    let offset =
        text.ends_with(['Z', 'z']) || text.get(19..).is_some_and(|rest| rest.contains(['+', '-']));
    offset
        && civil
            .is_some_and(|civil| (civil.year(), civil.month()) == (9999, 12) && civil.day() >= 30)
}

/// The longest text of a span, in bytes.
const SPAN_BYTES_MAX: usize = 32;

/// The text is not a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a duration such as 1y, 6mo, 90d, 24h or 30m")]
pub struct InvalidSpan;

/// The moment that is a span such as `90d`, `6mo` or `1y` after `moment`. Months and years are
/// those of the calendar in UTC. A day that the target month does not have becomes that month's
/// last day: a month after 31 January is 28 or 29 February. A span of zero is accepted, a negative
/// span is rejected.
///
/// Returns [`Moment::NEVER`] if the result is outside the calendar.
pub fn moment_after(moment: Moment, text: &str) -> Result<Moment, InvalidSpan> {
    let span = read_span(text)?;
    let calendar =
        Span::new().try_years(span.get_years()).and_then(|it| it.try_months(span.get_months()));
    let rest = fixed(span.years(0).months(0))?;
    let calendar = calendar.map_err(|_source| InvalidSpan)?;
    if calendar.is_negative() {
        return Err(InvalidSpan);
    }
    let start = moment.timestamp().ok_or(InvalidSpan)?.to_zoned(TimeZone::UTC);
    let reached = start.checked_add(calendar);
    Ok(reached
        .map_or(Moment::NEVER, |zoned| Moment(zoned.timestamp().as_millisecond()).after(rest)))
}

/// Parses a span such as `90d`, `24h`, `1h30m`, `2w`; days are 24 hours. Months and years, whose
/// length depends on the date, are rejected: see [`moment_after`]. A span of zero is accepted, a
/// negative span is rejected.
pub fn parse_span(text: &str) -> Result<Duration, InvalidSpan> {
    fixed(read_span(text)?)
}

fn read_span(text: &str) -> Result<Span, InvalidSpan> {
    if text.len() > SPAN_BYTES_MAX {
        return Err(InvalidSpan);
    }
    text.parse().map_err(|_source| InvalidSpan)
}

/// The length of a span without months and years.
fn fixed(span: Span) -> Result<Duration, InvalidSpan> {
    if span.get_months() != 0 || span.get_years() != 0 {
        return Err(InvalidSpan);
    }
    let days = i64::from(span.get_weeks()) * 7 + i64::from(span.get_days());
    let rest = span.weeks(0).days(0);
    let rest = SignedDuration::try_from(rest).map_err(|_source| InvalidSpan)?;
    let days = SignedDuration::from_hours(days.saturating_mul(24));
    let whole = days.checked_add(rest).ok_or(InvalidSpan)?;
    Duration::try_from(whole).map_err(|_source| InvalidSpan)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc_with_milliseconds() {
        let moment: Moment = "2026-11-21T03:54:20.5+02:00".parse().unwrap();
        assert_eq!(moment.to_string(), "2026-11-21T01:54:20.500Z");
        assert_eq!(moment.to_string().parse(), Ok(moment));
    }

    #[test]
    fn invalid_moments_are_rejected() {
        for wrong in [
            "",
            "tomorrow",
            "2026-11-21",
            "2026-11-21T01:54:20",
            "2026-11-21T01:54:20+02:00[Europe/Paris]",
            "20261121T015420Z",
            "2026-11-21 01:54:20Z",
            "2026-11-21T01Z",
            "9999-12-32T00:00:00Z",
        ] {
            assert_eq!(wrong.parse::<Moment>(), Err(InvalidMoment), "{wrong}");
        }
    }

    #[test]
    fn the_end_of_the_calendar_is_a_moment_that_can_be_written() {
        let last: Moment = "9999-12-31T23:59:59Z".parse().unwrap();
        assert_eq!(last, Moment::LATEST);
        assert_eq!(last.to_string(), "9999-12-30T21:59:59.999Z");
    }

    #[test]
    fn spans_are_read() {
        for (text, seconds) in
            [("90d", 7_776_000), ("24h", 86_400), ("1h30m", 5_400), ("2w", 1_209_600), ("0s", 0)]
        {
            assert_eq!(parse_span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in ["", "90", "-1d", "1y", "1mo", "soon", "99999999999999d"] {
            assert_eq!(parse_span(wrong), Err(InvalidSpan), "{wrong}");
        }
    }

    #[test]
    fn months_and_years_are_those_of_the_calendar() {
        for (from, text, reached) in [
            ("2027-01-31T12:00:00Z", "1mo", "2027-02-28T12:00:00.000Z"),
            ("2028-02-29T00:00:00Z", "1y", "2029-02-28T00:00:00.000Z"),
            ("2026-11-28T21:00:00Z", "1y6mo", "2028-05-28T21:00:00.000Z"),
            ("2026-11-28T21:00:00Z", "1mo1d1h", "2026-12-29T22:00:00.000Z"),
            ("2026-11-28T21:00:00Z", "2w", "2026-12-12T21:00:00.000Z"),
            ("2026-11-28T21:00:00Z", "0s", "2026-11-28T21:00:00.000Z"),
            ("2026-11-28T21:00:00Z", "9000y", "never"),
        ] {
            let moment = from.parse().unwrap();
            assert_eq!(moment_after(moment, text).unwrap().to_string(), reached, "{from} {text}");
        }
        for wrong in ["-1y", "-1mo", "1y -1d", "1", "year", ""] {
            let moment = "2026-11-28T21:00:00Z".parse().unwrap();
            assert_eq!(moment_after(moment, wrong), Err(InvalidSpan), "{wrong}");
        }
    }

    #[test]
    fn no_sum_overflows() {
        assert_eq!(Moment::NEVER.after(Duration::MAX), Moment::NEVER);
        assert_eq!(Moment::BEGINNING.before(Duration::from_secs(1)), Moment::BEGINNING);
        assert_eq!(Moment::BEGINNING.since(Moment::NEVER), Duration::ZERO);
    }
}
