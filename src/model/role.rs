//! The built-in roles and what each holds.

use std::fmt;
use std::str::FromStr;

use crate::model::permission::PatternSet;

/// Creating personal keys.
pub const KEYS_CREATE: &str = "keyhouse:keys:create";
/// Seeing every key of the organization.
pub const KEYS_READ: &str = "keyhouse:keys:read";
/// Changing every key of the organization, and making service keys.
pub const KEYS_MANAGE: &str = "keyhouse:keys:manage";
/// Asking about the organization's keys.
pub const KEYS_VERIFY: &str = "keyhouse:keys:verify";
/// Asking about the keys of every organization.
pub const INSTANCE_VERIFY: &str = "keyhouse:instance:verify";

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

/// A text that is no built-in role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be owner, administrator, user or guest")]
pub struct InvalidRole;

impl BuiltinRole {
    const NAMES: [(Self, &'static str); 4] = [
        (Self::Owner, "owner"),
        (Self::Administrator, "administrator"),
        (Self::User, "user"),
        (Self::Guest, "guest"),
    ];

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

#[cfg(test)]
mod tests {
    use super::*;

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
