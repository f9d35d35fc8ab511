//! Counts of a key's calls that were not yet taken for writing to the store.
//!
//! A count is two atomic operations and never blocks. Taking a counter resets it, so that each call
//! is in exactly one place: in this counter, in [`crate::index::pending_usage`], or in the store.
//!
//! The counters of valid calls are inside the key's live state, in the cache lines that noting the
//! use touches anyway. When threads often count calls of one key at the same time, the key gets
//! counters for each thread, so that no cache line moves between cores.
//!
//! Calls are also counted by gate, at no further atomic operation: each gate has counters of its own,
//! and the sum is the number of calls. The counters in the live state belong to the key's first gate,
//! which is that of its first call in this process, so that a call of a key that is used through one
//! gate touches the same cache lines as a call without a gate. Calls through other gates use counters
//! that are allocated with the first such call, for at most [`GATES_A_KEY_MAX`] gates a key.

use std::hash::{Hash as _, Hasher};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::model::calendar::Hour;
use crate::model::code::Code;
use crate::model::gate::GateNumber;
use crate::model::id::OrganizationId;
use crate::model::moment::Moment;
use crate::records::usage::CallCounts;
use crate::records::uses::{AddressRecord, merge_addresses};

/// The most keys with counters for each thread, 16 KiB a key. Threads that count calls of another
/// busy key share a cache line.
pub const STRIPED_KEYS_MAX: usize = 1_024;
/// The number of counters of each kind that a busy key has. Further threads share them.
const STRIPES: usize = 16;

/// The most gates of one key whose calls are counted separately, until the process ends. Calls without
/// a gate count as one gate. Calls through further gates are counted together.
pub const GATES_A_KEY_MAX: usize = 8;
/// The counters of a key: those of its first gate, of other gates, and of all further gates.
const PLACES: usize = GATES_A_KEY_MAX + 1;
/// The place of the key's first gate.
const FIRST: usize = 0;
/// The place of gates without a place of their own.
const FURTHER: usize = PLACES - 1;
/// The bits of an hour beside a gate's number: hours up to the year 2209.
const HOUR_BITS: u32 = u32::BITS - GateNumber::BITS;
const HOUR_MASK: u32 = (1 << HOUR_BITS) - 1;

/// The counters of valid calls through the key's first gate.
#[derive(Debug, Default)]
pub(super) struct ValidCalls {
    even: ValidHour,
    odd: ValidHour,
}

/// Calls of even hours or of odd hours. The counts of an hour are taken long before the next hour
/// that uses the same counters.
#[derive(Debug, Default)]
struct ValidHour {
    /// The hour of all counts of this parity, of every gate. Counts that were not taken for two hours,
    /// for example while the store was unavailable, count for a later hour. The upper bits are the
    /// number of the key's first gate, which never changes after the first call.
    hour: AtomicU32,
    count: AtomicU32,
}

/// The other counters of a key, created with its first call.
#[derive(Debug)]
pub(super) struct CallDetails {
    organization: OrganizationId,
    first: GateNumber,
    /// Refused calls through the first gate. The counters of valid calls are in [`ValidCalls`].
    refused: HourCounts,
    others: OnceLock<Box<OtherGates>>,
    stripes: OnceLock<Box<Stripes>>,
    recent: Mutex<Recent>,
}

/// Calls of even and of odd hours by code.
#[derive(Debug, Default)]
struct HourCounts {
    even: [AtomicU32; Code::COUNTED.len()],
    odd: [AtomicU32; Code::COUNTED.len()],
}

/// Calls through gates other than the first.
#[derive(Debug, Default)]
struct OtherGates {
    /// The number of the gate at each place, plus one. 0 is a free place.
    gates: [AtomicU16; FURTHER - 1],
    /// The counts at the places after the first.
    counts: [HourCounts; PLACES - 1],
}

/// The counters of one thread, or of a few, on cache lines of their own: one for each place.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe([HourCounts; PLACES]);

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

    /// Notes the key's first gate, before its first call is counted. Threads that note it at the same
    /// time note the same gate.
    pub(super) fn note_first_gate(&self, gate: GateNumber) {
        let bits = u32::from(gate.bits()) << HOUR_BITS;
        for latest in [&self.even.hour, &self.odd.hour] {
            // A failed exchange means that another thread has noted the gate.
            let _swap = latest.compare_exchange(0, bits, Ordering::SeqCst, Ordering::Relaxed);
        }
    }

    /// Notes the hour of a call that is counted next. Returns whether the call comes through the key's
    /// first gate.
    pub(super) fn note_hour(&self, hour: Hour, gate: GateNumber) -> bool {
        let latest = &self.of(hour).hour;
        let noted = latest.load(Ordering::Relaxed);
        let (first, number) = (noted >> HOUR_BITS, hour.number().min(HOUR_MASK));
        if (noted & HOUR_MASK) < number {
            latest.fetch_max((first << HOUR_BITS) | number, Ordering::Relaxed);
        }
        first == u32::from(gate.bits())
    }

    /// Counts a valid call. Returns whether another thread counted one at the same moment.
    pub(super) fn count(&self, hour: Hour) -> bool {
        add_one(&self.of(hour).count)
    }
}

/// Adds one. Returns whether another thread did so at the same moment.
fn add_one(count: &AtomicU32) -> bool {
    let before = count.load(Ordering::Relaxed);
    let next = before.wrapping_add(1);
    let swap = count.compare_exchange(before, next, Ordering::SeqCst, Ordering::Relaxed);
    let Err(seen) = swap else { return false };
    count.fetch_add(1, Ordering::SeqCst);
    // The count is 0 if it was taken at this moment.
    seen != 0
}

impl HourCounts {
    /// Counts a call. Returns whether another thread counted a valid call at the same moment.
    fn count(&self, hour: Hour, code: Code) -> bool {
        let counts = if hour.number().is_multiple_of(2) { &self.even } else { &self.odd };
        let Some(count) = code.counted().and_then(|place| counts.get(place)) else { return false };
        if code == Code::Valid {
            return add_one(count);
        }
        count.fetch_add(1, Ordering::SeqCst);
        false
    }
}

impl OtherGates {
    /// The place of a gate's counters. The first call through a gate takes a free place.
    fn place(&self, gate: GateNumber) -> usize {
        let sought = gate.bits() + 1;
        let is_its = |of: &AtomicU16| {
            let known = of.load(Ordering::SeqCst);
            let taken = || of.compare_exchange(0, sought, Ordering::SeqCst, Ordering::SeqCst);
            known == sought
                || (known == 0 && taken().map_or_else(|seen| seen == sought, |_free| true))
        };
        self.gates.iter().position(is_its).map_or(FURTHER, |position| position + 1)
    }

    /// The gate at a place after the first. `None` for a free place.
    fn gate(&self, place: usize) -> Option<GateNumber> {
        if place == FURTHER {
            return Some(GateNumber::OTHER);
        }
        let number = self.gates.get(place.checked_sub(1)?)?.load(Ordering::SeqCst);
        number.checked_sub(1).map(GateNumber::from_bits)
    }
}

impl CallDetails {
    pub(super) fn new(organization: OrganizationId, first: GateNumber) -> Self {
        let (refused, others, stripes, recent) = Default::default();
        Self { organization, first, refused, others, stripes, recent }
    }

    /// The gate of the key's first call.
    pub(super) const fn first_gate(&self) -> GateNumber {
        self.first
    }

    /// Creates the counters of gates other than the first.
    pub(super) fn separate_gates(&self) {
        self.others.get_or_init(Box::default);
    }

    /// Counts a refused call, a call through another gate than the first, or any call of a key that is
    /// marked as striped. A caller that has not seen the mark counts in no stripe, since a thread that
    /// takes the counts may not see a stripe before the mark. `gate` is `None` for the first gate.
    /// Returns whether another thread counted a valid call at the same moment.
    pub(super) fn count(
        &self,
        hour: Hour,
        code: Code,
        gate: Option<GateNumber>,
        is_striped: bool,
    ) -> bool {
        let place = gate.zip(self.others.get()).map_or(FIRST, |(gate, others)| others.place(gate));
        let stripes = self.stripes.get().filter(|_stripes| is_striped);
        let stripe = stripes.and_then(|stripes| stripes.each.get(own_number() % STRIPES));
        let counts = match stripe {
            Some(stripe) => stripe.0.get(place),
            None => self.unstriped(place),
        };
        counts.is_some_and(|counts| counts.count(hour, code))
    }

    /// The counters at a place, without those of stripes.
    fn unstriped(&self, place: usize) -> Option<&HourCounts> {
        match place.checked_sub(1) {
            None => Some(&self.refused),
            Some(other) => self.others.get()?.counts.get(other),
        }
    }

    /// The gate at a place. `None` for a free place.
    fn gate(&self, place: usize) -> Option<GateNumber> {
        if place == FIRST { Some(self.first) } else { self.others.get()?.gate(place) }
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

    /// Takes the counts that were not taken yet, by hour and gate.
    pub(super) fn take(self, mut to: impl FnMut(Hour, GateNumber, &CallCounts)) {
        self.each(
            |count| {
                if count.load(Ordering::SeqCst) == 0 { 0 } else { count.swap(0, Ordering::SeqCst) }
            },
            &mut to,
        );
    }

    /// Reads the counts that were not taken yet, by hour and gate.
    pub fn read(self, mut to: impl FnMut(Hour, GateNumber, &CallCounts)) {
        self.each(|count| count.load(Ordering::SeqCst), &mut to);
    }

    fn each(
        self,
        read: impl Fn(&AtomicU32) -> u32,
        to: &mut impl FnMut(Hour, GateNumber, &CallCounts),
    ) {
        let places = (0..PLACES).filter_map(|place| Some((place, self.details.gate(place)?)));
        let places: Vec<_> = places.collect();
        for (valid, is_even) in [(&self.valid.even, true), (&self.valid.odd, false)] {
            for (place, gate) in &places {
                let valid_calls = if *place == FIRST { read(&valid.count) } else { 0 };
                let mut counts = CallCounts::of(Code::Valid, u64::from(valid_calls));
                self.add_counts(*place, is_even, &read, &mut counts);
                if counts.calls() > 0 {
                    // The hour is read after the counts, so that no call is reported under an
                    // earlier hour.
                    let hour = valid.hour.load(Ordering::Acquire) & HOUR_MASK;
                    to(Hour::from_number(hour), *gate, &counts);
                }
            }
        }
    }

    /// Adds the counts at a place, of even or of odd hours.
    fn add_counts(
        self,
        place: usize,
        is_even: bool,
        read: impl Fn(&AtomicU32) -> u32,
        sum: &mut CallCounts,
    ) {
        let stripes = self.details.stripes.get().map(|stripes| &stripes.each);
        let striped = stripes.into_iter().flatten().filter_map(|stripe| stripe.0.get(place));
        for counts in striped.chain(self.details.unstriped(place)) {
            let by_code = if is_even { &counts.even } else { &counts.odd };
            for (code, count) in Code::COUNTED.into_iter().zip(by_code) {
                sum.add(&CallCounts::of(code, u64::from(read(count))));
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
    use crate::index::live::KeyCounters;
    use crate::model::id::Id;
    use std::thread::scope;

    struct Counted {
        valid: ValidCalls,
        details: CallDetails,
    }

    impl Counted {
        fn new() -> Self {
            let details = CallDetails::new(Id::default(), GateNumber::NONE);
            Self { valid: ValidCalls::default(), details }
        }

        fn calls(&self) -> Calls<'_> {
            Calls::of(&self.valid, &self.details)
        }

        fn count(&self, hour: Hour, code: Code) {
            self.valid.note_hour(hour, GateNumber::NONE);
            if code == Code::Valid {
                self.valid.count(hour);
            } else {
                self.details.count(hour, code, None, false);
            }
        }
    }

    fn taken(counted: &Counted) -> Vec<(u32, CallCounts)> {
        let mut taken = Vec::new();
        counted.calls().take(|hour, _, counts| taken.push((hour.number(), *counts)));
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
        calls.calls().read(|hour, _, counts| reported.push((hour.number(), *counts)));
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
                calls.calls().take(|_, _, counts| sum.add(counts));
            }
        });
        calls.calls().take(|_, _, counts| sum.add(counts));
        assert_eq!(sum, CallCounts::of(Code::Valid, 80_000));
    }

    #[test]
    fn stripes_are_bounded_and_their_counts_are_taken_too() {
        let striped = StripedKeys::default();
        let first = Counted::new();
        first.valid.note_hour(Hour::from_number(6), GateNumber::NONE);
        first.valid.count(Hour::from_number(6));
        assert!(first.details.stripe(&striped));
        first.details.count(Hour::from_number(6), Code::Valid, None, true);
        first.details.count(Hour::from_number(6), Code::Expired, None, true);
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
    fn calls_are_counted_by_gate_for_a_bounded_number_of_gates() {
        let (counted, hour) = (Counted::new(), Hour::from_number(6));
        let gate = GateNumber::from_bits;
        assert!(counted.valid.note_hour(hour, GateNumber::NONE));
        counted.valid.count(hour);
        counted.details.separate_gates();
        for round in 0..2 {
            for number in 1..=u16::try_from(GATES_A_KEY_MAX).unwrap() + 1 {
                assert!(!counted.valid.note_hour(hour, gate(number)));
                counted.details.count(hour, Code::Valid, Some(gate(number)), round > 0);
            }
            counted.details.stripe(&StripedKeys::default());
        }
        counted.details.count(hour, Code::Expired, Some(gate(2)), true);
        let mut taken = Vec::new();
        counted.calls().take(|_, gate, counts| taken.push((gate, *counts)));
        let valid = |calls| CallCounts::of(Code::Valid, calls);
        let mut expected = vec![(GateNumber::NONE, valid(1))];
        expected.extend((1..8).map(|number| (gate(number), valid(2))));
        expected[2].1.add(&CallCounts::of(Code::Expired, 1));
        expected.push((GateNumber::OTHER, valid(4)));
        assert_eq!(taken, expected);
    }

    /// Threads whose first calls come through different gates agree on the first gate of the key.
    #[test]
    fn no_call_is_counted_under_another_gate() {
        const CALLS: u64 = 20_000;
        let live = KeyCounters::new(Id::default());
        let striped = StripedKeys::default();
        let mut sums = [CallCounts::default(); 3];
        let count = |number: u16| {
            for call in 0..CALLS {
                let hour = Hour::from_number(6 + u32::try_from(call / 15_000).unwrap());
                let gate = GateNumber::from_bits(number);
                live.count(hour, Code::Valid, (Id::default(), gate), &striped);
            }
        };
        let mut take = || {
            if let Some(calls) = live.calls() {
                calls.take(|_, gate, counts| sums[usize::from(gate.bits())].add(counts));
            }
        };
        scope(|threads| {
            let counting: Vec<_> =
                (0..3).map(|number| threads.spawn(move || count(number))).collect();
            while counting.iter().any(|thread| !thread.is_finished()) {
                take();
            }
        });
        take();
        assert_eq!(sums, [CallCounts::of(Code::Valid, CALLS); 3]);
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
