//! The record of a key, with its secrets and status.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::model::foreign::Algorithm;
use crate::model::id::{InvalidId, KeyId, OrganizationId, UserId};
use crate::model::key_text::{Environment, NewKey};
use crate::model::moment::Moment;
use crate::model::network::{IpRules, canonical_network};
use crate::model::permission::Patterns;
use crate::model::secret::Digest;
use crate::records::codec::Record;
pub use crate::records::limits::{QuotaRecord, RateLimitRecord};
use crate::records::place::StoreKey;
pub use crate::records::share::{InvalidAccess, ShareRecord, TeamAccess};
use crate::records::text;

/// Maximum number of lists in the maximum of a transferred key.
pub const MAXIMA_MAX: usize = 8;
/// Maximum size of a key's metadata in bytes, as JSON.
pub const METADATA_BYTES_MAX: usize = 4_096;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// The id, stored in the row key.
    #[serde(skip)]
    pub id: KeyId,
    /// The organization, stored in the row key.
    #[serde(skip)]
    pub organization: OrganizationId,
    #[serde(rename = "n")]
    pub name: String,
    #[serde(rename = "d", default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The owner. A key without an owner is a service key.
    #[serde(rename = "o", default, with = "text::option", skip_serializing_if = "Option::is_none")]
    pub owner: Option<UserId>,
    /// The environment, which is the second part of the key's text.
    #[serde(rename = "e", with = "text")]
    pub environment: Environment,
    /// The secrets, the newest first: one, or two while a rotation overlaps.
    #[serde(rename = "s")]
    pub secrets: Vec<SecretRecord>,
    /// The permissions. A personal key without a list has everything outside `keyhouse:`.
    #[serde(rename = "p", default, with = "text::option", skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Patterns>,
    /// The maximum of a transferred key: all of these lists must grant a permission. At most
    /// [`MAXIMA_MAX`] lists.
    #[serde(rename = "pc", default, with = "text::some", skip_serializing_if = "Vec::is_empty")]
    pub maxima: Vec<Patterns>,
    /// Whether a former owner may know the secret. A rotation clears the flag.
    #[serde(rename = "ra", default, skip_serializing_if = "is_false")]
    pub rotation_advised: bool,
    /// The digest with which the key was imported from another system. No other key can be imported
    /// with this digest while the record exists, even after a rotation.
    #[serde(
        rename = "im",
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub imported: Option<Digest>,
    /// Whether `keyhouse apply` created the key from a configuration file.
    #[serde(rename = "ap", default, skip_serializing_if = "is_false")]
    pub applied: bool,
    /// The teams that the key is shared with. Some of these teams may no longer exist.
    #[serde(rename = "t", default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<ShareRecord>,
    /// Networks that may use the key.
    #[serde(rename = "ia", default, with = "text::list", skip_serializing_if = "Vec::is_empty")]
    pub ip_allow: Vec<IpNet>,
    /// Networks that may not use the key.
    #[serde(rename = "id", default, with = "text::list", skip_serializing_if = "Vec::is_empty")]
    pub ip_deny: Vec<IpNet>,
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    pub rate_limits: Vec<RateLimitRecord>,
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<QuotaRecord>,
    /// Metadata that the owner sets. At most [`METADATA_BYTES_MAX`].
    #[serde(rename = "m", default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// Time before which the key is not valid.
    #[serde(rename = "nb", default, with = "text::moment::option")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Moment>,
    /// Time from which the key is not valid.
    #[serde(rename = "x", default, with = "text::moment::option")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Moment>,
    #[serde(rename = "c", with = "text::moment")]
    pub created_at: Moment,
    #[serde(rename = "cb", with = "text")]
    pub created_by: Author,
    /// The nearest ancestor that still exists, set when the key's creator is purged.
    #[serde(
        rename = "df",
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub descends_from: Option<KeyId>,
    #[serde(rename = "u", with = "text::moment")]
    pub updated_at: Moment,
    /// The role of the actor that disabled the key, while it is disabled.
    #[serde(rename = "off", default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<DisabledBy>,
    /// When the key was revoked. A revocation is permanent.
    #[serde(rename = "r", default, with = "text::moment::option")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Moment>,
    /// The reason for the revocation.
    #[serde(rename = "rr", default, skip_serializing_if = "Option::is_none")]
    pub revoked_reason: Option<String>,
    /// The version: number of changes, from 1.
    #[serde(rename = "v")]
    pub version: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_blake3(algorithm: &Algorithm) -> bool {
    *algorithm == Algorithm::Blake3
}

/// The stored part of one secret of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretRecord {
    /// The digest: BLAKE3 of the text, unless `algorithm` names another algorithm.
    #[serde(rename = "b", with = "text")]
    pub digest: Digest,
    /// The algorithm of the digest.
    #[serde(rename = "al", default, with = "text", skip_serializing_if = "is_blake3")]
    pub algorithm: Algorithm,
    /// The start of the text, which may be shown.
    #[serde(rename = "h")]
    pub hint: String,
    #[serde(rename = "c", with = "text::moment")]
    pub created_at: Moment,
    /// When the secret stops working. `None` for the newest secret.
    #[serde(rename = "x", default, with = "text::moment::option")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Moment>,
    /// The digest of the same text by the other algorithm, if Keyhouse knew the text. `None` for a
    /// secret that was imported by digest or stored by an earlier version.
    #[serde(
        rename = "od",
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub other_digest: Option<Digest>,
    /// The digest of the same text by its last part, if Keyhouse knew the text and it has parts.
    #[serde(
        rename = "lp",
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub last_part_digest: Option<Digest>,
    /// Whether a former owner may know the secret, because no rotation followed a transfer yet.
    #[serde(rename = "fo", default, skip_serializing_if = "is_false")]
    pub former_owner: bool,
}

impl SecretRecord {
    /// Returns the record of a new secret.
    pub fn of(made: &NewKey, now: Moment) -> Self {
        Self {
            digest: made.digest,
            algorithm: Algorithm::Blake3,
            hint: made.hint.clone(),
            created_at: now,
            ends_at: None,
            other_digest: Some(Digest::by_sha256(made.secret.reveal().as_bytes())),
            last_part_digest: None,
            former_owner: false,
        }
    }
}

/// The role of the actor that disabled a key. If an administrator disabled the key, its owner
/// cannot enable it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DisabledBy {
    #[serde(rename = "o")]
    Owner,
    /// An actor who manages the organization's keys.
    #[serde(rename = "m")]
    Manager,
}

/// The actor of a change, as records store it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// A user, in a session.
    User(UserId),
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
    fn take_ids_from(&mut self, place: &StoreKey) {
        if let StoreKey::Key(organization, id) = place {
            (self.organization, self.id) = (*organization, *id);
        }
    }
}

impl KeyRecord {
    /// Returns the record of a new key without an owner, permissions, limits and secrets, which the
    /// local operator has created.
    pub fn new(id: KeyId, organization: OrganizationId, name: String, now: Moment) -> Self {
        Self {
            id,
            organization,
            name,
            description: String::new(),
            owner: None,
            environment: Environment::default(),
            secrets: Vec::new(),
            permissions: None,
            maxima: Vec::new(),
            rotation_advised: false,
            imported: None,
            applied: false,
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
            descends_from: None,
            updated_at: now,
            disabled: None,
            revoked_at: None,
            revoked_reason: None,
            version: 1,
        }
    }

    /// The nearest ancestor that still exists.
    pub fn parent(&self) -> Option<KeyId> {
        match self.created_by {
            Author::Key(creator) => Some(self.descends_from.unwrap_or(creator)),
            Author::User(_) | Author::Local => None,
        }
    }

    /// Whether a key has limits besides its permissions.
    pub fn is_bounded(&self) -> bool {
        self.expires_at.is_some()
            || !self.ip_rules().is_empty()
            || !self.rate_limits.is_empty()
            || self.quota.is_some()
    }

    pub fn place(&self) -> StoreKey {
        StoreKey::Key(self.organization, self.id)
    }

    pub fn is_service(&self) -> bool {
        self.owner.is_none()
    }

    /// Returns the key's list, or the default patterns of a key without a list.
    pub fn patterns(&self) -> Patterns {
        match &self.permissions {
            Some(patterns) => patterns.clone(),
            None if self.is_service() => Patterns::default(),
            None => Patterns::everything(),
        }
    }

    pub fn ip_rules(&self) -> IpRules {
        let canonical =
            |networks: &[IpNet]| networks.iter().copied().map(canonical_network).collect();
        IpRules { allow: canonical(&self.ip_allow), deny: canonical(&self.ip_deny) }
    }

    /// When the key was revoked or expired. `None` if the key was neither revoked nor has expired.
    pub fn ended_at(&self, now: Moment) -> Option<Moment> {
        self.revoked_at.or(self.expires_at).filter(|end| *end <= now)
    }

    /// Returns the key's own status at a moment, without the status of its owner or organization.
    pub fn status(&self, now: Moment) -> Status {
        let facts = StatusFacts {
            is_revoked: self.revoked_at.is_some(),
            is_disabled: self.disabled.is_some(),
            not_before: self.not_before,
            expires_at: self.expires_at,
        };
        facts.status(now)
    }
}

/// The facts of a key that determine its status.
#[derive(Clone, Copy, Debug)]
pub struct StatusFacts {
    pub is_revoked: bool,
    pub is_disabled: bool,
    pub not_before: Option<Moment>,
    pub expires_at: Option<Moment>,
}

impl StatusFacts {
    /// The status at a moment.
    pub fn status(&self, now: Moment) -> Status {
        if self.is_revoked {
            Status::Revoked
        } else if self.is_disabled {
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

/// The status of a key without its owner and organization, in the order in which checks decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Active,
    Disabled,
    NotYetValid,
    Expired,
    Revoked,
}

/// The text is not the name of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be active, disabled, not_yet_valid, expired or revoked")]
pub struct InvalidKeyStatus;

impl Status {
    /// Every status with its name in the API.
    pub const NAMES: [(Self, &'static str); 5] = [
        (Self::Active, "active"),
        (Self::Disabled, "disabled"),
        (Self::NotYetValid, "not_yet_valid"),
        (Self::Expired, "expired"),
        (Self::Revoked, "revoked"),
    ];

    /// The name in the API.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(status, _)| *status == self).map_or("revoked", |(_, name)| name)
    }
}

impl FromStr for Status {
    type Err = InvalidKeyStatus;

    fn from_str(text: &str) -> Result<Self, InvalidKeyStatus> {
        let found = Self::NAMES.iter().find(|(_, name)| *name == text);
        found.map(|(status, _)| *status).ok_or(InvalidKeyStatus)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::id::Id;
    use crate::records::codec::{decode, encode};

    pub(crate) fn record() -> KeyRecord {
        let (now, mut random) = (Moment::from_milliseconds(1_700_000_000_000), rand::rng());
        let (id, organization) = (Id::new(now, &mut random), Id::new(now, &mut random));
        KeyRecord {
            owner: Some(Id::new(now, &mut random)),
            secrets: vec![SecretRecord {
                digest: Digest::of(b"a secret"),
                algorithm: Algorithm::Blake3,
                hint: "kh_live_abcd".to_owned(),
                created_at: now,
                ends_at: None,
                other_digest: None,
                last_part_digest: None,
                former_owner: false,
            }],
            permissions: Some("diagrams:read diagrams:write".parse().unwrap()),
            ..KeyRecord::new(id, organization, "build bot".to_owned(), now)
        }
    }

    #[test]
    fn a_record_comes_back_as_it_was_and_is_small() {
        let mut record = record();
        let bytes = encode(&record.place(), &record).unwrap();
        assert!(bytes.len() < 380, "{}", bytes.len());
        let mut back: KeyRecord = decode(&record.place(), &bytes).unwrap();
        back.take_ids_from(&record.place());
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
        record.secrets[0].last_part_digest = Digest::by_last_part(b"17|a secret");
        record.maxima = ["a:*", "*:read"].map(|list| list.parse().unwrap()).into();
        let bytes = encode(&record.place(), &record).unwrap();
        let mut back: KeyRecord = decode(&record.place(), &bytes).unwrap();
        back.take_ids_from(&record.place());
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
