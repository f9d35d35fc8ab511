//! Hours and days in UTC, by which use is counted.

use crate::model::moment::Moment;

const HOUR_MS: i64 = 3_600_000;
const HOURS_A_DAY: u32 = 24;

/// An hour in UTC, by its number since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(u32);

/// A day in UTC, by its number since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u32);

impl Hour {
    /// The hour of a moment; hour 0 for moments before 1970.
    pub fn of(moment: Moment) -> Self {
        let number = moment.milliseconds().div_euclid(HOUR_MS).max(0);
        Self(u32::try_from(number).unwrap_or(u32::MAX))
    }

    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }

    pub const fn number(self) -> u32 {
        self.0
    }

    #[must_use]
    pub const fn plus(self, hours: u32) -> Self {
        Self(self.0.saturating_add(hours))
    }

    /// The hour `hours` earlier, but at least hour 0.
    #[must_use]
    pub const fn minus(self, hours: u32) -> Self {
        Self(self.0.saturating_sub(hours))
    }

    pub const fn day(self) -> Day {
        Day(self.0 / HOURS_A_DAY)
    }

    /// The hour within its day, 0 to 23.
    pub fn of_day(self) -> u8 {
        u8::try_from(self.0 % HOURS_A_DAY).unwrap_or_default()
    }

    pub fn begins(self) -> Moment {
        Moment::from_milliseconds(i64::from(self.0) * HOUR_MS)
    }
}

impl Day {
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }

    pub const fn number(self) -> u32 {
        self.0
    }

    #[must_use]
    pub const fn plus(self, days: u32) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// The day `days` earlier, but at least day 0.
    #[must_use]
    pub const fn minus(self, days: u32) -> Self {
        Self(self.0.saturating_sub(days))
    }

    /// The day's hour `hour`, 0 to 23.
    pub fn hour(self, hour: u8) -> Hour {
        Hour(self.0.saturating_mul(HOURS_A_DAY).saturating_add(u32::from(hour)))
    }

    pub fn begins(self) -> Moment {
        self.hour(0).begins()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_and_days_are_those_of_utc() {
        let moment: Moment = "2027-03-01T00:30:00+02:00".parse().unwrap();
        let hour = Hour::of(moment);
        assert_eq!(hour.begins().to_string(), "2027-02-28T22:00:00.000Z");
        assert_eq!((hour.of_day(), hour.day().hour(22)), (22, hour));
        assert_eq!(hour.day().begins().to_string(), "2027-02-28T00:00:00.000Z");
        assert_eq!(hour.plus(2).day(), hour.day().plus(1));
        assert_eq!(Hour::of(Moment::BEGINNING), Hour::from_number(0));
    }
}
