//! A new store that is filled beside the present one, and then takes its place in one step.

use std::path::PathBuf;
use std::sync::Arc;

use keyhouse_storage::{Cause, OpenError, ReadError, Store};

use crate::place::LockedDirectory;
use crate::settings::RedbSettings;
use crate::{Files, RedbStore, opening};

/// A new store in the locked directory of another store.
///
/// The present store is neither opened nor read, so it may be damaged. A process that ends before
/// [`Replacement::take_place`] leaves the present store, and the next opening removes the new one.
#[derive(Debug)]
pub struct Replacement {
    store: Arc<RedbStore>,
    directory: LockedDirectory,
}

impl Replacement {
    /// Locks the directory of the settings, and creates an empty store in it. A missing directory is
    /// created.
    ///
    /// # Errors
    /// [`OpenError::InUse`] while the present store is open; [`OpenError::Unavailable`] if other users
    /// can access the directory, or the file system fails.
    pub fn begin(settings: &RedbSettings) -> Result<Self, OpenError> {
        let directory = LockedDirectory::enter(&settings.directory)?;
        let place = directory.make(opening::make)?;
        let store = Arc::new(RedbStore::open_at(place, settings, Arc::new(Files))?);
        Ok(Self { store, directory })
    }

    /// The new store.
    pub fn store(&self) -> Arc<RedbStore> {
        Arc::clone(&self.store)
    }

    /// Closes the new store and gives it the place of the present one. The present store, if there is
    /// one, is kept as `keyhouse.redb.before-` and `reason`; returns this path.
    ///
    /// A kill or a power cut during the call leaves the present store or the new one, complete.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`] if the last commit failed, a file with the other name exists, or the
    /// file system fails. The present store is then in its place, or kept under its other name.
    pub fn take_place(self, reason: &str) -> Result<Option<PathBuf>, ReadError> {
        self.store.close()?;
        let settled = self.directory.settle_new(reason);
        settled.map_err(|error| ReadError::Unavailable(Cause::of(&error)))
    }
}
