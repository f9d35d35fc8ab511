//! Where each record lies in the store: a readable prefix, then ids as bytes, so that rows sort by
//! time within their kind.

use std::fmt;

use crate::model::id::{EventId, Id, KeyId, OrganizationId, UserId};
use crate::model::secret::Digest;
use crate::records::RecordError;

/// The place of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The format of the whole store.
    Format,
    /// An organization.
    Organization(OrganizationId),
    /// A user.
    User(UserId),
    /// Whose an e-mail address is: guards that it is one user's.
    Email(String),
    /// A plan, by its name.
    Plan(Box<str>),
    /// A key of an organization.
    Key(OrganizationId, KeyId),
    /// When a key was last used.
    Use(KeyId),
    /// A browser's session, by the digest of its cookie.
    Session(Digest),
    /// The sessions of a user.
    Sessions(UserId),
    /// That the first organization was made: guards that it is made once.
    Founded,
    /// The one-time link of the first start.
    Setup,
    /// An audit event.
    Event(EventId),
}

const FORMAT: &[u8] = b"format";
const ORGANIZATION: &[u8] = b"organization/";
const USER: &[u8] = b"user/";
const EMAIL: &[u8] = b"email/";
const PLAN: &[u8] = b"plan/";
const KEY: &[u8] = b"key/";
const USE: &[u8] = b"use/";
const SESSION: &[u8] = b"session/";
const SESSIONS: &[u8] = b"sessions/";
const FOUNDED: &[u8] = b"founded";
const SETUP: &[u8] = b"setup";
const EVENT: &[u8] = b"event/";

/// What the index is made of, in an order in which what keys point to comes first.
pub const INDEXED: [&[u8]; 5] = [PLAN, ORGANIZATION, USER, KEY, USE];

impl Place {
    /// Below this lie all events.
    pub const EVENTS: &'static [u8] = EVENT;

    /// Below this lie the keys of an organization.
    pub fn keys_of(organization: OrganizationId) -> Vec<u8> {
        [KEY, organization.bytes()].concat()
    }

    /// The key of the store at this place.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Format => FORMAT.to_vec(),
            Self::Organization(id) => [ORGANIZATION, id.bytes()].concat(),
            Self::User(id) => [USER, id.bytes()].concat(),
            Self::Email(email) => [EMAIL, email.as_bytes()].concat(),
            Self::Plan(name) => [PLAN, name.as_bytes()].concat(),
            Self::Key(organization, id) => [KEY, organization.bytes(), id.bytes()].concat(),
            Self::Use(id) => [USE, id.bytes()].concat(),
            Self::Session(digest) => [SESSION, digest.bytes()].concat(),
            Self::Sessions(user) => [SESSIONS, user.bytes()].concat(),
            Self::Founded => FOUNDED.to_vec(),
            Self::Setup => SETUP.to_vec(),
            Self::Event(id) => [EVENT, id.bytes()].concat(),
        }
    }

    /// The place of a key of the store.
    ///
    /// # Errors
    /// [`RecordError::Place`] for one that none of ours has.
    pub fn parse(key: &[u8]) -> Result<Self, RecordError> {
        Self::parse_known(key)
            .ok_or_else(|| RecordError::Place { place: key.escape_ascii().to_string() })
    }

    fn parse_known(key: &[u8]) -> Option<Self> {
        match key {
            FORMAT => return Some(Self::Format),
            FOUNDED => return Some(Self::Founded),
            SETUP => return Some(Self::Setup),
            _ => {},
        }
        let cut = key.iter().position(|byte| *byte == b'/')?;
        let (kind, rest) = key.split_at_checked(cut + 1)?;
        match kind {
            ORGANIZATION => id(rest).map(Self::Organization),
            USER => id(rest).map(Self::User),
            EMAIL => Some(Self::Email(str::from_utf8(rest).ok()?.to_owned())),
            PLAN => Some(Self::Plan(str::from_utf8(rest).ok()?.into())),
            KEY => {
                let (organization, key) = rest.split_at_checked(16)?;
                Some(Self::Key(id(organization)?, id(key)?))
            },
            USE => id(rest).map(Self::Use),
            SESSION => Some(Self::Session(Digest::from_bytes(rest.try_into().ok()?))),
            SESSIONS => id(rest).map(Self::Sessions),
            EVENT => id(rest).map(Self::Event),
            _ => None,
        }
    }
}

fn id<K: crate::model::id::Kind>(bytes: &[u8]) -> Option<Id<K>> {
    bytes.try_into().ok().map(Id::from_bytes)
}

/// For errors: names the kind and the id, never an e-mail address or a digest.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format => f.write_str("format"),
            Self::Organization(id) => write!(f, "organization/{id}"),
            Self::User(id) => write!(f, "user/{id}"),
            Self::Email(_) => f.write_str("email/.."),
            Self::Plan(name) => write!(f, "plan/{name}"),
            Self::Key(organization, id) => write!(f, "key/{organization}/{id}"),
            Self::Use(id) => write!(f, "use/{id}"),
            Self::Session(_) => f.write_str("session/.."),
            Self::Sessions(user) => write!(f, "sessions/{user}"),
            Self::Founded => f.write_str("founded"),
            Self::Setup => f.write_str("setup"),
            Self::Event(id) => write!(f, "event/{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::moment::Moment;

    #[test]
    fn every_place_comes_back_from_its_bytes() {
        let (now, mut random) = (Moment::from_milliseconds(1), rand::rng());
        for place in [
            Place::Format,
            Place::Organization(Id::new(now, &mut random)),
            Place::User(Id::new(now, &mut random)),
            Place::Email("ada@example.com".to_owned()),
            Place::Plan("free".into()),
            Place::Key(Id::new(now, &mut random), Id::new(now, &mut random)),
            Place::Use(Id::new(now, &mut random)),
            Place::Session(Digest::of(b"cookie")),
            Place::Sessions(Id::new(now, &mut random)),
            Place::Founded,
            Place::Setup,
            Place::Event(Id::new(now, &mut random)),
        ] {
            assert_eq!(Place::parse(&place.to_bytes()).unwrap(), place);
        }
    }

    #[test]
    fn other_rows_belong_to_nothing() {
        for key in [&b"key/short"[..], b"", b"user", b"unknown/1", b"user/12345678901234567"] {
            assert!(Place::parse(key).is_err(), "{key:?}");
        }
    }
}
