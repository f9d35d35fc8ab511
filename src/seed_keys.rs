//! The keys that encrypt the seeds of second factors, and the file that holds them.
//!
//! The file is not part of a backup of the store: a store or a backup alone reveals no seed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rand::Rng;
use zeroize::Zeroizing;

use crate::model::seed::{InvalidSeedKeys, SeedKeys};

/// The name of the key file in the data directory.
pub const FILE_NAME: &str = "seal.key";
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// Where the key file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeedKeyFile {
    /// In the data directory. A missing file is created.
    Default(PathBuf),
    /// The path of the setting `seal_key_file`. A missing file is an error, because a new key could
    /// decrypt no seed.
    Given(PathBuf),
}

impl SeedKeyFile {
    pub fn path(&self) -> &Path {
        let (Self::Default(path) | Self::Given(path)) = self;
        path
    }

    /// The keys of the file, without creating it. `None` if it does not exist.
    ///
    /// # Errors
    /// [`SeedKeyError`]; no error contains a key.
    pub fn keys(&self) -> Result<Option<SeedKeys>, SeedKeyError> {
        read(self.path())
    }
}

/// Why the keys could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SeedKeyError {
    #[error("could not {action} the seal key file {path}")]
    File { action: &'static str, path: String, source: io::Error },
    #[error("the seal key file {path} is not valid")]
    Invalid { path: String, source: InvalidSeedKeys },
}

/// The keys of a running instance.
///
/// A change that stores a seed holds the keys for reading until it is committed, so that no seed
/// is stored with a key that a rotation has removed.
#[derive(Debug)]
pub struct SeedKeyRing {
    keys: RwLock<SeedKeys>,
    file: Option<PathBuf>,
}

impl SeedKeyRing {
    /// Reads the keys of a file, or creates the default file with a new key.
    ///
    /// # Errors
    /// [`SeedKeyError`]; no error contains a key.
    pub fn open(file: &SeedKeyFile, random: &mut impl Rng) -> Result<Self, SeedKeyError> {
        let keys = match (read(file.path())?, file) {
            (Some(keys), _) => keys,
            (None, SeedKeyFile::Default(path)) => {
                let keys = SeedKeys::generate(random);
                write(path, &keys)?;
                keys
            },
            (None, SeedKeyFile::Given(path)) => {
                return Err(file_error("read", path, ErrorKind::NotFound.into()));
            },
        };
        Ok(Self { keys: RwLock::new(keys), file: Some(file.path().to_owned()) })
    }

    /// A new key that is in no file, for an instance whose store is in memory.
    pub fn in_memory(random: &mut impl Rng) -> Self {
        Self { keys: RwLock::new(SeedKeys::generate(random)), file: None }
    }

    /// The keys. A rotation waits until the guard is dropped.
    pub fn read(&self) -> RwLockReadGuard<'_, SeedKeys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the keys, in the file first. A failed write changes nothing in this process; the
    /// file then has the old keys or the new ones.
    ///
    /// # Errors
    /// [`SeedKeyError::File`], such as for a read-only file.
    pub fn replace(&self, keys: SeedKeys) -> Result<(), SeedKeyError> {
        let mut current: RwLockWriteGuard<'_, SeedKeys> =
            self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = &self.file {
            write(path, &keys)?;
        }
        *current = keys;
        Ok(())
    }
}

fn read(path: &Path) -> Result<Option<SeedKeys>, SeedKeyError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file_error("read", path, error)),
    };
    let failed = |error| file_error("read", path, error);
    if file.metadata().map_err(failed)?.permissions().mode() & 0o007 != 0 {
        tracing::warn!(path = %path.display(), "the seal key file is open to other users: chmod 600");
    }
    let mut text = Zeroizing::new(String::new());
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    let invalid = |source| SeedKeyError::Invalid { path: path.display().to_string(), source };
    SeedKeys::parse(&text).map(Some).map_err(invalid)
}

/// Writes a complete file beside, and renames it: the file is never partly written.
fn write(path: &Path, keys: &SeedKeys) -> Result<(), SeedKeyError> {
    let failed = |error| file_error("write", path, error);
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {},
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .map_err(failed)?;
    file.write_all(keys.to_text().reveal().as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new("."))).and_then(|it| it.sync_all()).map_err(failed)
}

fn file_error(action: &'static str, path: &Path, source: io::Error) -> SeedKeyError {
    SeedKeyError::File { action, path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    #[test]
    fn the_default_file_is_created_for_its_owner_only_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let mut random = StdRng::seed_from_u64(1);
        let file = SeedKeyFile::Default(path.clone());
        let first = SeedKeyRing::open(&file, &mut random).unwrap().read().current();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let ring = SeedKeyRing::open(&file, &mut random).unwrap();
        assert_eq!(ring.read().current(), first);
        let both = ring.read().with_new_key(&mut random).unwrap();
        ring.replace(both.clone()).unwrap();
        let again = SeedKeyRing::open(&SeedKeyFile::Given(path), &mut random).unwrap();
        assert_eq!(again.read().current(), both.current());
    }

    #[test]
    fn a_given_file_must_exist_and_have_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("given");
        let mut random = StdRng::seed_from_u64(1);
        let file = SeedKeyFile::Given(path.clone());
        let missing = SeedKeyRing::open(&file, &mut random).unwrap_err();
        assert!(missing.to_string().starts_with("could not read the seal key file"), "{missing}");
        assert!(!path.exists());
        fs::write(&path, "no key\n").unwrap();
        let invalid = SeedKeyRing::open(&file, &mut random).unwrap_err();
        let expected = format!("the seal key file {} is not valid", path.display());
        assert_eq!(invalid.to_string(), expected);
        let source = std::error::Error::source(&invalid).unwrap().to_string();
        assert!(source.starts_with("line 1: must be 32 bytes in base64"), "{source}");
        assert!(!source.contains("no key"), "{source}");
    }
}
