//! Counts of a key's calls that were not yet taken for writing to the store.
//!
//! A count is two atomic operations and never blocks. Taking a counter resets it, so that each call
//! is in exactly one place: in this counter, in [`crate::index::pending_usage`], or in the store.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::calendar::Hour;
use crate::model::code::Code;
use crate::model::id::OrganizationId;
use crate::model::moment::Moment;
use crate::records::usage::CallCounts;
use crate::records::uses::{AddressRecord, merge_addresses};

/// The calls of one key, created with the first call.
#[derive(Debug)]
pub struct Calls {
    pub organization: OrganizationId,
    /// Calls of even hours and of odd hours. The counts of an hour are taken long before the next
    /// hour that uses the same counters.
    even: HourCounts,
    odd: HourCounts,
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct HourCounts {
    /// The hour of these calls. Counts that were not taken for two hours, for example while the
    /// store was unavailable, count for a later hour.
    hour: AtomicU32,
    counts: [AtomicU32; Code::COUNTED.len()],
}

/// The addresses from which the key was used, in this process and in earlier processes.
#[derive(Debug, Default)]
pub struct Recent {
    pub addresses: Vec<AddressRecord>,
    /// Whether the addresses from the store were added.
    pub is_merged: bool,
}

impl Calls {
    pub(super) fn new(organization: OrganizationId) -> Self {
        let (even, odd) = Default::default();
        Self { organization, even, odd, recent: Mutex::default() }
    }

    /// Counts a call. The order of the count and the key's `waiting` flag is explained in
    /// [`crate::index::flush_queue`].
    pub(super) fn count(&self, hour: Hour, code: Code) {
        let counters = if hour.number().is_multiple_of(2) { &self.even } else { &self.odd };
        if counters.hour.load(Ordering::Relaxed) < hour.number() {
            counters.hour.fetch_max(hour.number(), Ordering::Relaxed);
        }
        if let Some(count) = code.counted().and_then(|place| counters.counts.get(place)) {
            count.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Takes the counts that were not taken yet, by hour.
    pub(super) fn take(&self, mut to: impl FnMut(Hour, &CallCounts)) {
        self.each(
            |count| {
                if count.load(Ordering::SeqCst) == 0 { 0 } else { count.swap(0, Ordering::SeqCst) }
            },
            &mut to,
        );
    }

    /// Reads the counts that were not taken yet, by hour.
    pub fn read(&self, mut to: impl FnMut(Hour, &CallCounts)) {
        self.each(|count| count.load(Ordering::SeqCst), &mut to);
    }

    fn each(&self, read: impl Fn(&AtomicU32) -> u32, to: &mut impl FnMut(Hour, &CallCounts)) {
        for counters in [&self.even, &self.odd] {
            let mut counts = CallCounts::default();
            for (code, count) in Code::COUNTED.into_iter().zip(&counters.counts) {
                counts.add(&CallCounts::of(code, u64::from(read(count))));
            }
            if counts.calls() > 0 {
                // The hour is read after the counts, so that no call is reported under an earlier
                // hour.
                to(Hour::from_number(counters.hour.load(Ordering::Acquire)), &counts);
            }
        }
    }

    /// Notes the address of a valid call. If another thread holds the addresses, the address is
    /// noted at its next use, since a check never blocks.
    pub(super) fn note_address(&self, ip: IpAddr, at: Moment) {
        if let Ok(mut recent) = self.recent.try_lock() {
            merge_addresses(&mut recent.addresses, &[AddressRecord { ip, at }]);
        }
    }

    pub fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::Id;
    use std::thread::scope;

    fn taken(calls: &Calls) -> Vec<(u32, CallCounts)> {
        let mut taken = Vec::new();
        calls.take(|hour, counts| taken.push((hour.number(), *counts)));
        taken
    }

    #[test]
    fn calls_are_reported_by_hour_and_outcome_and_only_once() {
        let calls = Calls::new(Id::default());
        calls.count(Hour::from_number(7), Code::Valid);
        calls.count(Hour::from_number(8), Code::Valid);
        calls.count(Hour::from_number(8), Code::Expired);
        calls.count(Hour::from_number(8), Code::NotFound);
        let mut eight = CallCounts::of(Code::Valid, 1);
        eight.add(&CallCounts::of(Code::Expired, 1));
        let expected = [(8, eight), (7, CallCounts::of(Code::Valid, 1))];
        let mut reported = Vec::new();
        calls.read(|hour, counts| reported.push((hour.number(), *counts)));
        assert_eq!(reported, expected);
        assert_eq!(taken(&calls), expected);
        assert_eq!(taken(&calls), []);
        calls.count(Hour::from_number(10), Code::Valid);
        assert_eq!(taken(&calls), [(10, CallCounts::of(Code::Valid, 1))]);
    }

    #[test]
    fn no_call_is_lost_or_taken_twice_however_many_count_at_once() {
        let calls = Calls::new(Id::default());
        let mut sum = CallCounts::default();
        let count = |thread: u32| {
            for round in 0..20_000 {
                calls.count(Hour::from_number(5 + (round + thread) / 5_000), Code::Valid);
            }
        };
        scope(|threads| {
            let counting: Vec<_> =
                (0..4).map(|thread| threads.spawn(move || count(thread))).collect();
            while counting.iter().any(|thread| !thread.is_finished()) {
                calls.take(|_, counts| sum.add(counts));
            }
        });
        calls.take(|_, counts| sum.add(counts));
        assert_eq!(sum, CallCounts::of(Code::Valid, 80_000));
    }
}
