//! The facts about a plan that a decision reads.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::index::facts::Shared;
use crate::index::quota_rule::QuotaTerms;
use crate::model::limit::{Period, Quota, RateLimit, Zone};
use crate::model::plan::{PLAN_RATE, Plan};

/// Facts about a plan. All organizations on the plan share one handle, so that a change of the plan
/// is one swap.
#[derive(Debug)]
pub struct PlanFacts {
    pub plan: Plan,
    /// The limit in ten seconds on calls of all keys of an organization.
    pub rate: Option<RateLimit>,
    /// The limit in a calendar month, in UTC.
    pub quota: Option<QuotaTerms>,
}

impl PlanFacts {
    /// A plan with its limits on calls.
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

    pub fn shared(plan: Plan) -> Shared<Self> {
        Arc::new(ArcSwap::from_pointee(Self::new(plan)))
    }
}
