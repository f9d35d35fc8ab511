//! Limits on calls: a call draws from the limits of its key and from those of its organization's
//! plan.
//!
//! Limits are tested in the order of their codes: both rates, then both quotas, the key's before
//! the plan's. Quotas are drawn first, because only they can lack a reservation. A rejected call
//! returns all units that it drew.

use std::time::Duration;

use crate::clock::Now;
use crate::index::facts::OrganizationFacts;
use crate::index::grant::{Grant, Rules};
use crate::index::live::{OrganizationLive, RateCounter};
use crate::index::plan::PlanFacts;
use crate::index::quota::{QuotaDraw, QuotaRule, Unreserved};
use crate::model::limit::{Draw, RateLimit};
use crate::model::moment::Moment;
use crate::verify::verdict::{Code, Verdict};

/// The limits on one call.
#[derive(Clone, Copy, Debug)]
pub struct CallLimits<'a> {
    rules: Option<&'a Rules>,
    plan: Option<&'a PlanFacts>,
    live: &'a OrganizationLive,
}

impl<'a> CallLimits<'a> {
    /// The limits of a key and of its organization's plan.
    pub fn of(
        grant: &'a Grant,
        organization: &'a OrganizationFacts,
        plan: Option<&'a PlanFacts>,
    ) -> Self {
        Self { rules: grant.rules.as_deref(), plan, live: &organization.live }
    }

    /// All rate limits, the key's first.
    pub fn rates(self) -> impl Iterator<Item = (&'a RateLimit, &'a RateCounter)> + Clone {
        let own = self.rules.map(|rules| &*rules.rate_limits).unwrap_or_default().iter();
        let plan = self.plan.and_then(|plan| plan.rate.as_ref());
        let plan = plan.map(|limit| (limit, &*self.live.rate));
        own.map(|(limit, counter)| (limit, &**counter)).chain(plan)
    }

    /// The key's quota and the plan's.
    pub fn quotas(self) -> [Option<QuotaRule<'a>>; 2] {
        let plan = self.plan.and_then(|plan| plan.quota.as_ref());
        let plan = plan.map(|terms| QuotaRule::new(terms, &self.live.quota));
        [self.rules.and_then(Rules::quota), plan]
    }

    /// The rejection, if a limit has no room for the call. Draws from no limit.
    pub(super) fn refusal(self, cost: u32, now: Now) -> Option<Verdict> {
        let peek = |(limit, counter): (&RateLimit, &RateCounter)| {
            refused(counter.peek(limit, now.ticks, cost))
        };
        if let Some(wait) = self.rates().filter_map(peek).max() {
            return Some(limited(wait));
        }
        let full =
            self.quotas().into_iter().flatten().filter(|rule| !rule.has_room(now.wall, cost));
        full.map(|rule| rule.span(now.wall).ends).max().map(|ends| exceeded(ends, now))
    }
}

/// Draws from all limits, or from none.
///
/// # Errors
///
/// [`Unreserved`]; nothing was drawn.
pub(super) fn draw(limits: CallLimits<'_>, cost: u32, now: Now) -> Result<Verdict, Unreserved> {
    // The limits are tested before any draw, so that a rejected call rarely affects other calls.
    if let Some(refusal) = limits.refusal(cost, now) {
        return Ok(refusal);
    }
    draw_from_each(limits, cost, now)
}

/// Draws from the limits in turn. If other calls drew since the test and a limit now rejects the
/// call, the earlier draws are returned.
fn draw_from_each(limits: CallLimits<'_>, cost: u32, now: Now) -> Result<Verdict, Unreserved> {
    // Quotas come before rates, so that a call that waits for a reservation holds no units of a
    // rate limit.
    let [own, plan] = limits.quotas();
    let own = match own.map(|rule| draw_quota(rule, cost, now)).transpose()? {
        None => None,
        Some(Drawn::Refused(verdict)) => return Ok(verdict),
        Some(Drawn::From(drawn)) => Some(drawn),
    };
    let plan = match plan.map(|rule| draw_quota(rule, cost, now)).transpose() {
        Ok(None) => None,
        Ok(Some(Drawn::From(drawn))) => Some(drawn),
        Ok(Some(Drawn::Refused(verdict))) => {
            give_back([own, None], cost);
            return Ok(verdict);
        },
        Err(unreserved) => {
            give_back([own, None], cost);
            return Err(unreserved);
        },
    };
    for (at, (limit, counter)) in limits.rates().enumerate() {
        if let Some(wait) = refused(counter.draw(limit, now.ticks, cost)) {
            for (limit, counter) in limits.rates().take(at) {
                counter.give_back(limit, cost);
            }
            give_back([own, plan], cost);
            return Ok(limited(wait));
        }
    }
    Ok(Verdict::of(Code::Valid))
}

/// The result of drawing from one quota.
enum Drawn<'a> {
    From((QuotaRule<'a>, Moment)),
    Refused(Verdict),
}

fn draw_quota(rule: QuotaRule<'_>, cost: u32, now: Now) -> Result<Drawn<'_>, Unreserved> {
    match rule.draw(now.wall, cost) {
        QuotaDraw::Granted { begins } => Ok(Drawn::From((rule, begins))),
        QuotaDraw::Refused => Ok(Drawn::Refused(exceeded(rule.span(now.wall).ends, now))),
        QuotaDraw::Unreserved(unreserved) => Err(unreserved),
    }
}

/// Returns the drawn units to the quotas.
fn give_back(drawn: [Option<(QuotaRule<'_>, Moment)>; 2], cost: u32) {
    for (rule, begins) in drawn.into_iter().flatten() {
        rule.give_back(begins, cost);
    }
}

fn refused(draw: Draw) -> Option<Duration> {
    match draw {
        Draw::Granted { .. } => None,
        Draw::Refused { wait } => Some(wait),
    }
}

fn limited(wait: Duration) -> Verdict {
    Verdict { code: Code::RateLimited, retry_after: Some(wait) }
}

fn exceeded(ends: Moment, now: Now) -> Verdict {
    Verdict { code: Code::QuotaExceeded, retry_after: Some(ends.since(now.wall)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::quota::renew_all;
    use crate::model::plan::PlanLimits;
    use crate::records::key::tests::record;
    use crate::records::key::{QuotaRecord, RateLimitRecord};
    use crate::verify::decide::tests::{NOW, grant, on_plan, organization};

    /// Tests a race: each limit had room in the test, and one limit has none in the draw. Columns:
    /// the room of the key's two rates, its quota, the plan's rate and the plan's quota, and the
    /// verdict of a call that costs 5.
    #[test]
    fn the_one_that_refuses_late_leaves_nothing_drawn_from_the_others() {
        for (first, second, quota, plan_rate, plan_quota, code) in [
            (9, 9, 9, 9, 9, Code::Valid),
            (4, 9, 9, 9, 9, Code::RateLimited),
            (9, 4, 9, 9, 9, Code::RateLimited),
            (9, 9, 9, 4, 9, Code::RateLimited),
            (9, 9, 4, 9, 9, Code::QuotaExceeded),
            (9, 9, 9, 9, 4, Code::QuotaExceeded),
        ] {
            let mut key = record();
            let rate = |name: &str, limit| {
                let name = name.into();
                RateLimitRecord { name, limit, window_seconds: 60 }
            };
            key.rate_limits = vec![rate("first", first), rate("second", second)];
            let (period, zone) = ("month".parse().unwrap(), "UTC".parse().unwrap());
            key.quota = Some(QuotaRecord { limit: quota, period, zone });
            let mut facts = organization();
            let limits = PlanLimits {
                requests_per_10s: Some(plan_rate),
                requests_per_month: Some(plan_quota),
                ..PlanLimits::default()
            };
            on_plan(&mut facts, |plan| plan.limits = limits);
            let grant = grant(&key, None, facts);
            let organization = grant.organization.load();
            let plan = organization.plan.facts();
            let limits = CallLimits::of(&grant, &organization, Some(&plan));
            let verdict = loop {
                match draw_from_each(limits, 5, NOW) {
                    Ok(verdict) => break verdict,
                    Err(_unreserved) => renew_all(&organization.live.reservations),
                }
            };
            assert_eq!(verdict.code, code);
            let drawn = if verdict.is_valid() { 5 } else { 0 };
            for (limit, counter) in limits.rates() {
                let left = limit.remaining(counter.arrival(), NOW.ticks);
                assert_eq!(left, limit.limit - drawn, "{}, {code}", limit.name);
            }
            for rule in limits.quotas().into_iter().flatten() {
                assert_eq!(rule.used(NOW.wall), u64::from(drawn), "{code}");
            }
        }
    }
}
