//! The record of a key.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::model::foreign::Algorithm;
use crate::model::id::{InvalidId, KeyId, OrganizationId, TeamId, UserId};
use crate::model::key_text::{Environment, NewKey};
use crate::model::moment::Moment;
use crate::model::network::{IpRules, canonical_network};
use crate::model::permission::Patterns;
use crate::model::secret::Digest;
pub use crate::records::limits::{QuotaRecord, RateLimitRecord};
use crate::records::place::Place;
use crate::records::{Record, text};

/// Most lists that together are a transferred key's maximum.
pub const MAXIMA_MAX: usize = 8;
/// Most bytes of a key's metadata, as JSON.
pub const METADATA_BYTES_MAX: usize = 4_096;

/// A key as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// Its id; part of the place.
    #[serde(skip)]
    pub id: KeyId,
    /// Whose it is; part of the place.
    #[serde(skip)]
    pub organization: OrganizationId,
    /// What people call it.
    #[serde(rename = "n")]
    pub name: String,
    /// What it is for.
    #[serde(rename = "d", default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its user; a key without one is a service key.
    #[serde(rename = "o", default, with = "text::option", skip_serializing_if = "Option::is_none")]
    pub owner: Option<UserId>,
    /// Second part of its text.
    #[serde(rename = "e", with = "text")]
    pub environment: Environment,
    /// Its secrets, the newest first: one, or two while a rotation overlaps.
    #[serde(rename = "s")]
    pub secrets: Vec<SecretRecord>,
    /// What it is granted. A personal key without a list has all outside `keyhouse:`.
    #[serde(rename = "p", default, with = "text::option", skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Patterns>,
    /// What it may be granted at most, whoever owns it: all of these lists grant it. They are
    /// frozen when the key is transferred; at most [`MAXIMA_MAX`].
    #[serde(rename = "pc", default, with = "text::some", skip_serializing_if = "Vec::is_empty")]
    pub maxima: Vec<Patterns>,
    /// Whether somebody who no longer owns it may know its secret: until it is rotated.
    #[serde(rename = "ra", default, skip_serializing_if = "is_false")]
    pub rotation_advised: bool,
    /// The digest it was imported with, where it came from another system: taken as long as there
    /// is a record of the key, also after a rotation.
    #[serde(
        rename = "im",
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub imported: Option<Digest>,
    /// The teams it is shared with; some may not be there any more.
    #[serde(rename = "t", default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<ShareRecord>,
    /// Networks it may be used from.
    #[serde(rename = "ia", default, with = "text::list", skip_serializing_if = "Vec::is_empty")]
    pub ip_allow: Vec<IpNet>,
    /// Networks it may not be used from.
    #[serde(rename = "id", default, with = "text::list", skip_serializing_if = "Vec::is_empty")]
    pub ip_deny: Vec<IpNet>,
    /// Its rate limits.
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    pub rate_limits: Vec<RateLimitRecord>,
    /// Its quota.
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<QuotaRecord>,
    /// What its owner keeps with it; at most [`METADATA_BYTES_MAX`].
    #[serde(rename = "m", default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// Not valid before.
    #[serde(rename = "nb", default, with = "text::moment::option")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Moment>,
    /// Not valid from then on.
    #[serde(rename = "x", default, with = "text::moment::option")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Moment>,
    /// When it was made.
    #[serde(rename = "c", with = "text::moment")]
    pub created_at: Moment,
    /// By whom.
    #[serde(rename = "cb", with = "text")]
    pub created_by: Author,
    /// The key that it descends from since the one that created it was purged: the nearest one that
    /// was kept.
    #[serde(
        rename = "df",
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub descends_from: Option<KeyId>,
    /// When it was last changed.
    #[serde(rename = "u", with = "text::moment")]
    pub updated_at: Moment,
    /// Who switched it off, while it is.
    #[serde(rename = "off", default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<DisabledBy>,
    /// When it was revoked: for ever.
    #[serde(rename = "r", default, with = "text::moment::option")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Moment>,
    /// Why.
    #[serde(rename = "rr", default, skip_serializing_if = "Option::is_none")]
    pub revoked_reason: Option<String>,
    /// Counts its changes, from 1.
    #[serde(rename = "v")]
    pub version: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_blake3(algorithm: &Algorithm) -> bool {
    *algorithm == Algorithm::Blake3
}

/// That a key is shared with a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareRecord {
    /// The team.
    #[serde(rename = "t", with = "text")]
    pub team: TeamId,
    /// What its members may do.
    #[serde(rename = "a")]
    pub access: Access,
}

/// What a team's members may do with a key that is shared with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Access {
    /// See it and its use.
    #[serde(rename = "r")]
    Read,
    /// Also rename, disable and revoke it.
    #[serde(rename = "w")]
    Write,
}

/// A text that is no access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be read or write")]
pub struct InvalidAccess;

impl Access {
    /// The name, as the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl FromStr for Access {
    type Err = InvalidAccess;

    fn from_str(text: &str) -> Result<Self, InvalidAccess> {
        match text {
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            _ => Err(InvalidAccess),
        }
    }
}

/// One secret of a key: what may be kept of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretRecord {
    /// What it is known by: BLAKE3 of the text, unless `algorithm` says otherwise.
    #[serde(rename = "b", with = "text")]
    pub digest: Digest,
    /// How the digest is made of a text.
    #[serde(rename = "al", default, with = "text", skip_serializing_if = "is_blake3")]
    pub algorithm: Algorithm,
    /// The start of the text, which may be shown.
    #[serde(rename = "h")]
    pub hint: String,
    /// When it was made.
    #[serde(rename = "c", with = "text::moment")]
    pub created_at: Moment,
    /// When it stops working; none for the newest.
    #[serde(rename = "x", default, with = "text::moment::option")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Moment>,
    /// The digest of the same text by the other algorithm, where Keyhouse knew the text. None of a
    /// secret that was imported by its digest, or stored by an earlier version.
    #[serde(
        rename = "od",
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub other_digest: Option<Digest>,
    /// Whether a former owner may have it: it is older than the rotation after a transfer.
    #[serde(rename = "fo", default, skip_serializing_if = "is_false")]
    pub former_owner: bool,
}

impl SecretRecord {
    /// What is kept of a secret just made.
    pub fn of(made: &NewKey, now: Moment) -> Self {
        Self {
            digest: made.digest,
            algorithm: Algorithm::Blake3,
            hint: made.hint.clone(),
            created_at: now,
            ends_at: None,
            other_digest: Some(Digest::by_sha256(made.secret.reveal().as_bytes())),
            former_owner: false,
        }
    }
}

/// Who switched a key off: what an administrator disabled, its owner can't enable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DisabledBy {
    /// Its owner.
    #[serde(rename = "o")]
    Owner,
    /// One who manages the organization's keys.
    #[serde(rename = "m")]
    Manager,
}

/// Who did something, as records name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// A user, through a session.
    User(UserId),
    /// A management key.
    Key(KeyId),
    /// The operator on the host.
    Local,
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::Key(id) => id.fmt(f),
            Self::Local => f.write_str("local"),
        }
    }
}

impl FromStr for Author {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text == "local" {
            return Ok(Self::Local);
        }
        text.parse().map(Self::User).or_else(|_no_user| text.parse().map(Self::Key))
    }
}

impl Record for KeyRecord {
    fn settle(&mut self, place: &Place) {
        if let Place::Key(organization, id) = place {
            (self.organization, self.id) = (*organization, *id);
        }
    }
}

impl KeyRecord {
    /// The nearest key that is kept of those that it descends from.
    pub fn parent(&self) -> Option<KeyId> {
        match self.created_by {
            Author::Key(creator) => Some(self.descends_from.unwrap_or(creator)),
            Author::User(_) | Author::Local => None,
        }
    }

    /// Where it lies.
    pub fn place(&self) -> Place {
        Place::Key(self.organization, self.id)
    }

    /// Whether it belongs to the organization and not to a person.
    pub fn is_service(&self) -> bool {
        self.owner.is_none()
    }

    /// The patterns it lists, or what the absence of a list means.
    pub fn patterns(&self) -> Patterns {
        match &self.permissions {
            Some(patterns) => patterns.clone(),
            None if self.is_service() => Patterns::default(),
            None => Patterns::everything(),
        }
    }

    /// Its address rules.
    pub fn ip_rules(&self) -> IpRules {
        let canonical =
            |networks: &[IpNet]| networks.iter().copied().map(canonical_network).collect();
        IpRules { allow: canonical(&self.ip_allow), deny: canonical(&self.ip_deny) }
    }

    /// When it ended for good, or by its time; none while it may still be of use.
    pub fn ended_at(&self, now: Moment) -> Option<Moment> {
        self.revoked_at.or(self.expires_at).filter(|end| *end <= now)
    }

    /// Its state at a moment, whatever its owner or organization may be in.
    pub fn status(&self, now: Moment) -> Status {
        if self.revoked_at.is_some() {
            Status::Revoked
        } else if self.disabled.is_some() {
            Status::Disabled
        } else if self.not_before.is_some_and(|not_before| now < not_before) {
            Status::NotYetValid
        } else if self.expires_at.is_some_and(|expires_at| now >= expires_at) {
            Status::Expired
        } else {
            Status::Active
        }
    }
}

/// The state of a key by its own facts alone, in the order in which checks decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Usable.
    Active,
    /// Switched off.
    Disabled,
    /// Too early.
    NotYetValid,
    /// Too late.
    Expired,
    /// Ended by hand.
    Revoked,
}

/// A text that is no status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be active, disabled, not_yet_valid, expired or revoked")]
pub struct InvalidStatus;

impl Status {
    const NAMES: [(Self, &'static str); 5] = [
        (Self::Active, "active"),
        (Self::Disabled, "disabled"),
        (Self::NotYetValid, "not_yet_valid"),
        (Self::Expired, "expired"),
        (Self::Revoked, "revoked"),
    ];

    /// The name, as the API writes it.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(status, _)| *status == self).map_or("revoked", |(_, name)| name)
    }
}

impl FromStr for Status {
    type Err = InvalidStatus;

    fn from_str(text: &str) -> Result<Self, InvalidStatus> {
        let found = Self::NAMES.iter().find(|(_, name)| *name == text);
        found.map(|(status, _)| *status).ok_or(InvalidStatus)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::id::Id;
    use crate::records::{decode, encode};

    pub(crate) fn record() -> KeyRecord {
        let (now, mut random) = (Moment::from_milliseconds(1_700_000_000_000), rand::rng());
        KeyRecord {
            id: Id::new(now, &mut random),
            organization: Id::new(now, &mut random),
            name: "build bot".to_owned(),
            description: String::new(),
            owner: Some(Id::new(now, &mut random)),
            environment: Environment::default(),
            secrets: vec![SecretRecord {
                digest: Digest::of(b"a secret"),
                algorithm: Algorithm::Blake3,
                hint: "kh_live_abcd".to_owned(),
                created_at: now,
                ends_at: None,
                other_digest: None,
                former_owner: false,
            }],
            permissions: Some("diagrams:read diagrams:write".parse().unwrap()),
            maxima: Vec::new(),
            rotation_advised: false,
            descends_from: None,
            imported: None,
            teams: Vec::new(),
            ip_allow: Vec::new(),
            ip_deny: Vec::new(),
            rate_limits: Vec::new(),
            quota: None,
            metadata: serde_json::Map::new(),
            not_before: None,
            expires_at: None,
            created_at: now,
            created_by: Author::Local,
            updated_at: now,
            disabled: None,
            revoked_at: None,
            revoked_reason: None,
            version: 1,
        }
    }

    #[test]
    fn a_record_comes_back_as_it_was_and_is_small() {
        let mut record = record();
        let bytes = encode(&record.place(), &record).unwrap();
        assert!(bytes.len() < 380, "{}", bytes.len());
        let mut back: KeyRecord = decode(&record.place(), &bytes).unwrap();
        back.settle(&record.place());
        assert_eq!(back, record);
        record.ip_allow = vec!["10.0.0.0/8".parse().unwrap()];
        record.quota = Some(QuotaRecord {
            limit: 5,
            period: "month".parse().unwrap(),
            zone: "Europe/Paris".parse().unwrap(),
        });
        record.expires_at = Some(Moment::from_milliseconds(5));
        record.disabled = Some(DisabledBy::Manager);
        record.imported = Some(Digest::by_sha256(b"a secret"));
        record.secrets[0].algorithm = Algorithm::Sha256;
        record.maxima = ["a:*", "*:read"].map(|list| list.parse().unwrap()).into();
        let bytes = encode(&record.place(), &record).unwrap();
        let mut back: KeyRecord = decode(&record.place(), &bytes).unwrap();
        back.settle(&record.place());
        assert_eq!(back, record);
    }

    #[test]
    fn a_row_of_the_first_format_reads_for_ever() {
        let row = br#"{"n":"bot","o":"usr_018bcfe5-6800-7000-8000-000000000000","e":"live","s":[{"b":"af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262","h":"kh_live_abcd","c":1700000000000}],"c":1700000000000,"cb":"local","u":1700000000000,"v":1}"#;
        let place = record().place();
        let read: KeyRecord = decode(&place, &[&[1], &row[..]].concat()).unwrap();
        assert_eq!(read.name, "bot");
        assert_eq!(read.patterns().to_string(), "*");
        let transferred = br#"{"n":"bot","e":"live","s":[],"p":"a:*","pc":"a:* b:read","c":1700000000000,"cb":"local","u":1700000000000,"v":2}"#;
        let read: KeyRecord = decode(&place, &[&[1], &transferred[..]].concat()).unwrap();
        assert_eq!(read.maxima, ["a:* b:read".parse().unwrap()], "once it was one list");
        let later = decode::<KeyRecord>(&place, &[&[2], &row[..]].concat()).unwrap_err();
        assert!(later.to_string().contains("format 2"), "{later}");
    }

    #[test]
    fn status_follows_the_order_of_deciding() {
        let now = Moment::from_milliseconds(100);
        let mut key = record();
        assert_eq!(key.status(now), Status::Active);
        key.expires_at = Some(now);
        assert_eq!(key.status(now), Status::Expired);
        key.not_before = Some(Moment::from_milliseconds(101));
        assert_eq!(key.status(now), Status::NotYetValid);
        key.disabled = Some(DisabledBy::Owner);
        assert_eq!(key.status(now), Status::Disabled);
        key.revoked_at = Some(now);
        assert_eq!(key.status(now), Status::Revoked);
    }
}
