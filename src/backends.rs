//! Opens the store of a storage URL. No other file names a storage plugin.

use std::sync::Arc;

use keyhouse_storage::{MemoryStore, OpenError, Store};
#[cfg(feature = "redb")]
use keyhouse_storage_redb::{RedbSettings, RedbStore};

use crate::config::StorageUrl;

/// The file in which the redb plugin keeps its rows.
const REDB_FILE: &str = "keyhouse.redb";

/// Whether the store of a URL exists. Commands test this first, since opening a missing store
/// creates it.
pub fn exists(url: &StorageUrl) -> bool {
    match url {
        StorageUrl::Redb(directory) => directory.join(REDB_FILE).exists(),
        StorageUrl::Memory => false,
    }
}

/// Opens the store of a URL, or creates it. Opening may take as long as reading the whole file.
pub fn open(url: &StorageUrl) -> Result<Arc<dyn Store>, OpenError> {
    match url {
        #[cfg(feature = "redb")]
        StorageUrl::Redb(directory) => {
            Ok(Arc::new(RedbStore::open(&RedbSettings::new(directory))?))
        },
        #[cfg(not(feature = "redb"))]
        StorageUrl::Redb(_) => Err(OpenError::Unavailable(keyhouse_storage::Cause::new(
            "this binary was built without the feature redb",
        ))),
        StorageUrl::Memory => Ok(Arc::new(MemoryStore::new())),
    }
}
