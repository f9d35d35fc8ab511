//! The retention of audit events.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The fewest days: enough that a lowered setting is noticed before important events are deleted.
const DAYS_MIN: u16 = 30;
const DAYS_MAX: u16 = 3_650;
const DAYS_DEFAULT: u16 = 400;

/// A span of whole days, 30 to 3,650, written as `400d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Retention {
    days: u16,
}

/// The text is not a retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be {DAYS_MIN}d to {DAYS_MAX}d, in whole days such as 400d")]
pub struct InvalidRetention;

impl Retention {
    /// The minimum time that an event is kept.
    pub fn span(self) -> Duration {
        Duration::from_hours(u64::from(self.days) * 24)
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { days: DAYS_DEFAULT }
    }
}

impl FromStr for Retention {
    type Err = InvalidRetention;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_suffix('d').filter(|it| it.bytes().all(|it| it.is_ascii_digit()));
        let days = digits.and_then(|digits| digits.parse().ok()).ok_or(InvalidRetention)?;
        let fits = (DAYS_MIN..=DAYS_MAX).contains(&days);
        fits.then_some(Self { days }).ok_or(InvalidRetention)
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}d", self.days)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_is_a_bounded_number_of_whole_days() {
        for (text, days) in [("30d", 30), ("400d", 400), ("3650d", 3_650)] {
            let retention: Retention = text.parse().unwrap();
            assert_eq!(retention.span(), Duration::from_hours(days * 24), "{text}");
            assert_eq!(retention.to_string(), text);
        }
        for wrong in ["", "d", "29d", "3651d", "0d", "-40d", "+40d", "400", "400 d", "9600h", "1y"]
        {
            assert_eq!(wrong.parse::<Retention>(), Err(InvalidRetention), "{wrong}");
        }
        assert_eq!(Retention::default().to_string(), "400d");
    }
}
