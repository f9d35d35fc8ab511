//! The tally: calls that are being written to the store.
//!
//! The tally holds the keys whose use waits to be written, and the owed counts, which may not be
//! stored yet. A thread that locks the tally sees each call exactly once: in the store, in the owed
//! counts, or in the counters of a waiting key. Checks do not lock the tally.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::index::live::KeyCounters;
use crate::model::calendar::{Day, Hour};
use crate::model::id::KeyId;
use crate::records::place::UsageOf;
use crate::records::usage::{CallCounts, HoursRecord};

/// The most rows owed to the store. If more rows are owed, calls stay in the counters of their
/// keys.
pub const OWED_MAX: usize = 131_072;

/// Uses and counts that are not written yet.
#[derive(Debug, Default)]
pub struct PendingUsage {
    /// Used keys, longest waiting first.
    pub(super) fresh: VecDeque<Arc<KeyCounters>>,
    /// Keys that were used again shortly after they were written.
    pub held: HashMap<KeyId, Arc<KeyCounters>>,
    owed: HashMap<UsageOf, BTreeMap<Day, Owed>>,
    rows: usize,
}

/// A day's row to be written.
#[derive(Debug, Default)]
struct Owed {
    /// The stored value before the first attempt to write, read once. Each attempt writes this
    /// value plus all later counts, so that repeating an attempt with an unknown outcome is
    /// harmless.
    base: Option<HoursRecord>,
    counted: HoursRecord,
}

impl PendingUsage {
    /// Whether [`OWED_MAX`] rows are owed, so that no more counts are taken from the keys.
    pub fn is_full(&self) -> bool {
        self.rows >= OWED_MAX
    }

    /// Takes the counts of a key, for the key and for its organization.
    pub(super) fn take_calls(&mut self, live: &KeyCounters) {
        let Some(calls) = live.calls() else { return };
        let organization = calls.organization;
        calls.take(|hour, counts| {
            for key in [Some(live.key), None] {
                self.owe(UsageOf { organization, key }, hour, counts);
            }
        });
    }

    fn owe(&mut self, of: UsageOf, hour: Hour, counts: &CallCounts) {
        let days = self.owed.entry(of).or_default();
        let owed = days.entry(hour.day()).or_insert_with(|| {
            self.rows += 1;
            Owed::default()
        });
        owed.counted.add(hour, counts);
    }

    /// The days with owed counts.
    pub fn days(&self, of: UsageOf) -> Vec<Day> {
        self.owed.get(&of).map(|days| days.keys().copied().collect()).unwrap_or_default()
    }

    /// The row to write for a day; `None` while the stored value is not known.
    pub fn row(&self, of: UsageOf, day: Day) -> Option<HoursRecord> {
        let owed = self.owed.get(&of)?.get(&day)?;
        let mut record = owed.base.clone()?;
        record.add_all(&owed.counted);
        Some(record)
    }

    /// Sets the stored value of a day.
    pub fn found(&mut self, of: UsageOf, day: Day, stored: HoursRecord) {
        if let Some(owed) = self.owed.get_mut(&of).and_then(|days| days.get_mut(&day)) {
            owed.base.get_or_insert(stored);
        }
    }

    /// Marks a day as written, as returned by [`PendingUsage::row`].
    pub fn settle(&mut self, of: UsageOf, day: Day) {
        let Some(days) = self.owed.get_mut(&of) else { return };
        if days.remove(&day).is_some() {
            self.rows = self.rows.saturating_sub(1);
        }
        if days.is_empty() {
            self.owed.remove(&of);
        }
    }

    /// The hours of a day: stored plus owed. Counts that are still in the counters of keys are not
    /// included.
    pub fn hours(&self, of: UsageOf, day: Day, stored: HoursRecord) -> HoursRecord {
        let owed = self.owed.get(&of).and_then(|days| days.get(&day));
        let Some(owed) = owed else { return stored };
        let mut record = owed.base.clone().unwrap_or(stored);
        record.add_all(&owed.counted);
        record
    }

    /// The keys and organizations with owed days.
    pub fn debtors(&self) -> impl Iterator<Item = UsageOf> {
        self.owed.keys().copied()
    }

    /// The waiting keys; a key may appear several times.
    pub fn waiting(&self) -> impl Iterator<Item = &Arc<KeyCounters>> {
        self.fresh.iter().chain(self.held.values())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::code::Code;
    use crate::model::id::Id;

    #[test]
    fn repeated_writes_are_counted_once() {
        let of = UsageOf { organization: Id::default(), key: None };
        let (day, valid) = (Day::from_number(9), |calls| CallCounts::of(Code::Valid, calls));
        let of_day = |calls| {
            let mut record = HoursRecord::default();
            record.add(day.hour(3), &valid(calls));
            record
        };
        let mut tally = PendingUsage::default();
        tally.owe(of, day.hour(3), &valid(5));
        assert_eq!(tally.row(of, day), None, "the stored count is unknown");
        assert_eq!(tally.hours(of, day, of_day(2)), of_day(7));
        tally.found(of, day, of_day(2));
        assert_eq!(tally.row(of, day), Some(of_day(7)));
        // Suppose that the outcome of writing this row is unknown. The row may be stored already.
        tally.owe(of, day.hour(3), &valid(1));
        tally.found(of, day, of_day(7));
        assert_eq!(tally.row(of, day), Some(of_day(8)));
        assert_eq!(tally.hours(of, day, of_day(7)), of_day(8));
        tally.settle(of, day);
        assert_eq!((tally.days(of), tally.rows), (Vec::new(), 0));
        assert_eq!(tally.hours(of, day, of_day(8)), of_day(8));
    }
}
