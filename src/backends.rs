//! Opens the store of a storage URL. No other file names a storage plugin.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use keyhouse_storage::{Cause, MemoryStore, OpenError, Progress, ReadError, Store};
#[cfg(feature = "etcd")]
use keyhouse_storage_etcd::{EtcdSettings, EtcdStore};
#[cfg(feature = "redb")]
use keyhouse_storage_redb::{RedbSettings, RedbStore, Replacement, compact as compact_redb};

use crate::config::StorageUrl;

/// The file in which the redb plugin keeps its rows.
const REDB_FILE: &str = "keyhouse.redb";

/// Whether the store of a URL exists. Commands test this first, since opening a missing store
/// creates it.
pub fn exists(url: &StorageUrl) -> bool {
    match url {
        StorageUrl::Redb(directory) => directory.join(REDB_FILE).exists(),
        // If etcd cannot be asked, opening the store reports why.
        StorageUrl::Etcd(url) => exists_in_etcd(url).unwrap_or(true),
        StorageUrl::Memory => false,
    }
}

/// The files of the store of a URL: the store, and those that an upgrade or a restore has kept.
///
/// # Errors
/// If the directory can't be read. A missing directory has no files.
pub fn files(url: &StorageUrl) -> io::Result<Vec<PathBuf>> {
    let StorageUrl::Redb(directory) = url else { return Ok(Vec::new()) };
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let paths: io::Result<Vec<PathBuf>> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths?;
    let is_of_store = |path: &PathBuf| {
        path.file_name().is_some_and(|it| it.as_encoded_bytes().starts_with(REDB_FILE.as_bytes()))
    };
    paths.retain(is_of_store);
    paths.sort();
    Ok(paths)
}

/// Opens the store of a URL, or creates it. Opening may take as long as reading the whole file.
pub fn open(url: &StorageUrl) -> Result<Arc<dyn Store>, OpenError> {
    open_reporting(url, &Arc::default())
}

/// Like [`open`]. `verified` counts the bytes that were verified.
pub fn open_reporting(
    url: &StorageUrl,
    verified: &Arc<Progress>,
) -> Result<Arc<dyn Store>, OpenError> {
    match url {
        #[cfg(feature = "redb")]
        StorageUrl::Redb(directory) => {
            let verified = Arc::clone(verified);
            let settings = RedbSettings { verified, ..RedbSettings::new(directory) };
            Ok(Arc::new(RedbStore::open(&settings)?))
        },
        #[cfg(not(feature = "redb"))]
        StorageUrl::Redb(_) => Err(without_redb()),
        StorageUrl::Etcd(url) => open_in_etcd(url),
        StorageUrl::Memory => Ok(Arc::new(MemoryStore::new())),
    }
}

/// The size of a store in bytes, before and after a compaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    pub bytes_before: u64,
    pub bytes_after: u64,
}

/// Makes the file of a store as small as its content, while no process has the store open. A store
/// in memory has no file.
pub fn compact(url: &StorageUrl) -> Result<Compacted, OpenError> {
    match url {
        #[cfg(feature = "redb")]
        StorageUrl::Redb(directory) => {
            let done = compact_redb(&RedbSettings::new(directory))?;
            Ok(Compacted { bytes_before: done.bytes_before, bytes_after: done.bytes_after })
        },
        #[cfg(not(feature = "redb"))]
        StorageUrl::Redb(_) => Err(without_redb()),
        StorageUrl::Etcd(_) => Err(OpenError::Unavailable(Cause::new(
            "etcd compacts and defragments itself: use etcdctl",
        ))),
        StorageUrl::Memory => Ok(Compacted { bytes_before: 0, bytes_after: 0 }),
    }
}

/// A new store that a restore fills, and that then takes the place of the present one.
#[derive(Debug)]
pub struct NewStore {
    store: Arc<dyn Store>,
    #[cfg(feature = "redb")]
    replacement: Replacement,
}

impl NewStore {
    /// Creates an empty store beside the store of a URL, and locks the place of both.
    pub fn begin(url: &StorageUrl) -> Result<Self, OpenError> {
        match url {
            #[cfg(feature = "redb")]
            StorageUrl::Redb(directory) => {
                let replacement = Replacement::begin(&RedbSettings::new(directory))?;
                Ok(Self { store: replacement.store(), replacement })
            },
            #[cfg(not(feature = "redb"))]
            StorageUrl::Redb(_) => Err(without_redb()),
            StorageUrl::Etcd(_) => Err(OpenError::Unavailable(Cause::new(
                "a restore into etcd is not supported yet: set another storage",
            ))),
            StorageUrl::Memory => Err(OpenError::Unavailable(Cause::new(
                "a store in memory keeps nothing: set another storage",
            ))),
        }
    }

    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// Closes the new store and gives it the place of the present one, in one step. Returns where the
    /// present one is kept, under a name with `reason`.
    pub fn take_place(self, reason: &str) -> Result<Option<PathBuf>, ReadError> {
        #[cfg(feature = "redb")]
        return self.replacement.take_place(reason);
        #[cfg(not(feature = "redb"))]
        Err(ReadError::Unavailable(Cause::new(reason)))
    }
}

#[cfg(not(feature = "redb"))]
fn without_redb() -> OpenError {
    OpenError::Unavailable(Cause::new("this binary was built without the feature redb"))
}

#[cfg(feature = "etcd")]
fn exists_in_etcd(url: &str) -> Result<bool, OpenError> {
    EtcdStore::exists(&in_etcd(url)?)
}

/// Opens a store in etcd. Known faults of its members are logged.
#[cfg(feature = "etcd")]
fn open_in_etcd(url: &str) -> Result<Arc<dyn Store>, OpenError> {
    let store = EtcdStore::open(&in_etcd(url)?)?;
    for remark in store.remarks() {
        tracing::warn!("{remark}");
    }
    Ok(Arc::new(store))
}

#[cfg(feature = "etcd")]
fn in_etcd(url: &str) -> Result<EtcdSettings, OpenError> {
    let named = |error| OpenError::Unavailable(Cause::new(format!("storage: {error}")));
    EtcdSettings::parse(url).map_err(named)
}

#[cfg(not(feature = "etcd"))]
fn exists_in_etcd(_: &str) -> Result<bool, OpenError> {
    Err(without_etcd())
}

#[cfg(not(feature = "etcd"))]
fn open_in_etcd(_: &str) -> Result<Arc<dyn Store>, OpenError> {
    Err(without_etcd())
}

#[cfg(not(feature = "etcd"))]
fn without_etcd() -> OpenError {
    OpenError::Unavailable(Cause::new("this binary was built without the feature etcd"))
}

#[cfg(all(test, not(feature = "etcd")))]
mod tests {
    use super::*;

    #[test]
    fn binary_without_etcd_names_the_feature() {
        let url = StorageUrl::Etcd("etcd://127.0.0.1:1/keyhouse".to_owned());
        let error = open(&url).map(drop).unwrap_err();
        assert!(error.to_string().contains("without the feature etcd"), "{error}");
        // Commands then report why the store cannot be opened.
        assert!(exists(&url));
    }
}
