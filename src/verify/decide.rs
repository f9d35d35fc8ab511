//! The decision about a grant: every rule, in the order of the codes.

use crate::clock::Now;
use crate::index::facts::{OrganizationStatus, RightQuery};
use crate::index::grant::{Grant, Rules};
use crate::index::quota::Unreserved;
use crate::model::gate::Acceptance;
use crate::model::moment::Moment;
use crate::model::permission::Permission;
use crate::verify::limits::{self, CallLimits};
use crate::verify::request::Request;
use crate::verify::verdict::{Code, Verdict};

/// Decides about a grant. The first rule that applies is the code. A call draws from a limit only
/// if all earlier rules passed. A rejected call draws from no limit.
///
/// # Errors
///
/// [`Unreserved`]: the call would pass, but a quota lacks a reservation. Nothing was drawn. The
/// caller waits for the reservation, outside of any guard, and decides again.
pub fn decide(grant: &Grant, request: &Request<'_>, now: Now) -> Result<Verdict, Unreserved> {
    decided(grant, request, now, Ok, |limits| limits::draw(limits, request.cost, now))
}

/// The verdict that [`decide`] would return. Draws from no limit.
pub fn preview(grant: &Grant, request: &Request<'_>, now: Now) -> Verdict {
    let limited = |limits: CallLimits<'_>| {
        limits.refusal(request.cost, now).unwrap_or(Verdict::of(Code::Valid))
    };
    decided(grant, request, now, |verdict| verdict, limited)
}

/// Applies all rules but the limits. If they pass and the call has limits, `limited` decides.
fn decided<T>(
    grant: &Grant,
    request: &Request<'_>,
    now: Now,
    verdict: impl FnOnce(Verdict) -> T,
    limited: impl FnOnce(CallLimits<'_>) -> T,
) -> T {
    if let Some(code) = state_of_key(grant, now.wall) {
        return verdict(Verdict::of(code));
    }
    let facts;
    let organization = if let Some(status) = grant.organization.status() {
        status
    } else {
        facts = grant.organization.load();
        facts.status()
    };
    if let Some(code) = refusal(grant, organization, request, now) {
        return verdict(Verdict::of(code));
    }
    let plan = organization.plan.limiting();
    if plan.is_none() && !grant.rules.as_deref().is_some_and(Rules::limits_calls) {
        return verdict(Verdict::of(Code::Valid));
    }
    let facts = grant.organization.load();
    limited(CallLimits::of(grant, &facts, plan.as_deref().map(AsRef::as_ref)))
}

/// All rules about owner, organization and request, except the limits.
fn refusal(
    grant: &Grant,
    organization: OrganizationStatus<'_>,
    request: &Request<'_>,
    now: Now,
) -> Option<Code> {
    let owner = grant.owner_status();
    if owner.is_some_and(|owner| owner.disabled) {
        return Some(Code::OwnerDisabled);
    }
    if let Some(code) = state_of_organization(organization, now.wall) {
        return Some(code);
    }
    if !is_accepted(&request.acceptance, grant) {
        return Some(Code::NotAcceptedHere);
    }
    if !is_admitted(grant.rules.as_deref(), request) {
        return Some(Code::IpNotAllowed);
    }
    let is_granted = |permission: &Permission| {
        grant.grants(owner, organization.bounds, RightQuery::Permission(permission.as_str()))
    };
    match request.requirement {
        Some(requirement) if !requirement.is_met(is_granted) => Some(Code::InsufficientPermissions),
        Some(_) | None => None,
    }
}

fn state_of_key(grant: &Grant, now: Moment) -> Option<Code> {
    if grant.revoked {
        Some(Code::Revoked)
    } else if grant.disabled {
        Some(Code::Disabled)
    } else if now < grant.not_before() {
        Some(Code::NotYetValid)
    } else if now >= grant.expires_at {
        Some(Code::Expired)
    } else {
        None
    }
}

fn state_of_organization(organization: OrganizationStatus<'_>, now: Moment) -> Option<Code> {
    if organization.suspended {
        Some(Code::OrganizationSuspended)
    } else if !organization.has_access(now) {
        Some(Code::SubscriptionRequired)
    } else {
        None
    }
}

fn is_accepted(gate: &Acceptance<'_>, grant: &Grant) -> bool {
    let id = grant.organization.id();
    let organizations = gate.organizations.is_none_or(|taken| taken.contains(&id));
    let named = |taken: &[crate::model::key_text::Environment]| {
        taken.iter().any(|environment| environment.as_str() == grant.environment())
    };
    organizations && gate.environments.is_none_or(named)
}

/// Whether the address rules admit the request. Without an address the request is rejected, since
/// its origin is unknown.
fn is_admitted(rules: Option<&Rules>, request: &Request<'_>) -> bool {
    let Some(rules) = rules.filter(|rules| !rules.ip.is_empty()) else { return true };
    request.ip.is_some_and(|ip| rules.ip.admit(ip))
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::index::facts::{HeldRole, OrganizationFacts, RoleFacts, SharedUser, UserFacts};
    use crate::index::grant::GrantHandles;
    use crate::index::live::KeyCounters;
    use crate::index::plan::SharedPlan;
    use crate::index::quota::renew_all;
    use crate::index::shared_organization::SharedOrganization;
    use crate::index::standing::{RoleKind, UserStatuses};
    use crate::model::id::{Id, OrganizationId};
    use crate::model::permission::{PATTERNS_MAX, PatternSet, Patterns, comparisons};
    use crate::model::plan::{Plan, Subscription, SubscriptionStatus};
    use crate::model::requirement::{REQUIREMENT_NAMES_MAX, Requirement};
    use crate::model::role::BuiltinRole;
    use crate::records::key::tests::record;
    use crate::records::key::{DisabledBy, KeyRecord, MAXIMA_MAX, QuotaRecord, RateLimitRecord};

    pub(in crate::verify) const NOW: Now =
        Now { wall: Moment::from_milliseconds(1_800_000_000_000), ticks: 1 };

    pub(in crate::verify) fn owner() -> UserFacts {
        let mut facts = UserFacts::unknown(Id::default());
        (facts.standing.disabled, facts.standing.role) =
            (false, RoleKind::Builtin(BuiltinRole::User));
        facts
    }

    pub(in crate::verify) fn organization() -> OrganizationFacts {
        let mut facts = OrganizationFacts::unknown(Id::default());
        facts.suspended = false;
        facts.ceiling = PatternSet::ALL.into();
        facts.plan = SharedPlan::new(Plan { api_access: true, ..Plan::unknown("pro") });
        facts.subscription = Subscription {
            plan: "pro".into(),
            status: SubscriptionStatus::Active,
            current_period_end: Moment::NEVER,
        };
        facts
    }

    /// Changes the plan of one organization only.
    pub(in crate::verify) fn on_plan(
        facts: &mut OrganizationFacts,
        change: impl FnOnce(&mut Plan),
    ) {
        let mut plan = facts.plan.facts().plan.clone();
        change(&mut plan);
        facts.plan = SharedPlan::new(plan);
    }

    pub(in crate::verify) fn grant(
        record: &KeyRecord,
        owner: Option<UserFacts>,
        facts: OrganizationFacts,
    ) -> Grant {
        let owner =
            owner.map(|owner| Arc::new(SharedUser::new(owner, UserStatuses::default().take())));
        let organization = Arc::new(SharedOrganization::new(facts));
        let live = Arc::new(KeyCounters::new(record.id));
        let handles = GrantHandles::unshared(record, owner, organization, live);
        Grant::new(record, &record.secrets[0], handles)
    }

    /// The verdict after the store has granted the requested reservation.
    fn decided(grant: &Grant, request: &Request<'_>, now: Now) -> Verdict {
        let previewed = preview(grant, request, now);
        loop {
            match decide(grant, request, now) {
                Ok(verdict) => {
                    assert_eq!(verdict, previewed, "a preview decides without drawing");
                    return verdict;
                },
                Err(_unreserved) => renew_all(&grant.organization.load().live.reservations),
            }
        }
    }

    /// Every rule rejects the key at first. The test corrects one rule after the other, and each
    /// code appears in its turn.
    #[test]
    #[expect(clippy::cognitive_complexity, reason = "one long list, in the order of the contract")]
    fn the_first_rule_that_applies_is_the_code() {
        let second =
            |offset: i64| Some(Moment::from_milliseconds(NOW.wall.milliseconds() + offset * 1_000));
        let mut key = record();
        key.revoked_at = second(0);
        key.disabled = Some(DisabledBy::Owner);
        key.not_before = second(1);
        key.expires_at = second(0);
        key.ip_allow = vec!["10.0.0.0/8".parse().unwrap()];
        key.permissions = Some("files:*".parse().unwrap());
        key.rate_limits = vec![RateLimitRecord { name: "a".into(), limit: 1, window_seconds: 60 }];
        key.quota = Some(QuotaRecord {
            limit: 1,
            period: "day".parse().unwrap(),
            zone: "UTC".parse().unwrap(),
        });
        let mut facts = organization();
        facts.suspended = true;
        on_plan(&mut facts, |plan| plan.api_access = false);
        let mut user = owner();
        user.standing.disabled = true;
        let foreign = [OrganizationId::from_bytes([9; 16])];
        let requirement = "diagrams:read".parse().unwrap();
        let mut request =
            Request { requirement: Some(&requirement), cost: 2, ..Request::default() };
        request.acceptance.organizations = Some(&foreign);

        let code = |key: &KeyRecord,
                    user: &UserFacts,
                    facts: &OrganizationFacts,
                    request: &Request<'_>| {
            decided(&grant(key, Some(user.clone()), facts.clone()), request, NOW).code
        };
        assert_eq!(code(&key, &user, &facts, &request), Code::Revoked);
        key.revoked_at = None;
        assert_eq!(code(&key, &user, &facts, &request), Code::Disabled);
        key.disabled = None;
        assert_eq!(code(&key, &user, &facts, &request), Code::NotYetValid);
        key.not_before = second(0);
        assert_eq!(code(&key, &user, &facts, &request), Code::Expired);
        key.expires_at = second(1);
        assert_eq!(code(&key, &user, &facts, &request), Code::OwnerDisabled);
        user.standing.disabled = false;
        assert_eq!(code(&key, &user, &facts, &request), Code::OrganizationSuspended);
        facts.suspended = false;
        assert_eq!(code(&key, &user, &facts, &request), Code::SubscriptionRequired);
        on_plan(&mut facts, |plan| plan.api_access = true);
        assert_eq!(code(&key, &user, &facts, &request), Code::NotAcceptedHere);
        request.acceptance.organizations = None;
        let environments = ["test".parse().unwrap()];
        request.acceptance.environments = Some(&environments);
        assert_eq!(code(&key, &user, &facts, &request), Code::NotAcceptedHere);
        request.acceptance.environments = None;
        assert_eq!(code(&key, &user, &facts, &request), Code::IpNotAllowed);
        request.ip = Some("192.0.2.1".parse().unwrap());
        assert_eq!(code(&key, &user, &facts, &request), Code::IpNotAllowed);
        request.ip = Some("10.1.1.1".parse().unwrap());
        assert_eq!(code(&key, &user, &facts, &request), Code::InsufficientPermissions);
        key.permissions = Some("diagrams:*".parse().unwrap());
        assert_eq!(code(&key, &user, &facts, &request), Code::RateLimited);
        key.rate_limits[0].limit = 9;
        assert_eq!(code(&key, &user, &facts, &request), Code::QuotaExceeded);
        request.cost = 1;
        assert_eq!(code(&key, &user, &facts, &request), Code::Valid);
    }

    #[test]
    fn the_codes_stand_in_the_order_of_the_contract() {
        let names: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        let distinct: BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
        assert!(Code::ALL.is_sorted());
        assert_eq!(names.first(), Some(&"MALFORMED"));
        assert_eq!(names.last(), Some(&"VALID"));
    }

    #[test]
    fn a_personal_key_is_worth_no_more_than_its_owner_today() {
        let requirement = "diagrams:read".parse().unwrap();
        let request = Request { requirement: Some(&requirement), ..Request::default() };
        let mut guest = owner();
        guest.standing.role = RoleKind::Builtin(BuiltinRole::Guest);
        let code = |key: &KeyRecord, owner| {
            decided(&grant(key, owner, organization()), &request, NOW).code
        };
        let key = record();
        assert_eq!(code(&key, Some(owner())), Code::Valid);
        assert_eq!(code(&key, Some(guest)), Code::InsufficientPermissions);
        assert_eq!(code(&key, None), Code::Valid, "a service key goes by its own list");
    }

    #[test]
    fn without_a_list_a_personal_key_has_all_but_management_and_a_service_key_nothing() {
        let mut key = record();
        key.permissions = None;
        let mut administrator = owner();
        administrator.standing.role = RoleKind::Builtin(BuiltinRole::Administrator);
        for (text, owner, expected) in [
            ("a:b", Some(administrator.clone()), Code::Valid),
            ("keyhouse:keys:read", Some(administrator), Code::InsufficientPermissions),
            ("a:b", None, Code::InsufficientPermissions),
        ] {
            key.owner = owner.as_ref().map(|owner| owner.id);
            let requirement = text.parse().unwrap();
            let request = Request { requirement: Some(&requirement), ..Request::default() };
            let code = decided(&grant(&key, owner, organization()), &request, NOW).code;
            assert_eq!(code, expected, "{text}");
        }
    }

    #[test]
    fn a_refused_call_draws_on_no_limit() {
        let mut key = record();
        let limit =
            |name: &str, limit| RateLimitRecord { name: name.into(), limit, window_seconds: 60 };
        key.rate_limits = vec![limit("wide", 3), limit("narrow", 1)];
        let grant = grant(&key, Some(owner()), organization());
        let request = Request::default();
        assert!(decided(&grant, &request, NOW).is_valid());
        for _ in 0..5 {
            let verdict = decided(&grant, &request, NOW);
            assert_eq!(verdict.code, Code::RateLimited);
            assert_eq!(verdict.retry_after, Some(Duration::from_mins(1)));
        }
        let rules = grant.rules.as_deref().unwrap();
        let (wide, counter) = &rules.rate_limits[0];
        assert_eq!(wide.remaining(counter.arrival(), NOW.ticks), 2);
    }

    #[test]
    fn the_end_of_a_secret_ends_its_grant_alone() {
        let mut key = record();
        key.secrets[0].ends_at = Some(NOW.wall);
        let verdict =
            decided(&grant(&key, Some(owner()), organization()), &Request::default(), NOW);
        assert_eq!(verdict.code, Code::Expired);
    }

    /// A key whose list, maxima, role and organization's maximum have 100 patterns each, of which
    /// the last grants the required permissions, and a requirement of 100 names. `comparisons_max`
    /// assumes a binary search among 100 segments for each segment of a name in each list.
    pub(in crate::verify) struct LongLists {
        pub(in crate::verify) claim: &'static str,
        pub(in crate::verify) key: KeyRecord,
        pub(in crate::verify) grant: Grant,
        pub(in crate::verify) requirement: Requirement,
        pub(in crate::verify) comparisons_max: usize,
    }

    impl LongLists {
        /// Lists of plain permissions, and lists of wildcards that overlap in pairs.
        pub(in crate::verify) fn both() -> [Self; 2] {
            let plain = |list: usize, at: usize| format!("l{list}:p{at}");
            let crossing = |list: usize, at: usize| {
                let mut segments = vec!["*".to_owned(); 8];
                segments[at % 8] = format!("l{list}p{}", at / 8);
                segments.join(":")
            };
            [
                Self::new("plain", plain, "files:*", |at| format!("files:f{at}")),
                Self::new("crossing", crossing, "*:*:*:*:*:*:*:last", |at| {
                    format!("f{at}:b:c:d:e:f:g:last")
                }),
            ]
        }

        fn new(
            claim: &'static str,
            pattern: impl Fn(usize, usize) -> String,
            last: &str,
            name: impl Fn(usize) -> String,
        ) -> Self {
            let list = |list: usize| -> Patterns {
                let others = (1..PATTERNS_MAX).map(|at| pattern(list, at));
                others.chain([last.to_owned()]).collect::<Vec<_>>().join(" ").parse().unwrap()
            };
            let mut key = record();
            key.permissions = Some(list(0));
            key.maxima = (1..=MAXIMA_MAX).map(list).collect();
            let mut user = owner();
            let permissions = (&list(MAXIMA_MAX + 1)).into();
            user.role =
                HeldRole::of(RoleFacts { permissions, ..RoleFacts::unknown(Id::default()) });
            user.standing.role = RoleKind::Custom;
            let ceiling = (&list(MAXIMA_MAX + 2)).into();
            let grant = grant(&key, Some(user), OrganizationFacts { ceiling, ..organization() });
            let names = (0..REQUIREMENT_NAMES_MAX).map(|at| name(at).parse().unwrap()).collect();
            let requirement = Requirement::all(names).unwrap();
            let segments = name(0).split(':').count();
            let comparisons_max = REQUIREMENT_NAMES_MAX * (MAXIMA_MAX + 3) * segments * 7;
            Self { claim, key, grant, requirement, comparisons_max }
        }
    }

    /// Regression: 100 names and 11 lists of 100 patterns took 110,000 comparisons of whole
    /// patterns.
    #[test]
    fn a_decision_costs_segments_not_patterns() {
        for LongLists { claim, grant, requirement, comparisons_max, .. } in LongLists::both() {
            let request = Request { requirement: Some(&requirement), ..Request::default() };
            let (compared, verdict) = comparisons::of(|| decide(&grant, &request, NOW).unwrap());
            assert_eq!(verdict.code, Code::Valid, "{claim}");
            assert!(compared <= comparisons_max, "{claim}: {compared}");
        }
    }
}
