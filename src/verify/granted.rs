//! What a key is granted today, said as patterns: for those who are told of it, and go by it.

use crate::index::facts::{Ask, OrganizationFacts};
use crate::index::grant::Grant;
use crate::index::standing::StandingSlot;
use crate::model::permission::{Patterns, is_instance, is_own};

/// What of a key's list its owner's role and the organization's ceiling let it have today. Where
/// that has no short name, it is what they let it have whole: less, and never more.
///
/// `None`: all that it lists, as nearly always.
pub fn narrowed(grant: &Grant) -> Option<Patterns> {
    let organization = grant.organization.load();
    let owner = grant.standing.as_ref().map(StandingSlot::load);
    let is_whole =
        |pattern: &str| grant.is_within_bounds(owner, &organization, Ask::Pattern(pattern));
    if grant.patterns().texts().all(is_whole) {
        return None;
    }
    let listed = Patterns::from(grant.patterns());
    let whole = listed.only(is_whole);
    Some(in_part(&listed, &whole, grant, &organization).unwrap_or(whole))
}

/// The same with what its bounds let it have in part; `None` where that is too much to be said.
fn in_part(
    listed: &Patterns,
    whole: &Patterns,
    grant: &Grant,
    organization: &OrganizationFacts,
) -> Option<Patterns> {
    // An operator's permissions come from no role: whole or not at all.
    let instance = whole.only(is_instance);
    let by_role = match &grant.owner {
        Some(owner) => {
            let role = owner.facts().role.patterns(organization.members_create_keys);
            listed.within_briefly(role.as_set())?.only(|pattern| !is_instance(pattern))
        },
        None => listed.only(|pattern| !is_instance(pattern)),
    };
    let apis = by_role.only(|pattern| !is_own(pattern));
    let apis = apis.within_briefly(organization.ceiling.as_set())?;
    Patterns::joined(&[apis, by_role.only(is_own), instance]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::facts::{HeldRole, RoleFacts};
    use crate::index::standing::Rank;
    use crate::model::id::RoleId;
    use crate::records::key::tests::record;
    use crate::verify::decide::tests::{grant, organization, owner};

    /// Each row: what the key lists, what its owner's role holds (none: a service key), whether the
    /// owner is operator, the ceiling, and what is granted of it.
    #[test]
    fn what_is_granted_is_what_all_bounds_have_in_common() {
        for (listed, role, operator, ceiling, granted) in [
            ("a:read b:*", Some("*"), false, "*", None),
            ("*", Some("a:* *:read"), false, "*", Some("a:* *:read")),
            ("a:* b:write", Some("*:read"), false, "*", Some("a:read")),
            ("*", Some("*"), false, "a:*", Some("a:*")),
            ("*", Some("a:*"), false, "*:read", Some("a:read")),
            ("a:read", Some(""), false, "*", Some("")),
            ("* keyhouse:keys:read", Some("keyhouse:*"), false, "*", Some("keyhouse:keys:read")),
            ("keyhouse:*", Some("keyhouse:keys:*"), false, "a:*", Some("keyhouse:keys:*")),
            ("keyhouse:instance:verify", Some("*"), true, "a:*", None),
            ("a:b keyhouse:instance:verify", Some("*"), false, "*", Some("a:b")),
            ("a:b keyhouse:instance:*", Some(""), true, "*", Some("keyhouse:instance:*")),
            ("* keyhouse:instance:verify", None, false, "*", None),
            (
                "* keyhouse:instance:verify",
                None,
                false,
                "a:*",
                Some("a:* keyhouse:instance:verify"),
            ),
        ] {
            let made = made(listed, role, operator, ceiling);
            let said = narrowed(&made).map(|patterns| patterns.to_string());
            assert_eq!(said.as_deref(), granted, "{listed}; {role:?} {operator} {ceiling}");
        }
    }

    #[test]
    fn what_has_no_short_name_is_told_as_less() {
        let many = |name: fn(usize) -> String| (0..60).map(name).collect::<Vec<_>>().join(" ");
        let listed = format!("c:d {}", many(|at| format!("*:b{at}:c")));
        let role = format!("c:* {}", many(|at| format!("a{at}:*:c")));
        let said = narrowed(&made(&listed, Some(&role), false, "*")).unwrap();
        assert_eq!(said.to_string(), "c:d");
    }

    fn made(listed: &str, role: Option<&str>, operator: bool, ceiling: &str) -> Grant {
        let mut key = record();
        key.permissions = Some(listed.parse().unwrap());
        let mut facts = organization();
        facts.ceiling = ceiling.parse().unwrap();
        let user = role.map(|patterns| {
            let mut user = owner();
            let permissions = patterns.parse().unwrap();
            user.role =
                HeldRole::of(RoleFacts { permissions, ..RoleFacts::unknown(RoleId::default()) });
            (user.standing.role, user.standing.operator) = (Rank::Custom, operator);
            user
        });
        key.owner = user.as_ref().map(|user| user.id);
        grant(&key, user, facts)
    }
}
