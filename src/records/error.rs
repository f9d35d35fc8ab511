//! Reasons why a stored row cannot be read, and why a store cannot be used.

use keyhouse_storage::{CommitError, ReadError};

use crate::model::seed::EncryptionFailed;

/// Format version that this program writes.
pub(super) const FORMAT_VERSION: u8 = 1;

/// Reasons why a stored row could not be read. Errors name the row key, never the value.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("record at {place} has format {version}, this program supports {FORMAT_VERSION}")]
    Version {
        place: String,
        /// The first byte of the value.
        version: u8,
    },
    #[error("could not decode the record at {place}")]
    Shape {
        place: String,
        /// The error of the JSON parser.
        source: serde_json::Error,
    },
    #[error("row at {place} belongs to no record")]
    Place { place: String },
}

/// Reasons why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error(
        "the store has format {found}, this program supports {supported}: use the version that \
         wrote it, or a later version"
    )]
    Newer { found: u32, supported: u32 },
    /// A restore into the store was interrupted before its end.
    #[error(
        "the store has records but no format: a restore into it was interrupted; empty the store, \
         and run `keyhouse restore` again"
    )]
    Unfinished,
    /// The stored format does not parse.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The format could not be read.
    #[error("could not read the store's format")]
    Read(#[from] ReadError),
    /// The format could not be written.
    #[error("could not write the store's format")]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Encryption(#[from] EncryptionFailed),
}
