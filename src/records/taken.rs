//! The record that keeps a digest one key's, for ever.

use serde::{Deserialize, Serialize};

use crate::model::id::KeyId;
use crate::records::{Record, text};

/// Whose a digest is or was: no import brings it again. There is one for each imported key, and for each
/// secret that was rotated away or purged two, by BLAKE3 and by SHA-256: about 100 bytes each, which are
/// never removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TakenRecord {
    /// The key.
    #[serde(rename = "k", with = "text")]
    pub key: KeyId,
    /// Whether it no longer opens anything, and the other digest of its text is unknown. The index keeps
    /// it: a key that is imported by that other digest must not open anything either.
    #[serde(rename = "r", default, skip_serializing_if = "std::ops::Not::not")]
    pub retired: bool,
    /// Whether it is the other digest of a text that no longer opens anything. The index keeps it where
    /// a key was imported by it before.
    #[serde(rename = "o", default, skip_serializing_if = "std::ops::Not::not")]
    pub other: bool,
}

impl TakenRecord {
    /// Of a digest that a key has, or had.
    pub fn of(key: KeyId) -> Self {
        Self { key, retired: false, other: false }
    }

    /// Of one that no longer opens anything, of a text that Keyhouse never knew.
    pub fn retired(key: KeyId) -> Self {
        Self { retired: true, ..Self::of(key) }
    }

    /// Of the other digest of a text that no longer opens anything.
    pub fn other(key: KeyId) -> Self {
        Self { other: true, ..Self::of(key) }
    }
}

impl Record for TakenRecord {}
