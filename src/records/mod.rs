//! What is stored: the shapes, where each lies, and how it is written.
//!
//! A record is a byte for the version of its format, then JSON with short names. Fields may be
//! added with a default; anything else needs a new version, with a reader for the one before.
//!
//! Records reject unknown fields. A program that is rolled back to an older version stops at a record
//! it does not know, instead of dropping its address rules, for example.

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
use place::Place;
use reservation::ReservationRecord;
use rights::{RoleRecord, TeamRecord};
use taken::TakenRecord;
use uses::UseRecord;

/// The version that this program writes.
const FORMAT_VERSION: u8 = 1;

/// Why a stored row could not be read. Names the place, never the value.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The value was written by a later program, or is no record.
    #[error("record at {place} has format {version}, this program knows {FORMAT_VERSION}")]
    Version {
        /// Where it lies.
        place: String,
        /// Its first byte.
        version: u8,
    },
    /// The value has the right version and still does not fit.
    #[error("record at {place} does not read")]
    Shape {
        /// Where it lies.
        place: String,
        /// What does not fit.
        source: serde_json::Error,
    },
    /// The key is none of [`Place`]'s.
    #[error("row at {place} belongs to nothing")]
    Place {
        /// Where it lies.
        place: String,
    },
}

/// A record with the revision at which it was read: what a guard compares.
#[derive(Clone, Debug)]
pub struct Held<T> {
    /// The record.
    pub record: T,
    /// The revision of the batch that wrote it.
    pub revision: keyhouse_storage::Revision,
}

/// Every kind of record, as a scan or a feed brings them.
#[derive(Debug)]
pub enum Stored {
    /// Which organization is the operators'.
    Founded(FoundedRecord),
    /// An organization.
    Organization(OrganizationRecord),
    /// A user.
    User(UserRecord),
    /// A custom role.
    Role(RoleRecord),
    /// A team.
    Team(TeamRecord),
    /// A plan.
    Plan(PlanRecord),
    /// A gate.
    Gate(Box<GateRecord>),
    /// A key.
    Key(Box<KeyRecord>),
    /// When a key was last used.
    Use(KeyId, UseRecord),
    /// How far the use of a key's quota is reserved.
    Quota(KeyId, ReservationRecord),
    /// The same of what a plan gives an organization.
    PlanQuota(OrganizationId, ReservationRecord),
    /// Whose a digest is or was.
    Taken(Digest, TakenRecord),
    /// Whose a session is, by the digest of its cookie.
    Session(Digest, UserId),
    /// A row that only its own readers ask for: e-mail addresses, events, how much keys were used.
    Aside,
}

/// Writes a record.
///
/// # Errors
/// [`RecordError::Shape`] where a map has keys that JSON can't hold.
pub fn encode<T: Serialize>(place: &Place, record: &T) -> Result<Vec<u8>, RecordError> {
    let mut bytes = vec![FORMAT_VERSION];
    serde_json::to_writer(&mut bytes, record)
        .map_err(|source| RecordError::Shape { place: place.to_string(), source })?;
    Ok(bytes)
}

/// Reads a record.
///
/// # Errors
/// [`RecordError`].
pub fn decode<T: DeserializeOwned>(place: &Place, value: &[u8]) -> Result<T, RecordError> {
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
///
/// # Errors
/// [`RecordError`].
pub fn read(key: &[u8], value: &[u8]) -> Result<Stored, RecordError> {
    let place = Place::parse(key)?;
    Ok(match place {
        Place::Founded => Stored::Founded(read_at(&place, value)?),
        Place::Organization(_) => Stored::Organization(read_at(&place, value)?),
        Place::User(_) => Stored::User(read_at(&place, value)?),
        Place::Role(..) => Stored::Role(read_at(&place, value)?),
        Place::Team(..) => Stored::Team(read_at(&place, value)?),
        Place::Plan(_) => Stored::Plan(read_at(&place, value)?),
        Place::Gate(_) => Stored::Gate(Box::new(read_at(&place, value)?)),
        Place::Key(..) => Stored::Key(Box::new(read_at(&place, value)?)),
        Place::Use(id) => Stored::Use(id, read_at(&place, value)?),
        Place::Quota(id) => Stored::Quota(id, read_at(&place, value)?),
        Place::PlanQuota(id) => Stored::PlanQuota(id, read_at(&place, value)?),
        Place::Session(digest) => {
            Stored::Session(digest, read_at::<SessionRecord>(&place, value)?.user)
        },
        Place::Taken(digest) => Stored::Taken(digest, read_at(&place, value)?),
        Place::Format
        | Place::Email(..)
        | Place::Domain(_)
        | Place::UsageHours(..)
        | Place::UsageDay(..)
        | Place::Sessions(_)
        | Place::Setup
        | Place::DeviceKey
        | Place::Permission(_)
        | Place::Invitation(_)
        | Place::Reset(_)
        | Place::Totp(_)
        | Place::KeysMade(_)
        | Place::People
        | Place::Leaving(_)
        | Place::Event(_)
        | Place::Seal(_)
        | Place::Cut
        | Place::Retention
        | Place::Exported => Stored::Aside,
    })
}

/// Reads a row of the kind asked for.
///
/// # Errors
/// [`RecordError`].
pub fn read_row<T: Record>(row: &Row) -> Result<Held<T>, RecordError> {
    let record = read_at(&Place::parse(&row.key)?, &row.value)?;
    Ok(Held { record, revision: row.revision })
}

fn read_at<T: Record>(place: &Place, value: &[u8]) -> Result<T, RecordError> {
    let mut record: T = decode(place, value)?;
    record.settle(place);
    Ok(record)
}

/// A stored shape.
pub trait Record: Serialize + DeserializeOwned {
    /// Takes over what its place says of it: its id is not written twice.
    fn settle(&mut self, _place: &Place) {}
}
