//! Keyhouse's own permissions, the built-in roles and their permissions.

use std::fmt;
use std::str::FromStr;

use crate::model::id::RoleId;
use crate::model::permission::{PatternSet, Patterns, is_instance};
use crate::model::text::Likeness;

pub const KEYS_CREATE: &str = "keyhouse:keys:create";
/// Read every key of the organization.
pub const KEYS_READ: &str = "keyhouse:keys:read";
/// Change every key of the organization, and create service keys.
pub const KEYS_MANAGE: &str = "keyhouse:keys:manage";
pub const KEYS_VERIFY: &str = "keyhouse:keys:verify";
/// Read the organization's users and invitations.
pub const USERS_READ: &str = "keyhouse:users:read";
/// Invite, change, reset and remove users.
pub const USERS_MANAGE: &str = "keyhouse:users:manage";
pub const ROLES_READ: &str = "keyhouse:roles:read";
/// Create, change and remove custom roles.
pub const ROLES_MANAGE: &str = "keyhouse:roles:manage";
/// Read every team, including secret teams.
pub const TEAMS_READ: &str = "keyhouse:teams:read";
/// Create, change and remove teams, and share keys with any of them.
pub const TEAMS_MANAGE: &str = "keyhouse:teams:manage";
pub const ORGANIZATION_READ: &str = "keyhouse:organization:read";
pub const ORGANIZATION_MANAGE: &str = "keyhouse:organization:manage";
pub const SUBSCRIPTION_READ: &str = "keyhouse:subscription:read";
/// Reserved: only operators change subscriptions.
pub const SUBSCRIPTION_MANAGE: &str = "keyhouse:subscription:manage";
pub const AUDIT_READ: &str = "keyhouse:audit:read";
/// Reserved: the audit log cannot be changed.
pub const AUDIT_MANAGE: &str = "keyhouse:audit:manage";
/// Read the usage of keys.
pub const USAGE_READ: &str = "keyhouse:usage:read";
/// Reserved: usage counts cannot be changed.
pub const USAGE_MANAGE: &str = "keyhouse:usage:manage";
/// Run the instance: organizations, plans, subscriptions, the permission catalogue.
pub const INSTANCE_MANAGE: &str = "keyhouse:instance:manage";
/// Verify the keys of every organization.
pub const INSTANCE_VERIFY: &str = "keyhouse:instance:verify";
/// Import keys of other systems.
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

/// The role of a user: a built-in role, or a custom role of the organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// One of the four built-in roles.
    Builtin(BuiltinRole),
    /// A named set of permissions.
    Custom(RoleId),
}

impl Role {
    /// Whether this is the owner role.
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
    /// All permissions of the organization; only owners may change an owner.
    Owner,
    /// The owner's permissions, except for changes of owners.
    Administrator,
    /// Uses the APIs, and creates personal keys if the organization allows it.
    User,
    Guest,
}

/// The text is not a role.
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

    /// All four roles, in descending order of permissions.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Administrator, Self::User, Self::Guest];

    /// The role's permissions; `members_create_keys` is the setting of the organization.
    pub const fn patterns(self, members_create_keys: bool) -> PatternSet<'static> {
        PatternSet::trusted(match self {
            Self::Owner | Self::Administrator => "* keyhouse:*",
            Self::User if members_create_keys => "* keyhouse:keys:create",
            Self::User => "*",
            Self::Guest => "",
        })
    }

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

/// Why a custom role is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCustomRole {
    #[error("must not be owner, administrator, user or guest")]
    Reserved,
    #[error("must not contain keyhouse:instance: only operators have these permissions")]
    Instance,
}

/// Checks that the name of a custom role cannot be mistaken for a built-in role.
pub fn check_role_name(name: &str) -> Result<(), InvalidCustomRole> {
    let read = Likeness::of(&name.split_whitespace().collect::<String>());
    let is_alike = |role: &BuiltinRole| Likeness::of(role.name()).is_alike(&read);
    let reserved = BuiltinRole::ALL.iter().any(is_alike);
    if reserved { Err(InvalidCustomRole::Reserved) } else { Ok(()) }
}

/// Checks that a custom role may hold these patterns, regardless of its author.
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
    fn the_four_roles_have_the_designed_permissions() {
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
