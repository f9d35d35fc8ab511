//! The disk under a store: how its one file is read and written.
//!
//! It is a trait so that a test can hand in a disk that fails; see [`crate::FaultyDisk`].

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Where files are.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// Whatever the system says.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
}

/// A file that is open for reading and writing, from several threads at once.
pub trait DiskFile: fmt::Debug + Send + Sync {
    /// How many bytes it has.
    ///
    /// # Errors
    /// Whatever the system says; so for all methods.
    fn length(&self) -> io::Result<u64>;

    /// Fills `into` with the bytes from `offset` on.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file ends before.
    fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`. They are durable after the next [`DiskFile::sync`].
    ///
    /// # Errors
    /// After an error any part of the bytes may have been written.
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file, or makes it longer with zeros.
    ///
    /// # Errors
    /// Whatever the system says.
    fn set_length(&self, length: u64) -> io::Result<()>;

    /// Makes durable all that was written, and the length.
    ///
    /// # Errors
    /// After an error nobody knows which of the writes are durable.
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

/// A file as redb sees it. redb's own locks are left out: the store holds a lock file.
#[derive(Debug)]
pub(crate) struct Backend {
    file: Box<dyn DiskFile>,
    watch: Arc<Watch>,
}

/// What the store can see and do from outside while redb holds the file.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    syncs: AtomicU64,
    fenced: AtomicBool,
}

impl Watch {
    /// How often a sync was begun. A two-phase commit moves the root of the database only after
    /// its first sync has succeeded: without one, nothing of it can be in.
    pub(crate) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Acquire)
    }

    /// Refuses all changes of the file from now on, those of redb's closing among them.
    pub(crate) fn fence(&self) {
        self.fenced.store(true, Ordering::Release);
    }

    fn admit(&self) -> io::Result<()> {
        if self.fenced.load(Ordering::Acquire) {
            return Err(io::Error::other("file given up after a fault"));
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

    #[expect(clippy::disallowed_names, reason = "the trait names it so")]
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.watch.admit()?;
        self.file.write(offset, data)
    }
}
