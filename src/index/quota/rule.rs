//! A quota's terms, and the rule that combines them with a counter.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::index::quota::counter::{QuotaCounter, QuotaDraw};
use crate::index::quota::window::NOWHERE;
use crate::model::limit::{Quota, Span};
use crate::model::moment::Moment;

/// The quota of a key or plan; organizations on one plan share its terms.
#[derive(Debug)]
pub struct QuotaTerms {
    quota: Quota,
    /// The last computed period, so that the calendar is computed once a period and not once a
    /// call.
    span: ArcSwap<Span>,
}

/// A quota with the counter of its calls.
#[derive(Clone, Copy, Debug)]
pub struct QuotaRule<'a> {
    terms: &'a QuotaTerms,
    pub(super) counter: &'a Arc<QuotaCounter>,
}

impl QuotaTerms {
    /// The terms of a quota.
    pub fn new(quota: Quota) -> Self {
        Self { quota, span: ArcSwap::from_pointee(NOWHERE) }
    }

    fn span(&self, now: Moment) -> Span {
        let known = **self.span.load();
        if now >= known.begins && now < known.ends {
            return known;
        }
        let span = self.quota.span(now);
        self.span.store(Arc::new(span));
        span
    }
}

impl<'a> QuotaRule<'a> {
    /// A rule of these terms that counts in `counter`.
    pub fn new(terms: &'a QuotaTerms, counter: &'a Arc<QuotaCounter>) -> Self {
        Self { terms, counter }
    }

    pub fn quota(self) -> &'a Quota {
        &self.terms.quota
    }

    pub fn span(self, now: Moment) -> Span {
        self.terms.span(now)
    }

    /// Draws all of `cost`, or nothing. A cost of zero is always granted.
    pub fn draw(self, now: Moment, cost: u32) -> QuotaDraw {
        let span = self.span(now);
        if cost == 0 {
            return QuotaDraw::Granted { begins: span.begins };
        }
        self.counter.draw(self.quota().limit, span, now, cost)
    }

    /// Whether `cost` would be granted. Draws nothing.
    pub fn has_room(self, now: Moment, cost: u32) -> bool {
        cost == 0 || self.used(now).saturating_add(u64::from(cost)) <= self.quota().limit
    }

    /// Takes a granted draw back, unless its period is over.
    pub fn give_back(self, begins: Moment, cost: u32) {
        self.counter.give_back(begins, cost);
    }

    /// The number of units used in the period of `now`.
    pub fn used(self, now: Moment) -> u64 {
        self.counter.used(now)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread::scope;
    use std::time::Duration;

    use super::*;
    use crate::index::quota::counter::Reservations;
    use crate::index::quota::counter::tests::renew_all;
    use crate::index::quota::renewal::QuotaOwner;
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
                QuotaDraw::Unreserved(_) => rule.counter.renew(),
            }
        }
    }

    /// A counter that the next process loads from the stored record.
    fn after_crash(rule: &QuotaRule<'_>, changed_at: &str) -> QuotaRule<'static> {
        let (counter, _) = counter();
        let next = ruled(&counter, rule.quota().clone(), changed_at);
        next.counter.restore(&rule.counter.stored());
        next
    }

    fn unused(rule: &QuotaRule<'_>) -> u64 {
        let stored = rule.counter.stored();
        stored.reserved - rule.counter.used(stored.begins)
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
