//! The disk of a store: reads and writes its one file.
//!
//! [`Disk`] is a trait so that tests can use a disk that fails: see [`crate::FaultyDisk`].

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A disk, which opens files. Tests use other implementations.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Opens an existing file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
}

/// An open file. Several threads may read and write it at once.
pub trait DiskFile: fmt::Debug + Send + Sync {
    /// Length of the file in bytes.
    fn length(&self) -> io::Result<u64>;

    /// Fills `into` with the bytes at `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends earlier.
    fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`. The bytes are durable after the next [`DiskFile::sync`].
    ///
    /// # Errors
    /// After an error, any part of the bytes may have been written.
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Truncates the file, or extends it with zeros.
    fn set_length(&self, length: u64) -> io::Result<()>;

    /// Makes all writes and the length of the file durable.
    ///
    /// # Errors
    /// After an error, it is unknown which writes are durable.
    fn sync(&self) -> io::Result<()>;
}

/// The files of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Files;

impl Disk for Files {
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OpenOptions::new().read(true).write(true).open(path)?))
    }
}

impl DiskFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(into, offset)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// The file as a backend of redb, without redb's locks, since the store has a lock file.
#[derive(Debug)]
pub(crate) struct Backend {
    file: Box<dyn DiskFile>,
    watch: Arc<Watch>,
}

/// Lets the store observe and block the file while redb holds it.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    syncs: AtomicU64,
    fenced: AtomicBool,
}

impl Watch {
    /// Number of started syncs. A two-phase commit changes the root of the database only after its
    /// first sync has succeeded. If no sync started, no part of the commit is in the database.
    pub(crate) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Acquire)
    }

    /// Rejects all further changes to the file, including those that redb makes when it closes.
    pub(crate) fn fence(&self) {
        self.fenced.store(true, Ordering::Release);
    }

    fn admit(&self) -> io::Result<()> {
        if self.fenced.load(Ordering::Acquire) {
            return Err(io::Error::other("the file is closed to writes after a fault"));
        }
        Ok(())
    }
}

impl Backend {
    pub(crate) fn new(file: Box<dyn DiskFile>) -> (Self, Arc<Watch>) {
        let watch = Arc::new(Watch::default());
        (Self { file, watch: Arc::clone(&watch) }, watch)
    }
}

impl redb::StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.watch.admit()?;
        self.file.set_length(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.watch.admit()?;
        self.watch.syncs.fetch_add(1, Ordering::AcqRel);
        self.file.sync()
    }

    #[expect(clippy::disallowed_names, reason = "the trait defines this name")]
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.watch.admit()?;
        self.file.write(offset, data)
    }
}
