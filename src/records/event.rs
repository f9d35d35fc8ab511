//! The records of audit events, seals, the cut and the export's position.
//!
//! An audit event is written in the batch of the change that it describes.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::id::{EventId, OrganizationId};
use crate::model::moment::Moment;
use crate::model::retention::Retention;
use crate::model::secret::Digest;
use crate::records::codec::Record;
use crate::records::key::Author;
use crate::records::place::StoreKey;
use crate::records::text;

/// An event as it is stored. An event never contains a secret, a password or a digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventRecord {
    /// The id, stored in the row key.
    #[serde(skip)]
    pub id: EventId,
    #[serde(rename = "t", with = "text::moment")]
    pub at: Moment,
    /// The actor. `None` if no user was signed in.
    #[serde(rename = "w", default, with = "text::option", skip_serializing_if = "Option::is_none")]
    pub actor: Option<Author>,
    /// The client's address, if the request came over a network.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    #[serde(rename = "g", default, with = "text::option", skip_serializing_if = "Option::is_none")]
    pub organization: Option<OrganizationId>,
    /// The action: a noun and a verb, such as `key.create`.
    #[serde(rename = "a")]
    pub action: Box<str>,
    /// The id of the target.
    #[serde(rename = "on")]
    pub target: String,
    /// The changed fields before the change.
    #[serde(rename = "b", default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub before: serde_json::Map<String, serde_json::Value>,
    /// The changed fields after the change.
    #[serde(rename = "f", default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub after: serde_json::Map<String, serde_json::Value>,
}

/// The kind of actor of events without a signed-in user, where events are reported.
pub const NO_ACTOR: &str = "none";

impl EventRecord {
    /// The kind of the actor, and the id of a user or key, as events are reported.
    pub fn actor_parts(&self) -> (&'static str, Option<String>) {
        match self.actor {
            Some(Author::User(id)) => ("user", Some(id.to_string())),
            Some(Author::Key(id)) => ("key", Some(id.to_string())),
            Some(Author::Local) => ("local", None),
            None => (NO_ACTOR, None),
        }
    }
}

/// Version of the seals that this program writes. Version 1 wrote no event for a cut.
pub const SEAL_VERSION: u8 = 2;

/// A seal over events. The hash of a seal is BLAKE3 over the version, the previous seal, all fields
/// of this record, and the events as they are stored, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealRecord {
    /// The number, from 1, stored in the row key.
    #[serde(skip)]
    pub number: u64,
    /// The version of the seal's rules.
    #[serde(rename = "v", default = "seal_version_1")]
    pub version: u8,
    #[serde(rename = "t", with = "text::moment")]
    pub at: Moment,
    /// The earliest time of an event that no seal up to this one covers. A search for such events
    /// starts here.
    #[serde(rename = "o", with = "text::moment")]
    pub floor: Moment,
    /// The latest time of an event that a seal up to this one covers. A search for an event's seal
    /// stops here.
    #[serde(rename = "y", with = "text::moment")]
    pub latest: Moment,
    /// The ids of the sealed events, in commit order.
    #[serde(rename = "e", with = "text::list")]
    pub events: Vec<EventId>,
    /// The hash of the previous seal. For the first seal, the hash of no input.
    #[serde(rename = "p", with = "text")]
    pub previous: Digest,
    #[serde(rename = "h", with = "text")]
    pub hash: Digest,
}

const fn seal_version_1() -> u8 {
    1
}

/// Position of the audit log's export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportRecord {
    /// The destination of the export.
    #[serde(rename = "d")]
    pub destination: Box<str>,
    /// The last seal that was delivered to the destination.
    #[serde(rename = "n")]
    pub number: u64,
}

/// Start of the audit log after older events were cut. The check trusts this record only if a
/// sealed event confirms it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutRecord {
    /// The number of the last removed seal.
    #[serde(rename = "n")]
    pub number: u64,
    /// The hash of the last removed seal.
    #[serde(rename = "h", with = "text")]
    pub hash: Digest,
    /// The floor of the last removed seal.
    #[serde(rename = "o", with = "text::moment")]
    pub floor: Moment,
    #[serde(rename = "t", with = "text::moment")]
    pub at: Moment,
    /// The event `audit.cut` of the same batch. `None` in a row of seal version 1.
    #[serde(rename = "e", default, with = "text::option", skip_serializing_if = "Option::is_none")]
    pub event: Option<EventId>,
}

/// The retention setting at the last start. If the setting has changed at a start, an event is
/// written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionRecord {
    #[serde(rename = "r", with = "text")]
    pub retention: Retention,
}

impl Record for SealRecord {
    fn take_ids_from(&mut self, place: &StoreKey) {
        if let StoreKey::Seal(number) = place {
            self.number = *number;
        }
    }
}

impl Record for CutRecord {}

impl Record for RetentionRecord {}

impl Record for ExportRecord {}

impl Record for EventRecord {
    fn take_ids_from(&mut self, place: &StoreKey) {
        if let StoreKey::Event(id) = place {
            self.id = *id;
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An event of a key's creation at this moment, without an actor.
    pub(crate) fn event(at: Moment) -> EventRecord {
        EventRecord {
            id: EventId::new(at, &mut rand::rng()),
            at,
            actor: None,
            address: None,
            organization: None,
            action: "key.create".into(),
            target: "key_1".to_owned(),
            before: serde_json::Map::new(),
            after: serde_json::Map::new(),
        }
    }
}
