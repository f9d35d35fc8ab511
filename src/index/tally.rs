//! Calls on their way to the store: keys whose use waits to be written, and what was counted and is
//! not certainly stored yet.
//!
//! Whoever holds the tally sees each call once: in the store, in what is owed to it, or at a key that
//! waits. It is not taken by checks.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::index::live::Live;
use crate::model::calendar::{Day, Hour};
use crate::model::id::KeyId;
use crate::records::usage::{Counts, HoursRecord, UsageOf};

/// Most rows owed to the store. While there are more, calls stay with their keys.
pub const OWED_MAX: usize = 131_072;

/// What is not written yet.
#[derive(Debug, Default)]
pub struct Tally {
    /// Used keys, the longest waiting first.
    pub(super) fresh: VecDeque<Arc<Live>>,
    /// Keys used again since they were written of late.
    pub held: HashMap<KeyId, Arc<Live>>,
    owed: HashMap<UsageOf, BTreeMap<Day, Owed>>,
    rows: usize,
}

/// A day's row that is to be written.
#[derive(Debug, Default)]
struct Owed {
    /// What the store had before the first attempt to write. It is read once: what is written is
    /// always this and all that came since, so that writing it again does no harm, whatever became
    /// of the attempt before.
    base: Option<HoursRecord>,
    counted: HoursRecord,
}

impl Tally {
    /// Whether the store owes so many answers that no more is taken from the keys.
    pub fn is_full(&self) -> bool {
        self.rows >= OWED_MAX
    }

    /// Takes what a key counted, for the key and for its organization.
    pub(super) fn take_calls(&mut self, live: &Live) {
        let Some(calls) = live.calls() else { return };
        let organization = calls.organization;
        calls.take(|hour, counts| {
            for key in [Some(live.key), None] {
                self.owe(UsageOf { organization, key }, hour, counts);
            }
        });
    }

    fn owe(&mut self, of: UsageOf, hour: Hour, counts: &Counts) {
        let days = self.owed.entry(of).or_default();
        let owed = days.entry(hour.day()).or_insert_with(|| {
            self.rows += 1;
            Owed::default()
        });
        owed.counted.add(hour, counts);
    }

    /// The days of which something is owed.
    pub fn days(&self, of: UsageOf) -> Vec<Day> {
        self.owed.get(&of).map(|days| days.keys().copied().collect()).unwrap_or_default()
    }

    /// What is to be written of a day; `None` while it is not known what the store had.
    pub fn row(&self, of: UsageOf, day: Day) -> Option<HoursRecord> {
        let owed = self.owed.get(&of)?.get(&day)?;
        let mut record = owed.base.clone()?;
        record.add_all(&owed.counted);
        Some(record)
    }

    /// Says what the store had of a day.
    pub fn found(&mut self, of: UsageOf, day: Day, stored: HoursRecord) {
        if let Some(owed) = self.owed.get_mut(&of).and_then(|days| days.get_mut(&day)) {
            owed.base.get_or_insert(stored);
        }
    }

    /// Says that a day is written as [`Tally::row`] told it.
    pub fn settle(&mut self, of: UsageOf, day: Day) {
        let Some(days) = self.owed.get_mut(&of) else { return };
        if days.remove(&day).is_some() {
            self.rows = self.rows.saturating_sub(1);
        }
        if days.is_empty() {
            self.owed.remove(&of);
        }
    }

    /// The hours of a day: what is stored, and what is owed. What waits with keys comes on top.
    pub fn hours(&self, of: UsageOf, day: Day, stored: HoursRecord) -> HoursRecord {
        let owed = self.owed.get(&of).and_then(|days| days.get(&day));
        let Some(owed) = owed else { return stored };
        let mut record = owed.base.clone().unwrap_or(stored);
        record.add_all(&owed.counted);
        record
    }

    /// Whose days are owed.
    pub fn debtors(&self) -> impl Iterator<Item = UsageOf> {
        self.owed.keys().copied()
    }

    /// The keys that wait, once or several times.
    pub fn waiting(&self) -> impl Iterator<Item = &Arc<Live>> {
        self.fresh.iter().chain(self.held.values())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::code::Code;
    use crate::model::id::Id;

    #[test]
    fn what_is_written_twice_is_not_counted_twice() {
        let of = UsageOf { organization: Id::default(), key: None };
        let (day, valid) = (Day::from_number(9), |calls| Counts::of(Code::Valid, calls));
        let of_day = |calls| {
            let mut record = HoursRecord::default();
            record.add(day.hour(3), &valid(calls));
            record
        };
        let mut tally = Tally::default();
        tally.owe(of, day.hour(3), &valid(5));
        assert_eq!(tally.row(of, day), None, "nobody knows what the store has");
        assert_eq!(tally.hours(of, day, of_day(2)), of_day(7));
        tally.found(of, day, of_day(2));
        assert_eq!(tally.row(of, day), Some(of_day(7)));
        // Nobody knows whether that was written; it may be there already.
        tally.owe(of, day.hour(3), &valid(1));
        tally.found(of, day, of_day(7));
        assert_eq!(tally.row(of, day), Some(of_day(8)));
        assert_eq!(tally.hours(of, day, of_day(7)), of_day(8));
        tally.settle(of, day);
        assert_eq!((tally.days(of), tally.rows), (Vec::new(), 0));
        assert_eq!(tally.hours(of, day, of_day(8)), of_day(8));
    }
}
