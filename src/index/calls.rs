//! Counts of a key's calls that were not yet taken for writing to the store.
//!
//! A count is two atomic operations and never blocks. Taking a counter resets it, so that each call
//! is in exactly one place: in this counter, in [`crate::index::pending_usage`], or in the store.
//!
//! The counters of valid calls are inside the key's live state, in the cache lines that noting the
//! use touches anyway. When threads often count calls of one key at the same time, the key gets
//! counters for each thread, so that no cache line moves between cores.

use std::hash::{Hash as _, Hasher};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::model::calendar::Hour;
use crate::model::code::Code;
use crate::model::id::OrganizationId;
use crate::model::moment::Moment;
use crate::records::usage::CallCounts;
use crate::records::uses::{AddressRecord, merge_addresses};

/// The most keys with counters for each thread, 2 KiB a key. Threads that count calls of another
/// busy key share a cache line.
pub const STRIPED_KEYS_MAX: usize = 1_024;
/// The number of counters of each kind that a busy key has. Further threads share them.
const STRIPES: usize = 16;

/// The counters of valid calls.
#[derive(Debug, Default)]
pub(super) struct ValidCalls {
    even: ValidHour,
    odd: ValidHour,
}

/// Calls of even hours or of odd hours. The counts of an hour are taken long before the next hour
/// that uses the same counters.
#[derive(Debug, Default)]
struct ValidHour {
    /// The hour of all counts of this parity. Counts that were not taken for two hours, for example
    /// while the store was unavailable, count for a later hour.
    hour: AtomicU32,
    count: AtomicU32,
}

/// The other counters of a key, created with its first call.
#[derive(Debug)]
pub(super) struct CallDetails {
    organization: OrganizationId,
    /// Refused calls. The counters of valid calls are in [`ValidCalls`].
    refused: HourCounts,
    stripes: OnceLock<Box<Stripes>>,
    recent: Mutex<Recent>,
}

/// Calls of even and of odd hours by code.
#[derive(Debug, Default)]
struct HourCounts {
    even: [AtomicU32; Code::COUNTED.len()],
    odd: [AtomicU32; Code::COUNTED.len()],
}

/// The counters of one thread, or of a few, on cache lines of their own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe(HourCounts);

/// The counters of all threads.
#[derive(Debug)]
struct Stripes {
    each: [Stripe; STRIPES],
    _place: StripedPlace,
}

/// The number of keys that have stripes.
#[derive(Debug, Default)]
pub(super) struct StripedKeys(Arc<AtomicUsize>);

/// The place of one key. The drop returns the place.
#[derive(Debug)]
struct StripedPlace(Arc<AtomicUsize>);

/// The addresses from which the key was used, in this process and in earlier processes.
#[derive(Debug, Default)]
pub struct Recent {
    pub addresses: Vec<AddressRecord>,
    /// Whether the addresses from the store were added.
    pub is_merged: bool,
}

/// The calls of one key.
#[derive(Clone, Copy, Debug)]
pub struct Calls<'a> {
    pub organization: OrganizationId,
    valid: &'a ValidCalls,
    details: &'a CallDetails,
}

impl ValidCalls {
    fn of(&self, hour: Hour) -> &ValidHour {
        if hour.number().is_multiple_of(2) { &self.even } else { &self.odd }
    }

    /// Notes the hour of a call that is counted next.
    pub(super) fn note_hour(&self, hour: Hour) {
        let latest = &self.of(hour).hour;
        if latest.load(Ordering::Relaxed) < hour.number() {
            latest.fetch_max(hour.number(), Ordering::Relaxed);
        }
    }

    /// Counts a valid call. Returns whether another thread counted one at the same moment.
    pub(super) fn count(&self, hour: Hour) -> bool {
        let count = &self.of(hour).count;
        let before = count.load(Ordering::Relaxed);
        let next = before.wrapping_add(1);
        let swap = count.compare_exchange(before, next, Ordering::SeqCst, Ordering::Relaxed);
        let Err(seen) = swap else { return false };
        count.fetch_add(1, Ordering::SeqCst);
        // The count is 0 if it was taken at this moment.
        seen != 0
    }
}

impl HourCounts {
    fn count(&self, hour: Hour, code: Code) {
        let counts = if hour.number().is_multiple_of(2) { &self.even } else { &self.odd };
        if let Some(count) = code.counted().and_then(|place| counts.get(place)) {
            count.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl CallDetails {
    pub(super) fn new(organization: OrganizationId) -> Self {
        let (refused, stripes, recent) = Default::default();
        Self { organization, refused, stripes, recent }
    }

    /// Counts a refused call, or any call of a key that is marked as striped. A caller that has not
    /// seen the mark counts in no stripe, since a thread that takes the counts may not see a stripe
    /// before the mark.
    pub(super) fn count(&self, hour: Hour, code: Code, is_striped: bool) {
        let stripes = self.stripes.get().filter(|_stripes| is_striped);
        let stripe = stripes.and_then(|stripes| stripes.each.get(own_number() % STRIPES));
        stripe.map_or(&self.refused, |stripe| &stripe.0).count(hour, code);
    }

    /// Creates stripes, if fewer than [`STRIPED_KEYS_MAX`] keys have them. Returns whether the key
    /// has stripes.
    pub(super) fn stripe(&self, striped: &StripedKeys) -> bool {
        if self.stripes.get().is_some() {
            return true;
        }
        let Some(place) = striped.place() else { return false };
        self.stripes.get_or_init(|| Box::new(Stripes { each: Default::default(), _place: place }));
        true
    }
}

impl StripedKeys {
    fn place(&self) -> Option<StripedPlace> {
        let more = |striped| (striped < STRIPED_KEYS_MAX).then_some(striped + 1);
        let counted = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        counted.ok().map(|_before| StripedPlace(Arc::clone(&self.0)))
    }
}

impl Drop for StripedPlace {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<'a> Calls<'a> {
    pub(super) const fn of(valid: &'a ValidCalls, details: &'a CallDetails) -> Self {
        Self { organization: details.organization, valid, details }
    }

    /// Takes the counts that were not taken yet, by hour.
    pub(super) fn take(self, mut to: impl FnMut(Hour, &CallCounts)) {
        self.each(
            |count| {
                if count.load(Ordering::SeqCst) == 0 { 0 } else { count.swap(0, Ordering::SeqCst) }
            },
            &mut to,
        );
    }

    /// Reads the counts that were not taken yet, by hour.
    pub fn read(self, mut to: impl FnMut(Hour, &CallCounts)) {
        self.each(|count| count.load(Ordering::SeqCst), &mut to);
    }

    fn each(self, read: impl Fn(&AtomicU32) -> u32, to: &mut impl FnMut(Hour, &CallCounts)) {
        let stripes = self.details.stripes.get().map(|stripes| &stripes.each);
        let striped = || stripes.into_iter().flatten().map(|stripe| &stripe.0);
        let others = || striped().chain([&self.details.refused]);
        for (valid, is_even) in [(&self.valid.even, true), (&self.valid.odd, false)] {
            let mut counts = CallCounts::of(Code::Valid, u64::from(read(&valid.count)));
            for other in others() {
                let by_code = if is_even { &other.even } else { &other.odd };
                for (code, count) in Code::COUNTED.into_iter().zip(by_code) {
                    counts.add(&CallCounts::of(code, u64::from(read(count))));
                }
            }
            if counts.calls() > 0 {
                // The hour is read after the counts, so that no call is reported under an earlier
                // hour.
                to(Hour::from_number(valid.hour.load(Ordering::Acquire)), &counts);
            }
        }
    }

    /// Notes the address of a valid call. If another thread holds the addresses, the address is
    /// noted at its next use, since a check never blocks.
    pub(super) fn note_address(self, ip: IpAddr, at: Moment) {
        if let Ok(mut recent) = self.details.recent.try_lock() {
            merge_addresses(&mut recent.addresses, &[AddressRecord { ip, at }]);
        }
    }

    pub fn recent(self) -> MutexGuard<'a, Recent> {
        self.details.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

thread_local! {
    /// The number of this thread, which chooses its counters and has no other effect.
    static OWN_NUMBER: usize = {
        let mut number = ThreadNumber::default();
        std::thread::current().id().hash(&mut number);
        number.0
    };
}

fn own_number() -> usize {
    OWN_NUMBER.with(|number| *number)
}

/// Reads the number in a thread's id: threads are numbered in the order of their start.
#[derive(Default)]
struct ThreadNumber(usize);

impl Hasher for ThreadNumber {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ usize::from(*byte);
        }
    }

    fn write_u64(&mut self, i: u64) {
        self.0 = usize::try_from(i).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::Id;
    use std::thread::scope;

    struct Counted {
        valid: ValidCalls,
        details: CallDetails,
    }

    impl Counted {
        fn new() -> Self {
            Self { valid: ValidCalls::default(), details: CallDetails::new(Id::default()) }
        }

        fn calls(&self) -> Calls<'_> {
            Calls::of(&self.valid, &self.details)
        }

        fn count(&self, hour: Hour, code: Code) {
            self.valid.note_hour(hour);
            if code == Code::Valid {
                self.valid.count(hour);
            } else {
                self.details.count(hour, code, false);
            }
        }
    }

    fn taken(counted: &Counted) -> Vec<(u32, CallCounts)> {
        let mut taken = Vec::new();
        counted.calls().take(|hour, counts| taken.push((hour.number(), *counts)));
        taken
    }

    #[test]
    fn calls_are_reported_by_hour_and_outcome_and_only_once() {
        let calls = Counted::new();
        calls.count(Hour::from_number(7), Code::Valid);
        calls.count(Hour::from_number(8), Code::Valid);
        calls.count(Hour::from_number(8), Code::Expired);
        calls.count(Hour::from_number(8), Code::NotFound);
        let mut eight = CallCounts::of(Code::Valid, 1);
        eight.add(&CallCounts::of(Code::Expired, 1));
        let expected = [(8, eight), (7, CallCounts::of(Code::Valid, 1))];
        let mut reported = Vec::new();
        calls.calls().read(|hour, counts| reported.push((hour.number(), *counts)));
        assert_eq!(reported, expected);
        assert_eq!(taken(&calls), expected);
        assert_eq!(taken(&calls), []);
        calls.count(Hour::from_number(10), Code::Valid);
        assert_eq!(taken(&calls), [(10, CallCounts::of(Code::Valid, 1))]);
    }

    #[test]
    fn no_call_is_lost_or_taken_twice_however_many_count_at_once() {
        let calls = Counted::new();
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
                calls.calls().take(|_, counts| sum.add(counts));
            }
        });
        calls.calls().take(|_, counts| sum.add(counts));
        assert_eq!(sum, CallCounts::of(Code::Valid, 80_000));
    }

    #[test]
    fn stripes_are_bounded_and_their_counts_are_taken_too() {
        let striped = StripedKeys::default();
        let first = Counted::new();
        first.valid.note_hour(Hour::from_number(6));
        first.valid.count(Hour::from_number(6));
        assert!(first.details.stripe(&striped));
        first.details.count(Hour::from_number(6), Code::Valid, true);
        first.details.count(Hour::from_number(6), Code::Expired, true);
        let mut six = CallCounts::of(Code::Valid, 2);
        six.add(&CallCounts::of(Code::Expired, 1));
        assert_eq!(taken(&first), [(6, six)]);
        assert_eq!(taken(&first), []);
        let others: Vec<_> = (1..STRIPED_KEYS_MAX).map(|_| Counted::new()).collect();
        assert!(others.iter().all(|other| other.details.stripe(&striped)));
        let late = Counted::new();
        assert!(!late.details.stripe(&striped));
        assert!(first.details.stripe(&striped), "it keeps its stripes");
        late.count(Hour::from_number(6), Code::Expired);
        assert_eq!(taken(&late), [(6, CallCounts::of(Code::Expired, 1))]);
        drop(others);
        assert!(late.details.stripe(&striped), "removed keys make room");
    }

    #[test]
    fn threads_have_numbers_of_their_own() {
        let mut others = vec![own_number()];
        for _ in 0..4 {
            others.push(scope(|threads| threads.spawn(own_number).join().unwrap()));
        }
        let mut distinct = others.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), others.len());
    }
}
