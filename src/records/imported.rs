//! The record that keeps an imported digest one key's.

use serde::{Deserialize, Serialize};

use crate::model::id::KeyId;
use crate::records::{Record, text};

/// Whose an imported digest is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportedRecord {
    /// The key.
    #[serde(rename = "k", with = "text")]
    pub key: KeyId,
}

impl Record for ImportedRecord {}
