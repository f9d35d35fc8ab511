//! The stored share of a key with a team.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::id::TeamId;
use crate::records::text;

/// The share of a key with a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareRecord {
    #[serde(rename = "t", with = "text")]
    pub team: TeamId,
    #[serde(rename = "a")]
    pub access: TeamAccess,
}

/// The access of a team's members to a key that is shared with the team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TeamAccess {
    /// Members see the key and its usage.
    #[serde(rename = "r")]
    Read,
    /// Members may also rename, disable and revoke the key.
    #[serde(rename = "w")]
    Write,
}

/// The text is not the name of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be read or write")]
pub struct InvalidAccess;

impl TeamAccess {
    /// The name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl FromStr for TeamAccess {
    type Err = InvalidAccess;

    fn from_str(text: &str) -> Result<Self, InvalidAccess> {
        match text {
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            _ => Err(InvalidAccess),
        }
    }
}
