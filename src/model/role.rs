//! Keyhouse's own permissions, the built-in roles and what each holds.

use std::fmt;
use std::str::FromStr;

use crate::model::id::RoleId;
use crate::model::permission::{PatternSet, Patterns, is_instance};
use crate::model::text::Likeness;

/// Creating personal keys.
pub const KEYS_CREATE: &str = "keyhouse:keys:create";
/// Seeing every key of the organization.
pub const KEYS_READ: &str = "keyhouse:keys:read";
/// Changing every key of the organization, and making service keys.
pub const KEYS_MANAGE: &str = "keyhouse:keys:manage";
/// Asking about the organization's keys.
pub const KEYS_VERIFY: &str = "keyhouse:keys:verify";
/// Seeing the organization's users and invitations.
pub const USERS_READ: &str = "keyhouse:users:read";
/// Inviting, changing, resetting and removing users.
pub const USERS_MANAGE: &str = "keyhouse:users:manage";
/// Seeing custom roles.
pub const ROLES_READ: &str = "keyhouse:roles:read";
/// Making, changing and removing custom roles.
pub const ROLES_MANAGE: &str = "keyhouse:roles:manage";
/// Seeing every team, secret ones among them.
pub const TEAMS_READ: &str = "keyhouse:teams:read";
/// Making, changing and removing teams, and sharing keys with any of them.
pub const TEAMS_MANAGE: &str = "keyhouse:teams:manage";
/// Seeing the organization's settings.
pub const ORGANIZATION_READ: &str = "keyhouse:organization:read";
/// Changing the organization's settings.
pub const ORGANIZATION_MANAGE: &str = "keyhouse:organization:manage";
/// Seeing plan and subscription.
pub const SUBSCRIPTION_READ: &str = "keyhouse:subscription:read";
/// Reserved: subscriptions are changed by operators alone.
pub const SUBSCRIPTION_MANAGE: &str = "keyhouse:subscription:manage";
/// Reading the audit log.
pub const AUDIT_READ: &str = "keyhouse:audit:read";
/// Reserved: nobody changes the audit log.
pub const AUDIT_MANAGE: &str = "keyhouse:audit:manage";
/// Seeing how much keys were used.
pub const USAGE_READ: &str = "keyhouse:usage:read";
/// Reserved: nobody changes what was counted.
pub const USAGE_MANAGE: &str = "keyhouse:usage:manage";
/// Running the instance: organizations, plans, subscriptions, the permission catalogue.
pub const INSTANCE_MANAGE: &str = "keyhouse:instance:manage";
/// Asking about the keys of every organization.
pub const INSTANCE_VERIFY: &str = "keyhouse:instance:verify";
/// Taking keys of other systems over.
pub const INSTANCE_IMPORT: &str = "keyhouse:instance:import";

/// All of Keyhouse's own permissions.
pub const OWN_PERMISSIONS: [&str; 21] = [
    KEYS_CREATE,
    KEYS_READ,
    KEYS_MANAGE,
    KEYS_VERIFY,
    USERS_READ,
    USERS_MANAGE,
    ROLES_READ,
    ROLES_MANAGE,
    TEAMS_READ,
    TEAMS_MANAGE,
    ORGANIZATION_READ,
    ORGANIZATION_MANAGE,
    SUBSCRIPTION_READ,
    SUBSCRIPTION_MANAGE,
    AUDIT_READ,
    AUDIT_MANAGE,
    USAGE_READ,
    USAGE_MANAGE,
    INSTANCE_MANAGE,
    INSTANCE_VERIFY,
    INSTANCE_IMPORT,
];

/// The role of a user: one that every organization has, or one that an organization made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// One of the four.
    Builtin(BuiltinRole),
    /// A named set of permissions.
    Custom(RoleId),
}

impl Role {
    /// Whether this is the owner's.
    pub fn is_owner(self) -> bool {
        self == Self::Builtin(BuiltinRole::Owner)
    }
}

impl From<BuiltinRole> for Role {
    fn from(role: BuiltinRole) -> Self {
        Self::Builtin(role)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin(role) => role.fmt(f),
            Self::Custom(id) => id.fmt(f),
        }
    }
}

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        let builtin = text.parse().map(Self::Builtin);
        builtin.or_else(|error| text.parse().map(Self::Custom).map_err(|_no_id| error))
    }
}

/// A role that every organization has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltinRole {
    /// Decides everything, and whom nobody but an owner may touch.
    Owner,
    /// Manages everything.
    Administrator,
    /// Uses the APIs, and makes keys of their own while the organization lets members do so.
    User,
    /// Signs in and sees.
    Guest,
}

/// A text that is no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be owner, administrator, user, guest, or the id of a custom role")]
pub struct InvalidRole;

impl BuiltinRole {
    const NAMES: [(Self, &'static str); 4] = [
        (Self::Owner, "owner"),
        (Self::Administrator, "administrator"),
        (Self::User, "user"),
        (Self::Guest, "guest"),
    ];

    /// All four, the strongest first.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Administrator, Self::User, Self::Guest];

    /// What the role holds, where `members_create_keys` is the organization's switch.
    pub const fn patterns(self, members_create_keys: bool) -> PatternSet<'static> {
        PatternSet::trusted(match self {
            Self::Owner | Self::Administrator => "* keyhouse:*",
            Self::User if members_create_keys => "* keyhouse:keys:create",
            Self::User => "*",
            Self::Guest => "",
        })
    }

    /// The name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(role, _)| *role == self).map_or("guest", |(_, name)| name)
    }
}

impl fmt::Display for BuiltinRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for BuiltinRole {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        let found = Self::NAMES.iter().find(|(_, name)| *name == text);
        found.map(|(role, _)| *role).ok_or(InvalidRole)
    }
}

/// What a custom role can't be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCustomRole {
    /// Its name reads as a built-in role's.
    #[error("must not read as owner, administrator, user or guest")]
    Reserved,
    /// It would hold what comes from being an operator alone.
    #[error(
        "must not name keyhouse:instance: that comes from being an operator, never from a role"
    )]
    Instance,
}

/// Checks that nobody takes a custom role for a built-in one.
///
/// # Errors
/// [`InvalidCustomRole::Reserved`].
pub fn check_role_name(name: &str) -> Result<(), InvalidCustomRole> {
    let read = Likeness::of(&name.split_whitespace().collect::<String>());
    let is_alike = |role: &BuiltinRole| Likeness::of(role.name()).is_alike(&read);
    let reserved = BuiltinRole::ALL.iter().any(is_alike);
    if reserved { Err(InvalidCustomRole::Reserved) } else { Ok(()) }
}

/// Checks that a custom role may hold these patterns, whoever makes it.
///
/// # Errors
/// [`InvalidCustomRole::Instance`].
pub fn check_role_patterns(patterns: &Patterns) -> Result<(), InvalidCustomRole> {
    let reaches = patterns.as_set().texts().any(is_instance);
    if reaches { Err(InvalidCustomRole::Instance) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_custom_role_reads_as_a_built_in_one_or_reaches_the_instance() {
        for name in [
            "owner",
            "OWNER",
            "O w\u{a0}n\u{2003}er",
            "own\u{200b}er",
            "\u{feff}Administrator\u{3000}",
            "\u{43e}wn\u{435}r",
            "\u{ff55}\u{ff53}\u{ff45}\u{ff52}",
            "gue\u{455}t",
        ] {
            assert_eq!(check_role_name(name), Err(InvalidCustomRole::Reserved), "{name:?}");
        }
        for name in ["owners", "co-owner", "power user", "visitor"] {
            assert_eq!(check_role_name(name), Ok(()), "{name}");
        }
        for (patterns, fits) in [
            ("* keyhouse:*", true),
            ("keyhouse:*:manage", true),
            ("a:b keyhouse:instance:verify", false),
            ("keyhouse:instance:*", false),
            ("keyhouse:instance", false),
        ] {
            let patterns: Patterns = patterns.parse().unwrap();
            assert_eq!(check_role_patterns(&patterns).is_ok(), fits, "{patterns}");
        }
    }

    #[test]
    fn the_four_roles_hold_what_the_design_says() {
        for (role, switch, permission, held) in [
            ("owner", false, "diagrams:read", true),
            ("owner", false, "keyhouse:users:manage", true),
            ("owner", false, "keyhouse:instance:manage", false),
            ("administrator", false, "keyhouse:keys:manage", true),
            ("user", true, "diagrams:read", true),
            ("user", true, KEYS_CREATE, true),
            ("user", false, KEYS_CREATE, false),
            ("user", true, KEYS_READ, false),
            ("guest", true, "diagrams:read", false),
            ("guest", true, KEYS_CREATE, false),
        ] {
            let role: BuiltinRole = role.parse().unwrap();
            assert_eq!(role.patterns(switch).grants(permission), held, "{role} {permission}");
        }
    }
}
