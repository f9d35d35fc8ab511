//! The records of the store, as JSON.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::Access;
use crate::body::Tags;

/// A diagram without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Diagram {
    pub(crate) id: String,
    /// `data.name` of the content.
    pub(crate) name: String,
    pub(crate) tags: Tags,
    pub(crate) access: Access,
    pub(crate) last_changer: String,
    /// A new id for each change.
    pub(crate) version: String,
    pub(crate) created_at_ms: i64,
    pub(crate) updated_at_ms: i64,
}

/// The clouds whose accounts are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Cloud {
    Aws,
    Azure,
}

/// A linked account of a cloud, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) access: Access,
    pub(crate) created_at_ms: i64,
    pub(crate) updated_at_ms: i64,
    pub(crate) place: CloudPlace,
}

/// Where an account is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cloud", rename_all = "lowercase")]
pub enum CloudPlace {
    Aws { role_arn: String, external_id: String },
    Azure { application: String, directory: String, subscription: String, hint: String },
}

impl Account {
    pub(crate) fn cloud(&self) -> Cloud {
        match self.place {
            CloudPlace::Aws { .. } => Cloud::Aws,
            CloudPlace::Azure { .. } => Cloud::Azure,
        }
    }
}

impl Cloud {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
        }
    }
}

/// The key of an object's rows. It begins with the organization, so that no scan reaches another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowKey(String);

impl RowKey {
    pub(crate) fn of(organization: &str, id: &Uuid) -> Self {
        Self(format!("{organization}/{}", id.as_hyphenated()))
    }

    /// The key of a caller's own row.
    pub(crate) fn of_identity(organization: &str, identity: &str) -> Self {
        Self(format!("{organization}/{identity}"))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A time as the API shows it: RFC 3339 in UTC, with milliseconds.
pub(crate) fn shown_time(milliseconds: i64) -> String {
    // A stored time is in the range of times: it was one.
    let time = Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{time:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_milliseconds_and_are_in_utc() {
        assert_eq!(shown_time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(shown_time(1_800_000_000_120), "2027-01-15T08:00:00.120Z");
    }
}
