//! The facts of a plan that a decision needs.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::index::facts::Shared;
use crate::index::quota_rule::QuotaTerms;
use crate::model::limit::{Period, Quota, RateLimit, Zone};
use crate::model::plan::{PLAN_RATE, Plan};

/// What is known of a plan: one handle for all organizations on it, so that a change of it is one
/// swap.
#[derive(Debug)]
pub struct PlanFacts {
    /// What it allows.
    pub plan: Plan,
    /// The calls that it gives all keys of an organization together: in ten seconds.
    pub rate: Option<RateLimit>,
    /// In a calendar month, in UTC.
    pub quota: Option<QuotaTerms>,
}

impl PlanFacts {
    /// A plan with what it limits calls to.
    pub fn new(plan: Plan) -> Self {
        let limits = plan.limits;
        let rate = |limit| RateLimit { name: PLAN_RATE.into(), limit, window_seconds: 10 };
        let quota =
            |limit| QuotaTerms::new(Quota { limit, period: Period::Month, zone: Zone::utc() });
        Self {
            plan,
            rate: limits.requests_per_10s.map(rate),
            quota: limits.requests_per_month.map(quota),
        }
    }

    /// A handle to a plan.
    pub fn shared(plan: Plan) -> Shared<Self> {
        Arc::new(ArcSwap::from_pointee(Self::new(plan)))
    }
}
