//! The directory of a store: its permissions, its lock, and the creation of a new file.

use std::fmt::Display;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use keyhouse_storage::{Cause, OpenError};

const FILE: &str = "keyhouse.redb";
/// The name of a file during its creation. The file is renamed when it is complete and durable. A
/// file of this name is never the only one with its content, so every opening removes it.
const FILE_NEW: &str = "keyhouse.redb.new";
/// The start of the name under which a replaced file is kept.
const FILE_KEPT: &str = "keyhouse.redb.before-";
const LOCK: &str = "keyhouse.lock";
/// Maximum number of bytes that are read from the lock file, which contains a process id.
const LOCK_BYTES_MAX: u64 = 20;
/// Mode bits that give access to the group or to others.
const MODE_OTHERS: u32 = 0o077;

/// The directory of an open store.
#[derive(Debug)]
pub(crate) struct StoreDirectory {
    pub(crate) file: PathBuf,
    /// `None` if the lock belongs to a [`LockedDirectory`].
    lock: Option<File>,
}

/// A directory that no other process can open as a store.
#[derive(Debug)]
pub(crate) struct LockedDirectory {
    path: PathBuf,
    lock: File,
}

impl StoreDirectory {
    /// Creates the directory if it is missing, locks it, and creates the store if it is missing. `make`
    /// writes an empty store to the file at the given path.
    pub(crate) fn enter(
        directory: &Path,
        make: impl FnOnce(&Path) -> Result<(), OpenError>,
    ) -> Result<Self, OpenError> {
        let locked = LockedDirectory::enter(directory)?;
        let file = locked.file();
        if !locked.has_store()? {
            let new = locked.make(make)?.file;
            settle(directory, &new, &file).map_err(|error| unavailable("create", &file, error))?;
        }
        refuse_others(&file, "600")?;
        Ok(Self { file, lock: Some(locked.lock) })
    }

    /// Releases the lock. If the release fails, the lock ends with the process.
    pub(crate) fn leave(&self) {
        drop(self.lock.as_ref().map(File::unlock));
    }
}

impl LockedDirectory {
    /// Creates the directory if it is missing, locks it, and removes what an interrupted process
    /// left.
    pub(crate) fn enter(directory: &Path) -> Result<Self, OpenError> {
        let failed = |error| unavailable("open", directory, error);
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        refuse_others(directory, "700")?;
        let locked = Self { path: directory.to_owned(), lock: lock(directory)? };
        remove_if_there(&locked.new_file()).map_err(failed)?;
        locked.remove_second_names().map_err(failed)?;
        Ok(locked)
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.path.join(FILE)
    }

    pub(crate) fn has_store(&self) -> Result<bool, OpenError> {
        let file = self.file();
        file.try_exists().map_err(|error| unavailable("open", &file, error))
    }

    /// Creates an empty store beside the present one.
    pub(crate) fn make(
        &self,
        make: impl FnOnce(&Path) -> Result<(), OpenError>,
    ) -> Result<StoreDirectory, OpenError> {
        let new = self.new_file();
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)
            .map_err(|error| unavailable("create", &new, error))?;
        self.give_to_owner(&file).map_err(|error| unavailable("create", &new, error))?;
        make(&new)?;
        Ok(StoreDirectory { file: new, lock: None })
    }

    /// Gives the new file the name of the store. The present store is kept under another name, which
    /// the function returns. A kill or a power cut leaves the present store or the new one under the
    /// name of the store, and never loses the present one: its second name is durable before the
    /// first is taken.
    pub(crate) fn settle_new(&self, reason: &str) -> io::Result<Option<PathBuf>> {
        let (file, new) = (self.file(), self.new_file());
        let mut kept = None;
        if file.try_exists()? {
            let name = self.path.join(format!("{FILE_KEPT}{reason}"));
            fs::hard_link(&file, &name)?;
            File::open(&self.path)?.sync_all()?;
            kept = Some(name);
        }
        settle(&self.path, &new, &file)?;
        Ok(kept)
    }

    /// Gives the new file the name of the store, and removes the present store. A kill or a power cut
    /// leaves one of the two.
    pub(crate) fn replace_with_new(&self) -> io::Result<()> {
        settle(&self.path, &self.new_file(), &self.file())
    }

    /// Gives a new file to the owner of the directory, so that a server can open a store that a
    /// command of root has made.
    fn give_to_owner(&self, file: &File) -> io::Result<()> {
        let owner = fs::metadata(&self.path)?;
        if file.metadata()?.uid() == owner.uid() {
            return Ok(());
        }
        fchown(file, Some(owner.uid()), Some(owner.gid()))
    }

    fn new_file(&self) -> PathBuf {
        self.path.join(FILE_NEW)
    }

    /// Removes the second name of the present store, which a process left that was killed between
    /// the two steps of [`Self::settle_new`].
    fn remove_second_names(&self) -> io::Result<()> {
        let present = match fs::metadata(self.file()) {
            Ok(present) if present.nlink() > 1 => present,
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let is_kept = entry.file_name().as_encoded_bytes().starts_with(FILE_KEPT.as_bytes());
            if is_kept && entry.metadata()?.ino() == present.ino() {
                remove_if_there(&entry.path())?;
            }
        }
        Ok(())
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
