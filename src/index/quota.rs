//! Counters of quotas: how much of a period is used, and how much use is durably reserved.
//!
//! A call is counted only within the reservation that the store holds. After a crash the whole
//! reservation counts as used, so that a crash never allows additional calls. A change of the quota
//! does not reset the count: the count of a running period is carried over into the period of the
//! new rule. The count of an ended period is not.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::index::reservations::Reservations;
use crate::model::id::{KeyId, OrganizationId};
use crate::model::limit::{Quota, Span};
use crate::model::moment::Moment;
use crate::records::place::StoreKey;
use crate::records::reservation::ReservationRecord;

/// The smallest and largest reservation, in calls. Between these values, a reservation is 1% of the
/// quota.
const STEP_MIN: u64 = 1;
const STEP_MAX: u64 = 1_000;
/// The clock may have been set back by this much between two starts: a counter does not return to a
/// period that ended less than this before. Within one process, wall time never goes back, and
/// checks are late by less.
const LATE_MAX: Duration = Duration::from_hours(1);
/// Marks a count that another window has taken over.
const MOVED: u64 = 1 << 63;
pub(super) const NOWHERE: Span = Span { begins: Moment::BEGINNING, ends: Moment::BEGINNING };

/// The owner of a quota: the key or organization whose calls it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuotaOwner {
    /// The calls of one key.
    Key(KeyId),
    /// The calls of all keys of an organization, by its plan.
    Organization(OrganizationId),
}

impl QuotaOwner {
    /// The store key of the quota's reservation.
    pub fn place(self) -> StoreKey {
        match self {
            Self::Key(id) => StoreKey::Quota(id),
            Self::Organization(id) => StoreKey::PlanQuota(id),
        }
    }
}

/// The result of drawing from a quota.
#[derive(Debug)]
pub enum QuotaDraw {
    /// The call was counted in the period that begins at `begins`.
    Granted {
        /// Identifies the period, for [`super::quota_rule::QuotaRule::give_back`].
        begins: Moment,
    },
    /// The period has no room for the call.
    Refused,
    /// The period has room for the call, but the store does not hold the reservation yet.
    Unreserved(Unreserved),
}

#[derive(Debug)]
pub struct QuotaCounter {
    owner: QuotaOwner,
    window: ArcSwap<Window>,
    /// The last change of the rule. The lock is held while a new window replaces the old one.
    turning: Mutex<Option<RuleChange>>,
    is_queued: AtomicBool,
    reservations: Arc<Reservations>,
}

/// The counts of one period under one limit.
#[derive(Debug)]
struct Window {
    span: Span,
    limit: u64,
    used: AtomicU64,
    /// The durable reservation; it only grows.
    reserved: AtomicU64,
    /// The highest count that a call needed.
    wanted: AtomicU64,
}

/// The time of the rule's last change, and the period at that time.
#[derive(Clone, Copy, Debug)]
struct RuleChange {
    at: Moment,
    span: Span,
}

enum WindowDraw {
    Granted { is_low: bool },
    Refused,
    Short { needed: u64 },
    Moved,
}

impl Window {
    fn new(span: Span, limit: u64, used: u64, reserved: u64) -> Self {
        let [used, reserved, wanted] = [used, reserved, 0].map(AtomicU64::new);
        Self { span, limit, used, reserved, wanted }
    }

    fn draw(&self, cost: u32) -> WindowDraw {
        let mut used = self.used.load(Ordering::Relaxed);
        loop {
            if used & MOVED != 0 {
                return WindowDraw::Moved;
            }
            let next = used.saturating_add(u64::from(cost));
            if next > self.limit {
                return WindowDraw::Refused;
            }
            let reserved = self.reserved.load(Ordering::Acquire);
            if next > reserved {
                return WindowDraw::Short { needed: next };
            }
            let swap =
                self.used.compare_exchange_weak(used, next, Ordering::Relaxed, Ordering::Relaxed);
            match swap {
                Ok(_) => {
                    let is_low = reserved - next <= self.step() / 2 && reserved < self.limit;
                    return WindowDraw::Granted { is_low };
                },
                Err(seen) => used = seen,
            }
        }
    }

    fn step(&self) -> u64 {
        (self.limit / 100).clamp(STEP_MIN, STEP_MAX)
    }

    /// The size of the next reservation.
    fn target(&self) -> u64 {
        let ahead = (self.used.load(Ordering::Relaxed) & !MOVED).saturating_add(self.step());
        let wanted = ahead.max(self.wanted.load(Ordering::Relaxed)).min(self.limit);
        wanted.max(self.reserved.load(Ordering::Relaxed))
    }

    /// Whether a check at `now` counts in this window. A late check, which read the clock just
    /// before the period began, also counts in the new period: the counter does not return to the
    /// old period.
    fn takes(&self, limit: u64, span: Span, now: Moment) -> bool {
        (self.span == span && self.limit == limit)
            || (now < self.span.begins && self.span.begins.since(now) <= LATE_MAX)
    }
}

impl QuotaCounter {
    /// A counter with nothing used and nothing reserved.
    pub fn new(owner: QuotaOwner, reservations: Arc<Reservations>) -> Self {
        Self {
            owner,
            window: ArcSwap::from_pointee(Window::new(NOWHERE, 0, 0, 0)),
            turning: Mutex::new(None),
            is_queued: AtomicBool::new(false),
            reservations,
        }
    }

    pub fn owner(&self) -> QuotaOwner {
        self.owner
    }

    pub(super) fn draw(
        self: &Arc<Self>,
        limit: u64,
        span: Span,
        now: Moment,
        cost: u32,
    ) -> QuotaDraw {
        loop {
            let known = self.window.load();
            let window = if known.takes(limit, span, now) {
                known
            } else {
                drop(known);
                self.turn(limit, span, now);
                self.window.load()
            };
            match window.draw(cost) {
                WindowDraw::Granted { is_low } => {
                    if is_low {
                        self.request_renewal();
                    }
                    return QuotaDraw::Granted { begins: window.span.begins };
                },
                WindowDraw::Refused => return QuotaDraw::Refused,
                WindowDraw::Short { needed } => {
                    window.wanted.fetch_max(needed, Ordering::Relaxed);
                    self.request_renewal();
                    let reservations = Arc::clone(&self.reservations);
                    let window = arc_swap::Guard::into_inner(window);
                    return QuotaDraw::Unreserved(Unreserved { reservations, window, needed });
                },
                WindowDraw::Moved => {},
            }
        }
    }

    /// Replaces the window if it does not match the rule or the time.
    fn turn(&self, limit: u64, span: Span, now: Moment) {
        let _turning = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.window.load().takes(limit, span, now) {
            self.take_over(limit, span, now);
        }
    }

    /// The caller must hold `turning`.
    fn take_over(&self, limit: u64, span: Span, now: Moment) {
        let old = self.window.load();
        let counted = old.used.fetch_or(MOVED, Ordering::Relaxed) & !MOVED;
        let (used, reserved) = if old.span == span {
            (counted, old.reserved.load(Ordering::Relaxed))
        } else if now < old.span.ends {
            // The rule changed, and its last period is still running. The stored reservation is for
            // the old period, so only the carried count is reserved in the new period.
            (counted, counted)
        } else {
            (0, 0)
        };
        self.window.store(Arc::new(Window::new(span, limit, used, reserved)));
    }

    /// Queues the counter, unless it is already in the queue.
    fn request_renewal(self: &Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::AcqRel) && !self.reservations.push(self) {
            self.is_queued.store(false, Ordering::Release);
        }
    }

    pub(super) fn give_back(&self, begins: Moment, cost: u32) {
        let window = self.window.load();
        if window.span.begins != begins {
            return;
        }
        let less = |used: u64| (used & MOVED == 0).then(|| used.saturating_sub(u64::from(cost)));
        let given = window.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        if given.is_err() {
            // The rule changed at the same time: the call stays counted.
            tracing::debug!(owner = ?self.owner, "quota: a refunded call stays counted");
        }
    }

    pub(super) fn used(&self, now: Moment) -> u64 {
        let window = self.window.load();
        let used = window.used.load(Ordering::Relaxed) & !MOVED;
        if now < window.span.ends { used } else { 0 }
    }

    /// For the index's writer: sets `quota` as the rule since `at`. If the last period was still
    /// running at that moment, its count is carried over.
    pub(super) fn change(&self, quota: &Quota, at: Moment) {
        let mut turning = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        let span = quota.span(at);
        *turning = Some(RuleChange { at, span });
        let known = self.window.load().span;
        if known != span && known.begins <= at && at < known.ends {
            self.take_over(quota.limit, span, at);
        }
    }

    /// For the index's writer: the reservation that the store held when this process began counts
    /// as used. Later rows, which this process wrote, are ignored.
    pub(super) fn restore(&self, record: &ReservationRecord) {
        let turning = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        if self.window.load().span != NOWHERE {
            return;
        }
        let mut span = Span { begins: record.begins, ends: record.ends };
        if let Some(change) = *turning
            && span.begins <= change.at
            && change.at < span.ends
        {
            span = change.span;
        }
        // The limit is unknown until the first check sets it.
        self.window.store(Arc::new(Window::new(span, 0, record.reserved, record.reserved)));
    }

    /// Leaves the queue. The next request for a renewal queues the counter again.
    pub(super) fn leave_queue(&self) {
        self.is_queued.swap(false, Ordering::AcqRel);
    }

    /// The reservation to write for the next calls; `None` if enough is reserved.
    pub fn renewal(&self) -> Option<Renewal> {
        let window = self.window.load_full();
        let reserved = window.target();
        let is_ahead = window.span != NOWHERE && reserved > window.reserved.load(Ordering::Relaxed);
        is_ahead.then_some(Renewal { owner: self.owner, window, reserved })
    }

    /// Ends counting, and returns the reservation without its unused part, to be written; `None` if
    /// nothing was counted. Later draws find no units reserved.
    pub fn settle(&self) -> Option<Renewal> {
        let _turning = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        let span = self.window.load().span;
        if span == NOWHERE {
            return None;
        }
        let old = self.window.load();
        let used = old.used.fetch_or(MOVED, Ordering::Relaxed) & !MOVED;
        let window = Arc::new(Window::new(span, old.limit, used, used));
        self.window.store(Arc::clone(&window));
        Some(Renewal { owner: self.owner, window, reserved: used })
    }
}

/// A reservation to be written.
#[derive(Debug)]
pub struct Renewal {
    pub owner: QuotaOwner,
    window: Arc<Window>,
    reserved: u64,
}

impl Renewal {
    pub fn record(&self) -> ReservationRecord {
        let Span { begins, ends } = self.window.span;
        ReservationRecord { begins, ends, reserved: self.reserved }
    }

    /// Lets calls use the reservation. The caller has stored the reservation durably.
    pub(super) fn mark_durable(&self) {
        self.window.reserved.fetch_max(self.reserved, Ordering::Release);
    }
}

/// A call that is within its quota, and must wait until the store holds the reservation.
#[derive(Debug)]
pub struct Unreserved {
    reservations: Arc<Reservations>,
    window: Arc<Window>,
    needed: u64,
}

impl Unreserved {
    /// Blocks until the call can be decided again. Returns false after `timeout`, or if
    /// reservations fail.
    pub fn wait(&self, timeout: Duration) -> bool {
        let done = || {
            self.window.reserved.load(Ordering::Acquire) >= self.needed
                || self.window.used.load(Ordering::Relaxed) & MOVED != 0
        };
        self.reservations.wait(done, timeout)
    }
}

#[cfg(test)]
mod tests {
    use std::thread::scope;

    use super::*;
    use crate::index::quota_rule::{QuotaRule, QuotaTerms};
    use crate::index::reservations::tests::renew_all;
    use crate::model::id::Id;

    fn quota(limit: u64, period: &str, zone: &str) -> Quota {
        Quota { limit, period: period.parse().unwrap(), zone: zone.parse().unwrap() }
    }

    fn at(text: &str) -> Moment {
        text.parse().unwrap()
    }

    fn counter() -> (Arc<QuotaCounter>, Arc<Reservations>) {
        let reservations = Arc::<Reservations>::default();
        let owner = QuotaOwner::Key(Id::default());
        (Arc::new(QuotaCounter::new(owner, Arc::clone(&reservations))), reservations)
    }

    /// The rule that the index's writer creates for a change at `changed_at`.
    fn ruled(counter: &Arc<QuotaCounter>, quota: Quota, changed_at: &str) -> QuotaRule<'static> {
        counter.change(&quota, at(changed_at));
        let terms = Box::leak(Box::new(QuotaTerms::new(quota)));
        QuotaRule::new(terms, Box::leak(Box::new(Arc::clone(counter))))
    }

    /// Regression: after each failed attempt, the waiting calls queued the quota again. The store
    /// rejects a batch that writes a quota twice, so no quota of the batch was ever renewed.
    #[test]
    fn while_the_store_refuses_a_quota_is_queued_once() {
        let (counter, reservations) = counter();
        let rule = ruled(&counter, quota(1_000, "day", "UTC"), "2026-01-01T00:00:00Z");
        let now = at("2026-01-02T00:00:00Z");
        assert!(matches!(rule.draw(now, 1), QuotaDraw::Unreserved(_)));
        let taken = reservations.take(10).unwrap();
        for _ in 0..3 {
            reservations.answer(&[taken[0].renewal().unwrap()], false);
            assert!(matches!(rule.draw(now, 1), QuotaDraw::Unreserved(_)));
        }
        reservations.answer(&[taken[0].renewal().unwrap()], true);
        assert_eq!(reservations.take(10).unwrap().len(), 1);
    }

    /// The number of `calls` calls that pass if the store accepts every reservation at once.
    fn pass(rule: &QuotaRule<'_>, now: &str, calls: u64) -> u64 {
        (0..calls).filter(|_| passes(rule, at(now), 1)).count().try_into().unwrap()
    }

    fn passes(rule: &QuotaRule<'_>, now: Moment, cost: u32) -> bool {
        loop {
            match rule.draw(now, cost) {
                QuotaDraw::Granted { .. } => return true,
                QuotaDraw::Refused => return false,
                QuotaDraw::Unreserved(_) => renew_all(&rule.counter.reservations),
            }
        }
    }

    /// A counter that the next process loads from the stored record.
    fn after_crash(rule: &QuotaRule<'_>, changed_at: &str) -> QuotaRule<'static> {
        let window = rule.counter.window.load();
        let Span { begins, ends } = window.span;
        let reserved = window.reserved.load(Ordering::Relaxed);
        let (counter, _) = counter();
        let next = ruled(&counter, rule.quota().clone(), changed_at);
        next.counter.restore(&ReservationRecord { begins, ends, reserved });
        next
    }

    fn unused(rule: &QuotaRule<'_>) -> u64 {
        let window = rule.counter.window.load();
        let used = window.used.load(Ordering::Relaxed) & !MOVED;
        window.reserved.load(Ordering::Relaxed) - used
    }

    const MADE: &str = "2026-01-01T00:00:00Z";

    #[test]
    fn nothing_passes_that_the_store_does_not_hold() {
        let (counter, reservations) = counter();
        let rule = ruled(&counter, quota(1_000, "day", "UTC"), MADE);
        let now = at("2026-11-21T10:00:00Z");
        let QuotaDraw::Unreserved(unreserved) = rule.draw(now, 1) else { panic!("nothing is") };
        assert!(!unreserved.wait(Duration::ZERO), "no renewal has happened yet");
        renew_all(&reservations);
        assert!(unreserved.wait(Duration::ZERO));
        let passed =
            (0..100).take_while(|_| matches!(rule.draw(now, 1), QuotaDraw::Granted { .. }));
        assert_eq!(passed.count(), 10, "1% of the quota is reserved at a time");
        assert_eq!(rule.used(now), 10);
    }

    #[test]
    fn a_reservation_is_renewed_when_half_of_it_is_used() {
        let (counter, reservations) = counter();
        let rule = ruled(&counter, quota(1_000, "day", "UTC"), MADE);
        let now = at("2026-11-21T10:00:00Z");
        assert!(passes(&rule, now, 1));
        for _ in 1..10 {
            assert!(matches!(rule.draw(now, 1), QuotaDraw::Granted { .. }));
        }
        let renewal = reservations.take(9).unwrap()[0].renewal().unwrap();
        assert_eq!(renewal.record().reserved, 20);
        renewal.mark_durable();
        assert!(matches!(rule.draw(now, 10), QuotaDraw::Granted { .. }));
    }

    #[test]
    fn a_call_that_costs_more_than_a_reservation_passes() {
        let (counter, _reservations) = counter();
        let rule = ruled(&counter, quota(100, "day", "UTC"), MADE);
        let now = at("2026-11-21T10:00:00Z");
        assert!(passes(&rule, now, 70) && !passes(&rule, now, 31) && passes(&rule, now, 30));
        assert!(passes(&rule, now, 0) && !passes(&rule, now, 1));
    }

    #[test]
    fn many_threads_draw_exactly_the_quota() {
        let (counter, _reservations) = counter();
        let rule = ruled(&counter, quota(500, "day", "UTC"), MADE);
        let passed = AtomicU64::new(0);
        scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| {
                    let mine = pass(&rule, "2026-11-21T10:00:00Z", 100);
                    passed.fetch_add(mine, Ordering::Relaxed);
                });
            }
        });
        assert_eq!(passed.into_inner(), 500);
    }

    #[test]
    fn a_new_period_begins_at_zero_and_the_old_one_does_not_come_back() {
        let (counter, _reservations) = counter();
        let rule = ruled(&counter, quota(2, "day", "UTC"), MADE);
        assert_eq!(pass(&rule, "2026-11-21T23:59:59Z", 3), 2);
        assert_eq!(pass(&rule, "2026-11-22T00:00:00Z", 1), 1);
        // A late check, which read the clock before midnight, counts in the new period.
        assert_eq!(pass(&rule, "2026-11-21T23:59:59Z", 3), 1);
        assert_eq!(pass(&rule, "2026-11-22T00:00:01Z", 3), 0, "the period is used up for all");
        assert_eq!(rule.used(at("2026-11-22T10:00:00Z")), 2);
        assert_eq!(rule.used(at("2026-11-23T00:00:00Z")), 0);
    }

    /// In winter, a month in Paris ends an hour later in UTC than in summer.
    #[test]
    fn months_end_in_their_time_zone_in_summer_and_in_winter() {
        for (last, first) in [
            ("2026-10-31T22:59:59.999Z", "2026-10-31T23:00:00Z"),
            ("2026-08-31T21:59:59.999Z", "2026-08-31T22:00:00Z"),
            ("2026-03-31T21:59:59.999Z", "2026-03-31T22:00:00Z"),
        ] {
            let (counter, _reservations) = counter();
            let rule = ruled(&counter, quota(3, "month", "Europe/Paris"), MADE);
            assert_eq!(pass(&rule, last, 5), 3, "{last}");
            assert_eq!(pass(&rule, first, 5), 3, "{first}");
        }
    }

    /// Before the change, 40 of 50 calls were used. Columns: the quota before, the time of the
    /// change, the quota after, the time of use, and the number of 100 calls that pass.
    #[test]
    fn a_change_of_the_quota_refills_nothing() {
        let used = "2026-11-20T10:00:00Z";
        for (claim, before, changed, after, then, passed) in [
            ("same", ("month", "UTC"), used, (50, "month", "UTC"), used, 10),
            ("raised", ("month", "UTC"), used, (60, "month", "UTC"), used, 20),
            ("lowered", ("month", "UTC"), used, (30, "month", "UTC"), used, 0),
            ("month to day", ("month", "UTC"), used, (50, "day", "UTC"), used, 10),
            (
                "month to day, the day after",
                ("month", "UTC"),
                used,
                (50, "day", "UTC"),
                "2026-11-21T00:00:00Z",
                50,
            ),
            ("day to month", ("day", "UTC"), used, (50, "month", "UTC"), used, 10),
            (
                "day to month, used the day after",
                ("day", "UTC"),
                used,
                (50, "month", "UTC"),
                "2026-11-21T10:00:00Z",
                10,
            ),
            (
                "day to month after the day",
                ("day", "UTC"),
                "2026-11-21T10:00:00Z",
                (50, "month", "UTC"),
                "2026-11-21T10:00:00Z",
                50,
            ),
            ("another zone", ("day", "UTC"), used, (50, "day", "Pacific/Kiritimati"), used, 10),
            ("west", ("month", "UTC"), used, (50, "month", "America/New_York"), used, 10),
        ] {
            for crashes in [false, true] {
                let (counter, _reservations) = counter();
                let old = ruled(&counter, quota(50, before.0, before.1), MADE);
                assert_eq!(pass(&old, used, 40), 40, "{claim}");
                let (limit, period, zone) = after;
                let new = ruled(&counter, quota(limit, period, zone), changed);
                let (new, lost) = if crashes {
                    // A crash loses the unused part of a reservation.
                    (after_crash(&new, changed), unused(&old).min(passed))
                } else {
                    (new, 0)
                };
                let expected = passed - lost * u64::from(passed < limit);
                assert_eq!(pass(&new, then, 100), expected, "{claim}, crash: {crashes}");
            }
        }
    }

    #[test]
    fn reservations_count_as_used_after_a_crash_and_are_returned_at_a_clean_stop() {
        let (counter, reservations) = counter();
        let rule = ruled(&counter, quota(1_000, "month", "UTC"), MADE);
        let now = "2026-11-20T10:00:00Z";
        assert_eq!(pass(&rule, now, 4), 4);
        assert_eq!(pass(&after_crash(&rule, MADE), now, 2_000), 990);
        reservations.end();
        let settled = counter.settle().unwrap().record();
        assert_eq!(settled.reserved, 4);
        assert!(matches!(rule.draw(at(now), 1), QuotaDraw::Unreserved(_)), "nothing after the end");
        let next = after_crash(&rule, MADE);
        assert_eq!(pass(&next, now, 2_000), 996);
    }

    #[test]
    fn a_draw_is_given_back_in_its_own_period_alone() {
        let (counter, _reservations) = counter();
        let rule = ruled(&counter, quota(2, "day", "UTC"), MADE);
        let (today, tomorrow) = (at("2026-11-20T10:00:00Z"), at("2026-11-21T10:00:00Z"));
        assert!(passes(&rule, today, 1) && passes(&rule, today, 1));
        let begins = rule.span(today).begins;
        rule.give_back(begins, 1);
        assert!(passes(&rule, today, 1) && !passes(&rule, today, 1));
        assert!(passes(&rule, tomorrow, 2));
        rule.give_back(begins, 1);
        assert!(!passes(&rule, tomorrow, 1));
    }
}
