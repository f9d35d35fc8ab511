//! The records of custom roles, teams and the catalogue of permissions.

use serde::{Deserialize, Serialize};

use crate::model::id::{OrganizationId, RoleId, TeamId};
use crate::model::moment::Moment;
use crate::model::permission::Patterns;
use crate::records::codec::Record;
use crate::records::place::StoreKey;
use crate::records::text;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleRecord {
    /// The id, stored in the row key.
    #[serde(skip)]
    pub id: RoleId,
    /// The organization, stored in the row key.
    #[serde(skip)]
    pub organization: OrganizationId,
    #[serde(rename = "n")]
    pub name: String,
    #[serde(rename = "d", default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    #[serde(rename = "p", with = "text")]
    pub permissions: Patterns,
    #[serde(rename = "c", with = "text::moment")]
    pub created_at: Moment,
    /// The version: number of changes, from 1.
    #[serde(rename = "v")]
    pub version: u64,
}

/// A team as it is stored. The records of users name the members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamRecord {
    /// The id, stored in the row key.
    #[serde(skip)]
    pub id: TeamId,
    /// The organization, stored in the row key.
    #[serde(skip)]
    pub organization: OrganizationId,
    #[serde(rename = "n")]
    pub name: String,
    #[serde(rename = "d", default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether the team is hidden from users who are not members.
    #[serde(rename = "s", default)]
    pub secret: bool,
    #[serde(rename = "c", with = "text::moment")]
    pub created_at: Moment,
    /// The version: number of changes, from 1.
    #[serde(rename = "v")]
    pub version: u64,
}

/// A permission of a protected API, as the catalogue describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermissionRecord {
    /// The name, stored in the row key.
    #[serde(skip)]
    pub name: Box<str>,
    /// The group in which the permission is shown.
    #[serde(rename = "g", default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// What the permission allows, in English.
    #[serde(rename = "en", default, skip_serializing_if = "String::is_empty")]
    pub english: String,
    #[serde(rename = "fr", default, skip_serializing_if = "String::is_empty")]
    pub french: String,
    #[serde(rename = "es", default, skip_serializing_if = "String::is_empty")]
    pub spanish: String,
    /// The version: number of changes, from 1.
    #[serde(rename = "v")]
    pub version: u64,
}

impl Record for RoleRecord {
    fn take_ids_from(&mut self, place: &StoreKey) {
        if let StoreKey::Role(organization, id) = place {
            (self.organization, self.id) = (*organization, *id);
        }
    }
}

impl Record for TeamRecord {
    fn take_ids_from(&mut self, place: &StoreKey) {
        if let StoreKey::Team(organization, id) = place {
            (self.organization, self.id) = (*organization, *id);
        }
    }
}

impl Record for PermissionRecord {
    fn take_ids_from(&mut self, place: &StoreKey) {
        if let StoreKey::Permission(name) = place {
            self.name.clone_from(name);
        }
    }
}
