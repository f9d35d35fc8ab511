//! A row of any kind, as a scan or a feed returns it.

use crate::model::id::{KeyId, OrganizationId, UserId};
use crate::model::secret::Digest;
use crate::records::access::{
    FoundedRecord, OrganizationRecord, PlanRecord, SessionRecord, UserRecord,
};
use crate::records::codec::read_at;
use crate::records::error::RecordError;
use crate::records::gate::GateRecord;
use crate::records::key::KeyRecord;
use crate::records::place::StoreKey;
use crate::records::reservation::ReservationRecord;
use crate::records::rights::{RoleRecord, TeamRecord};
use crate::records::taken::TakenRecord;
use crate::records::uses::UseRecord;

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
        | StoreKey::Instance
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
        | StoreKey::GateCall(_)
        | StoreKey::People
        | StoreKey::Removal(_)
        | StoreKey::Event(_)
        | StoreKey::Seal(_)
        | StoreKey::Cut
        | StoreKey::Retention
        | StoreKey::Exported
        | StoreKey::LastBackup => Stored::NotIndexed,
    })
}
