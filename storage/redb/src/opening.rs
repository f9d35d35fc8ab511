//! Opens the file, after an inspection that does not change it.

use std::cell::Cell;
use std::fmt::Display;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use keyhouse_storage::{Cause, OpenError, Revision};
use redb::{Builder, Database};

use crate::disk::{Backend, Watch};
use crate::overlay::Overlay;
use crate::settings::RedbSettings;
use crate::tables::{self, FORMAT_NEWEST, Snapshot};
use crate::{Disk, Files, regions};

/// The number of times that redb reads each page when it verifies a file: once for its checksum, and
/// once for the list of free pages.
const READS: u64 = 2;

#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) database: Database,
    pub(crate) watch: Arc<Watch>,
}

/// Writes an empty store to an empty file.
pub(crate) fn make(path: &Path) -> Result<(), OpenError> {
    let made = guarded(|| {
        let (backend, watch) = Backend::new(Files.open(path).map_err(redb::Error::Io)?);
        let database = Builder::new().create_with_backend(backend)?;
        tables::make(&database)?;
        // A file that redb has closed contains its free pages, for regions of the old size.
        watch.fence();
        drop(database);
        regions::set_size(&*Files.open(path).map_err(redb::Error::Io)?).map_err(redb::Error::Io)?;
        let (backend, _) = Backend::new(Files.open(path).map_err(redb::Error::Io)?);
        drop(Builder::new().create_with_backend(backend)?);
        Ok(())
    });
    made.map_err(|error| unavailable(path, &error))
}

/// Inspects the file, opens it, and returns the database with its latest revision.
pub(crate) fn open(
    disk: &dyn Disk,
    path: &Path,
    settings: &RedbSettings,
) -> Result<(Engine, Revision), OpenError> {
    inspect(disk, path, settings)?;
    let opened = guarded(|| {
        let (backend, watch) = Backend::new(disk.open(path).map_err(redb::Error::Io)?);
        let mut builder = Builder::new();
        let database = builder.set_cache_size(settings.cache_bytes).create_with_backend(backend)?;
        let revision = Snapshot::latest(&database)?.revision()?;
        Ok((Engine { database, watch }, revision))
    });
    opened.map_err(|error| refusal(path, &error))
}

/// Reads the whole file and verifies every checksum, without changing a byte.
///
/// redb does not detect flipped bits, and changes a file when it opens it, even if opening fails.
/// The inspection therefore uses an overlay. A file that was not closed is first repaired in the
/// overlay, in the same way as later on disk.
pub(crate) fn inspect(
    disk: &dyn Disk,
    path: &Path,
    settings: &RedbSettings,
) -> Result<(), OpenError> {
    let seen = guarded(|| {
        let file = disk.open(path).map_err(redb::Error::Io)?;
        let overlay = Overlay::new(file, Arc::clone(&settings.verified));
        let overlay = overlay.map_err(redb::Error::Io)?;
        let length = redb::StorageBackend::len(&overlay).map_err(redb::Error::Io)?;
        settings.verified.begin(length * READS);
        if length == 0 {
            return Err(redb::Error::Corrupted("the file is empty".to_owned()));
        }
        let mut builder = Builder::new();
        let was_repaired = Rc::new(Cell::new(false));
        let repaired = Rc::clone(&was_repaired);
        builder
            .set_cache_size(settings.cache_bytes)
            .set_repair_callback(move |_| repaired.set(true));
        let mut database = builder.create_with_backend(overlay)?;
        // The repair of a file that was not closed has already verified every checksum.
        if !was_repaired.get() && !database.check_integrity()? {
            return Err(redb::Error::Corrupted("checksums do not match".to_owned()));
        }
        Snapshot::latest(&database)?.format()
    });
    match seen {
        Ok(Some(format)) if format <= FORMAT_NEWEST => Ok(()),
        Ok(Some(format)) => {
            let path = path.display();
            let text = format!(
                "{path} has format {format}, but this version reads formats up to {FORMAT_NEWEST}: \
                 run the newer version of keyhouse that wrote it"
            );
            Err(OpenError::Newer(Cause::new(text)))
        },
        Ok(None) => Err(damaged(path, "not a keyhouse store")),
        Err(error) => Err(refusal(path, &error)),
    }
}

/// Runs an operation of redb, and turns a panic into an error.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, redb::Error> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(redb::Error::Corrupted("redb panicked".to_owned())))
}

/// The error of a file that could not be opened.
fn refusal(path: &Path, error: &redb::Error) -> OpenError {
    if is_damage(error) { damaged(path, error) } else { unavailable(path, error) }
}

/// Whether an error is about the content of the file and not about access to it.
fn is_damage(error: &redb::Error) -> bool {
    use redb::Error::{
        Corrupted, Io, RepairAborted, TableDoesNotExist, TableIsMultimap, TableIsNotMultimap,
        TableTypeMismatch, TypeDefinitionChanged, UpgradeRequired,
    };
    if let Io(error) = error {
        return matches!(
            error.kind(),
            ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof
        );
    }
    matches!(
        error,
        Corrupted(_)
            | RepairAborted
            | TableDoesNotExist(_)
            | TableIsMultimap(_)
            | TableIsNotMultimap(_)
            | TableTypeMismatch { .. }
            | TypeDefinitionChanged { .. }
            // This store never writes an old format of redb, so the format byte must be damaged.
            | UpgradeRequired(_)
    )
}

fn damaged(path: &Path, why: impl Display) -> OpenError {
    let path = path.display();
    let text = format!(
        "{path} is damaged and was not changed ({why}): run `keyhouse restore FILE --replace` with a backup"
    );
    OpenError::Damaged(Cause::new(text))
}

fn unavailable(path: &Path, error: impl Display) -> OpenError {
    OpenError::Unavailable(Cause::new(format!("could not open {}: {error}", path.display())))
}
