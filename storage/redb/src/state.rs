//! State that the callers of a store share with its writer thread.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};

use keyhouse_storage::{At, Cause, FeedLog, ReadError, Snapshots};

use crate::Disk;
use crate::opening::{Engine, guarded};
use crate::place::StoreDirectory;
use crate::queue::BatchQueue;
use crate::settings::RedbSettings;
use crate::tables::Snapshot;

/// Only the writer thread changes the condition.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) place: StoreDirectory,
    pub(crate) settings: RedbSettings,
    pub(crate) queue: BatchQueue,
    pub(crate) log: FeedLog,
    pub(crate) reopenings: AtomicU64,
    /// Every read holds this lock shared, so that the database is not closed during a read.
    pub(crate) condition: RwLock<Condition>,
    pub(crate) held: Mutex<Snapshots<Arc<Snapshot>>>,
    /// While this lock is held, the writer does not change the file.
    pub(crate) still: Mutex<()>,
}

#[derive(Debug)]
pub(crate) enum Condition {
    Open(Engine),
    /// The database is closed after a fault, until the writer has reopened it.
    Down(Cause),
    Closed,
}

impl State {
    pub(crate) fn held(&self) -> MutexGuard<'_, Snapshots<Arc<Snapshot>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn still(&self) -> MutexGuard<'_, ()> {
        self.still.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn condition_mut(&self) -> RwLockWriteGuard<'_, Condition> {
        self.condition.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_down(&self) -> bool {
        let condition = self.condition.read().unwrap_or_else(PoisonError::into_inner);
        matches!(&*condition, Condition::Down(_))
    }

    /// Runs `work` with the open database, or returns why the database is not open. The database is
    /// not closed while `work` runs.
    pub(crate) fn with_engine<T>(&self, work: impl FnOnce(&Engine) -> T) -> Result<T, Cause> {
        match &*self.condition.read().unwrap_or_else(PoisonError::into_inner) {
            Condition::Open(engine) => Ok(work(engine)),
            Condition::Down(cause) => Err(cause.clone()),
            Condition::Closed => Err(Cause::new("store closed")),
        }
    }

    /// Reads from the database. A failed read makes the writer reopen it.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Engine) -> Result<T, redb::Error>,
    ) -> Result<T, ReadError> {
        let outcome = self.with_engine(|engine| {
            guarded(|| read(engine)).map_err(|error| {
                let cause = Cause::of(&error);
                // The report is made under the shared lock, so that the writer reopens this
                // database and not a later one.
                self.queue.report(cause.clone());
                cause
            })
        });
        outcome.flatten().map_err(ReadError::Unavailable)
    }

    /// The snapshot for a read, or `None` if its revision is gone.
    pub(crate) fn snapshot(
        &self,
        engine: &Engine,
        at: At,
    ) -> Result<Option<Arc<Snapshot>>, redb::Error> {
        if let At::Revision(revision) = at
            && let Some(snapshot) = self.held().get(revision)
        {
            return Ok(Some(Arc::clone(snapshot)));
        }
        let latest = Snapshot::latest(&engine.database)?;
        match at {
            At::Revision(revision) if latest.revision()? != revision => Ok(None),
            At::Latest | At::LatestHeld | At::Revision(_) => Ok(Some(Arc::new(latest))),
        }
    }
}
