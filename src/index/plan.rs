//! The facts about a plan that a check reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::{ArcSwap, Guard};

use crate::index::quota::QuotaTerms;
use crate::model::limit::{Period, Quota, RateLimit, Zone};
use crate::model::plan::{PLAN_RATE, Plan};

/// A plan. All organizations on a plan share one handle, so that a change of the plan is one write.
///
/// Fields that every check reads are outside `facts`, since loading `facts` takes 20 ns, a tenth of
/// a check.
#[derive(Debug)]
pub struct SharedPlan {
    api_access: AtomicBool,
    limits_calls: AtomicBool,
    facts: ArcSwap<PlanFacts>,
}

impl SharedPlan {
    pub fn new(plan: Plan) -> Arc<Self> {
        let facts = PlanFacts::new(plan);
        Arc::new(Self {
            api_access: AtomicBool::new(facts.plan.api_access),
            limits_calls: AtomicBool::new(facts.limits_calls()),
            facts: ArcSwap::from_pointee(facts),
        })
    }

    pub fn store(&self, plan: Plan) {
        let facts = PlanFacts::new(plan);
        let (api_access, limits_calls) = (facts.plan.api_access, facts.limits_calls());
        self.facts.store(Arc::new(facts));
        self.limits_calls.store(limits_calls, Ordering::Release);
        self.api_access.store(api_access, Ordering::Release);
    }

    /// Whether the plan gives API access.
    pub fn gives_api_access(&self) -> bool {
        self.api_access.load(Ordering::Acquire)
    }

    /// The plan's facts, if the plan limits calls.
    pub fn limiting(&self) -> Option<Guard<Arc<PlanFacts>>> {
        self.limits_calls.load(Ordering::Acquire).then(|| self.facts())
    }

    pub fn facts(&self) -> Guard<Arc<PlanFacts>> {
        self.facts.load()
    }
}

#[derive(Debug)]
pub struct PlanFacts {
    pub plan: Plan,
    /// The limit in ten seconds on calls of all keys of an organization.
    pub rate: Option<RateLimit>,
    /// The limit in a calendar month, in UTC.
    pub quota: Option<QuotaTerms>,
}

impl PlanFacts {
    fn new(plan: Plan) -> Self {
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

    fn limits_calls(&self) -> bool {
        self.rate.is_some() || self.quota.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::PlanLimits;

    #[test]
    fn what_decisions_read_follows_each_change() {
        let plan = |api_access: bool, rate: Option<u32>, quota: Option<u64>| {
            let limits = PlanLimits {
                requests_per_10s: rate,
                requests_per_month: quota,
                ..PlanLimits::default()
            };
            Plan { api_access, limits, ..Plan::unknown("pro") }
        };
        let shared = SharedPlan::new(plan(false, None, None));
        for (api_access, rate, quota) in [
            (true, None, None),
            (true, Some(1), None),
            (false, None, Some(1)),
            (true, Some(1), Some(1)),
            (false, None, None),
        ] {
            let changed = plan(api_access, rate, quota);
            let made = SharedPlan::new(changed.clone());
            shared.store(changed.clone());
            for shared in [&shared, &made] {
                assert_eq!(shared.gives_api_access(), api_access);
                let limiting = shared.limiting();
                assert_eq!(limiting.is_some(), rate.is_some() || quota.is_some());
                assert_eq!(shared.facts().plan, changed);
            }
        }
    }
}
