//! What an actor may ask, reads and changes: authorise, make one batch, commit it, and wait until
//! the index has it.
//!
//! Actions block their thread for as long as the store takes. They know nothing of HTTP.
//!
//! No answer precedes the index, also where the store shows that another caller made the same change
//! already. An actor that loses the race for a row that many want waits for a turn (`in_turn`); without
//! it, a caller that lost sixteen times got 503 while there was room.

pub mod acceptance;
pub mod access;
pub mod accounts;
pub mod actor;
pub mod audit;
mod authority;
pub mod catalogue;
pub mod commits;
pub mod devices;
mod events;
pub mod gates;
pub mod invitations;
pub mod keys;
pub mod last_use;
pub mod lockouts;
pub mod me;
mod new_password;
pub mod notices;
mod organization_record;
pub mod organizations;
pub mod pace;
pub mod passwords;
mod people;
pub mod plans;
pub mod quotas;
pub mod refusals;
pub mod removal;
pub mod resets;
pub mod roles;
pub mod rows;
pub mod second_factor;
pub mod sessions;
mod settings;
pub mod sign_in;
pub mod teams;
pub mod throttle;
pub mod totp;
mod turns;
pub mod usage;
pub mod user_sessions;
pub mod users;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyhouse_storage::{At, Batch, CommitError, ReadError, Revision, Store};
use rand::rngs::StdRng;

use crate::clock::Clock;
use crate::index::Index;
use crate::model::code::Code;
use crate::model::fault::Fault;
use crate::model::id::OrganizationId;
use crate::model::key_text::Prefix;
use crate::model::retention::Retention;
use crate::model::session_times::SessionTimes;
use crate::records::place::Place;
use crate::records::{Held, Record, RecordError, encode, read_row};
use actor::Actor;
use audit::export::Exported;
use commits::Commits;
use devices::DeviceKey;
use passwords::Passwords;
use refusals::Refusals;
use sign_in::SignIns;
use throttle::Throttle;
pub use turns::READERS_MAX;
use turns::{Turn, Turns};

/// How long an answer waits for the index. After that the change is answered all the same, and no
/// check is answered until the index has it.
const INDEX_WAIT: Duration = Duration::from_secs(2);
/// Most things on one page of a list.
pub const LIST_LIMIT_MAX: usize = 100;
/// How often a change is decided anew when somebody else changed the same record first.
const CONFLICT_RETRIES_MAX: usize = 16;

/// Everything that actions need, handed in.
#[derive(Debug)]
pub struct Actions {
    store: Arc<dyn Store>,
    index: Arc<Index>,
    clock: Arc<dyn Clock>,
    random: Mutex<StdRng>,
    prefix: Prefix,
    retention: Retention,
    exported: Arc<Exported>,
    passwords: Passwords,
    throttle: Throttle,
    refusals: Refusals,
    sign_ins: SignIns,
    session_times: SessionTimes,
    device_key: DeviceKey,
    commits: Arc<Commits>,
    /// Held while the audit log is checked: once at a time.
    checking: Mutex<()>,
    /// The pages of long reads, in turn.
    reads: Turns,
    /// Held by whoever lost a race for a row that many want, until they have it.
    turn: Mutex<()>,
}

/// Why an action was not done. Nothing was changed, but for [`ActionError::OutcomeUnknown`].
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// The input is wrong.
    #[error("invalid input")]
    Invalid(Vec<Fault>),
    /// There is none that the actor may know of.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The actor does not hold what this needs.
    #[error("permission {0} required")]
    PermissionRequired(String),
    /// The key that asks would give or change what is wider than itself.
    #[error("wider than the key that asks")]
    BeyondKey(Vec<Fault>),
    /// The organization's plan does not give this.
    #[error("the plan {plan} does not give {feature}")]
    SubscriptionRequired {
        /// The plan the organization has.
        plan: String,
        /// The feature it lacks.
        feature: &'static str,
    },
    /// The organization has as much of this as its plan gives.
    #[error("the plan {plan} gives {maximum} {limit}")]
    LimitReached {
        /// The plan the organization has.
        plan: String,
        /// The limit's name, such as `keys_per_user`.
        limit: &'static str,
        /// How much it is.
        maximum: u64,
    },
    /// The record is in a state that rules this out.
    #[error("{detail}")]
    Conflict {
        /// A stable name.
        code: &'static str,
        /// What is in the way.
        detail: &'static str,
    },
    /// `If-Match` named another version.
    #[error("the version is {current} by now")]
    VersionConflict {
        /// The version that is stored.
        current: u64,
    },
    /// Address and password don't belong together, or the user is stopped.
    #[error("sign-in failed")]
    SignInFailed,
    /// The password is right, and a code of the second factor is needed too.
    #[error("code required")]
    CodeRequired,
    /// The password is right in several organizations: one of these must be named.
    #[error("organization required")]
    OrganizationRequired(Vec<(OrganizationId, String)>),
    /// The session must have been opened with a second factor, or its user must enrol one first.
    #[error("second factor required")]
    SecondFactorRequired,
    /// Too many sign-ins failed of late.
    #[error("too many sign-ins failed")]
    Throttled {
        /// How long to wait.
        wait: Duration,
    },
    /// There is no such session, or it has ended.
    #[error("session ended")]
    SessionEnded,
    /// The key that asks may no longer act.
    #[error("the key is refused: {0:?}")]
    KeyRefused(Code),
    /// The one-time link was used, has ended, or never was.
    #[error("link not valid")]
    LinkInvalid,
    /// Too much of the same is under way.
    #[error("busy")]
    Busy,
    /// The store has no room.
    #[error("store full")]
    StorageFull,
    /// The store can't be reached, or a record does not read.
    #[error("store unavailable")]
    StorageUnavailable,
    /// Nobody can say whether the change is in.
    #[error("outcome unknown")]
    OutcomeUnknown,
}

impl From<ReadError> for ActionError {
    fn from(error: ReadError) -> Self {
        tracing::error!(%error, "actions: could not read the store");
        Self::StorageUnavailable
    }
}

impl From<RecordError> for ActionError {
    fn from(error: RecordError) -> Self {
        tracing::error!(%error, "actions: a record does not read");
        Self::StorageUnavailable
    }
}

/// How a change that lost a race goes on.
enum Attempt<T> {
    Done(T),
    Again,
}

impl Actions {
    /// Puts together what actions need. `random` must have been seeded by the operating system.
    pub fn new(
        store: Arc<dyn Store>,
        index: Arc<Index>,
        clock: Arc<dyn Clock>,
        random: StdRng,
        prefix: Prefix,
    ) -> Self {
        let random = Mutex::new(random);
        let (passwords, throttle) = (Passwords::default(), Throttle::default());
        let (refusals, sign_ins, commits) =
            (Refusals::default(), SignIns::default(), Arc::default());
        let (checking, turn) = (Mutex::default(), Mutex::default());
        let (session_times, device_key) = (SessionTimes::default(), DeviceKey::default());
        Self {
            store,
            index,
            clock,
            random,
            prefix,
            retention: Retention::default(),
            exported: Arc::default(),
            passwords,
            throttle,
            refusals,
            sign_ins,
            session_times,
            device_key,
            commits,
            checking,
            reads: Turns::default(),
            turn,
        }
    }

    /// The same over a store whose commits are measured.
    #[must_use]
    pub fn measured_by(self, commits: Arc<Commits>) -> Self {
        Self { commits, ..self }
    }

    /// The same where audit events are kept that long.
    #[must_use]
    pub fn keeping(self, retention: Retention) -> Self {
        Self { retention, ..self }
    }

    /// The same with other times of sessions.
    #[must_use]
    pub fn with_session_times(self, session_times: SessionTimes) -> Self {
        Self { session_times, ..self }
    }

    /// How long sessions last.
    pub fn session_times(&self) -> SessionTimes {
        self.session_times
    }

    /// How the export of the audit log goes.
    pub fn exported(&self) -> &Exported {
        &self.exported
    }

    /// What became of batches, where the store is measured.
    pub fn commits(&self) -> &Commits {
        &self.commits
    }

    /// What became of sign-ins.
    pub fn sign_ins(&self) -> &SignIns {
        &self.sign_ins
    }

    /// The index.
    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// The clock.
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// What keys begin with.
    pub fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// A turn to read and judge one page of a list: long reads give way to others between pages.
    fn page_turn(&self, actor: &Actor) -> Turn<'_> {
        self.reads.take(actor.reader())
    }

    fn random(&self) -> MutexGuard<'_, StdRng> {
        self.random.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses a change of another version than those that the caller takes (`If-Match`).
    fn check_version(versions: Option<&Vec<u64>>, current: u64) -> Result<(), ActionError> {
        match versions {
            Some(fit) if !fit.contains(&current) => Err(ActionError::VersionConflict { current }),
            Some(_) | None => Ok(()),
        }
    }

    fn read<T: Record>(&self, place: &Place) -> Result<Option<Held<T>>, ActionError> {
        let row = self.store.get(&place.to_bytes(), At::Latest)?;
        Ok(row.as_ref().map(read_row).transpose()?)
    }

    /// Commits, and waits until the index has it. `None`: a guard did not hold. For
    /// [`authority`] alone, which knows on whose behalf.
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

    /// Waits until the index has what is about to be answered for. When that takes too long, checks
    /// stop until it has.
    fn await_index(&self, revision: Revision) {
        if !self.index.wait_for(revision, INDEX_WAIT) {
            tracing::error!(%revision, "actions: the index is behind; checks stop until it has this");
        }
    }

    /// The same for what a crowd may do to one row at once: whoever lost a race goes on after the
    /// others who lost one, so that nobody is told to come back while there is room. `attempt` must
    /// not take turns itself.
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

    /// Decides and commits, again where somebody else was faster.
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

/// Adds a record to a batch.
fn put<T: Record>(batch: Batch, place: &Place, record: &T) -> Result<Batch, ActionError> {
    Ok(batch.put(place.to_bytes(), encode(place, record)?))
}

#[cfg(test)]
mod trial;
