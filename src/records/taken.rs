//! The record that binds a digest to one key permanently.

use serde::{Deserialize, Serialize};

use crate::model::id::KeyId;
use crate::records::codec::Record;
use crate::records::text;

/// The key that has or had a digest. No import accepts the digest again. Each imported key has one
/// record. Each secret that was rotated out or purged has one record for each digest that Keyhouse
/// knows of it: BLAKE3, SHA-256, and SHA-256 of its last part. A record takes about 100 bytes and is
/// never removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TakenRecord {
    #[serde(rename = "k", with = "text")]
    pub key: KeyId,
    /// Whether the digest is retired and the other digest of its text is unknown. The index keeps
    /// the retired digest, so that it can reject a key that is imported later by the other digest.
    #[serde(rename = "r", default, skip_serializing_if = "std::ops::Not::not")]
    pub retired: bool,
    /// Whether this is another digest of a retired text. The index keeps the digest if a key was
    /// imported with it before.
    #[serde(rename = "o", default, skip_serializing_if = "std::ops::Not::not")]
    pub other: bool,
}

impl TakenRecord {
    /// Returns the record of a digest that a key has or had.
    pub fn of(key: KeyId) -> Self {
        Self { key, retired: false, other: false }
    }

    /// Returns the record of a retired digest whose text Keyhouse never knew.
    pub fn retired(key: KeyId) -> Self {
        Self { retired: true, ..Self::of(key) }
    }

    /// Returns the record of another digest of a retired text.
    pub fn other(key: KeyId) -> Self {
        Self { other: true, ..Self::of(key) }
    }
}

impl Record for TakenRecord {}
