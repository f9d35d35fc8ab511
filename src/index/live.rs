//! Live state: what a key's use leaves behind. It is shared by every grant of a key, outlives its
//! changes, and is not the feed's.
//!
//! All of it is atomics, so that a check never waits for another.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};

use crate::index::quota::{QuotaCounter, QuotaOwner};
use crate::index::reservations::Reservations;
use crate::model::id::{KeyId, OrganizationId};
use crate::model::limit::{Draw, RateLimit};
use crate::model::moment::Moment;
use crate::model::secret::Digest;

/// A second within which a use from the same place is not told apart.
const USE_RESOLUTION_MS: i64 = 1_000;
/// How many limits' counters a key keeps, those of limits that were taken off among them.
const COUNTERS_MAX: usize = 32;

/// When, from where and with what a key was last used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastUse {
    /// When.
    pub at: Moment,
    /// From which address, where it was told.
    pub ip: Option<IpAddr>,
    /// The number of the user agent; see [`crate::index::Index::agent`].
    pub agent: u32,
}

/// The live state of one key.
#[derive(Debug)]
pub struct Live {
    /// Whose it is.
    pub key: KeyId,
    uses: UseCell,
    /// Whether the use waits to be written.
    pub(super) waiting: AtomicBool,
    /// For the index's writer alone: under which digests the key stands, and its counters.
    pub(super) ledger: Mutex<Ledger>,
}

/// What only the index's writer touches.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The digests under which the key stands in the index.
    pub(super) digests: Digests,
    counters: Option<Box<Counters>>,
}

/// One digest nearly always, so that it costs no allocation.
#[derive(Debug, Default)]
pub(super) enum Digests {
    #[default]
    None,
    One(Digest),
    More(Box<[Digest]>),
}

impl Digests {
    pub(super) fn as_slice(&self) -> &[Digest] {
        match self {
            Self::None => &[],
            Self::One(digest) => std::slice::from_ref(digest),
            Self::More(digests) => digests,
        }
    }
}

impl FromIterator<Digest> for Digests {
    fn from_iter<I: IntoIterator<Item = Digest>>(iter: I) -> Self {
        let digests: Vec<_> = iter.into_iter().collect();
        match digests.as_slice() {
            [] => Self::None,
            [one] => Self::One(*one),
            _ => Self::More(digests.into()),
        }
    }
}

#[derive(Debug, Default)]
struct Counters {
    limits: Vec<(Box<str>, Arc<RateCounter>)>,
    quota: Option<Arc<QuotaCounter>>,
}

impl Live {
    /// The state of a key never used.
    pub fn new(key: KeyId) -> Self {
        Self {
            key,
            uses: UseCell::default(),
            waiting: AtomicBool::new(false),
            ledger: Mutex::new(Ledger::default()),
        }
    }

    /// The last use, or `None` before the first.
    pub fn last_use(&self) -> Option<LastUse> {
        self.uses.read()
    }

    /// Notes a use. Returns whether there is something new to be written.
    pub(super) fn note(&self, last: LastUse) -> bool {
        self.uses.note(last)
    }

    /// The counter of a rate limit, the same one for as long as the limit keeps its name.
    ///
    /// `in_use` are the names that the key's limits have now: their counters are never let go.
    pub(super) fn rate_counter(&self, name: &str, in_use: &[&str]) -> Arc<RateCounter> {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let counters = ledger.counters.get_or_insert_default();
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
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let counters = ledger.counters.get_or_insert_default();
        let made = || {
            let owner = QuotaOwner::Key(self.key);
            Arc::new(QuotaCounter::new(owner, Arc::clone(reservations)))
        };
        Arc::clone(counters.quota.get_or_insert_with(made))
    }
}

/// The live state of an organization: what the plan's limits on calls count.
#[derive(Debug)]
pub struct OrganizationLive {
    /// Whose it is.
    pub organization: OrganizationId,
    /// Calls in ten seconds.
    pub rate: Arc<RateCounter>,
    /// Calls in a month.
    pub quota: Arc<QuotaCounter>,
    /// Where quotas of the organization and its keys ask for reservations.
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

/// A last use that any thread may write and read without waiting: a sequence lock whose writers
/// give way to each other, since of two uses at one moment either may stand.
#[derive(Debug, Default)]
struct UseCell {
    /// Odd while somebody writes; 0 before the first use.
    sequence: AtomicU32,
    agent: AtomicU32,
    at: AtomicI64,
    /// The address as IPv6; all zero where none was told.
    ip_high: AtomicU64,
    ip_low: AtomicU64,
}

impl UseCell {
    fn read(&self) -> Option<LastUse> {
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            if before == 0 {
                return None;
            }
            let last = self.load();
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.sequence.load(Ordering::Relaxed) == before {
                return Some(last);
            }
            std::hint::spin_loop();
        }
    }

    fn load(&self) -> LastUse {
        let high = u128::from(self.ip_high.load(Ordering::Relaxed));
        let bits = (high << 64) | u128::from(self.ip_low.load(Ordering::Relaxed));
        let ip = (bits != 0).then(|| IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical());
        let at = Moment::from_milliseconds(self.at.load(Ordering::Relaxed));
        LastUse { at, ip, agent: self.agent.load(Ordering::Relaxed) }
    }

    fn note(&self, last: LastUse) -> bool {
        let sequence = self.sequence.load(Ordering::Acquire);
        // A busy key used from one place is written once a second, not once a call: its cache line
        // stays shared between cores.
        let known = self.load();
        let recent = last.at.milliseconds() - known.at.milliseconds() < USE_RESOLUTION_MS;
        if sequence != 0 && recent && known.ip == last.ip && known.agent == last.agent {
            return false;
        }
        let odd = sequence | 1;
        let taken = sequence.is_multiple_of(2)
            && self
                .sequence
                .compare_exchange(sequence, odd, Ordering::Acquire, Ordering::Relaxed)
                .is_ok();
        if !taken {
            return false;
        }
        fence(Ordering::Release);
        let bits = match last.ip {
            Some(IpAddr::V4(four)) => four.to_ipv6_mapped().to_bits(),
            Some(IpAddr::V6(six)) => six.to_bits(),
            None => 0,
        };
        let [high, low] = [bits >> 64, bits & u128::from(u64::MAX)]
            .map(|half| u64::try_from(half).unwrap_or_default());
        self.at.store(last.at.milliseconds(), Ordering::Relaxed);
        self.ip_high.store(high, Ordering::Relaxed);
        self.ip_low.store(low, Ordering::Relaxed);
        self.agent.store(last.agent, Ordering::Relaxed);
        // Skips 0, which means never used, when the count wraps.
        let even = odd.wrapping_add(1);
        self.sequence.store(if even == 0 { 2 } else { even }, Ordering::Release);
        true
    }
}

/// The state of one rate limit.
#[derive(Debug, Default)]
pub struct RateCounter(AtomicU64);

impl RateCounter {
    /// Draws; see [`RateLimit::draw`].
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

    /// Whether a draw would be granted, drawing nothing.
    pub fn peek(&self, limit: &RateLimit, ticks: u64, cost: u32) -> Draw {
        limit.draw(self.settled(limit, ticks), ticks, cost)
    }

    /// The arrival time; one that only an earlier, slower limit can have left is brought back
    /// within this one, for good.
    fn settled(&self, limit: &RateLimit, ticks: u64) -> u64 {
        let arrival = self.0.load(Ordering::Relaxed);
        let settled = limit.settled(arrival, ticks);
        if settled >= arrival {
            return arrival;
        }
        let swap = self.0.compare_exchange(arrival, settled, Ordering::Relaxed, Ordering::Relaxed);
        swap.map_or_else(|seen| seen, |_arrival| settled)
    }

    /// Takes a granted draw back.
    pub fn give_back(&self, limit: &RateLimit, cost: u32) {
        let mut arrival = self.0.load(Ordering::Relaxed);
        loop {
            // A limit that was raised meanwhile may have left less than was drawn.
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
    use std::thread::scope;

    fn used(at: i64, ip: &str, agent: u32) -> LastUse {
        let at = Moment::from_milliseconds(at);
        LastUse { at, ip: Some(ip.parse().unwrap()), agent }
    }

    #[test]
    fn a_use_is_read_back_and_repeated_ones_within_a_second_are_one() {
        let live = Live::new(KeyId::default());
        assert_eq!(live.last_use(), None);
        assert!(live.note(used(5_000, "192.0.2.7", 3)));
        assert!(!live.note(used(5_999, "192.0.2.7", 3)));
        assert_eq!(live.last_use(), Some(used(5_000, "192.0.2.7", 3)));
        assert!(live.note(used(5_999, "2001:db8::1", 3)));
        assert_eq!(live.last_use(), Some(used(5_999, "2001:db8::1", 3)));
        let nowhere = LastUse { at: Moment::from_milliseconds(9_000), ip: None, agent: 0 };
        assert!(live.note(nowhere));
        assert_eq!(live.last_use(), Some(nowhere));
    }

    #[test]
    fn no_reader_sees_half_a_use() {
        let cell = UseCell::default();
        let uses = [used(0, "0.0.0.1", 1), used(1_000_000, "2001:db8::2", 2)];
        scope(|threads| {
            for number in 0..2_usize {
                let (cell, uses) = (&cell, &uses);
                let note = move |round: usize| cell.note(uses[(round + number) % 2]);
                threads.spawn(move || (0..20_000).filter(|round| note(*round)).count());
            }
            for _ in 0..20_000 {
                if let Some(read) = cell.read() {
                    assert!(uses.contains(&read), "{read:?}");
                }
            }
        });
    }

    #[test]
    fn a_counter_belongs_to_the_name_of_its_limit() {
        let live = Live::new(KeyId::default());
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
        let live = Live::new(KeyId::default());
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
