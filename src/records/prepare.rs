//! The format of a whole store: written once, checked at every start, raised by steps.

use std::cmp::Ordering;

use keyhouse_storage::{At, Batch, CommitError, ReadError, Store};
use serde::{Deserialize, Serialize};

use crate::records::place::Place;
use crate::records::{Record, RecordError, encode, read_row};

/// The format that this program reads and writes. A later one adds a step to [`prepare`], which
/// takes the store from the one before in whole, resumable batches.
///
/// 2: seals of the audit log have a version, and a cut of it has an event (`actions::audit` takes
/// over what is there: the first seal of the new version covers an event of an older cut).
const STORE_FORMAT: u32 = 2;

/// Why a store can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// A later program has been here.
    #[error(
        "the store has format {found}, this program knows {STORE_FORMAT}: \
         use the program that wrote it, or a later one"
    )]
    Newer {
        /// The store's format.
        found: u32,
    },
    /// The mark of the format does not read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The store did not answer.
    #[error("could not read the store's format")]
    Read(#[from] ReadError),
    /// The mark could not be set.
    #[error("could not mark the store's format")]
    Commit(#[from] CommitError),
}

#[derive(Serialize, Deserialize)]
struct FormatRecord {
    #[serde(rename = "f")]
    format: u32,
}

impl Record for FormatRecord {}

/// Makes a store fit for this program: marks an empty one and an earlier one, refuses a later one.
///
/// # Errors
/// [`PrepareError`]; the store is unchanged.
pub fn prepare(store: &dyn Store) -> Result<(), PrepareError> {
    let key = Place::Format.to_bytes();
    if let Some(row) = store.get(&key, At::Latest)? {
        let found = read_row::<FormatRecord>(&row)?.record.format;
        return match found.cmp(&STORE_FORMAT) {
            Ordering::Greater => Err(PrepareError::Newer { found }),
            Ordering::Equal => Ok(()),
            Ordering::Less => mark(store, Batch::new().unchanged(key, row.revision)),
        };
    }
    mark(store, Batch::new().absent(key))
}

fn mark(store: &dyn Store, batch: Batch) -> Result<(), PrepareError> {
    let value = encode(&Place::Format, &FormatRecord { format: STORE_FORMAT })?;
    store.commit(batch.put(Place::Format.to_bytes(), value))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyhouse_storage::MemoryStore;

    #[test]
    fn an_empty_store_is_marked_and_a_later_one_refused() {
        let store = MemoryStore::new();
        prepare(&store).unwrap();
        prepare(&store).unwrap();
        let set = |format| {
            let row = encode(&Place::Format, &FormatRecord { format }).unwrap();
            store.commit(Batch::new().put(Place::Format.to_bytes(), row)).unwrap();
        };
        set(1);
        prepare(&store).unwrap();
        let row = store.get(&Place::Format.to_bytes(), At::Latest).unwrap().unwrap();
        assert_eq!(read_row::<FormatRecord>(&row).unwrap().record.format, STORE_FORMAT);
        set(3);
        let error = prepare(&store).unwrap_err().to_string();
        assert!(error.starts_with("the store has format 3, this program knows 2"), "{error}");
    }
}
