//! Explains a verdict: the rule that decided, its source, and the outcome of every other rule.
//!
//! An explanation draws from no limit and counts no call. The explanation uses [`preview`], so that
//! it never differs from a check.

use crate::clock::Now;
use crate::index::facts::{HeldRole, OrganizationFacts, RightQuery, UserFacts};
use crate::index::grant::Grant;
use crate::index::list::IndexedList;
use crate::index::plan::PlanFacts;
use crate::model::limit::Draw;
use crate::model::moment::Moment;
use crate::model::network::canonical;
use crate::model::permission::{PatternSet, is_instance, is_own};
use crate::verify::decide::preview;
use crate::verify::limits::CallLimits;
use crate::verify::request::Request;
use crate::verify::verdict::Code;

/// The lists of a key. The grant of the key contains only their combined effect.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    pub permissions: Option<IndexedList>,
    /// The maximum of a transferred key: all of these lists must grant a permission.
    pub maxima: Vec<IndexedList>,
    /// When the key itself expires. A secret of the key may end earlier.
    pub expires_at: Option<Moment>,
}

/// A verdict with its reasons.
#[derive(Clone, Debug)]
pub struct Explanation {
    pub code: Code,
    /// Every rule, in the order of evaluation.
    pub steps: Vec<ExplanationStep>,
}

/// The outcome of one rule.
#[derive(Clone, Debug)]
pub struct ExplanationStep {
    /// The code with which the rule rejects a call.
    pub code: Code,
    pub outcome: StepOutcome,
    /// The owner of the rule: `key`, `secret`, `owner`, `organization`, `plan`, `subscription`,
    /// `gate`, `role`, `key_ceiling` or `organization_ceiling`.
    pub source: &'static str,
    pub detail: Option<String>,
    /// The lists that grant each required permission; only for the rule on permissions.
    pub grantings: Vec<Granting>,
}

/// The outcome of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    /// The rule let the call pass.
    Passed,
    Failed,
    /// An earlier rule rejected the call.
    NotReached,
}

impl StepOutcome {
    /// The stable name in responses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotReached => "not_reached",
        }
    }
}

/// A required permission, and for each list whether it grants the permission.
#[derive(Clone, Debug)]
pub struct Granting {
    pub permission: String,
    pub granted: bool,
    /// All lists that must grant the permission.
    pub stages: Vec<Stage>,
}

/// One list that must grant a permission.
#[derive(Clone, Debug)]
pub struct Stage {
    /// `key`, `key_ceiling`, `role` or `organization_ceiling`.
    pub source: &'static str,
    /// The name of the role.
    pub name: Option<String>,
    /// The pattern that grants the permission; `None` if no pattern grants it, or if the list does
    /// not limit it.
    pub pattern: Option<String>,
    /// Whether the list grants the permission.
    pub granted: bool,
}

/// Explains the verdict of a check of this key now.
pub fn explain(grant: &Grant, lists: &Lists, request: &Request<'_>, now: Now) -> Explanation {
    let code = preview(grant, request, now).code;
    let (owner, organization) =
        (grant.owner.as_ref().map(|owner| owner.facts()), grant.organization.load());
    let (owner, plan) = (owner.as_deref(), organization.plan.facts());
    let inputs = ExplanationInputs {
        grant,
        lists,
        request,
        now,
        owner,
        organization: &organization,
        plan: &plan,
    };
    reported(code, |step| inputs.describe(step))
}

/// Explains why no key was found: the text cannot be a key, or no such key is visible to the
/// caller. An unknown key and a hidden key have the same explanation.
pub fn explain_absence(code: Code) -> Explanation {
    reported(code, |_step| {})
}

fn reported(code: Code, describe: impl Fn(&mut ExplanationStep)) -> Explanation {
    let refusing = Code::ALL.into_iter().filter(|rule| *rule != Code::Valid);
    let steps = refusing.map(|rule| {
        let outcome = match rule.cmp(&code) {
            std::cmp::Ordering::Less => StepOutcome::Passed,
            std::cmp::Ordering::Equal => StepOutcome::Failed,
            std::cmp::Ordering::Greater => StepOutcome::NotReached,
        };
        let (source, detail, grantings) = (source(rule), None, Vec::new());
        let mut step = ExplanationStep { code: rule, outcome, source, detail, grantings };
        if outcome != StepOutcome::NotReached {
            describe(&mut step);
        }
        step
    });
    Explanation { code, steps: steps.collect() }
}

/// The source of a rule, if it does not depend on the key.
fn source(rule: Code) -> &'static str {
    match rule {
        Code::Malformed
        | Code::NotFound
        | Code::Revoked
        | Code::Disabled
        | Code::NotYetValid
        | Code::Expired
        | Code::IpNotAllowed
        | Code::InsufficientPermissions
        | Code::RateLimited
        | Code::QuotaExceeded
        | Code::Valid => "key",
        Code::OwnerDisabled => "owner",
        Code::OrganizationSuspended => "organization",
        Code::SubscriptionRequired => "subscription",
        Code::NotAcceptedHere => "gate",
    }
}

/// All inputs of an explanation.
struct ExplanationInputs<'a> {
    grant: &'a Grant,
    lists: &'a Lists,
    request: &'a Request<'a>,
    now: Now,
    owner: Option<&'a UserFacts>,
    organization: &'a OrganizationFacts,
    plan: &'a PlanFacts,
}

impl ExplanationInputs<'_> {
    fn limits(&self) -> CallLimits<'_> {
        CallLimits::of(self.grant, self.organization, Some(self.plan))
    }

    fn describe(&self, step: &mut ExplanationStep) {
        let failed = step.outcome == StepOutcome::Failed;
        match step.code {
            Code::NotYetValid if self.grant.not_before() != Moment::BEGINNING => {
                step.detail = Some(format!("valid from {}", self.grant.not_before()));
            },
            Code::Expired => self.describe_end(step),
            Code::OwnerDisabled if self.owner.is_none() => {
                step.detail = Some("a service key has no owner".to_owned());
            },
            Code::SubscriptionRequired => self.describe_access(step),
            Code::IpNotAllowed => step.detail = self.address_detail(),
            Code::InsufficientPermissions => self.describe_permissions(step),
            Code::RateLimited if failed => self.describe_rate(step),
            Code::QuotaExceeded if failed => self.describe_quota(step),
            Code::Malformed
            | Code::NotFound
            | Code::Revoked
            | Code::Disabled
            | Code::NotYetValid
            | Code::OwnerDisabled
            | Code::OrganizationSuspended
            | Code::NotAcceptedHere
            | Code::RateLimited
            | Code::QuotaExceeded
            | Code::Valid => {},
        }
    }

    fn describe_end(&self, step: &mut ExplanationStep) {
        let end = self.grant.expires_at;
        if end == Moment::NEVER {
            return;
        }
        // A secret that a rotation replaced ends before its key.
        if self.lists.expires_at != Some(end) {
            step.source = "secret";
        }
        step.detail = Some(format!("ends at {end}"));
    }

    fn describe_access(&self, step: &mut ExplanationStep) {
        let (plan, subscription) = (&self.plan.plan, &self.organization.subscription);
        if !plan.api_access {
            step.source = "plan";
            step.detail = Some(format!("the plan {:?} does not include API access", plan.name));
        } else if subscription.current_period_end == Moment::NEVER {
            step.detail = Some(format!("{}, no end date", subscription.status));
        } else {
            let end = subscription.current_period_end;
            step.detail = Some(format!("{}, until {end}", subscription.status));
        }
    }

    fn address_detail(&self) -> Option<String> {
        let rules = self.grant.rules.as_deref().map(|rules| &rules.ip)?;
        let Some(address) = self.request.ip else {
            return (!rules.is_empty()).then(|| {
                "the key is limited to networks, and the check has no client \
                    address"
                    .to_owned()
            });
        };
        let address = canonical(address);
        let holds = |networks: &[ipnet::IpNet]| {
            networks.iter().find(|network| network.contains(&address)).copied()
        };
        match (holds(&rules.deny), holds(&rules.allow)) {
            (Some(network), _) => Some(format!("{network} is denied")),
            (None, Some(network)) => Some(format!("{network} is allowed")),
            (None, None) if rules.allow.is_empty() => None,
            (None, None) => Some("no allowed network contains this address".to_owned()),
        }
    }

    fn describe_permissions(&self, step: &mut ExplanationStep) {
        let Some(requirement) = self.request.requirement else { return };
        step.grantings = requirement.names().map(|name| self.granting(name.as_str())).collect();
        if step.outcome == StepOutcome::Failed {
            let lacking = step.grantings.iter().find(|granting| !granting.granted);
            let stages = lacking.map(|granting| granting.stages.as_slice()).unwrap_or_default();
            if let Some((granting, stage)) = lacking.zip(stages.iter().find(|stage| !stage.granted))
            {
                step.source = stage.source;
                step.detail = Some(format!("{} is not granted", granting.permission));
            }
        }
    }

    fn granting(&self, permission: &str) -> Granting {
        let query = RightQuery::Permission(permission);
        let owner = self.grant.owner_status();
        let mut stages = vec![self.own_stage(permission)];
        let maxima = &self.lists.maxima;
        let mut maxima = maxima.iter().map(|list| stage("key_ceiling", list.granting(permission)));
        // If several lists form the maximum, the explanation names the first that does not grant
        // the permission.
        if let Some(first) = maxima.next() {
            stages.push(maxima.find(|stage| first.granted && !stage.granted).unwrap_or(first));
        }
        stages.extend(self.owner.map(|owner| self.role_stage(owner, permission)));
        if !is_own(permission) {
            let ceiling = self.organization.ceiling.granting(permission);
            stages.push(stage("organization_ceiling", ceiling));
        }
        let granted = self.grant.grants(owner, self.organization.bounds(), query);
        Granting { permission: permission.to_owned(), granted, stages }
    }

    fn own_stage(&self, permission: &str) -> Stage {
        let pattern = match (&self.lists.permissions, self.owner) {
            (Some(list), _) => list.granting(permission),
            // Without a list a personal key has all permissions outside `keyhouse:`.
            (None, Some(_)) => PatternSet::ALL.granting(permission),
            (None, None) => None,
        };
        stage("key", pattern)
    }

    fn role_stage(&self, owner: &UserFacts, permission: &str) -> Stage {
        let name = Some(owner.role.role().to_string());
        if is_instance(permission) {
            let granted = owner.standing.operator;
            return Stage {
                source: "role",
                name: Some("operator".to_owned()),
                pattern: None,
                granted,
            };
        }
        let members_create_keys = self.organization.members_create_keys;
        let by_pattern = |pattern: Option<&str>| Stage { name, ..stage("role", pattern) };
        match &owner.role {
            HeldRole::Builtin(role) => {
                by_pattern(role.patterns(members_create_keys).granting(permission))
            },
            HeldRole::Custom(role) => by_pattern(role.load().permissions.granting(permission)),
        }
    }

    /// The rate limit with the longest wait, as in the verdict.
    fn describe_rate(&self, step: &mut ExplanationStep) {
        let refusing = self.limits().rates().filter_map(|(limit, counter)| {
            match counter.peek(limit, self.now.ticks, self.request.cost) {
                Draw::Refused { wait } => Some((wait, limit)),
                Draw::Granted { .. } => None,
            }
        });
        let Some((_, limit)) = refusing.max_by_key(|(wait, _)| *wait) else { return };
        if self.plan.rate.as_ref().is_some_and(|known| std::ptr::eq(known, limit)) {
            step.source = "plan";
        }
        let (name, count, window) = (&limit.name, limit.limit, limit.window_seconds);
        step.detail = Some(format!("{name}: the limit of {count} in {window} s is reached"));
    }

    fn describe_quota(&self, step: &mut ExplanationStep) {
        let quotas = self.limits().quotas();
        let full = quotas.into_iter().zip(["key", "plan"]).find_map(|(rule, source)| {
            let rule = rule.filter(|rule| !rule.has_room(self.now.wall, self.request.cost))?;
            Some((rule.quota(), source))
        });
        let Some((quota, source)) = full else { return };
        step.source = source;
        let (count, period, zone) = (quota.limit, quota.period, &quota.zone);
        step.detail = Some(format!("the quota of {count} a {period} ({zone}) is reached"));
    }
}

/// A list, with its pattern that grants the permission.
fn stage(source: &'static str, pattern: Option<&str>) -> Stage {
    Stage { source, name: None, pattern: pattern.map(str::to_owned), granted: pattern.is_some() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::standing::RoleKind;
    use crate::model::permission::comparisons;
    use crate::model::plan::PlanLimits;
    use crate::model::role::BuiltinRole;
    use crate::records::key::tests::record;
    use crate::records::key::{KeyRecord, RateLimitRecord};
    use crate::verify::decide::tests::{LongLists, NOW, grant, on_plan, organization, owner};

    fn lists(key: &KeyRecord) -> Lists {
        Lists {
            permissions: key.permissions.as_ref().map(IndexedList::from),
            maxima: key.maxima.iter().map(IndexedList::from).collect(),
            expires_at: key.expires_at,
        }
    }

    /// The rule that decided, with its source and detail.
    fn decisive(explanation: &Explanation) -> (Code, &'static str, String) {
        let step =
            explanation.steps.iter().find(|step| step.outcome == StepOutcome::Failed).unwrap();
        (step.code, step.source, step.detail.clone().unwrap_or_default())
    }

    #[test]
    fn the_first_that_does_not_grant_is_where_a_refusal_came_from() {
        let asked = "diagrams:write".parse().unwrap();
        let request = Request { requirement: Some(&asked), ..Request::default() };
        let user = || {
            let mut user = owner();
            user.role = HeldRole::Builtin(BuiltinRole::User);
            user
        };
        let mut guest = owner();
        guest.role = HeldRole::Builtin(BuiltinRole::Guest);
        guest.standing.role = RoleKind::Builtin(BuiltinRole::Guest);
        let mut narrow = organization();
        narrow.ceiling = PatternSet::trusted("diagrams:read").into();
        let listed = |list: &str, ceiling: Option<&str>| {
            let mut key = record();
            key.permissions = Some(list.parse().unwrap());
            key.maxima = ceiling.map(|text| text.parse().unwrap()).into_iter().collect();
            key
        };
        for (claim, key, user, facts, source) in [
            ("list", listed("files:*", None), user(), organization(), "key"),
            ("ceiling", listed("*", Some("files:*")), user(), organization(), "key_ceiling"),
            ("role", listed("*", None), guest, organization(), "role"),
            ("organization", listed("*", None), user(), narrow, "organization_ceiling"),
        ] {
            let reported = explain(&grant(&key, Some(user), facts), &lists(&key), &request, NOW);
            let (code, from, detail) = decisive(&reported);
            assert_eq!((code, from), (Code::InsufficientPermissions, source), "{claim}");
            assert!(detail.contains("diagrams:write"), "{claim}: {detail}");
        }
    }

    /// Regression: each list was compared pattern by pattern, for each of 100 names.
    #[test]
    fn an_explanation_costs_segments_not_patterns() {
        for LongLists { claim, key, grant, requirement, comparisons_max } in LongLists::both() {
            let request = Request { requirement: Some(&requirement), ..Request::default() };
            let lists = lists(&key);
            let (compared, reported) = comparisons::of(|| explain(&grant, &lists, &request, NOW));
            assert_eq!(reported.code, Code::Valid, "{claim}");
            let permissions = |step: &&ExplanationStep| step.code == Code::InsufficientPermissions;
            let step = reported.steps.iter().find(permissions).unwrap();
            let last = key.permissions.as_ref().unwrap().as_set().texts().last();
            for granting in &step.grantings {
                let patterns = granting.stages.iter().map(|stage| stage.pattern.as_deref());
                assert_eq!(patterns.collect::<Vec<_>>(), [last; 4], "{claim}");
            }
            // An explanation compares up to three times: to decide, to decide about each
            // permission, and to find each list's pattern.
            assert!(compared <= 3 * comparisons_max, "{claim}: {compared}");
        }
    }

    #[test]
    fn an_end_is_the_keys_or_a_replaced_secrets() {
        let mut key = record();
        key.secrets[0].ends_at = Some(NOW.wall);
        let request = Request::default();
        let of = |key: &KeyRecord| {
            let grant = grant(key, Some(owner()), organization());
            decisive(&explain(&grant, &lists(key), &request, NOW)).1
        };
        assert_eq!(of(&key), "secret");
        key.expires_at = Some(NOW.wall);
        assert_eq!(of(&key), "key");
    }

    #[test]
    fn a_limit_is_the_keys_or_the_plans() {
        let mut key = record();
        let limit = RateLimitRecord { name: "own".into(), limit: 3, window_seconds: 50 };
        key.rate_limits = vec![limit];
        let mut facts = organization();
        let limits = PlanLimits {
            requests_per_10s: Some(2),
            requests_per_month: Some(1),
            ..PlanLimits::default()
        };
        on_plan(&mut facts, |plan| plan.limits = limits);
        let grant = grant(&key, None, facts);
        let reported = |cost: u32| {
            let request = Request { cost, ..Request::default() };
            decisive(&explain(&grant, &lists(&key), &request, NOW))
        };
        for (cost, code, source) in [
            (4, Code::RateLimited, "key"),
            (3, Code::RateLimited, "plan"),
            (2, Code::QuotaExceeded, "plan"),
        ] {
            let (reported_code, from, _) = reported(cost);
            assert_eq!((reported_code, from), (code, source), "{cost}");
        }
        let (own, counter) = &grant.rules.as_deref().unwrap().rate_limits[0];
        assert!(matches!(counter.draw(own, NOW.ticks, 3), Draw::Granted { .. }));
        let (code, source, detail) = reported(1);
        assert_eq!((code, source), (Code::RateLimited, "key"));
        assert!(detail.starts_with("own: the limit of 3 in 50 s"), "{detail}");
    }

    #[test]
    fn without_a_plan_for_it_the_plan_decides() {
        let key = record();
        let mut facts = organization();
        on_plan(&mut facts, |plan| plan.api_access = false);
        let grant = grant(&key, Some(owner()), facts);
        let reported = explain(&grant, &lists(&key), &Request::default(), NOW);
        let (code, source, _) = decisive(&reported);
        assert_eq!((code, source), (Code::SubscriptionRequired, "plan"));
        let reported = explain_absence(Code::NotFound);
        assert!(
            reported.steps.iter().all(|step| step.detail.is_none() && step.grantings.is_empty())
        );
    }
}
