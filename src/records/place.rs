//! The row key of each record: a readable prefix, then ids as bytes, so that rows of one kind sort
//! by time.

use std::fmt;

use crate::model::calendar::Day;
use crate::model::id::{EventId, Id, InvitationId, KeyId, OrganizationId, RoleId, TeamId, UserId};
use crate::model::secret::Digest;
use crate::records::error::RecordError;

/// The subject of a usage row: a key, or all keys of an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsageOf {
    pub organization: OrganizationId,
    /// The key. `None` for all keys of the organization.
    pub key: Option<KeyId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreKey {
    Format,
    /// The id of the instance, which the first start writes and no later start changes.
    Instance,
    Organization(OrganizationId),
    User(UserId),
    /// The user of an email address in an organization. The guard on this row keeps the address
    /// unique in the organization.
    Email(String, OrganizationId),
    /// The organization that an email domain is assigned to. The guard on this row keeps the
    /// domain unique.
    Domain(Box<str>),
    Plan(Box<str>),
    Gate(Box<str>),
    Key(OrganizationId, KeyId),
    /// When a key was last used.
    Use(KeyId),
    /// Usage of one day, by hour.
    UsageHours(Day, UsageOf),
    /// Usage of one day whose hours were removed.
    UsageDay(Day, UsageOf),
    /// Reserved use of a key's quota.
    Quota(KeyId),
    /// Reserved use of the monthly calls of an organization's plan.
    PlanQuota(OrganizationId),
    Role(OrganizationId, RoleId),
    Team(OrganizationId, TeamId),
    /// A permission of the catalogue, by its name.
    Permission(Box<str>),
    Invitation(InvitationId),
    /// The one-time link with which a user sets a new password.
    Reset(UserId),
    Totp(UserId),
    /// Counts the keys that an organization created under a limit.
    KeysMade(OrganizationId),
    /// The first call with a key of an organization that a proxy asked a gate about.
    GateCall(OrganizationId),
    /// Counts the changes of permissions and roles.
    People,
    /// A user who is being removed.
    Removal(UserId),
    /// The key that has or had a digest. The guard on this row binds a digest to one key
    /// permanently.
    Taken(Digest),
    /// A browser's session, by the digest of its cookie.
    Session(Digest),
    Sessions(UserId),
    /// Marks that the first organization was created. The guard on this row ensures that only one
    /// first organization is created.
    Founded,
    /// The one-time link of the first start.
    Setup,
    /// The key that authenticates device cookies.
    DeviceKey,
    Event(EventId),
    /// A seal over audit events, by its number.
    Seal(u64),
    /// The start of the audit log after a cut.
    Cut,
    /// The retention of audit events at the last start.
    Retention,
    /// Position of the audit log's export.
    Exported,
    /// The last backup that an operator requested and that was sent completely.
    LastBackup,
}

const FORMAT: &[u8] = b"format";
const INSTANCE: &[u8] = b"instance";
const ORGANIZATION: &[u8] = b"organization/";
const USER: &[u8] = b"user/";
const EMAIL: &[u8] = b"email/";
const DOMAIN: &[u8] = b"domain/";
/// The byte after an address in a row key. No address contains this byte, so no row key's address
/// is a prefix of another's.
const EMAIL_END: u8 = 0;
const PLAN: &[u8] = b"plan/";
const GATE: &[u8] = b"gate/";
const KEY: &[u8] = b"key/";
const USE: &[u8] = b"use/";
const USAGE_HOURS: &[u8] = b"usage-hours/";
const USAGE_DAY: &[u8] = b"usage-day/";
const QUOTA: &[u8] = b"quota/";
const PLAN_QUOTA: &[u8] = b"plan-quota/";
const SESSION: &[u8] = b"session/";
const SESSIONS: &[u8] = b"sessions/";
const FOUNDED: &[u8] = b"founded";
const SETUP: &[u8] = b"setup";
const DEVICE_KEY: &[u8] = b"device-key";
const EVENT: &[u8] = b"event/";
const ROLE: &[u8] = b"role/";
const TEAM: &[u8] = b"team/";
const PERMISSION: &[u8] = b"permission/";
const INVITATION: &[u8] = b"invitation/";
const RESET: &[u8] = b"reset/";
const TOTP: &[u8] = b"totp/";
const KEYS_MADE: &[u8] = b"keys-made/";
const GATE_CALL: &[u8] = b"gate-call/";
const PEOPLE: &[u8] = b"people";
const REMOVAL: &[u8] = b"leaving/";
const TAKEN: &[u8] = b"imported/";
const SEAL: &[u8] = b"seal/";
const CUT: &[u8] = b"cut";
const RETENTION: &[u8] = b"retention";
const EXPORTED: &[u8] = b"exported";
const LAST_BACKUP: &[u8] = b"last-backup";

/// Prefixes of the rows in the index. Rows to which keys refer come first.
pub const INDEXED: [&[u8]; 13] = [
    FOUNDED,
    GATE,
    PLAN,
    ORGANIZATION,
    ROLE,
    TEAM,
    USER,
    KEY,
    USE,
    QUOTA,
    PLAN_QUOTA,
    SESSION,
    TAKEN,
];

/// Prefixes and keys of the rows that a restore leaves out: sessions and one-time links. A restore
/// ends them, because some of them were ended or used after the backup.
pub const ENDED_BY_RESTORE: [&[u8]; 5] = [INVITATION, RESET, SESSION, SESSIONS, SETUP];

impl StoreKey {
    /// Prefix of all email addresses.
    pub const EMAILS: &'static [u8] = EMAIL;
    pub const EVENTS: &'static [u8] = EVENT;
    pub const SEALS: &'static [u8] = SEAL;
    /// Prefix of the catalogue of permissions.
    pub const PERMISSIONS: &'static [u8] = PERMISSION;
    pub const INVITATIONS: &'static [u8] = INVITATION;
    /// Prefix of the users who are being removed.
    pub const REMOVALS: &'static [u8] = REMOVAL;
    pub const GATES: &'static [u8] = GATE;
    pub const KEYS: &'static [u8] = KEY;
    pub const ORGANIZATIONS: &'static [u8] = ORGANIZATION;
    pub const TEAMS: &'static [u8] = TEAM;
    /// Prefix of the hourly usage of days, the oldest first.
    pub const USAGE_HOURS: &'static [u8] = USAGE_HOURS;
    /// Prefix of the daily usage, the oldest first.
    pub const USAGE_DAYS: &'static [u8] = USAGE_DAY;
    pub const PLANS: &'static [u8] = PLAN;
    /// Prefix of the users' second factors.
    pub const TOTPS: &'static [u8] = TOTP;

    /// Prefix of an organization's custom roles.
    pub fn roles_of(organization: OrganizationId) -> Vec<u8> {
        [ROLE, organization.bytes()].concat()
    }

    /// Prefix of an organization's teams.
    pub fn teams_of(organization: OrganizationId) -> Vec<u8> {
        [TEAM, organization.bytes()].concat()
    }

    /// Prefix of an organization's keys.
    pub fn keys_of(organization: OrganizationId) -> Vec<u8> {
        [KEY, organization.bytes()].concat()
    }

    /// Prefix of the hourly usage of an organization's keys on one day, without the organization's
    /// own row.
    pub fn usage_hours_of(day: Day, organization: OrganizationId) -> Vec<u8> {
        usage(USAGE_HOURS, day, UsageOf { organization, key: None })
    }

    /// Prefix of the daily usage of an organization's keys on one day, without the organization's
    /// own row.
    pub fn usage_day_of(day: Day, organization: OrganizationId) -> Vec<u8> {
        usage(USAGE_DAY, day, UsageOf { organization, key: None })
    }

    /// Prefix of the users of an address, one per organization, the oldest organization first.
    pub fn users_of(email: &str) -> Vec<u8> {
        [EMAIL, email.as_bytes(), &[EMAIL_END]].concat()
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Format => FORMAT.to_vec(),
            Self::Instance => INSTANCE.to_vec(),
            Self::Organization(id) => [ORGANIZATION, id.bytes()].concat(),
            Self::User(id) => [USER, id.bytes()].concat(),
            Self::Email(email, organization) => {
                [&*Self::users_of(email), organization.bytes()].concat()
            },
            Self::Domain(name) => [DOMAIN, name.as_bytes()].concat(),
            Self::Plan(name) => [PLAN, name.as_bytes()].concat(),
            Self::Gate(name) => [GATE, name.as_bytes()].concat(),
            Self::Key(organization, id) => [KEY, organization.bytes(), id.bytes()].concat(),
            Self::Use(id) => [USE, id.bytes()].concat(),
            Self::UsageHours(day, of) => usage(USAGE_HOURS, *day, *of),
            Self::UsageDay(day, of) => usage(USAGE_DAY, *day, *of),
            Self::Quota(id) => [QUOTA, id.bytes()].concat(),
            Self::PlanQuota(id) => [PLAN_QUOTA, id.bytes()].concat(),
            Self::Session(digest) => [SESSION, digest.bytes()].concat(),
            Self::Sessions(user) => [SESSIONS, user.bytes()].concat(),
            Self::Founded => FOUNDED.to_vec(),
            Self::Setup => SETUP.to_vec(),
            Self::DeviceKey => DEVICE_KEY.to_vec(),
            Self::Event(id) => [EVENT, id.bytes()].concat(),
            Self::Role(organization, id) => [ROLE, organization.bytes(), id.bytes()].concat(),
            Self::Team(organization, id) => [TEAM, organization.bytes(), id.bytes()].concat(),
            Self::Permission(name) => [PERMISSION, name.as_bytes()].concat(),
            Self::Invitation(id) => [INVITATION, id.bytes()].concat(),
            Self::Reset(user) => [RESET, user.bytes()].concat(),
            Self::Totp(user) => [TOTP, user.bytes()].concat(),
            Self::KeysMade(id) => [KEYS_MADE, id.bytes()].concat(),
            Self::GateCall(id) => [GATE_CALL, id.bytes()].concat(),
            Self::People => PEOPLE.to_vec(),
            Self::Removal(user) => [REMOVAL, user.bytes()].concat(),
            Self::Taken(digest) => [TAKEN, digest.bytes()].concat(),
            Self::Seal(number) => [SEAL, &number.to_be_bytes()].concat(),
            Self::Cut => CUT.to_vec(),
            Self::Retention => RETENTION.to_vec(),
            Self::Exported => EXPORTED.to_vec(),
            Self::LastBackup => LAST_BACKUP.to_vec(),
        }
    }

    /// Parses a row key.
    ///
    /// # Errors
    /// [`RecordError::Place`] for a key that matches no place.
    pub fn parse(key: &[u8]) -> Result<Self, RecordError> {
        Self::parse_known(key)
            .ok_or_else(|| RecordError::Place { place: key.escape_ascii().to_string() })
    }

    fn parse_known(key: &[u8]) -> Option<Self> {
        match key {
            FORMAT => return Some(Self::Format),
            INSTANCE => return Some(Self::Instance),
            FOUNDED => return Some(Self::Founded),
            SETUP => return Some(Self::Setup),
            DEVICE_KEY => return Some(Self::DeviceKey),
            PEOPLE => return Some(Self::People),
            CUT => return Some(Self::Cut),
            RETENTION => return Some(Self::Retention),
            EXPORTED => return Some(Self::Exported),
            LAST_BACKUP => return Some(Self::LastBackup),
            _ => {},
        }
        let cut = key.iter().position(|byte| *byte == b'/')?;
        let (kind, rest) = key.split_at_checked(cut + 1)?;
        match kind {
            ORGANIZATION => id(rest).map(Self::Organization),
            USER => id(rest).map(Self::User),
            EMAIL => email_of(rest).map(|(email, organization)| Self::Email(email, organization)),
            DOMAIN => Some(Self::Domain(str::from_utf8(rest).ok()?.into())),
            PLAN => Some(Self::Plan(str::from_utf8(rest).ok()?.into())),
            GATE => Some(Self::Gate(str::from_utf8(rest).ok()?.into())),
            KEY => within(rest).map(|(organization, key)| Self::Key(organization, key)),
            ROLE => within(rest).map(|(organization, role)| Self::Role(organization, role)),
            TEAM => within(rest).map(|(organization, team)| Self::Team(organization, team)),
            PERMISSION => Some(Self::Permission(str::from_utf8(rest).ok()?.into())),
            INVITATION => id(rest).map(Self::Invitation),
            KEYS_MADE => id(rest).map(Self::KeysMade),
            GATE_CALL => id(rest).map(Self::GateCall),
            RESET => id(rest).map(Self::Reset),
            TOTP => id(rest).map(Self::Totp),
            REMOVAL => id(rest).map(Self::Removal),
            TAKEN => Some(Self::Taken(Digest::from_bytes(rest.try_into().ok()?))),
            SEAL => Some(Self::Seal(u64::from_be_bytes(rest.try_into().ok()?))),
            USE => id(rest).map(Self::Use),
            USAGE_HOURS => usage_of(rest).map(|(day, of)| Self::UsageHours(day, of)),
            USAGE_DAY => usage_of(rest).map(|(day, of)| Self::UsageDay(day, of)),
            QUOTA => id(rest).map(Self::Quota),
            PLAN_QUOTA => id(rest).map(Self::PlanQuota),
            SESSION => Some(Self::Session(Digest::from_bytes(rest.try_into().ok()?))),
            SESSIONS => id(rest).map(Self::Sessions),
            EVENT => id(rest).map(Self::Event),
            _ => None,
        }
    }
}

/// Usage rows sort by day, then by organization. The organization's own row precedes the rows of
/// its keys.
fn usage(kind: &[u8], day: Day, of: UsageOf) -> Vec<u8> {
    let key = of.key.as_ref().map_or(&[][..], |key| key.bytes());
    [kind, &day.number().to_be_bytes(), of.organization.bytes(), key].concat()
}

fn usage_of(bytes: &[u8]) -> Option<(Day, UsageOf)> {
    let (day, rest) = bytes.split_first_chunk()?;
    let (organization, key) = rest.split_at_checked(16)?;
    let key = if key.is_empty() { None } else { Some(id(key)?) };
    let of = UsageOf { organization: id(organization)?, key };
    Some((Day::from_number(u32::from_be_bytes(*day)), of))
}

/// Parses an address and the organization of its user.
fn email_of(bytes: &[u8]) -> Option<(String, OrganizationId)> {
    let (email, organization) = bytes.split_at_checked(bytes.len().checked_sub(16)?)?;
    let email = email.strip_suffix(&[EMAIL_END])?;
    Some((str::from_utf8(email).ok()?.to_owned(), id(organization)?))
}

/// Parses the id of an organization and of a record that belongs to it.
fn within<K: crate::model::id::Kind>(bytes: &[u8]) -> Option<(OrganizationId, Id<K>)> {
    let (organization, thing) = bytes.split_at_checked(16)?;
    Some((id(organization)?, id(thing)?))
}

fn id<K: crate::model::id::Kind>(bytes: &[u8]) -> Option<Id<K>> {
    bytes.try_into().ok().map(Id::from_bytes)
}

/// The text for errors: kind and id, never an email address or a digest.
impl fmt::Display for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format => f.write_str("format"),
            Self::Instance => f.write_str("instance"),
            Self::Organization(id) => write!(f, "organization/{id}"),
            Self::User(id) => write!(f, "user/{id}"),
            Self::Email(..) => f.write_str("email/.."),
            Self::Domain(name) => write!(f, "domain/{name}"),
            Self::Plan(name) => write!(f, "plan/{name}"),
            Self::Gate(name) => write!(f, "gate/{name}"),
            Self::Key(organization, id) => write!(f, "key/{organization}/{id}"),
            Self::Use(id) => write!(f, "use/{id}"),
            Self::UsageHours(day, of) => write_usage(f, "usage-hours", *day, *of),
            Self::UsageDay(day, of) => write_usage(f, "usage-day", *day, *of),
            Self::Quota(id) => write!(f, "quota/{id}"),
            Self::PlanQuota(id) => write!(f, "plan-quota/{id}"),
            Self::Session(_) => f.write_str("session/.."),
            Self::Sessions(user) => write!(f, "sessions/{user}"),
            Self::Founded => f.write_str("founded"),
            Self::Setup => f.write_str("setup"),
            Self::DeviceKey => f.write_str("device-key"),
            Self::Event(id) => write!(f, "event/{id}"),
            Self::Role(organization, id) => write!(f, "role/{organization}/{id}"),
            Self::Team(organization, id) => write!(f, "team/{organization}/{id}"),
            Self::Permission(name) => write!(f, "permission/{name}"),
            Self::Invitation(id) => write!(f, "invitation/{id}"),
            Self::Reset(user) => write!(f, "reset/{user}"),
            Self::Totp(user) => write!(f, "totp/{user}"),
            Self::KeysMade(id) => write!(f, "keys-made/{id}"),
            Self::GateCall(id) => write!(f, "gate-call/{id}"),
            Self::People => f.write_str("people"),
            Self::Removal(user) => write!(f, "leaving/{user}"),
            Self::Taken(_) => f.write_str("imported/.."),
            Self::Seal(number) => write!(f, "seal/{number}"),
            Self::Cut => f.write_str("cut"),
            Self::Retention => f.write_str("retention"),
            Self::Exported => f.write_str("exported"),
            Self::LastBackup => f.write_str("last-backup"),
        }
    }
}

fn write_usage(f: &mut fmt::Formatter<'_>, kind: &str, day: Day, of: UsageOf) -> fmt::Result {
    write!(f, "{kind}/{}/{}", day.number(), of.organization)?;
    of.key.map_or(Ok(()), |key| write!(f, "/{key}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::moment::Moment;

    #[test]
    fn every_place_comes_back_from_its_bytes() {
        let (now, mut random) = (Moment::from_milliseconds(1), rand::rng());
        for place in [
            StoreKey::Format,
            StoreKey::Instance,
            StoreKey::Organization(Id::new(now, &mut random)),
            StoreKey::User(Id::new(now, &mut random)),
            StoreKey::Email("ada/b@example.com".to_owned(), Id::new(now, &mut random)),
            StoreKey::Domain("example.com".into()),
            StoreKey::Plan("free".into()),
            StoreKey::Gate("orders".into()),
            StoreKey::Key(Id::new(now, &mut random), Id::new(now, &mut random)),
            StoreKey::Use(Id::new(now, &mut random)),
            StoreKey::UsageHours(
                Day::from_number(20_000),
                UsageOf { organization: Id::new(now, &mut random), key: None },
            ),
            StoreKey::UsageDay(
                Day::from_number(1),
                UsageOf {
                    organization: Id::new(now, &mut random),
                    key: Some(Id::new(now, &mut random)),
                },
            ),
            StoreKey::Quota(Id::new(now, &mut random)),
            StoreKey::PlanQuota(Id::new(now, &mut random)),
            StoreKey::Session(Digest::of(b"cookie")),
            StoreKey::Sessions(Id::new(now, &mut random)),
            StoreKey::Founded,
            StoreKey::Setup,
            StoreKey::DeviceKey,
            StoreKey::Event(Id::new(now, &mut random)),
            StoreKey::Role(Id::new(now, &mut random), Id::new(now, &mut random)),
            StoreKey::Team(Id::new(now, &mut random), Id::new(now, &mut random)),
            StoreKey::Permission("diagrams:read".into()),
            StoreKey::Invitation(Id::new(now, &mut random)),
            StoreKey::Reset(Id::new(now, &mut random)),
            StoreKey::Totp(Id::new(now, &mut random)),
            StoreKey::KeysMade(Id::new(now, &mut random)),
            StoreKey::GateCall(Id::new(now, &mut random)),
            StoreKey::People,
            StoreKey::Removal(Id::new(now, &mut random)),
            StoreKey::Taken(Digest::of(b"digest")),
            StoreKey::Seal(u64::MAX),
            StoreKey::Cut,
            StoreKey::Retention,
            StoreKey::Exported,
            StoreKey::LastBackup,
        ] {
            assert_eq!(StoreKey::parse(&place.to_bytes()).unwrap(), place);
        }
    }

    #[test]
    fn other_rows_belong_to_nothing() {
        for key in [&b"key/short"[..], b"", b"user", b"unknown/1", b"user/12345678901234567"] {
            assert!(StoreKey::parse(key).is_err(), "{key:?}");
        }
    }
}
