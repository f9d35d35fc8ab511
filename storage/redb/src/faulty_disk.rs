//! A disk for the real redb in which a test makes operations fail.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Disk, DiskFile, Files};

/// An operation of a disk that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskOperation {
    Open,
    Read,
    Write,
    /// [`DiskFile::set_length`], which every growth of the file calls.
    SetLength,
    /// [`DiskFile::sync`]. A failing sync does not run. A commit syncs twice. If the first sync
    /// fails, the batch is not in the file. If the second sync fails, the batch is in the file
    /// unless the machine loses power. After either failure the outcome is unknown.
    Sync,
}

/// The operating system's files with injected faults. Clones share the faults.
#[derive(Clone, Debug, Default)]
pub struct FaultyDisk {
    plan: Arc<Mutex<DiskFaults>>,
}

#[derive(Debug, Default)]
struct DiskFaults {
    once: Vec<(DiskOperation, usize, io::ErrorKind)>,
    always: Vec<(DiskOperation, io::ErrorKind)>,
}

impl FaultyDisk {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the `nth` next operation of a kind fail, once; 1 is the next operation.
    pub fn inject(&self, operation: DiskOperation, nth: usize, kind: io::ErrorKind) {
        self.lock().once.push((operation, nth.max(1), kind));
    }

    /// Makes every operation of a kind fail until [`Self::heal`].
    pub fn inject_always(&self, operation: DiskOperation, kind: io::ErrorKind) {
        self.lock().always.push((operation, kind));
    }

    /// Removes all injected faults.
    pub fn heal(&self) {
        *self.lock() = DiskFaults::default();
    }

    fn lock(&self) -> MutexGuard<'_, DiskFaults> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn meet(&self, operation: DiskOperation) -> io::Result<()> {
        let mut plan = self.lock();
        let mut due = None;
        plan.once.retain_mut(|(of, left, kind)| {
            if *of != operation {
                return true;
            }
            *left -= 1;
            if *left == 0 && due.is_none() {
                due = Some(*kind);
            }
            *left > 0
        });
        let permanent = plan.always.iter().find(|(of, _)| *of == operation);
        match due.or(permanent.map(|(_, kind)| *kind)) {
            None => Ok(()),
            Some(kind) => Err(kind.into()),
        }
    }
}

impl Disk for FaultyDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.meet(DiskOperation::Open)?;
        Ok(Box::new(FaultyFile { file: Files.open(path)?, disk: self.clone() }))
    }
}

#[derive(Debug)]
struct FaultyFile {
    file: Box<dyn DiskFile>,
    disk: FaultyDisk,
}

impl DiskFile for FaultyFile {
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.disk.meet(DiskOperation::Read)?;
        self.file.read(offset, into)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.meet(DiskOperation::Write)?;
        self.file.write(offset, bytes)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.disk.meet(DiskOperation::SetLength)?;
        self.file.set_length(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.meet(DiskOperation::Sync)?;
        self.file.sync()
    }
}
