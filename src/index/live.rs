//! Live state of keys and organizations: last uses, counts of calls, and counters of limits.
//!
//! All grants of a key share its live state, which survives changes of the key and does not depend
//! on the feed. Live state consists of atomics, so that checks never wait for each other.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use once_cell::race::OnceBox;

use crate::index::calls::{CallDetails, Calls, StripedKeys, ValidCalls};
use crate::index::quota::{QuotaCounter, QuotaOwner, Reservations};
use crate::index::uses::{
    Agent, CALLED, CALLED_BY_GATES, LastUse, Marks, SecretUses, Use, UseCell,
};
use crate::model::calendar::Hour;
use crate::model::code::Code;
use crate::model::gate::GateNumber;
use crate::model::id::{KeyId, OrganizationId};
use crate::model::limit::{Draw, RateLimit};
use crate::model::moment::Moment;
use crate::model::secret::Digest;
use crate::records::key::SecretRecord;

/// The most counters of limits that a key keeps, including those of removed limits.
const COUNTERS_MAX: usize = 32;
/// How often threads meet at one counter, before its counts are taken, until the key gets stripes.
/// Threads meet by chance at counters of keys that are not busy; these keys need no stripes.
const MEETINGS_MAX: u8 = 8;

/// The live state of one key.
///
/// The fields are in memory order. The fields that each counted call uses come first. With the
/// counts of its handles the state takes 128 bytes, which is a size of allocations.
#[derive(Debug)]
#[repr(C)]
pub struct KeyCounters {
    uses: UseCell,
    valid: ValidCalls,
    pub key: KeyId,
    rest: OnceBox<RestOfKey>,
    /// The first digest of the key in the index. Only the index's writer uses this field.
    digest: [AtomicU64; 4],
}

/// The live state of keys that were called, have a limit, or have several secrets. Other keys do not
/// have it.
#[derive(Debug, Default)]
struct RestOfKey {
    calls: OnceLock<CallDetails>,
    /// Locked by the index's writer and, for keys with several secrets, by lists of keys.
    ledger: Mutex<WriterState>,
}

/// State that only the index's writer uses.
#[derive(Debug, Default)]
struct WriterState {
    /// The digests of the key in the index, besides the first.
    digests: Vec<Digest>,
    limits: Vec<(Box<str>, Arc<RateCounter>)>,
    quota: Option<Arc<QuotaCounter>>,
    secrets: SecretUses,
}

impl KeyCounters {
    /// The state of a key that was never used.
    pub fn new(key: KeyId) -> Self {
        let (uses, valid, digest) = Default::default();
        Self { key, uses, valid, rest: OnceBox::new(), digest }
    }

    /// The last use; `None` before the first use.
    pub fn last_use(&self) -> Option<LastUse> {
        self.uses.read()
    }

    /// The time of the last use.
    pub fn last_used_at(&self) -> Option<Moment> {
        self.uses.read_time()
    }

    /// The client's address of the last use.
    pub fn last_address(&self) -> Option<IpAddr> {
        self.uses.read_address()
    }

    /// Starts to load the state into the processor's cache. A processor loads it while it executes
    /// the decision that follows.
    pub fn load_early(&self) {
        let _is_waiting = self.marks().waiting.load(Ordering::Relaxed);
    }

    pub(super) fn marks(&self) -> &Marks {
        &self.uses.marks
    }

    /// Counts of calls; `None` if there were none in this process.
    pub fn calls(&self) -> Option<Calls<'_>> {
        // The marks are in the one order of all `SeqCst` accesses, as the marks and counts of
        // `KeyCounters::count` are. The load of `striped` orders the creation of the stripes, and that
        // of `called` the creation of the counters of gates.
        let called = self.marks().called.load(Ordering::SeqCst) >= CALLED;
        let _is_striped = self.marks().striped.load(Ordering::SeqCst);
        let details = self.rest.get().filter(|_rest| called)?.calls.get()?;
        Some(Calls::of(&self.valid, details))
    }

    /// Counts a call of a key of an organization, through a gate. The order of the count and the key's
    /// `waiting` mark is explained in [`crate::index::flush_queue`].
    pub(super) fn count(
        &self,
        hour: Hour,
        code: Code,
        (organization, gate): (OrganizationId, GateNumber),
        striped: &StripedKeys,
    ) {
        let marks = self.marks();
        let called = marks.called.load(Ordering::SeqCst);
        if called < CALLED {
            let details = || CallDetails::new(organization, gate);
            let details = self.rest().calls.get_or_init(details);
            self.valid.note_first_gate(details.first_gate());
            marks.called.fetch_max(CALLED, Ordering::SeqCst);
        }
        let is_first = self.valid.note_hour(hour, gate);
        let is_striped = marks.striped.load(Ordering::SeqCst);
        let has_met = if code == Code::Valid && is_first && !is_striped {
            self.valid.count(hour)
        } else if let Some(details) = self.details() {
            if !is_first && called < CALLED_BY_GATES {
                details.separate_gates();
                marks.called.fetch_max(CALLED_BY_GATES, Ordering::SeqCst);
            }
            details.count(hour, code, Some(gate).filter(|_gate| !is_first), is_striped)
        } else {
            false
        };
        if has_met && !is_striped {
            self.note_meeting(striped);
        }
    }

    /// Notes that two threads met at one counter. The key gets stripes if threads often meet there.
    fn note_meeting(&self, striped: &StripedKeys) {
        let marks = self.marks();
        let is_often = marks.meetings.fetch_add(1, Ordering::Relaxed) >= MEETINGS_MAX;
        if is_often && self.details().is_some_and(|it| it.stripe(striped)) {
            marks.striped.store(true, Ordering::SeqCst);
        }
    }

    fn details(&self) -> Option<&CallDetails> {
        self.rest.get()?.calls.get()
    }

    fn rest(&self) -> &RestOfKey {
        self.rest.get_or_init(Box::default)
    }

    /// The state of the index's writer; `None` for a key without limits and with one secret.
    fn known_ledger(&self) -> Option<MutexGuard<'_, WriterState>> {
        self.rest.get().map(|rest| rest.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn ledger(&self) -> MutexGuard<'_, WriterState> {
        self.rest().ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the digests of the key in the index. Calls `gone` with each former digest that is
    /// not among `digests`.
    pub(super) fn replace_digests(&self, digests: &[Digest], gone: impl FnMut(Digest)) {
        let first = Digest::from_words(self.digest.each_ref().map(|it| it.load(Ordering::Relaxed)));
        let others = self.known_ledger().map(|mut ledger| std::mem::take(&mut ledger.digests));
        let former = [first].into_iter().filter(|it| *it != Digest::from_words([0; 4]));
        former
            .chain(others.into_iter().flatten())
            .filter(|it| !digests.contains(it))
            .for_each(gone);
        let (first, others) = digests
            .split_first()
            .map_or(([0; 4], digests), |(first, others)| (first.words(), others));
        for (place, word) in self.digest.iter().zip(first) {
            place.store(word, Ordering::Relaxed);
        }
        if !others.is_empty() {
            self.ledger().digests = others.to_vec();
        }
    }

    /// Notes a use. Returns whether the use must be written to the store.
    pub(super) fn note(&self, last: Use<'_>, shared: impl FnOnce(&str) -> Arc<Agent>) -> bool {
        self.uses.note(last, shared)
    }

    /// Notes the address of a valid call, which was counted.
    pub(super) fn note_address(&self, ip: IpAddr, at: Moment) {
        if let Some(calls) = self.calls() {
            calls.note_address(ip, at);
        }
    }

    /// Starts to record uses separately for each secret, if the key has several secrets.
    pub(super) fn distinguish(&self, secrets: &[SecretRecord]) {
        if secrets.len() > 1 {
            self.ledger().secrets.take_over(secrets, self.uses.read());
        }
    }

    /// Loads the stored use of a key that was not used in this process.
    pub(super) fn restore(&self, last: &LastUse, secrets: &[(Digest, LastUse)]) {
        self.uses.put(last);
        let Some(ledger) = self.known_ledger() else { return };
        if secrets.is_empty() {
            ledger.secrets.attribute(last);
        }
        for (digest, last) in secrets {
            ledger.secrets.note(digest, last);
        }
    }

    /// The cell for uses of one of several secrets.
    pub(super) fn use_cell(&self, digest: &Digest) -> Option<Arc<UseCell>> {
        self.known_ledger()?.secrets.cell(digest)
    }

    /// The last use of each used secret, if uses are recorded separately.
    pub fn secret_uses(&self) -> Vec<(Digest, LastUse)> {
        self.known_ledger().map(|ledger| ledger.secrets.read()).unwrap_or_default()
    }

    /// The replaced secret, if it was used after the newest secret was created.
    pub fn old_secret_in_use(&self) -> Option<Digest> {
        self.known_ledger()?.secrets.old_in_use()
    }

    /// The counter of a rate limit. A limit keeps its counter while it keeps its name.
    ///
    /// `in_use` lists the names of the key's current limits, whose counters are never removed.
    pub(super) fn rate_counter(&self, name: &str, in_use: &[&str]) -> Arc<RateCounter> {
        let mut counters = self.ledger();
        if let Some((_, counter)) = counters.limits.iter().find(|(known, _)| &**known == name) {
            return Arc::clone(counter);
        }
        if counters.limits.len() >= COUNTERS_MAX {
            let idle = counters.limits.iter().position(|(known, _)| !in_use.contains(&&**known));
            idle.map(|at| counters.limits.remove(at));
        }
        let counter = Arc::new(RateCounter::default());
        counters.limits.push((name.into(), Arc::clone(&counter)));
        counter
    }

    /// The counter of the quota.
    pub(super) fn quota_counter(&self, reservations: &Arc<Reservations>) -> Arc<QuotaCounter> {
        let made = || {
            let owner = QuotaOwner::Key(self.key);
            Arc::new(QuotaCounter::new(owner, Arc::clone(reservations)))
        };
        Arc::clone(self.ledger().quota.get_or_insert_with(made))
    }
}

/// The live state of an organization: the counters of the plan's limits on calls.
#[derive(Debug)]
pub struct OrganizationLive {
    pub organization: OrganizationId,
    pub rate: Arc<RateCounter>,
    pub quota: Arc<QuotaCounter>,
    /// The queue for reservations of the quotas of the organization and its keys.
    pub reservations: Arc<Reservations>,
}

impl OrganizationLive {
    /// The state of an organization whose keys were never used.
    pub fn new(organization: OrganizationId, reservations: Arc<Reservations>) -> Self {
        let owner = QuotaOwner::Organization(organization);
        let quota = Arc::new(QuotaCounter::new(owner, Arc::clone(&reservations)));
        Self { organization, rate: Arc::default(), quota, reservations }
    }
}

/// The state of one rate limit.
#[derive(Debug, Default)]
pub struct RateCounter(AtomicU64);

impl RateCounter {
    /// Draws from the limit; see [`RateLimit::draw`].
    pub fn draw(&self, limit: &RateLimit, ticks: u64, cost: u32) -> Draw {
        let mut arrival = self.settled(limit, ticks);
        loop {
            let draw = limit.draw(arrival, ticks, cost);
            let Draw::Granted { arrival: next } = draw else { return draw };
            let swap =
                self.0.compare_exchange_weak(arrival, next, Ordering::Relaxed, Ordering::Relaxed);
            match swap {
                Ok(_) => return draw,
                Err(seen) => arrival = seen,
            }
        }
    }

    /// Whether a draw would be granted. Draws nothing.
    pub fn peek(&self, limit: &RateLimit, ticks: u64, cost: u32) -> Draw {
        limit.draw(self.settled(limit, ticks), ticks, cost)
    }

    /// The arrival time. An arrival time that is too late for this limit comes from an earlier,
    /// slower limit. Such an arrival time is reduced to this limit's latest value, and stored.
    fn settled(&self, limit: &RateLimit, ticks: u64) -> u64 {
        let arrival = self.0.load(Ordering::Relaxed);
        let settled = limit.settled(arrival, ticks);
        if settled >= arrival {
            return arrival;
        }
        let swap = self.0.compare_exchange(arrival, settled, Ordering::Relaxed, Ordering::Relaxed);
        swap.map_or_else(|seen| seen, |_arrival| settled)
    }

    pub fn give_back(&self, limit: &RateLimit, cost: u32) {
        let mut arrival = self.0.load(Ordering::Relaxed);
        loop {
            // Raising the limit after the draw may have reduced the arrival time below the drawn
            // amount.
            let less = arrival.saturating_sub(limit.weight(cost));
            let swap =
                self.0.compare_exchange_weak(arrival, less, Ordering::Relaxed, Ordering::Relaxed);
            match swap {
                Ok(_) => return,
                Err(seen) => arrival = seen,
            }
        }
    }

    /// The arrival time, for [`RateLimit::remaining`].
    pub fn arrival(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::pending_usage::PendingUsage;
    use crate::model::id::Id;
    use crate::records::usage::CallCounts;
    use std::thread::{ScopedJoinHandle, scope};

    #[test]
    fn the_state_of_a_key_is_small() {
        // An `Arc` adds two counts of 8 bytes.
        assert_eq!(size_of::<KeyCounters>() + 16, 128);
    }

    #[test]
    fn former_digests_are_named_when_others_replace_them() {
        let live = KeyCounters::new(KeyId::default());
        let [one, two, three] = [1, 2, 3].map(|byte| Digest::of(&[byte]));
        for (digests, expected) in [
            (&[one][..], &[][..]),
            (&[two, one], &[]),
            (&[three, two], &[one]),
            (&[three], &[two]),
            (&[], &[three]),
            (&[one], &[]),
        ] {
            let mut gone = Vec::new();
            live.replace_digests(digests, |digest| gone.push(digest));
            assert_eq!(gone, expected);
        }
    }

    /// Two threads count calls of one key while a third takes them. Meanwhile the key gets stripes.
    #[test]
    fn a_key_that_gets_stripes_loses_no_call() {
        const CALLS: u32 = 40_000;
        let (live, striped) = (KeyCounters::new(KeyId::default()), StripedKeys::default());
        let own = (Id::default(), GateNumber::NONE);
        let count = |code| live.count(Hour::from_number(8), code, own, &striped);
        let mut sum = CallCounts::default();
        count(Code::Valid);
        let calls = live.calls().unwrap();
        scope(|threads| {
            let counting = || (0..CALLS).for_each(|_| count(Code::Valid));
            let counting = [threads.spawn(counting), threads.spawn(counting)];
            loop {
                calls.take(|_, _, counts| sum.add(counts));
                assert!(live.details().unwrap().stripe(&striped));
                live.marks().striped.store(true, Ordering::SeqCst);
                if counting.iter().all(ScopedJoinHandle::is_finished) {
                    break;
                }
            }
        });
        count(Code::Expired);
        calls.take(|_, _, counts| sum.add(counts));
        let mut expected = CallCounts::of(Code::Valid, 2 * u64::from(CALLS) + 1);
        expected.add(&CallCounts::of(Code::Expired, 1));
        assert_eq!(sum, expected);
    }

    #[test]
    fn a_key_gets_stripes_when_threads_meet_often_before_its_counts_are_taken() {
        let (live, striped) = (KeyCounters::new(KeyId::default()), StripedKeys::default());
        let own = (Id::default(), GateNumber::NONE);
        live.count(Hour::from_number(8), Code::Valid, own, &striped);
        let mut pending = PendingUsage::default();
        for _ in 0..3 {
            (0..MEETINGS_MAX).for_each(|_| live.note_meeting(&striped));
            assert!(!live.marks().striped.load(Ordering::SeqCst));
            pending.take_use(&live);
        }
        (0..=MEETINGS_MAX).for_each(|_| live.note_meeting(&striped));
        assert!(live.marks().striped.load(Ordering::SeqCst));
    }

    #[test]
    fn a_counter_belongs_to_the_name_of_its_limit() {
        let live = KeyCounters::new(KeyId::default());
        let rule = RateLimit { name: "a".into(), limit: 1, window_seconds: 60 };
        assert!(matches!(live.rate_counter("a", &[]).draw(&rule, 1, 1), Draw::Granted { .. }));
        assert!(matches!(live.rate_counter("a", &[]).draw(&rule, 1, 1), Draw::Refused { .. }));
        assert!(matches!(live.rate_counter("b", &[]).draw(&rule, 1, 1), Draw::Granted { .. }));
    }

    #[test]
    fn a_raised_limit_lets_calls_through_soon() {
        let counter = RateCounter::default();
        let daily = RateLimit { name: "a".into(), limit: 1, window_seconds: 86_400 };
        let raised = RateLimit { name: "a".into(), limit: 1_000, window_seconds: 60 };
        assert!(matches!(counter.draw(&daily, 1, 1), Draw::Granted { .. }));
        assert!(matches!(counter.peek(&raised, 1, 1), Draw::Refused { .. }));
        let later = 1 + 60_000_000;
        assert!(matches!(counter.draw(&raised, later, 1), Draw::Granted { .. }));
    }

    #[test]
    fn many_threads_draw_no_more_than_the_limit() {
        let rule = RateLimit { name: "a".into(), limit: 500, window_seconds: 60 };
        let (rate, passed) = (RateCounter::default(), AtomicU64::new(0));
        let draw = || {
            let granted = matches!(rate.draw(&rule, 9, 1), Draw::Granted { .. });
            passed.fetch_add(u64::from(granted), Ordering::Relaxed);
        };
        scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| (0..200).for_each(|_| draw()));
            }
        });
        assert_eq!(passed.into_inner(), 500);
    }

    #[test]
    fn a_counter_in_use_is_never_let_go() {
        let live = KeyCounters::new(KeyId::default());
        let rule = RateLimit { name: "kept".into(), limit: 1, window_seconds: 60 };
        assert!(matches!(
            live.rate_counter("kept", &["kept"]).draw(&rule, 1, 1),
            Draw::Granted { .. }
        ));
        for number in 0..2 * COUNTERS_MAX {
            let name = format!("other{number}");
            live.rate_counter(&name, &["kept", &name]);
        }
        assert!(matches!(
            live.rate_counter("kept", &["kept"]).draw(&rule, 1, 1),
            Draw::Refused { .. }
        ));
    }
}
