//! The span of a query for usage: whole hours or days whose usage is kept.

use std::time::Duration;

use crate::model::calendar::{Day, Hour};
use crate::model::id::KeyId;
use crate::model::moment::Moment;

/// Number of days for which hourly usage is kept.
pub const HOURS_KEPT_DAYS: u32 = 7;
/// Number of days for which daily usage is kept.
pub const DAYS_KEPT: u32 = 90;
/// Default number of hours returned.
const HOURS_DEFAULT: u32 = 24;
/// Default number of days returned.
const DAYS_DEFAULT: u32 = 30;

/// The interval of a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interval {
    #[default]
    Hour,
    /// Days begin at midnight UTC.
    Day,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct UsageQuery {
    /// The key. `None` for all keys of the organization.
    pub key: Option<KeyId>,
    pub interval: Interval,
    /// Start: the hour or day of this moment.
    pub from: Option<Moment>,
    /// End: this moment, rounded up to a full hour or day.
    pub to: Option<Moment>,
}

/// The span of a query, in whole hours or days.
#[derive(Clone, Copy, Debug)]
pub(super) struct UsageSpan {
    pub(super) interval: Interval,
    pub(super) from: Hour,
    /// The first hour after the span.
    pub(super) until: Hour,
}

impl UsageSpan {
    pub(super) fn of(query: &UsageQuery, now: Moment) -> Self {
        let (interval, now) = (query.interval, Hour::of(now));
        let bucket = |hour| interval.bucket(hour);
        let last = query.to.map_or(now, |to| Hour::of(to.before(Duration::from_millis(1))));
        let until = interval.next(bucket(last.min(now)));
        let (usual, kept) = match interval {
            Interval::Hour => (until.minus(HOURS_DEFAULT), now.minus(HOURS_KEPT_DAYS * 24)),
            Interval::Day => (until.minus(DAYS_DEFAULT * 24), now.day().minus(DAYS_KEPT).hour(0)),
        };
        let from = query.from.map_or(usual, |from| bucket(Hour::of(from)));
        Self { interval, from: from.max(kept).min(until), until }
    }

    pub(super) fn takes(self, hour: Hour) -> bool {
        (self.from..self.until).contains(&hour)
    }

    pub(super) fn days(self) -> impl Iterator<Item = Day> {
        let days = self.from.day().number()..self.until.plus(23).day().number();
        days.map(Day::from_number)
    }
}

impl Interval {
    /// Returns the first hour of the bucket that contains an hour.
    pub(super) fn bucket(self, hour: Hour) -> Hour {
        match self {
            Self::Hour => hour,
            Self::Day => hour.day().hour(0),
        }
    }

    fn next(self, bucket: Hour) -> Hour {
        match self {
            Self::Hour => bucket.plus(1),
            Self::Day => bucket.plus(24),
        }
    }
}
