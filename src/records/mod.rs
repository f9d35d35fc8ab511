//! Stored records: their shapes, their row keys and their encoding.
//!
//! A record is one byte for the version of its format, then JSON with short names. Fields may be
//! added with a default. Any other change needs a new version, with a reader for the previous
//! version.
//!
//! Records reject unknown fields. An older program therefore stops at a record with a field that it
//! does not know, instead of ignoring, for example, address rules.

pub mod access;
pub mod event;
pub mod gate;
pub mod key;
mod limits;
pub mod notice;
pub mod people;
pub mod place;
pub mod prepare;
pub mod reservation;
pub mod rights;
pub mod taken;
mod text;
pub mod usage;
pub mod uses;

use keyhouse_storage::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::id::{KeyId, OrganizationId, UserId};
use crate::model::secret::Digest;
use access::{FoundedRecord, OrganizationRecord, PlanRecord, SessionRecord, UserRecord};
use gate::GateRecord;
use key::KeyRecord;
use place::StoreKey;
use reservation::ReservationRecord;
use rights::{RoleRecord, TeamRecord};
use taken::TakenRecord;
use uses::UseRecord;

/// Format version that this program writes.
const FORMAT_VERSION: u8 = 1;

/// Reasons why a stored row could not be read. Errors name the row key, never the value.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("record at {place} has format {version}, this program supports {FORMAT_VERSION}")]
    Version {
        place: String,
        /// The first byte of the value.
        version: u8,
    },
    #[error("could not decode the record at {place}")]
    Shape {
        place: String,
        /// The error of the JSON parser.
        source: serde_json::Error,
    },
    #[error("row at {place} belongs to no record")]
    Place { place: String },
}

/// A record with the revision at which it was read, which a guard compares.
#[derive(Clone, Debug)]
pub struct Revised<T> {
    pub record: T,
    /// The revision of the batch that wrote the record.
    pub revision: keyhouse_storage::Revision,
}

/// Every kind of record, as a scan or a feed returns it.
#[derive(Debug)]
pub enum Stored {
    /// The id of the operators' organization.
    Founded(FoundedRecord),
    Organization(OrganizationRecord),
    User(UserRecord),
    Role(RoleRecord),
    Team(TeamRecord),
    Plan(PlanRecord),
    Gate(Box<GateRecord>),
    Key(Box<KeyRecord>),
    /// When a key was last used.
    Use(KeyId, UseRecord),
    /// Reserved use of a key's quota.
    Quota(KeyId, ReservationRecord),
    /// Reserved use of the monthly calls of an organization's plan.
    PlanQuota(OrganizationId, ReservationRecord),
    /// The key that has or had a digest.
    Taken(Digest, TakenRecord),
    /// The user of a session, by the digest of the session cookie.
    Session(Digest, UserId),
    /// A row that the index does not hold: email addresses, events, usage.
    NotIndexed,
}

/// Writes a record.
///
/// # Errors
/// [`RecordError::Shape`] if a map has keys that JSON cannot represent.
pub fn encode<T: Serialize>(place: &StoreKey, record: &T) -> Result<Vec<u8>, RecordError> {
    let mut bytes = vec![FORMAT_VERSION];
    serde_json::to_writer(&mut bytes, record)
        .map_err(|source| RecordError::Shape { place: place.to_string(), source })?;
    Ok(bytes)
}

pub fn decode<T: DeserializeOwned>(place: &StoreKey, value: &[u8]) -> Result<T, RecordError> {
    match value.split_first() {
        Some((&FORMAT_VERSION, json)) => serde_json::from_slice(json)
            .map_err(|source| RecordError::Shape { place: place.to_string(), source }),
        other => {
            let version = other.map_or(0, |(version, _)| *version);
            Err(RecordError::Version { place: place.to_string(), version })
        },
    }
}

/// Reads a row of any kind.
pub fn read(key: &[u8], value: &[u8]) -> Result<Stored, RecordError> {
    let place = StoreKey::parse(key)?;
    Ok(match place {
        StoreKey::Founded => Stored::Founded(read_at(&place, value)?),
        StoreKey::Organization(_) => Stored::Organization(read_at(&place, value)?),
        StoreKey::User(_) => Stored::User(read_at(&place, value)?),
        StoreKey::Role(..) => Stored::Role(read_at(&place, value)?),
        StoreKey::Team(..) => Stored::Team(read_at(&place, value)?),
        StoreKey::Plan(_) => Stored::Plan(read_at(&place, value)?),
        StoreKey::Gate(_) => Stored::Gate(Box::new(read_at(&place, value)?)),
        StoreKey::Key(..) => Stored::Key(Box::new(read_at(&place, value)?)),
        StoreKey::Use(id) => Stored::Use(id, read_at(&place, value)?),
        StoreKey::Quota(id) => Stored::Quota(id, read_at(&place, value)?),
        StoreKey::PlanQuota(id) => Stored::PlanQuota(id, read_at(&place, value)?),
        StoreKey::Session(digest) => {
            Stored::Session(digest, read_at::<SessionRecord>(&place, value)?.user)
        },
        StoreKey::Taken(digest) => Stored::Taken(digest, read_at(&place, value)?),
        StoreKey::Format
        | StoreKey::Email(..)
        | StoreKey::Domain(_)
        | StoreKey::UsageHours(..)
        | StoreKey::UsageDay(..)
        | StoreKey::Sessions(_)
        | StoreKey::Setup
        | StoreKey::DeviceKey
        | StoreKey::Permission(_)
        | StoreKey::Invitation(_)
        | StoreKey::Reset(_)
        | StoreKey::Totp(_)
        | StoreKey::KeysMade(_)
        | StoreKey::People
        | StoreKey::Leaving(_)
        | StoreKey::Event(_)
        | StoreKey::Seal(_)
        | StoreKey::Cut
        | StoreKey::Retention
        | StoreKey::Exported => Stored::NotIndexed,
    })
}

/// Reads a row of the requested kind.
pub fn read_row<T: Record>(row: &Row) -> Result<Revised<T>, RecordError> {
    let record = read_at(&StoreKey::parse(&row.key)?, &row.value)?;
    Ok(Revised { record, revision: row.revision })
}

fn read_at<T: Record>(place: &StoreKey, value: &[u8]) -> Result<T, RecordError> {
    let mut record: T = decode(place, value)?;
    record.take_ids_from(place);
    Ok(record)
}

pub trait Record: Serialize + DeserializeOwned {
    /// Sets the fields that only the row key contains.
    fn take_ids_from(&mut self, _place: &StoreKey) {}
}
