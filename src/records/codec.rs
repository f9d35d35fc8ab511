//! Encodes a record as one byte for its format and JSON, and reads it back.

use keyhouse_storage::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::records::error::{FORMAT_VERSION, RecordError};
use crate::records::place::StoreKey;

/// A record with the revision at which it was read, which a guard compares.
#[derive(Clone, Debug)]
pub struct Revised<T> {
    pub record: T,
    /// The revision of the batch that wrote the record.
    pub revision: keyhouse_storage::Revision,
}

pub trait Record: Serialize + DeserializeOwned {
    /// Sets the fields that only the row key contains.
    fn take_ids_from(&mut self, _place: &StoreKey) {}
}

/// Writes a record.
///
/// # Errors
/// [`RecordError::Shape`] if a map has keys that JSON cannot represent.
pub fn encode<T: Serialize>(place: &StoreKey, record: &T) -> Result<Vec<u8>, RecordError> {
    let mut bytes = vec![FORMAT_VERSION];
    serde_json::to_writer(&mut bytes, record)
        .map_err(|source| RecordError::Shape { place: place.to_string(), source })?;
    Ok(bytes)
}

pub fn decode<T: DeserializeOwned>(place: &StoreKey, value: &[u8]) -> Result<T, RecordError> {
    match value.split_first() {
        Some((&FORMAT_VERSION, json)) => serde_json::from_slice(json)
            .map_err(|source| RecordError::Shape { place: place.to_string(), source }),
        other => {
            let version = other.map_or(0, |(version, _)| *version);
            Err(RecordError::Version { place: place.to_string(), version })
        },
    }
}

/// Reads a row of the requested kind.
pub fn read_row<T: Record>(row: &Row) -> Result<Revised<T>, RecordError> {
    let record = read_at(&StoreKey::parse(&row.key)?, &row.value)?;
    Ok(Revised { record, revision: row.revision })
}

pub(super) fn read_at<T: Record>(place: &StoreKey, value: &[u8]) -> Result<T, RecordError> {
    let mut record: T = decode(place, value)?;
    record.take_ids_from(place);
    Ok(record)
}
