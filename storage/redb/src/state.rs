//! What the callers of a store and its writer thread share.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};

use keyhouse_storage::{At, Cause, FeedLog, Held, ReadError};

use crate::Disk;
use crate::opening::{Engine, guarded};
use crate::place::Place;
use crate::queue::Queue;
use crate::tables::Snapshot;

/// Shared by all; the writer thread alone changes the condition.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) place: Place,
    pub(crate) cache_bytes: usize,
    pub(crate) queue: Queue,
    pub(crate) log: FeedLog,
    pub(crate) reopenings: AtomicU64,
    /// Reads hold it shared, so that a database is given up only when nobody reads from it.
    pub(crate) condition: RwLock<Condition>,
    pub(crate) held: Mutex<Held<Arc<Snapshot>>>,
    /// While it is held, the writer leaves the file as it is.
    pub(crate) still: Mutex<()>,
}

#[derive(Debug)]
pub(crate) enum Condition {
    Open(Engine),
    /// Given up after a fault, and to be opened anew.
    Down(Cause),
    Closed,
}

impl State {
    pub(crate) fn held(&self) -> MutexGuard<'_, Held<Arc<Snapshot>>> {
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

    /// Runs `work` on the open database, which stays open meanwhile; or tells why there is none.
    pub(crate) fn with_engine<T>(&self, work: impl FnOnce(&Engine) -> T) -> Result<T, Cause> {
        match &*self.condition.read().unwrap_or_else(PoisonError::into_inner) {
            Condition::Open(engine) => Ok(work(engine)),
            Condition::Down(cause) => Err(cause.clone()),
            Condition::Closed => Err(Cause::new("store closed")),
        }
    }

    /// Reads from the database. A read that fails makes the writer open it anew.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Engine) -> Result<T, redb::Error>,
    ) -> Result<T, ReadError> {
        let outcome = self.with_engine(|engine| {
            guarded(|| read(engine)).map_err(|error| {
                let cause = Cause::of(&error);
                // Within the shared lock, so that no later database is taken for this one.
                self.queue.report(cause.clone());
                cause
            })
        });
        outcome.flatten().map_err(ReadError::Unavailable)
    }

    /// The state of the store that a read asks for; `None` when it is gone.
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
            At::Latest | At::Revision(_) => Ok(Some(Arc::new(latest))),
        }
    }
}
