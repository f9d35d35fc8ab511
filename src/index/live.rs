//! Live state of keys and organizations: last uses, counts of calls, and counters of limits.
//!
//! All grants of a key share its live state, which survives changes of the key and does not depend
//! on the feed. Live state consists of atomics, so that checks never wait for each other.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::index::calls::Calls;
use crate::index::quota::{QuotaCounter, QuotaOwner, Reservations};
use crate::index::uses::{Agent, LastUse, SecretUses, Use, UseCell};
use crate::model::id::{KeyId, OrganizationId};
use crate::model::limit::{Draw, RateLimit};
use crate::model::secret::Digest;
use crate::records::key::SecretRecord;

/// The most counters of limits that a key keeps, including those of removed limits.
const COUNTERS_MAX: usize = 32;

/// The live state of one key.
#[derive(Debug)]
pub struct KeyCounters {
    pub key: KeyId,
    uses: UseCell,
    /// Counts of the key's calls; absent until the first call.
    calls: OnceLock<Box<Calls>>,
    /// Whether a use waits to be written.
    pub(super) waiting: AtomicBool,
    /// The digests and counters of the key. Only the index's writer locks this field.
    pub(super) ledger: Mutex<WriterState>,
}

/// State that only the index's writer uses.
#[derive(Debug, Default)]
pub(super) struct WriterState {
    /// The digests of the key in the index.
    pub(super) digests: Digests,
    counters: Option<Box<LimitCounters>>,
}

/// The digests of a key. A single digest, the common case, needs no allocation.
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
struct LimitCounters {
    limits: Vec<(Box<str>, Arc<RateCounter>)>,
    quota: Option<Arc<QuotaCounter>>,
    secrets: SecretUses,
}

impl KeyCounters {
    /// The state of a key that was never used.
    pub fn new(key: KeyId) -> Self {
        Self {
            key,
            uses: UseCell::default(),
            calls: OnceLock::new(),
            waiting: AtomicBool::new(false),
            ledger: Mutex::new(WriterState::default()),
        }
    }

    /// The last use; `None` before the first use.
    pub fn last_use(&self) -> Option<LastUse> {
        self.uses.read()
    }

    /// Counts of calls; `None` if there were none in this process.
    pub fn calls(&self) -> Option<&Calls> {
        self.calls.get().map(|calls| &**calls)
    }

    /// Counts of calls, created with the first call.
    pub(super) fn calls_of(&self, organization: impl FnOnce() -> OrganizationId) -> &Calls {
        self.calls.get_or_init(|| Box::new(Calls::new(organization())))
    }

    /// Notes a use. Returns whether the use must be written to the store.
    pub(super) fn note(&self, last: Use<'_>, shared: impl FnOnce(&str) -> Arc<Agent>) -> bool {
        self.uses.note(last, shared)
    }

    /// Starts to record uses separately for each secret, if the key has several secrets.
    pub(super) fn distinguish(&self, secrets: &[SecretRecord]) {
        if secrets.len() > 1 {
            let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
            ledger.counters.get_or_insert_default().secrets.take_over(secrets, self.uses.read());
        }
    }

    /// Loads the stored use of a key that was not used in this process.
    pub(super) fn restore(&self, last: &LastUse, secrets: &[(Digest, LastUse)]) {
        self.uses.put(last);
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(counters) = &ledger.counters else { return };
        if secrets.is_empty() {
            counters.secrets.attribute(last);
        }
        for (digest, last) in secrets {
            counters.secrets.note(digest, last);
        }
    }

    /// The cell for uses of one of several secrets.
    pub(super) fn use_cell(&self, digest: &Digest) -> Option<Arc<UseCell>> {
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.counters.as_ref()?.secrets.cell(digest)
    }

    /// The last use of each used secret, if uses are recorded separately.
    pub fn secret_uses(&self) -> Vec<(Digest, LastUse)> {
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let counters = ledger.counters.as_ref();
        counters.map(|counters| counters.secrets.read()).unwrap_or_default()
    }

    /// The counter of a rate limit. A limit keeps its counter while it keeps its name.
    ///
    /// `in_use` lists the names of the key's current limits, whose counters are never removed.
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
    use std::thread::scope;

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
