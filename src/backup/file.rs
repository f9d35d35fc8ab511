//! The file of a backup while it is written: it gets its name only when it is complete and durable.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keyhouse_storage::Store;
use rustix::fs::OFlags;

use crate::backup::{BackupError, BackupReader, BackupStream, BackupSummary, Recipients};
use crate::model::moment::Moment;

/// Added to the name of a file that is not complete. The next backup to the same name replaces it.
pub const PARTIAL_SUFFIX: &str = ".part";

/// What happens if the file exists when the backup is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    Keep,
    Replace,
}

/// A backup that is written to a file, readable only by its owner. The drop removes an incomplete
/// file.
#[derive(Debug)]
pub struct BackupFile {
    path: PathBuf,
    partial: PathBuf,
    existing: Existing,
    file: File,
    bytes: u64,
    is_complete: bool,
}

impl BackupFile {
    /// Creates the incomplete file beside `path`.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if `path` exists and is kept; [`ErrorKind::ResourceBusy`] while
    /// another backup is written to it; the errors of the file system.
    pub fn create(path: &Path, existing: Existing) -> io::Result<Self> {
        if existing == Existing::Keep && path.try_exists()? {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let name = path.file_name().ok_or(ErrorKind::IsADirectory)?;
        let mut partial = name.to_owned();
        partial.push(PARTIAL_SUFFIX);
        let partial = path.with_file_name(partial);
        let mut options = OpenOptions::new();
        // The file is emptied only when no other process writes to it. A link is not followed: in a
        // directory of another user, it could lead to any file.
        options.write(true).read(true).create(true).truncate(false).mode(0o600);
        options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
        let file = options.open(&partial)?;
        match file.try_lock() {
            Ok(()) => {},
            Err(TryLockError::WouldBlock) => return Err(ErrorKind::ResourceBusy.into()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if !is_name_of(&partial, &file)? {
            return Err(ErrorKind::ResourceBusy.into());
        }
        // A file that an earlier process left can have another mode. A file system without modes
        // rejects the change.
        drop(file.set_permissions(Permissions::from_mode(0o600)));
        file.set_len(0)?;
        let path = path.to_owned();
        Ok(Self { path, partial, existing, file, bytes: 0, is_complete: false })
    }

    /// Reads the whole file again, so that a backup that cannot be restored is found now. The file
    /// must not be encrypted.
    pub fn read_back(&self) -> Result<BackupSummary, BackupError> {
        let file = File::open(&self.partial).map_err(BackupError::Input)?;
        BackupReader::open(file, None)?.finish()
    }

    /// Makes the file durable and gives it its name, in one step: no reader ever finds a part of it
    /// under this name, also after a power cut.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if `path` exists meanwhile and is kept.
    pub fn complete(mut self) -> io::Result<u64> {
        self.file.sync_all()?;
        match self.existing {
            Existing::Replace => fs::rename(&self.partial, &self.path)?,
            // Unlike a rename, a link never replaces a file.
            Existing::Keep => {
                fs::hard_link(&self.partial, &self.path)?;
                fs::remove_file(&self.partial)?;
            },
        }
        self.is_complete = true;
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(self.bytes)
    }
}

/// Writes a plain backup of a store to a file, and reads it back. Returns its size in bytes.
///
/// # Errors
/// The errors of [`BackupFile`]; other failures of the backup as [`ErrorKind::Other`].
pub fn back_up_to(
    path: &Path,
    existing: Existing,
    store: &Arc<dyn Store>,
    now: Moment,
) -> io::Result<u64> {
    let mut file = BackupFile::create(path, existing)?;
    let stream = BackupStream::begin(Arc::clone(store), now, &Recipients::default());
    io::copy(&mut stream.map_err(io::Error::other)?, &mut file)?;
    file.read_back().map_err(io::Error::other)?;
    file.complete()
}

impl Write for BackupFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let count = self.file.write(buf)?;
        self.bytes += u64::try_from(count).unwrap_or(u64::MAX);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for BackupFile {
    fn drop(&mut self) {
        if !self.is_complete {
            // If the removal fails, the next backup to this name replaces the file.
            drop(fs::remove_file(&self.partial));
        }
    }
}

/// Whether `path` is the name of an open file. Another backup may have completed or removed the file
/// between the open and the lock.
fn is_name_of(path: &Path, file: &File) -> io::Result<bool> {
    let opened = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (opened.dev(), opened.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> =
            entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_has_its_name_only_when_it_is_complete() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.khb");
        let mut file = BackupFile::create(&path, Existing::Keep).unwrap();
        file.write_all(b"first").unwrap();
        assert_eq!(names(directory.path()), ["a.khb.part"]);
        let busy = BackupFile::create(&path, Existing::Keep).unwrap_err();
        assert_eq!(busy.kind(), ErrorKind::ResourceBusy);
        assert_eq!(file.complete().unwrap(), 5);
        assert_eq!(names(directory.path()), ["a.khb"]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let refused = BackupFile::create(&path, Existing::Keep).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
    }

    /// A backup opened the incomplete file of another one and locked it after the other had renamed
    /// it: it then emptied the complete backup.
    #[test]
    fn a_file_that_was_renamed_before_the_lock_is_detected() {
        let directory = tempfile::tempdir().unwrap();
        let [partial, complete] = ["a.khb.part", "a.khb"].map(|name| directory.path().join(name));
        let file = File::create(&partial).unwrap();
        assert!(is_name_of(&partial, &file).unwrap());
        fs::rename(&partial, &complete).unwrap();
        assert!(!is_name_of(&partial, &file).unwrap(), "the name is free");
        fs::write(&partial, b"a third backup").unwrap();
        assert!(!is_name_of(&partial, &file).unwrap(), "the name is that of another file");
    }

    #[test]
    fn an_incomplete_file_is_removed_and_the_earlier_one_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.khb");
        fs::write(&path, b"earlier").unwrap();
        let mut file = BackupFile::create(&path, Existing::Replace).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert_eq!(names(directory.path()), ["a.khb"]);
        assert_eq!(fs::read(&path).unwrap(), b"earlier");
        // A killed process left a part, which other users can read.
        let partial = directory.path().join("a.khb.part");
        fs::write(&partial, b"left over, and longer").unwrap();
        fs::set_permissions(&partial, Permissions::from_mode(0o644)).unwrap();
        let mut file = BackupFile::create(&path, Existing::Replace).unwrap();
        file.write_all(b"new").unwrap();
        file.complete().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(directory.path()), ["a.khb"]);
    }

    #[test]
    fn a_file_that_appeared_meanwhile_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.khb");
        let file = BackupFile::create(&path, Existing::Keep).unwrap();
        fs::write(&path, b"other").unwrap();
        assert_eq!(file.complete().unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"other");
    }

    /// A link in the place of the incomplete file let a backup of root overwrite any file.
    #[test]
    fn a_link_in_place_of_the_incomplete_file_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let [path, other] = ["a.khb", "other"].map(|name| directory.path().join(name));
        symlink(&other, directory.path().join("a.khb.part")).unwrap();
        for content in [None, Some("other content")] {
            if let Some(content) = content {
                fs::write(&other, content).unwrap();
            }
            BackupFile::create(&path, Existing::Replace).unwrap_err();
            assert_eq!(fs::read_to_string(&other).ok().as_deref(), content);
        }
    }
}
