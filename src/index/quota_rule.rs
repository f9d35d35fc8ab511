//! A quota's terms, and the rule that combines them with a counter.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::index::quota::{NOWHERE, QuotaCounter, QuotaDraw};
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
