//! `RedbStore`: opening, and the operations of the contract.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use keyhouse_storage::{
    At, Batch, Cause, Feed, FeedLog, OpenError, Page, Pending, Range, ReadError, Revision, Row,
    Snapshots, Store,
};

use crate::place::StoreDirectory;
use crate::queue::{BatchQueue, Submission};
use crate::settings::RedbSettings;
use crate::state::{Condition, State};
use crate::tables::Snapshot;
use crate::{Disk, Files, opening, writer};

/// A store in one redb file. The drop closes the store.
#[derive(Debug)]
pub struct RedbStore {
    state: Arc<State>,
    writer: Mutex<Option<WriterThread>>,
}

type WriterThread = JoinHandle<Result<(), ReadError>>;

impl RedbStore {
    /// Opens the store in a directory, or creates it.
    ///
    /// Opening reads the whole file once, and a few times after a crash.
    ///
    /// # Errors
    /// [`OpenError::InUse`] also if this process has the store open. [`OpenError::Unavailable`] also if
    /// other users can access the directory or the file. No error changes the file.
    pub fn open(settings: &RedbSettings) -> Result<Self, OpenError> {
        Self::open_on(settings, Arc::new(Files))
    }

    /// Opens a store whose file is read and written through `disk`, for tests of failing disks. The
    /// directory, the lock and a new file are created without `disk`.
    pub fn open_on(settings: &RedbSettings, disk: Arc<dyn Disk>) -> Result<Self, OpenError> {
        let place = StoreDirectory::enter(&settings.directory, opening::make)?;
        Self::open_at(place, settings, disk)
    }

    pub(crate) fn open_at(
        place: StoreDirectory,
        settings: &RedbSettings,
        disk: Arc<dyn Disk>,
    ) -> Result<Self, OpenError> {
        let (engine, revision) = opening::open(&*disk, &place.file, settings)?;
        let state = Arc::new(State {
            disk,
            place,
            settings: settings.clone(),
            queue: BatchQueue::default(),
            log: FeedLog::new(revision, settings.backlog),
            reopenings: AtomicU64::new(0),
            condition: RwLock::new(Condition::Open(engine)),
            held: Mutex::new(Snapshots::default()),
            still: Mutex::new(()),
        });
        let shared = Arc::clone(&state);
        let writer = thread::Builder::new()
            .name("keyhouse-redb".to_owned())
            .spawn(move || writer::run(&shared))
            .map_err(|error| OpenError::Unavailable(Cause::of(&error)))?;
        Ok(Self { state, writer: Mutex::new(Some(writer)) })
    }

    /// The number of times that the store has reopened its file after a fault.
    pub fn reopenings(&self) -> u64 {
        self.state.reopenings.load(Ordering::Acquire)
    }
}

impl Store for RedbStore {
    fn get(&self, key: &[u8], at: At) -> Result<Option<Row>, ReadError> {
        let found = self.state.read(|engine| {
            let snapshot = self.state.snapshot(engine, at)?;
            snapshot.map(|snapshot| snapshot.get(key)).transpose()
        });
        found?.ok_or(ReadError::Compacted)
    }

    fn scan(&self, range: &Range<'_>, at: At) -> Result<Page, ReadError> {
        let page = self.state.read(|engine| {
            let Some(snapshot) = self.state.snapshot(engine, at)? else { return Ok(None) };
            let page = snapshot.scan(range)?;
            self.state.held().note(&page, at, || snapshot);
            Ok(Some(page))
        });
        page?.ok_or(ReadError::Compacted)
    }

    fn submit(&self, batch: Batch) -> Pending {
        if let Err(error) = batch.validate() {
            return Pending::ready(Err(error.into()));
        }
        let (submission, pending) = Submission::new(batch);
        self.state.queue.push(submission);
        pending
    }

    fn follow(&self, from: Revision) -> Result<Box<dyn Feed>, ReadError> {
        self.state.read(|engine| {
            let reached = Snapshot::latest(&engine.database)?.revision()?;
            Ok(self.state.log.follow(from, reached))
        })?
    }

    fn check(&self) -> Result<(), ReadError> {
        self.state.with_engine(|_| ()).map_err(ReadError::Unavailable)?;
        // During the check, reads continue and commits wait.
        let still = self.state.still();
        let disk = &*self.state.disk;
        let checked = opening::inspect(disk, &self.state.place.file, &self.state.settings);
        drop(still);
        checked.map_err(|error| ReadError::Unavailable(Cause::of(&error)))
    }

    fn close(&self) -> Result<(), ReadError> {
        self.state.queue.close();
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(writer) = writer.take() else { return Ok(()) };
        let panicked = |_| Err(ReadError::Unavailable(Cause::new("the writer thread panicked")));
        writer.join().unwrap_or_else(panicked)
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        // The error is ignored: a caller that needs it calls `close` before the drop.
        drop(self.close());
    }
}
