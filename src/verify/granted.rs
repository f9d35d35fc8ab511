//! The permissions that a key is granted now, as a list of patterns for reports.
//!
//! Checks do not use this list. The list contains the granted permissions, not the key's own list:
//! upstreams decide by `X-Keyhouse-Permissions`, and the own list of a guest's key may be `*`. The
//! list is computed once after each change, with at most `COMPARISONS_MAX` comparisons. If no list
//! of 100 patterns is exact, the report is empty (`-`, `null`).

use std::sync::Arc;

use crate::index::facts::{HeldRole, OrganizationFacts, RightQuery, RoleFacts, UserFacts};
use crate::index::grant::Grant;
use crate::index::list::IndexedList;
use crate::index::report::{MadeOf, Report};
use crate::model::intersection::intersection;
use crate::model::permission::{PatternSet, Patterns};

/// The most comparisons of two patterns for a report that is not cached.
const UNKEPT_COMPARISONS_MAX: usize = 64;

/// Calls `read` with the list of the permissions that the key is granted now: its own list, within
/// its maximum, its owner's role and the organization's maximum. `None` if no short list is exact.
///
/// If lists are long, the result is cached with the grant, and computed once for each change, with
/// at most [`crate::model::intersection::COMPARISONS_MAX`] comparisons.
pub fn with_granted<T>(grant: &Grant, read: impl FnOnce(Option<PatternSet<'_>>) -> T) -> T {
    let facts = Facts::of(grant);
    let read = |report: &Report| match report {
        Report::Listed => read(Some(grant.patterns())),
        Report::Narrowed(patterns) => read(Some(patterns.as_set())),
        Report::TooLong => read(None),
    };
    if facts.comparisons(grant) <= UNKEPT_COMPARISONS_MAX {
        return read(&facts.report(grant));
    }
    grant.report.with(facts.made_of(), || facts.report(grant), read)
}

/// The facts of a report, besides the grant.
struct Facts {
    organization: Arc<OrganizationFacts>,
    owner: Option<Arc<UserFacts>>,
    role: Option<Arc<RoleFacts>>,
}

impl Facts {
    fn of(grant: &Grant) -> Self {
        let owner = grant.owner.as_ref().map(|owner| owner.facts());
        let role = match owner.as_deref().map(|owner| &owner.role) {
            Some(HeldRole::Custom(role)) => Some(role.load_full()),
            Some(HeldRole::Builtin(_)) | None => None,
        };
        Self { organization: grant.organization.load_full(), owner, role }
    }

    fn made_of(&self) -> MadeOf {
        MadeOf {
            organization: Arc::downgrade(&self.organization),
            owner: self.owner.as_ref().map(Arc::downgrade),
            role: self.role.as_ref().map(Arc::downgrade),
        }
    }

    /// The permissions of the owner's role.
    fn held(&self) -> Option<PatternSet<'_>> {
        let owner = self.owner.as_deref()?;
        Some(match (&owner.role, self.role.as_deref()) {
            (HeldRole::Builtin(role), _) => role.patterns(self.organization.members_create_keys),
            (HeldRole::Custom(_), Some(role)) => role.permissions.as_set(),
            (HeldRole::Custom(_), None) => PatternSet::NONE,
        })
    }

    /// The most comparisons that comparing each pattern of the key with each list takes.
    fn comparisons(&self, grant: &Grant) -> usize {
        let maxima: usize = grant.maxima().iter().map(|list| list.as_set().count()).sum();
        let held = self.held().map_or(0, PatternSet::count);
        grant.patterns().count() * (maxima + held + self.organization.ceiling.as_set().count())
    }

    fn report(&self, grant: &Grant) -> Report {
        let listed = grant.patterns();
        if self.comparisons(grant) <= UNKEPT_COMPARISONS_MAX && self.all_is_whole(grant) {
            return Report::Listed;
        }
        let operator = self.owner.as_deref().is_some_and(|owner| owner.standing.operator);
        let by_role = self.held().map(|held| Patterns::of_holder(held, operator));
        let by_organization = Patterns::of_organization(self.organization.ceiling.as_set());
        let made = by_role.iter().chain([&by_organization]).map(Patterns::as_set);
        let bounds = grant.maxima().iter().map(IndexedList::as_set).chain(made);
        match intersection(listed, bounds) {
            Some(patterns) if patterns.as_set() == listed => Report::Listed,
            Some(patterns) => Report::Narrowed(patterns),
            None => Report::TooLong,
        }
    }

    fn all_is_whole(&self, grant: &Grant) -> bool {
        let owner = self.owner.as_deref().map(|owner| owner.standing);
        let bounds = self.organization.bounds();
        let is_whole =
            |pattern| grant.is_within_bounds(owner, bounds, RightQuery::Pattern(pattern));
        grant.patterns().texts().all(is_whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::standing::RoleKind;
    use crate::model::id::RoleId;
    use crate::model::intersection::COMPARISONS_MAX;
    use crate::model::permission::{PATTERNS_MAX, comparisons};
    use crate::records::key::tests::record;
    use crate::verify::decide::tests::{grant, organization, owner};

    fn reported(grant: &Grant) -> Option<String> {
        with_granted(grant, |granted| granted.map(|set| set.as_str().to_owned()))
    }

    /// Columns: the key's list, the permissions of its owner's role (none for a service key),
    /// whether the owner is an operator, the organization's maximum, and the granted permissions.
    #[test]
    fn granted_permissions_are_those_within_all_bounds() {
        for (listed, role, operator, ceiling, granted) in [
            ("a:read b:*", Some("*"), false, "*", "a:read b:*"),
            ("*", Some("a:* *:read"), false, "*", "a:* *:read"),
            ("a:* b:write", Some("*:read"), false, "*", "a:read"),
            ("*", Some("*"), false, "a:*", "a:*"),
            ("*", Some("a:*"), false, "*:read", "a:read"),
            ("a:read", Some(""), false, "*", ""),
            ("* keyhouse:keys:read", Some("keyhouse:*"), false, "*", "keyhouse:keys:read"),
            ("keyhouse:*", Some("keyhouse:keys:*"), false, "a:*", "keyhouse:keys:*"),
            ("keyhouse:instance:verify", Some("*"), true, "a:*", "keyhouse:instance:verify"),
            ("a:b keyhouse:instance:verify", Some("*"), false, "*", "a:b"),
            ("a:b keyhouse:instance:*", Some(""), true, "*", "keyhouse:instance:*"),
            ("* keyhouse:instance:verify", None, false, "*", "* keyhouse:instance:verify"),
            ("* keyhouse:instance:verify", None, false, "a:*", "a:* keyhouse:instance:verify"),
        ] {
            let made = made(listed, role, operator, ceiling);
            assert_eq!(
                reported(&made).as_deref(),
                Some(granted),
                "{listed}; {role:?} {operator} {ceiling}"
            );
        }
    }

    /// Regression: a key of 100 patterns, whose owner's role has 100 overlapping patterns, cost 3.5
    /// ms at each call.
    #[test]
    fn a_report_of_lists_that_cross_is_made_once_a_change_and_within_a_bound() {
        let crossing = |name: &str, from: usize| {
            let pattern = |at: usize| {
                let mut segments = vec!["*".to_owned(); 8];
                segments[from + at % 4] = format!("{name}{at}");
                segments.join(":")
            };
            (0..PATTERNS_MAX).map(pattern).collect::<Vec<_>>().join(" ")
        };
        let (listed, role) = (crossing("a", 0), crossing("b", 4));
        let made = made(&listed, Some(&role), false, "*");
        let (first, list) = comparisons::of(|| reported(&made));
        assert_eq!(list, None, "no short list says it");
        assert!((1..=3 * COMPARISONS_MAX).contains(&first), "{first}");
        let (again, _) = comparisons::of(|| reported(&made));
        assert_eq!(again, 0);
        let facts =
            OrganizationFacts { ceiling: PatternSet::trusted("a:b").into(), ..organization() };
        made.organization.store(Arc::new(facts));
        let (_, list) = comparisons::of(|| reported(&made));
        assert_eq!(list.as_deref(), None, "the role comes first");
        let role = RoleFacts {
            permissions: PatternSet::ALL.into(),
            ..RoleFacts::unknown(RoleId::default())
        };
        let owner = made.owner.as_ref().unwrap();
        owner.store(UserFacts { role: HeldRole::of(role), ..(*owner.facts()).clone() });
        assert_eq!(reported(&made).as_deref(), Some(""), "a change makes a new report");
    }

    #[test]
    fn long_lists_that_do_not_cross_are_reported_whole() {
        let listed: Vec<_> = (0..PATTERNS_MAX).map(|at| format!("files:f{at}")).collect();
        let role: Vec<_> = (1..=PATTERNS_MAX).map(|at| format!("files:f{at}")).collect();
        let made = made(&listed.join(" "), Some(&role.join(" ")), false, "files:* a:*");
        assert_eq!(reported(&made), Some(listed[1..].join(" ")));
    }

    fn made(listed: &str, role: Option<&str>, operator: bool, ceiling: &str) -> Grant {
        let mut key = record();
        key.permissions = Some(listed.parse().unwrap());
        let mut facts = organization();
        facts.ceiling = PatternSet::trusted(ceiling).into();
        let user = role.map(|patterns| {
            let mut user = owner();
            let permissions = PatternSet::trusted(patterns).into();
            user.role =
                HeldRole::of(RoleFacts { permissions, ..RoleFacts::unknown(RoleId::default()) });
            (user.standing.role, user.standing.operator) = (RoleKind::Custom, operator);
            user
        });
        key.owner = user.as_ref().map(|user| user.id);
        grant(&key, user, facts)
    }
}
