//! Audit events: who changed what, from where; written in the batch of the change itself.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::id::{EventId, OrganizationId};
use crate::model::moment::Moment;
use crate::model::retention::Retention;
use crate::model::secret::Digest;
use crate::records::key::Author;
use crate::records::{Record, place::Place, text};

/// One event as it is stored. Never holds a secret, a password or a digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventRecord {
    /// Its id; the place.
    #[serde(skip)]
    pub id: EventId,
    /// When.
    #[serde(rename = "t", with = "text::moment")]
    pub at: Moment,
    /// Who; none where nobody was signed in.
    #[serde(rename = "w", default, with = "text::option", skip_serializing_if = "Option::is_none")]
    pub actor: Option<Author>,
    /// From which address, where it came over a network.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// In which organization.
    #[serde(rename = "g", default, with = "text::option", skip_serializing_if = "Option::is_none")]
    pub organization: Option<OrganizationId>,
    /// What: a noun and a verb, such as `key.create`.
    #[serde(rename = "a")]
    pub action: Box<str>,
    /// On what: an id.
    #[serde(rename = "on")]
    pub target: String,
    /// The fields that changed, as they were.
    #[serde(rename = "b", default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub before: serde_json::Map<String, serde_json::Value>,
    /// The fields that changed, as they are.
    #[serde(rename = "f", default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub after: serde_json::Map<String, serde_json::Value>,
}

/// The version of seals that this program writes. Version 1 wrote no event for a cut.
pub const SEAL_VERSION: u8 = 2;

/// A seal over events: BLAKE3 over its version, the seal before, all that is said here, and the
/// events as they are stored, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealRecord {
    /// Its number, from 1; the place.
    #[serde(skip)]
    pub number: u64,
    /// By which rules it was made.
    #[serde(rename = "v", default = "seal_version_1")]
    pub version: u8,
    /// When.
    #[serde(rename = "t", with = "text::moment")]
    pub at: Moment,
    /// No event is older that is in no seal up to this one: where to look for those.
    #[serde(rename = "o", with = "text::moment")]
    pub floor: Moment,
    /// No event is younger that is in a seal up to this one: where to stop looking for one's seal.
    #[serde(rename = "y", with = "text::moment")]
    pub latest: Moment,
    /// The events it covers, in the order in which they were committed.
    #[serde(rename = "e", with = "text::list")]
    pub events: Vec<EventId>,
    /// The hash of the seal before; of nothing for the first.
    #[serde(rename = "p", with = "text")]
    pub previous: Digest,
    /// The hash.
    #[serde(rename = "h", with = "text")]
    pub hash: Digest,
}

const fn seal_version_1() -> u8 {
    1
}

/// How far the audit log was exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportRecord {
    /// To where.
    #[serde(rename = "d")]
    pub destination: Box<str>,
    /// The last seal that was delivered there.
    #[serde(rename = "n")]
    pub number: u64,
}

/// Where the audit log begins since older events were cut off. It is believed only as far as an
/// event in the chain repeats it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutRecord {
    /// The number of the last seal that is gone.
    #[serde(rename = "n")]
    pub number: u64,
    /// Its hash.
    #[serde(rename = "h", with = "text")]
    pub hash: Digest,
    /// Its floor.
    #[serde(rename = "o", with = "text::moment")]
    pub floor: Moment,
    /// When it was cut.
    #[serde(rename = "t", with = "text::moment")]
    pub at: Moment,
    /// The event `audit.cut` of the same batch; none in a row of seal version 1.
    #[serde(rename = "e", default, with = "text::option", skip_serializing_if = "Option::is_none")]
    pub event: Option<EventId>,
}

/// The retention that the log was last kept under: a change of the setting is an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionRecord {
    /// How long.
    #[serde(rename = "r", with = "text")]
    pub retention: Retention,
}

impl Record for SealRecord {
    fn settle(&mut self, place: &Place) {
        if let Place::Seal(number) = place {
            self.number = *number;
        }
    }
}

impl Record for CutRecord {}

impl Record for RetentionRecord {}

impl Record for ExportRecord {}

impl Record for EventRecord {
    fn settle(&mut self, place: &Place) {
        if let Place::Event(id) = place {
            self.id = *id;
        }
    }
}
