//! The record that keeps a digest one key's, for ever.

use serde::{Deserialize, Serialize};

use crate::model::id::KeyId;
use crate::records::{Record, text};

/// Whose a digest is or was: no import brings it again. There is one for each imported key and for
/// each secret that was rotated away or purged: about 100 bytes each, which are never removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TakenRecord {
    /// The key.
    #[serde(rename = "k", with = "text")]
    pub key: KeyId,
    /// Whether it no longer opens anything: it was rotated away, or its key was purged.
    #[serde(rename = "r", default, skip_serializing_if = "std::ops::Not::not")]
    pub retired: bool,
}

impl Record for TakenRecord {}
