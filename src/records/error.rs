//! Reasons why a stored row cannot be read.

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
