//! Usage on its way from the counters of keys to the store.
//!
//! 1. A call increments a counter of its key ([`crate::index::calls`]), and its key enters the
//!    flush queue.
//! 2. The flusher takes the key from the queue and moves its counts into two pending rows: the row
//!    of the key and the row of its organization. Both rows have the counts of each gate too.
//! 3. The flusher writes each pending row whole, as the stored row plus the moved counts, and
//!    removes it when the store has confirmed the write. After an unknown outcome the same row is
//!    written again.
//!
//! Counts move only under the lock of [`PendingUsage`]. A reader that holds the lock therefore
//! finds each call exactly once: in the store, in a pending row, or in the counters of a waiting
//! key. Checks do not take the lock.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::index::gate_names::GateNames;
use crate::index::live::KeyCounters;
use crate::index::uses::LastUse;
use crate::model::calendar::{Day, Hour};
use crate::model::id::{KeyId, OrganizationId};
use crate::records::place::UsageOf;
use crate::records::usage::{CallCounts, HoursRecord};

/// The most pending rows. When there are as many, calls stay in the counters of their keys.
pub const PENDING_ROWS_MAX: usize = 131_072;

/// The keys that wait for a flush, and the rows that wait for a confirmed write.
#[derive(Debug, Default)]
pub struct PendingUsage {
    /// Used keys, longest waiting first.
    pub(super) fresh: VecDeque<Arc<KeyCounters>>,
    /// Keys that were used again shortly after they were written.
    pub held: HashMap<KeyId, Arc<KeyCounters>>,
    rows: HashMap<(UsageOf, Day), PendingRow>,
    gates: Arc<GateNames>,
}

/// The usage of one day that is not known to be stored.
#[derive(Debug, Default)]
struct PendingRow {
    /// The stored row before the first attempt to write, read once.
    stored: Option<HoursRecord>,
    counted: HoursRecord,
}

impl PendingRow {
    /// The whole row, with the counts that the store may lack. `stored` applies if no attempt to
    /// write was made.
    fn whole(&self, stored: HoursRecord) -> HoursRecord {
        let mut row = self.stored.clone().unwrap_or(stored);
        row.add_all(&self.counted);
        row
    }
}

impl PendingUsage {
    pub(super) fn new(gates: Arc<GateNames>) -> Self {
        Self { gates, ..Self::default() }
    }

    /// The names of the gates of calls.
    pub fn gates(&self) -> &GateNames {
        &self.gates
    }

    /// Whether there are [`PENDING_ROWS_MAX`] rows, so that no more counts are taken from the keys.
    pub fn is_full(&self) -> bool {
        self.rows.len() >= PENDING_ROWS_MAX
    }

    /// The last use of a key from [`crate::index::Index::take_used`], which the caller must write
    /// now. Moves the counts of the key to the rows of the key and of its organization. The next
    /// use of the key enters the queue again.
    pub fn take_use(&mut self, live: &KeyCounters) -> Option<LastUse> {
        live.marks().waiting.store(false, Ordering::SeqCst);
        live.marks().meetings.store(0, Ordering::Relaxed);
        if let Some(calls) = live.calls() {
            let organization = calls.organization;
            calls.take(|hour, gate, counts| {
                let gate = self.gates.name(gate);
                for key in [Some(live.key), None] {
                    self.add(UsageOf { organization, key }, hour, gate.as_deref(), counts);
                }
            });
        }
        live.last_use()
    }

    fn add(&mut self, of: UsageOf, hour: Hour, gate: Option<&str>, counts: &CallCounts) {
        let row = self.rows.entry((of, hour.day())).or_default();
        row.counted.add(hour, counts);
        if let Some(gate) = gate {
            row.counted.add_of_gate(gate, hour, counts);
        }
    }

    /// The row to write for a day. The first attempt to write it reads the stored row.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn row_to_write<E>(
        &mut self,
        of: UsageOf,
        day: Day,
        read: impl FnOnce() -> Result<HoursRecord, E>,
    ) -> Result<HoursRecord, E> {
        let row = self.rows.entry((of, day)).or_default();
        if row.stored.is_none() {
            row.stored = Some(read()?);
        }
        Ok(row.whole(HoursRecord::default()))
    }

    /// Removes a row that the store has confirmed.
    pub fn confirm(&mut self, of: UsageOf, day: Day) {
        self.rows.remove(&(of, day));
    }

    /// The hours of a day: stored and pending. Counts that are still in the counters of keys are
    /// not included.
    pub fn hours(&self, of: UsageOf, day: Day, stored: HoursRecord) -> HoursRecord {
        match self.rows.get(&(of, day)) {
            Some(row) => row.whole(stored),
            None => stored,
        }
    }

    /// The key or organization and the day of each pending row.
    pub fn rows(&self) -> impl Iterator<Item = (UsageOf, Day)> {
        self.rows.keys().copied()
    }

    /// The keys of an organization that have a pending row, by the day of the row.
    pub fn keys_by_day(&self, organization: OrganizationId) -> HashMap<Day, Vec<KeyId>> {
        let mut keys: HashMap<Day, Vec<KeyId>> = HashMap::new();
        for (of, day) in self.rows().filter(|(of, _)| of.organization == organization) {
            keys.entry(day).or_default().extend(of.key);
        }
        keys
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
        let mut pending = PendingUsage::default();
        pending.add(of, day.hour(3), None, &valid(5));
        let unread = pending.row_to_write(of, day, || Err("unavailable"));
        assert_eq!(unread, Err("unavailable"), "the stored count is unknown");
        assert_eq!(pending.hours(of, day, of_day(2)), of_day(7));
        assert_eq!(pending.row_to_write(of, day, || Ok::<_, ()>(of_day(2))), Ok(of_day(7)));
        // Suppose that the outcome of writing this row is unknown. The row may be stored already.
        pending.add(of, day.hour(3), None, &valid(1));
        assert_eq!(pending.row_to_write(of, day, || Ok::<_, ()>(of_day(7))), Ok(of_day(8)));
        assert_eq!(pending.hours(of, day, of_day(7)), of_day(8));
        pending.confirm(of, day);
        assert_eq!(pending.rows().count(), 0);
        assert_eq!(pending.hours(of, day, of_day(8)), of_day(8));
    }
}
