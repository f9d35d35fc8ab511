//! An instance without sockets: its store, index, background threads, actions and checker.
//!
//! The server, commands, embedding programs, tests and benchmarks all use this assembly.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use keyhouse_storage::{At, Cause, OpenError, Progress, ReadError, Store};
use rand::SeedableRng as _;
use rand::rngs::{StdRng, SysError, SysRng};

use crate::actions::Actions;
use crate::actions::signing_in::failed_sign_in_events;
use crate::backends;
use crate::backup::{Existing, RestoredRows, back_up_to};
use crate::clock::{Clock, SystemClock};
use crate::config::{Settings, StorageUrl};
use crate::index::Index;
use crate::index::follow::{self, FollowError};
use crate::model::id::InstanceId;
use crate::model::key_text::Prefix;
use crate::model::moment::Moment;
use crate::model::retention::Retention;
use crate::model::seed::SeedKeys;
use crate::model::session_times::SessionTimes;
use crate::records::upgrade::STORE_FORMAT;
use crate::records::{PrepareError, identity, prepare};
use crate::seed_keys::{SeedKeyError, SeedKeyFile, SeedKeyRing};
use crate::upkeep::audit::restored::record_restore;
use crate::upkeep::audit::{AuditHead, seal};
use crate::upkeep::commits::{Commits, MeasuredStore};
use crate::upkeep::error::UpkeepError;
use crate::upkeep::{audit, last_use, quotas};
use crate::verify::{Checker, ReservationWait};
use crate::worker::Worker;

/// How far the clock may be behind the newest audit event.
const CLOCK_BEHIND_MAX: Duration = Duration::from_hours(1);

/// An open instance. Dropping it leaves its threads running and its store open.
#[derive(Debug)]
pub struct Instance {
    store: Arc<dyn Store>,
    actions: Arc<Actions>,
    clock_behind: Option<ClockBehind>,
    upgraded: Option<Upgraded>,
    /// The background threads in the order of their start. They stop in reverse order.
    workers: Vec<Worker>,
}

/// The settings of an instance, besides its store, clock and randomness.
#[derive(Clone, Debug)]
pub struct InstanceParameters {
    /// The prefix of new keys.
    pub key_prefix: Prefix,
    pub audit_retention: Retention,
    pub session_times: SessionTimes,
    /// The keys that encrypt the seeds of second factors. Without a file, they end with the process.
    pub seed_key_file: Option<SeedKeyFile>,
    /// Whether the instance opens even if the clock is far behind the newest audit event.
    pub accept_clock: bool,
    /// Whether threads write last uses, failed sign-ins and seals of the audit log at intervals.
    /// Tests that make one certain write fail or wait turn this off.
    pub interval_writes: bool,
    pub start: StartProgress,
}

/// How far the start of an instance is, for a thread that reports it.
#[derive(Clone, Debug, Default)]
pub struct StartProgress {
    /// The bytes of the store that were verified.
    pub verified: Arc<Progress>,
    /// The rows that were read for the index.
    pub indexed: Arc<Progress>,
}

impl Default for InstanceParameters {
    fn default() -> Self {
        Self {
            key_prefix: Prefix::default(),
            audit_retention: Retention::default(),
            session_times: SessionTimes::default(),
            seed_key_file: None,
            accept_clock: false,
            interval_writes: true,
            start: StartProgress::default(),
        }
    }
}

impl From<&Settings> for InstanceParameters {
    fn from(settings: &Settings) -> Self {
        Self {
            key_prefix: settings.key_prefix.clone(),
            audit_retention: settings.audit_retention,
            session_times: settings.session_times,
            seed_key_file: settings.seed_key_file.clone(),
            accept_clock: settings.accept_clock,
            interval_writes: true,
            start: StartProgress::default(),
        }
    }
}

/// A clock that is so far behind that expired keys and sessions would be valid again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the clock shows {now}, more than 1 h before the newest audit event at {newest}")]
pub struct ClockBehind {
    now: Moment,
    newest: Moment,
}

/// An upgrade of the store's format that was done while opening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgraded {
    /// The format before the upgrade.
    pub from: u32,
    /// The backup from before the upgrade. `None` if an interrupted upgrade was continued: the
    /// earlier attempt wrote the backup.
    pub backup: Option<PathBuf>,
}

/// Why an instance could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// Another process holds the store. If that process is a server, it can handle the request.
    #[error("{0}")]
    InUse(Cause),
    #[error(transparent)]
    Open(OpenError),
    #[error(transparent)]
    SeedKeys(#[from] SeedKeyError),
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    #[error("could not write the backup before the upgrade to {path}: nothing was changed")]
    UpgradeBackup { path: String, source: io::Error },
    #[error("could not read the time of the newest audit event")]
    NewestEvent(#[source] ReadError),
    #[error(transparent)]
    ClockBehind(#[from] ClockBehind),
    #[error(transparent)]
    Index(#[from] FollowError),
    #[error("could not record the restore in the audit log")]
    Restored(#[source] UpkeepError),
    #[error("could not start the thread that seals the audit log")]
    Seals(#[source] io::Error),
    #[error("could not start a thread")]
    Thread(#[source] io::Error),
    #[error("could not get random bytes from the system")]
    Random(#[from] SysError),
}

impl From<OpenError> for AssembleError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::InUse(cause) => Self::InUse(cause),
            OpenError::Damaged(_) | OpenError::Newer(_) | OpenError::Unavailable(_) => {
                Self::Open(error)
            },
        }
    }
}

impl Instance {
    /// Opens a store, or creates it, and assembles its instance with the clock and the randomness of
    /// the operating system.
    pub fn open(place: &StorageUrl, parameters: InstanceParameters) -> Result<Self, AssembleError> {
        let store = backends::open_reporting(place, &parameters.start.verified)?;
        let clock = Arc::new(SystemClock::start());
        let upgraded = back_up_before_upgrade(&store, place, clock.now().wall)?;
        let instance = Self::assemble(store, clock, system_random()?, parameters)?;
        Ok(Self { upgraded, ..instance })
    }

    /// Checks the format of a store, builds the index and starts the background threads. `random`
    /// must be seeded by the operating system.
    pub fn assemble(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        mut random: StdRng,
        parameters: InstanceParameters,
    ) -> Result<Self, AssembleError> {
        let seed_keys = seed_keys(&parameters, &mut random)?;
        prepare::prepare(&*store, &seed_keys.read(), &mut random)?;
        let new_id = InstanceId::new(clock.now().wall, &mut random);
        identity::ensure_instance_id(&*store, new_id)?;
        let commits = Arc::<Commits>::default();
        let measured = MeasuredStore::new(store, Arc::clone(&clock), Arc::clone(&commits));
        let store: Arc<dyn Store> = Arc::new(measured);
        let clock_behind = require_clock(&*store, &*clock, parameters.accept_clock)?;
        let index = Arc::new(Index::new());
        let indexed = &parameters.start.indexed;
        let mut workers = vec![follow::start(Arc::clone(&index), Arc::clone(&store), indexed)?];
        let retention = parameters.audit_retention;
        if parameters.interval_writes {
            let (store_of_seals, random) = (Arc::clone(&store), StdRng::from_rng(&mut random));
            let seals = seal::start(store_of_seals, Arc::clone(&clock), random, retention);
            workers.push(seals.map_err(AssembleError::Seals)?);
            let (store, clock) = (Arc::clone(&store), Arc::clone(&clock));
            let last_use = last_use::start(Arc::clone(&index), store, clock);
            workers.push(last_use.map_err(AssembleError::Thread)?);
        }
        let quotas = quotas::start(Arc::clone(index.reservations()), Arc::clone(&store));
        workers.push(quotas.map_err(AssembleError::Thread)?);
        let actions = Actions::new(Arc::clone(&store), index, clock, random, parameters.key_prefix);
        let actions = actions.measured_by(commits).keeping(retention).with_seed_keys(seed_keys);
        let actions = Arc::new(actions.with_session_times(parameters.session_times));
        if parameters.interval_writes {
            let failed_sign_ins = failed_sign_in_events::start(Arc::clone(&actions));
            workers.push(failed_sign_ins.map_err(AssembleError::Thread)?);
        }
        Ok(Self { store, actions, clock_behind, upgraded: None, workers })
    }

    pub fn actions(&self) -> &Arc<Actions> {
        &self.actions
    }

    /// The difference of a clock that was accepted although it is far behind.
    pub fn clock_behind(&self) -> Option<ClockBehind> {
        self.clock_behind
    }

    /// The upgrade that opening the store has done.
    pub fn upgraded(&self) -> Option<&Upgraded> {
        self.upgraded.as_ref()
    }

    /// A checker of this instance, which waits for reservations with `waits`.
    pub fn checker<W: ReservationWait>(&self, waits: W) -> Checker<W> {
        let (index, clock) = (Arc::clone(self.actions.index()), Arc::clone(self.actions.clock()));
        Checker::new(index, clock, waits)
    }

    /// Writes pending data, returns unused quota reservations, seals the audit log, and stops
    /// following the store, which stays open.
    pub fn stop(self) {
        self.workers.into_iter().rev().for_each(Worker::stop);
    }

    /// Stops the instance and closes its store.
    pub fn close(self) -> Result<(), ReadError> {
        let store = Arc::clone(&self.store);
        self.stop();
        store.close()
    }
}

/// Prepares a restored store for its first instance: upgrades its format, and records the restore in
/// its audit log. Returns the new head of the log.
pub fn complete_restore(
    store: Arc<dyn Store>,
    restored: &RestoredRows,
    parameters: &InstanceParameters,
) -> Result<AuditHead, AssembleError> {
    let mut random = system_random()?;
    let seed_keys = seed_keys(parameters, &mut random)?;
    prepare::prepare(&*store, &seed_keys.read(), &mut random)?;
    let clock = Arc::new(SystemClock::start());
    let target = identity::instance_id(&*store, At::Latest)?;
    record_restore(store, clock, random, restored, target).map_err(AssembleError::Restored)
}

/// Writes a store of an older format to a backup in its directory. Replaces the backup of a start
/// that failed before its upgrade began: that start has not changed the store.
fn back_up_before_upgrade(
    store: &Arc<dyn Store>,
    place: &StorageUrl,
    now: Moment,
) -> Result<Option<Upgraded>, AssembleError> {
    let Some(upgrade) = prepare::pending(&**store)? else { return Ok(None) };
    let from = upgrade.from;
    let (StorageUrl::Redb(directory), false) = (place, upgrade.has_begun) else {
        return Ok(Some(Upgraded { from, backup: None }));
    };
    let path = directory.join(format!("before-format-{STORE_FORMAT}.khb"));
    let failed = |source| AssembleError::UpgradeBackup { path: path.display().to_string(), source };
    back_up_to(&path, Existing::Replace, store, now).map_err(failed)?;
    Ok(Some(Upgraded { from, backup: Some(path) }))
}

/// The keys that encrypt the seeds of second factors.
fn seed_keys(
    parameters: &InstanceParameters,
    random: &mut StdRng,
) -> Result<SeedKeyRing, AssembleError> {
    Ok(match &parameters.seed_key_file {
        Some(file) => SeedKeyRing::open(file, random)?,
        None => SeedKeyRing::in_memory(random),
    })
}

/// The keys of the seal key file, without creating it. `None` if it does not exist.
pub fn existing_seed_keys(settings: &Settings) -> Result<Option<SeedKeys>, AssembleError> {
    let keys = settings.seed_key_file.as_ref().map(SeedKeyFile::keys).transpose()?;
    Ok(keys.flatten())
}

/// A random generator seeded from the operating system.
pub fn system_random() -> Result<StdRng, SysError> {
    StdRng::try_from_rng(&mut SysRng)
}

/// Requires a clock that is not far behind the newest audit event, unless such a clock is accepted.
/// Returns the difference of an accepted clock.
pub fn require_clock(
    store: &dyn Store,
    clock: &dyn Clock,
    is_accepted: bool,
) -> Result<Option<ClockBehind>, AssembleError> {
    let newest = audit::latest_moment(store).map_err(AssembleError::NewestEvent)?;
    let now = clock.now().wall;
    let newest = newest.filter(|newest| newest.since(now) > CLOCK_BEHIND_MAX);
    match newest.map(|newest| ClockBehind { now, newest }) {
        Some(behind) if !is_accepted => Err(behind.into()),
        behind => Ok(behind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::signing_in::setup::FirstOwner;
    use crate::clock::ManualClock;
    use crate::model::secret::Secret;
    use keyhouse_storage::{FaultyStore, InjectedFault, MemoryStore, StoreOperation};
    use std::error::Error as _;

    fn assemble(
        store: &Arc<FaultyStore<MemoryStore>>,
        milliseconds: i64,
        accept_clock: bool,
    ) -> Result<Instance, AssembleError> {
        let clock = Arc::new(ManualClock::at(Moment::from_milliseconds(milliseconds)));
        let store = Arc::<FaultyStore<MemoryStore>>::clone(store);
        let parameters = InstanceParameters { accept_clock, ..InstanceParameters::default() };
        Instance::assemble(store, clock, StdRng::seed_from_u64(1), parameters)
    }

    #[test]
    fn a_clock_far_behind_the_newest_event_is_an_error_unless_accepted() {
        const NOW: i64 = 1_800_000_000_000;
        let store = Arc::new(FaultyStore::new(MemoryStore::new()));
        let instance = assemble(&store, NOW, false).unwrap();
        let (email, password) = ("ada@example.com".to_owned(), "correct horse battery".to_owned());
        let owner = FirstOwner { name: None, email, password: Secret::new(password) };
        instance.actions().found(&owner, None, None).unwrap();
        instance.stop();
        let hour = i64::try_from(CLOCK_BEHIND_MAX.as_millis()).unwrap();
        let instance = assemble(&store, NOW - hour, false).unwrap();
        assert_eq!(instance.clock_behind(), None);
        instance.stop();
        let refused = assemble(&store, NOW - hour - 1, false).unwrap_err();
        assert!(matches!(refused, AssembleError::ClockBehind(_)), "{refused}");
        let accepted = assemble(&store, NOW - hour - 1, true).unwrap();
        assert_eq!(accepted.clock_behind().unwrap().to_string(), refused.to_string());
        accepted.close().unwrap();
    }

    #[test]
    fn an_error_keeps_its_sources() {
        let store = Arc::new(FaultyStore::new(MemoryStore::new()));
        store.inject(StoreOperation::Scan, 1, InjectedFault::Unavailable);
        let error = assemble(&store, 1, false).unwrap_err();
        let source = error.source().unwrap().to_string();
        assert_eq!(source, "store unavailable: fault injected", "{error}");
    }
}
