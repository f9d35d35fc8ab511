//! The roles whose holders must have a second factor in an organization.

use std::fmt;
use std::str::FromStr;

use crate::model::role::{InvalidRole, Role};

/// The most entries of an organization's list.
pub const REQUIRED_OF_MAX: usize = 32;
/// The name of operators in the list.
const OPERATOR: &str = "operator";

/// One entry of the list: all holders of a role, or all operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequiredOf {
    Operators,
    Role(Role),
}

impl fmt::Display for RequiredOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operators => f.write_str(OPERATOR),
            Self::Role(role) => role.fmt(f),
        }
    }
}

/// The text is not an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be operator, owner, administrator, user, guest, or the id of a custom role")]
pub struct InvalidEntry;

impl FromStr for RequiredOf {
    type Err = InvalidEntry;

    fn from_str(text: &str) -> Result<Self, InvalidEntry> {
        if text == OPERATOR {
            return Ok(Self::Operators);
        }
        text.parse().map(Self::Role).map_err(|_not: InvalidRole| InvalidEntry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_as_they_are_written() {
        for text in ["operator", "owner", "administrator", "user", "guest"] {
            assert_eq!(text.parse::<RequiredOf>().unwrap().to_string(), text);
        }
        for wrong in ["", "Owner", "operators", "usr_1"] {
            assert_eq!(wrong.parse::<RequiredOf>(), Err(InvalidEntry), "{wrong}");
        }
    }
}
