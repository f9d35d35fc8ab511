//! The directory of a store: its permissions, its lock, and the creation of a new file.

use std::fmt::Display;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use keyhouse_storage::{Cause, OpenError};

const FILE: &str = "keyhouse.redb";
/// The name of a file during its creation. The file is renamed when it is a complete, durable,
/// empty store.
const FILE_NEW: &str = "keyhouse.redb.new";
const LOCK: &str = "keyhouse.lock";
/// Maximum number of bytes that are read from the lock file, which contains a process id.
const LOCK_BYTES_MAX: u64 = 20;
/// Mode bits that give access to the group or to others.
const MODE_OTHERS: u32 = 0o077;

/// The locked directory of an open store.
#[derive(Debug)]
pub(crate) struct StoreDirectory {
    pub(crate) file: PathBuf,
    lock: File,
}

impl StoreDirectory {
    /// Creates the directory if it is missing, locks it, and creates the store if it is missing. `make`
    /// writes an empty store to the file at the given path.
    pub(crate) fn enter(
        directory: &Path,
        make: impl FnOnce(&Path) -> Result<(), OpenError>,
    ) -> Result<Self, OpenError> {
        let failed = |error| unavailable("open", directory, error);
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        refuse_others(directory, "700")?;
        let lock = lock(directory)?;
        let file = directory.join(FILE);
        remove_if_there(&directory.join(FILE_NEW)).map_err(failed)?;
        if !file.try_exists().map_err(failed)? {
            let new = directory.join(FILE_NEW);
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&new)
                .map_err(|error| unavailable("create", &new, error))?;
            make(&new)?;
            settle(directory, &new, &file).map_err(|error| unavailable("create", &file, error))?;
        }
        refuse_others(&file, "600")?;
        Ok(Self { file, lock })
    }

    /// Releases the lock. If the release fails, the lock ends with the process.
    pub(crate) fn leave(&self) {
        drop(self.lock.unlock());
    }
}

/// Renames the new file durably.
fn settle(directory: &Path, new: &Path, file: &Path) -> io::Result<()> {
    File::open(new)?.sync_all()?;
    fs::rename(new, file)?;
    File::open(directory)?.sync_all()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn refuse_others(path: &Path, right: &str) -> Result<(), OpenError> {
    let metadata = fs::metadata(path).map_err(|error| unavailable("open", path, error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & MODE_OTHERS == 0 {
        return Ok(());
    }
    let path = path.display();
    let text = format!(
        "{path} is accessible to other users (mode {mode:03o}): run `chmod {right} {path}`"
    );
    Err(OpenError::Unavailable(Cause::new(text)))
}

fn lock(directory: &Path) -> Result<File, OpenError> {
    let path = directory.join(LOCK);
    let failed = |error| unavailable("lock", &path, error);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {},
        Err(TryLockError::WouldBlock) => return Err(in_use(directory, &file)),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    refuse_others(&path, "600")?;
    // Clears the process id, which is only for error messages. The lock itself ends with the
    // process.
    file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
    writeln!(file, "{}", std::process::id()).map_err(failed)?;
    Ok(file)
}

fn in_use(directory: &Path, lock: &File) -> OpenError {
    let mut holder = String::new();
    let read = lock.take(LOCK_BYTES_MAX).read_to_string(&mut holder);
    let holder = match (read, holder.trim()) {
        (Ok(_), number) if !number.is_empty() => format!("process {number}"),
        (Ok(_) | Err(_), _) => "another process".to_owned(),
    };
    OpenError::InUse(Cause::new(format!("{} is in use by {holder}", directory.display())))
}

fn unavailable(what: &str, path: &Path, error: impl Display) -> OpenError {
    let text = format!("could not {what} {}: {error}", path.display());
    OpenError::Unavailable(Cause::new(text))
}
