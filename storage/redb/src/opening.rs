//! Opening the file: first a look that leaves it as it is, then for real.

use std::fmt::Display;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use keyhouse_storage::{Cause, OpenError, Revision};
use redb::{Builder, Database};

use crate::disk::{Backend, Watch};
use crate::overlay::Overlay;
use crate::tables::{self, FORMAT_NEWEST, Snapshot};
use crate::{Disk, Files};

/// An open database.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) database: Database,
    pub(crate) watch: Arc<Watch>,
}

/// Makes an empty store in an empty file.
pub(crate) fn make(path: &Path) -> Result<(), OpenError> {
    let made = guarded(|| {
        let (backend, _) = Backend::new(Files.open(path).map_err(redb::Error::Io)?);
        tables::make(&Builder::new().create_with_backend(backend)?)
    });
    made.map_err(|error| unavailable(path, &error))
}

/// Looks whether the file is sound, then opens it, and tells the revision it is at.
pub(crate) fn open(
    disk: &dyn Disk,
    path: &Path,
    cache_bytes: usize,
) -> Result<(Engine, Revision), OpenError> {
    inspect(disk, path, cache_bytes)?;
    let opened = guarded(|| {
        let (backend, watch) = Backend::new(disk.open(path).map_err(redb::Error::Io)?);
        let database = Builder::new().set_cache_size(cache_bytes).create_with_backend(backend)?;
        let revision = Snapshot::latest(&database)?.revision()?;
        Ok((Engine { database, watch }, revision))
    });
    opened.map_err(|error| refusal(path, &error))
}

/// Reads the whole file and checks every checksum in it, without changing a byte of it.
///
/// redb notices flipped bits neither when it opens a file nor when it reads from it, and opening
/// changes the file even when it then fails: so the look goes through an overlay. A file that was
/// not closed is repaired in the overlay first, as it will be on disk.
pub(crate) fn inspect(disk: &dyn Disk, path: &Path, cache_bytes: usize) -> Result<(), OpenError> {
    let seen = guarded(|| {
        let file = disk.open(path).map_err(redb::Error::Io)?;
        let overlay = Overlay::new(file).map_err(redb::Error::Io)?;
        if redb::StorageBackend::len(&overlay).map_err(redb::Error::Io)? == 0 {
            return Err(redb::Error::Corrupted("no byte in it".to_owned()));
        }
        let mut builder = Builder::new();
        let mut database = builder.set_cache_size(cache_bytes).create_with_backend(overlay)?;
        let sound = database.check_integrity()?;
        if !sound {
            return Err(redb::Error::Corrupted("checksums don't match".to_owned()));
        }
        Snapshot::latest(&database)?.format()
    });
    match seen {
        Ok(Some(format)) if format <= FORMAT_NEWEST => Ok(()),
        Ok(Some(format)) => {
            let path = path.display();
            let text = format!(
                "{path} has format {format}, this version reads up to {FORMAT_NEWEST}: \
                 run the newer version of keyhouse that wrote it"
            );
            Err(OpenError::Newer(Cause::new(text)))
        },
        Ok(None) => Err(damaged(path, "holds no keyhouse store")),
        Err(error) => Err(refusal(path, &error)),
    }
}

/// Runs what redb does; a panic inside it comes out as corruption.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, redb::Error> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(redb::Error::Corrupted("redb panicked".to_owned())))
}

/// What a failure to open says of the file.
fn refusal(path: &Path, error: &redb::Error) -> OpenError {
    if is_damage(error) { damaged(path, error) } else { unavailable(path, error) }
}

/// Whether an error is about the bytes of the file rather than about reaching them.
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
            // Never written by this store: the byte that says so is wrong.
            | UpgradeRequired(_)
    )
}

fn damaged(path: &Path, why: impl Display) -> OpenError {
    let path = path.display();
    let text = format!(
        "{path} is damaged and was left as it is ({why}): run `keyhouse restore` with a backup"
    );
    OpenError::Damaged(Cause::new(text))
}

fn unavailable(path: &Path, error: impl Display) -> OpenError {
    OpenError::Unavailable(Cause::new(format!("could not open {}: {error}", path.display())))
}
