//! Actions: the reads and changes of actors, from authorization to the committed batch.
//!
//! An action authorizes the actor, builds one batch, commits it, and waits until the index has the
//! change. Actions block their thread while the store works. Actions do not depend on HTTP.
//!
//! A response is sent only after the index has the change, even if another caller had already made
//! the same change. A caller that loses the race for a contended row waits for a turn (`in_turn`).
//! Without turns, a caller that lost sixteen times received 503 although its change was possible.

pub mod accounts;
pub mod actor;
mod address_search;
pub mod audit;
mod authority;
pub mod changes;
mod error;
mod events;
pub mod instance;
pub mod keys;
pub mod pace;
pub mod rows;
pub mod signing_in;
mod turns;
pub mod usage;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyhouse_storage::{At, Batch, CommitError, Revision, Store};
use rand::rngs::StdRng;

use crate::clock::Clock;
use crate::index::Index;
use crate::model::export::Destination;
use crate::model::key_text::Prefix;
use crate::model::retention::Retention;
use crate::model::session_times::SessionTimes;
use crate::records::place::StoreKey;
use crate::records::{Record, Revised, encode, read_row};
use crate::seed_keys::SeedKeyRing;
use crate::upkeep::audit::export::{Exported, Exporter};
use crate::upkeep::backups::ScheduledBackups;
use crate::upkeep::commits::Commits;
use crate::worker::Worker;
use actor::Actor;
pub use error::ActionError;
use instance::running_backups::RunningBackups;
use signing_in::device_key::DeviceKey;
use signing_in::failed_sign_ins::FailedSignIns;
use signing_in::passwords::Passwords;
use signing_in::sign_in_counts::SignIns;
use signing_in::throttle::Throttle;
pub use turns::READERS_MAX;
use turns::{ReadTurn, ReadTurns};

/// The longest wait of a response for the index. After this time the change is confirmed anyway,
/// and checks are not answered until the index has the change.
const INDEX_WAIT: Duration = Duration::from_secs(2);
/// Maximum number of items on one page of a list.
pub const LIST_LIMIT_MAX: usize = 100;
/// The number of attempts at a change while other callers change the same records.
const CONFLICT_RETRIES_MAX: usize = 16;

/// Everything that actions depend on.
#[derive(Debug)]
pub struct Actions {
    store: Arc<dyn Store>,
    index: Arc<Index>,
    clock: Arc<dyn Clock>,
    random: Mutex<StdRng>,
    prefix: Prefix,
    retention: Retention,
    exported: Arc<Exported>,
    scheduled_backups: Arc<ScheduledBackups>,
    passwords: Passwords,
    throttle: Throttle,
    failed_sign_ins: FailedSignIns,
    sign_ins: SignIns,
    session_times: SessionTimes,
    device_key: DeviceKey,
    seed_keys: SeedKeyRing,
    commits: Arc<Commits>,
    backups: RunningBackups,
    /// Held while the audit log is checked, so that only one check runs at a time.
    checking: Mutex<()>,
    /// Held while the key of seeds is rotated, so that only one rotation runs at a time.
    rotating: Mutex<()>,
    /// The order of the pages of long reads.
    reads: ReadTurns,
    /// Held by a caller that lost a race for a contended row, until its change is committed.
    turn: Mutex<()>,
}

/// The result of one attempt at a change.
enum Attempt<T> {
    Done(T),
    Again,
}

impl<T> Attempt<T> {
    fn map<U>(self, change: impl FnOnce(T) -> U) -> Attempt<U> {
        match self {
            Self::Done(done) => Attempt::Done(change(done)),
            Self::Again => Attempt::Again,
        }
    }
}

impl Actions {
    /// Combines the parts that actions need. `random` must be seeded from the operating system.
    pub fn new(
        store: Arc<dyn Store>,
        index: Arc<Index>,
        clock: Arc<dyn Clock>,
        mut random: StdRng,
        prefix: Prefix,
    ) -> Self {
        let seed_keys = SeedKeyRing::in_memory(&mut random);
        let random = Mutex::new(random);
        let (passwords, throttle) = (Passwords::default(), Throttle::default());
        let (failed_sign_ins, sign_ins, commits) =
            (FailedSignIns::default(), SignIns::default(), Arc::default());
        let (checking, turn) = (Mutex::default(), Mutex::default());
        let backups = RunningBackups::default();
        let (session_times, device_key) = (SessionTimes::default(), DeviceKey::default());
        Self {
            store,
            index,
            clock,
            random,
            prefix,
            retention: Retention::default(),
            exported: Arc::default(),
            scheduled_backups: Arc::default(),
            passwords,
            throttle,
            failed_sign_ins,
            sign_ins,
            session_times,
            device_key,
            seed_keys,
            commits,
            backups,
            checking,
            rotating: Mutex::default(),
            reads: ReadTurns::default(),
            turn,
        }
    }

    /// Sets the counters of a store that measures its commits.
    #[must_use]
    pub fn measured_by(self, commits: Arc<Commits>) -> Self {
        Self { commits, ..self }
    }

    /// Sets the retention of audit events.
    #[must_use]
    pub fn keeping(self, retention: Retention) -> Self {
        Self { retention, ..self }
    }

    /// Sets the lifetimes of sessions.
    #[must_use]
    pub fn with_session_times(self, session_times: SessionTimes) -> Self {
        Self { session_times, ..self }
    }

    /// Sets the keys that encrypt the seeds of second factors.
    #[must_use]
    pub fn with_seed_keys(self, seed_keys: SeedKeyRing) -> Self {
        Self { seed_keys, ..self }
    }

    pub fn session_times(&self) -> SessionTimes {
        self.session_times
    }

    /// Starts the export of the audit log.
    ///
    /// # Errors
    /// If the system cannot start a thread.
    pub fn start_export(&self, destination: Destination) -> std::io::Result<Exporter> {
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        Exporter::start(store, clock, Arc::clone(&self.exported), destination)
    }

    /// The state of the export of the audit log.
    pub fn exported(&self) -> &Exported {
        &self.exported
    }

    /// Starts the thread that writes scheduled backups.
    ///
    /// # Errors
    /// If the system cannot start a thread.
    pub fn start_backups(&self) -> std::io::Result<Worker> {
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        Arc::clone(&self.scheduled_backups).start(store, clock)
    }

    /// The state and the schedule of scheduled backups.
    pub fn scheduled_backups(&self) -> &ScheduledBackups {
        &self.scheduled_backups
    }

    /// The outcomes of commits, if the store is measured.
    pub fn commits(&self) -> &Commits {
        &self.commits
    }

    pub fn sign_ins(&self) -> &SignIns {
        &self.sign_ins
    }

    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The prefix that keys start with.
    pub fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// A turn to read and filter one page of a list. Long reads yield to other readers between
    /// pages.
    fn page_turn(&self, actor: &Actor) -> ReadTurn<'_> {
        self.reads.take(actor.reader())
    }

    fn random(&self) -> MutexGuard<'_, StdRng> {
        self.random.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rejects a change if the caller does not accept the stored version (`If-Match`).
    fn check_version(versions: Option<&Vec<u64>>, current: u64) -> Result<(), ActionError> {
        match versions {
            Some(fit) if !fit.contains(&current) => Err(ActionError::VersionConflict { current }),
            Some(_) | None => Ok(()),
        }
    }

    fn read<T: Record>(&self, place: &StoreKey) -> Result<Option<Revised<T>>, ActionError> {
        let row = self.store.get(&place.to_bytes(), At::Latest)?;
        Ok(row.as_ref().map(read_row).transpose()?)
    }

    /// Commits a batch and waits until the index has the change. `None` if a guard did not hold.
    /// Only [`authority`] calls this function, because it adds the guards on the actor's rights.
    fn commit(&self, batch: Batch) -> Result<Option<Revision>, ActionError> {
        let revision = match self.store.commit(batch) {
            Ok(revision) => revision,
            Err(CommitError::Conflict) => return Ok(None),
            Err(error) => {
                tracing::error!(%error, "actions: could not commit");
                return Err(match error {
                    CommitError::Unknown(_) => ActionError::OutcomeUnknown,
                    CommitError::Full(_) => ActionError::StorageFull,
                    CommitError::Unavailable(_)
                    | CommitError::Invalid(_)
                    | CommitError::Conflict => ActionError::StorageUnavailable,
                });
            },
        };
        self.await_index(revision);
        Ok(Some(revision))
    }

    /// Waits until the index has a change before it is confirmed. If the wait is too long, checks
    /// are not answered until the index has the change.
    fn await_index(&self, revision: Revision) {
        if !self.index.wait_for(revision, INDEX_WAIT) {
            tracing::error!(%revision, "actions: the index has not applied a committed change; checks \
                return 503 until the index has applied the change");
        }
    }

    /// Like `until_done`, for a row that many callers may change at once. Callers that lose the
    /// first race continue one after the other, so that no caller receives 503 only because it lost
    /// too often. `attempt` must not call this function.
    fn in_turn<T>(
        &self,
        mut attempt: impl FnMut() -> Result<Attempt<T>, ActionError>,
    ) -> Result<T, ActionError> {
        if let Attempt::Done(done) = attempt()? {
            return Ok(done);
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        Self::until_done(attempt)
    }

    /// Decides and commits a change. Repeats both if another caller was faster.
    fn until_done<T>(
        mut attempt: impl FnMut() -> Result<Attempt<T>, ActionError>,
    ) -> Result<T, ActionError> {
        for _ in 0..CONFLICT_RETRIES_MAX {
            if let Attempt::Done(done) = attempt()? {
                return Ok(done);
            }
        }
        Err(ActionError::Busy)
    }
}

fn put<T: Record>(batch: Batch, place: &StoreKey, record: &T) -> Result<Batch, ActionError> {
    Ok(batch.put(place.to_bytes(), encode(place, record)?))
}

#[cfg(test)]
mod test_instance;
