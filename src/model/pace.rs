//! The rate of changes that an actor may make: a setting such as `10/s burst 100`, or `off`.

use std::str::FromStr;

use crate::model::limit::RateLimit;

/// The name of the limit in `RateLimit` headers.
const NAME: &str = "changes";
/// The highest valid rate a second, and the largest valid burst.
const CHANGES_MAX: u32 = 1_000_000;
/// A guest's rate is a session's rate divided by this number.
const GUEST_RATE: u32 = 10;
/// A guest's burst is a session's burst divided by this number.
const GUEST_BURST: u32 = 5;
/// The limit for all service keys of an organization together is the limit of one key times this
/// number.
const SERVICE_KEYS: u32 = 4;

/// A rate of changes, or no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace(Option<RateLimit>);

/// The text is not a rate of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be off, or a rate such as \"10/s burst 100\" whose burst is a multiple of the rate")]
pub struct InvalidPace;

impl Pace {
    pub const OFF: Self = Self(None);

    /// A burst of changes, then a number of changes a second. The burst is rounded up to a multiple
    /// of the rate.
    pub fn new(per_second: u32, burst: u32) -> Self {
        let window_seconds = burst.div_ceil(per_second.max(1)).max(1);
        let limit = per_second.saturating_mul(window_seconds);
        Self(Some(RateLimit { name: NAME.into(), limit, window_seconds }))
    }

    /// The default for a user's sessions.
    pub fn of_sessions() -> Self {
        Self::new(10, 100)
    }

    /// The default for a key. This default is high, since a platform may create the keys of all its
    /// customers with one key.
    pub fn of_keys() -> Self {
        Self::new(100, 1_000)
    }

    /// The limit, if there is one.
    pub fn limit(&self) -> Option<&RateLimit> {
        self.0.as_ref()
    }

    /// The limit of guests, derived from a session's: a tenth of the rate, a fifth of the burst.
    #[must_use]
    pub fn of_guests(&self) -> Self {
        Self(self.0.as_ref().map(|limit| RateLimit {
            name: limit.name.clone(),
            limit: limit.limit.div_ceil(GUEST_BURST),
            window_seconds: limit.window_seconds.saturating_mul(GUEST_RATE / GUEST_BURST),
        }))
    }

    /// The limit of all service keys of an organization together, derived from that of one key:
    /// four times the rate and the burst, so that one key cannot use most of it.
    #[must_use]
    pub fn of_service_keys(&self) -> Self {
        Self(self.0.as_ref().map(|limit| RateLimit {
            limit: limit.limit.saturating_mul(SERVICE_KEYS),
            ..limit.clone()
        }))
    }
}

impl FromStr for Pace {
    type Err = InvalidPace;

    fn from_str(text: &str) -> Result<Self, InvalidPace> {
        if text == "off" {
            return Ok(Self::OFF);
        }
        let (rate, burst) = text.split_once("/s burst ").ok_or(InvalidPace)?;
        let number = |text: &str| {
            let plain = text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text.parse::<u32>().ok().filter(|_number| plain);
            number.filter(|number| (1..=CHANGES_MAX).contains(number)).ok_or(InvalidPace)
        };
        let (rate, burst) = (number(rate)?, number(burst)?);
        if burst % rate == 0 { Ok(Self::new(rate, burst)) } else { Err(InvalidPace) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(limit: u32, window_seconds: u32) -> RateLimit {
        RateLimit { name: "changes".into(), limit, window_seconds }
    }

    #[test]
    fn paces_are_read_and_guests_have_a_part_of_them() {
        for (text, session, guest) in [
            ("10/s burst 100", limit(100, 10), limit(20, 20)),
            ("100/s burst 1000", limit(1_000, 10), limit(200, 20)),
            ("1/s burst 1", limit(1, 1), limit(1, 2)),
        ] {
            let pace: Pace = text.parse().unwrap();
            assert_eq!(pace.limit(), Some(&session), "{text}");
            assert_eq!(pace.of_guests().limit(), Some(&guest), "{text}");
        }
        let off: Pace = "off".parse().unwrap();
        assert_eq!((off.limit(), off.of_guests().limit()), (None, None));
        for wrong in
            ["", "10", "10/s", "0/s burst 10", "10/s burst 0", "3/s burst 100", "+1/s burst 1"]
        {
            assert_eq!(wrong.parse::<Pace>(), Err(InvalidPace), "{wrong}");
        }
    }
}
