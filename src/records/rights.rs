//! The records of what may be held: custom roles, teams, the catalogue of permissions.

use serde::{Deserialize, Serialize};

use crate::model::id::{OrganizationId, RoleId, TeamId};
use crate::model::moment::Moment;
use crate::model::permission::Patterns;
use crate::records::place::Place;
use crate::records::{Record, text};

/// A custom role as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleRecord {
    /// Its id; part of the place.
    #[serde(skip)]
    pub id: RoleId,
    /// Whose it is; part of the place.
    #[serde(skip)]
    pub organization: OrganizationId,
    /// Its name.
    #[serde(rename = "n")]
    pub name: String,
    /// What it is for.
    #[serde(rename = "d", default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it holds.
    #[serde(rename = "p", with = "text")]
    pub permissions: Patterns,
    /// When it was made.
    #[serde(rename = "c", with = "text::moment")]
    pub created_at: Moment,
    /// Counts its changes, from 1.
    #[serde(rename = "v")]
    pub version: u64,
}

/// A team as it is stored. Who is in it stands with the users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamRecord {
    /// Its id; part of the place.
    #[serde(skip)]
    pub id: TeamId,
    /// Whose it is; part of the place.
    #[serde(skip)]
    pub organization: OrganizationId,
    /// Its name.
    #[serde(rename = "n")]
    pub name: String,
    /// What it is for.
    #[serde(rename = "d", default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether it does not exist for those outside.
    #[serde(rename = "s", default)]
    pub secret: bool,
    /// When it was made.
    #[serde(rename = "c", with = "text::moment")]
    pub created_at: Moment,
    /// Counts its changes, from 1.
    #[serde(rename = "v")]
    pub version: u64,
}

/// A permission of a protected API, as the catalogue describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermissionRecord {
    /// Its name; the place.
    #[serde(skip)]
    pub name: Box<str>,
    /// With which others it is shown.
    #[serde(rename = "g", default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// What it lets one do, in English.
    #[serde(rename = "en", default, skip_serializing_if = "String::is_empty")]
    pub english: String,
    /// In French.
    #[serde(rename = "fr", default, skip_serializing_if = "String::is_empty")]
    pub french: String,
    /// In Spanish.
    #[serde(rename = "es", default, skip_serializing_if = "String::is_empty")]
    pub spanish: String,
    /// Counts its changes, from 1.
    #[serde(rename = "v")]
    pub version: u64,
}

impl Record for RoleRecord {
    fn settle(&mut self, place: &Place) {
        if let Place::Role(organization, id) = place {
            (self.organization, self.id) = (*organization, *id);
        }
    }
}

impl Record for TeamRecord {
    fn settle(&mut self, place: &Place) {
        if let Place::Team(organization, id) = place {
            (self.organization, self.id) = (*organization, *id);
        }
    }
}

impl Record for PermissionRecord {
    fn settle(&mut self, place: &Place) {
        if let Place::Permission(name) = place {
            self.name.clone_from(name);
        }
    }
}
