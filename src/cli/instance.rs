//! Opens and closes an instance: its store, index, actions and background threads.

use std::sync::Arc;
use std::time::Duration;

use keyhouse_storage::{OpenError, Store};
use rand::SeedableRng as _;
use rand::rngs::{StdRng, SysRng};

use crate::actions::Actions;
use crate::actions::signing_in::failed_sign_in_events;
use crate::backends;
use crate::cli::exit::{Exit, Failure, print_message, with_sources};
use crate::clock::{Clock, SystemClock};
use crate::config::Settings;
use crate::http::transport::TrustedProxies;
use crate::http::{self, App};
use crate::index::Index;
use crate::index::follow;
use crate::model::pace::Pace;
use crate::model::public_url::PublicUrl;
use crate::records::prepare;
use crate::upkeep::audit::seal;
use crate::upkeep::commits::{Commits, MeasuredStore};
use crate::upkeep::{audit, last_use, quotas};
use crate::verify::{Checker, ReservationWait};
use crate::worker::Worker;

/// How far the clock may be behind the newest audit event.
const CLOCK_BEHIND_MAX: Duration = Duration::from_hours(1);

/// An open instance without sockets.
pub(crate) struct Instance {
    store: Arc<dyn Store>,
    follower: Worker,
    last_use: Worker,
    seals: Worker,
    quotas: Worker,
    failed_sign_ins: Worker,
    pub(super) actions: Arc<Actions>,
}

#[derive(Debug)]
pub(crate) enum OpenFailure {
    /// Another process holds the store. If that process is a server, it can handle the request.
    InUse(String),
    Other(Failure),
}

impl From<Failure> for OpenFailure {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

impl From<OpenFailure> for Failure {
    fn from(failure: OpenFailure) -> Self {
        match failure {
            OpenFailure::InUse(message) => Self::new(Exit::Conflict, message),
            OpenFailure::Other(failure) => failure,
        }
    }
}

impl Instance {
    /// Opens the store, checks its format, and builds the index.
    pub(crate) fn open(settings: &Settings) -> Result<Self, OpenFailure> {
        let store = backends::open(&settings.storage).map_err(|error| match error {
            OpenError::InUse(cause) => OpenFailure::InUse(cause.to_string()),
            OpenError::Damaged(_) | OpenError::Newer(_) | OpenError::Unavailable(_) => {
                OpenFailure::Other(Failure::new(Exit::Failed, error.to_string()))
            },
        })?;
        Self::over(store, settings).map_err(OpenFailure::Other)
    }

    fn over(store: Arc<dyn Store>, settings: &Settings) -> Result<Self, Failure> {
        let failed =
            |error: &dyn std::error::Error| Failure::new(Exit::Failed, with_sources(error));
        prepare::prepare(&*store).map_err(|error| failed(&error))?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let commits = Arc::<Commits>::default();
        let measured = MeasuredStore::new(store, Arc::clone(&clock), Arc::clone(&commits));
        let store: Arc<dyn Store> = Arc::new(measured);
        check_clock(&*store, &*clock, settings.accept_clock)?;
        let index = Arc::new(Index::new());
        let follower = follow::start(Arc::clone(&index), Arc::clone(&store))
            .map_err(|error| failed(&error))?;
        let last_use = last_use::start(Arc::clone(&index), Arc::clone(&store), Arc::clone(&clock))
            .map_err(|error| Failure::io("start a thread", &error))?;
        let (store_of_seals, retention) = (Arc::clone(&store), settings.audit_retention);
        let seals = seal::start(store_of_seals, Arc::clone(&clock), random()?, retention)
            .map_err(|error| Failure::io("start the thread that seals the audit log", &error))?;
        let quotas = quotas::start(Arc::clone(index.reservations()), Arc::clone(&store))
            .map_err(|error| Failure::io("start a thread", &error))?;
        let actions =
            Actions::new(Arc::clone(&store), index, clock, random()?, settings.key_prefix.clone());
        let actions = actions.measured_by(commits).keeping(retention);
        let actions = Arc::new(actions.with_session_times(settings.session_times));
        let failed_sign_ins = failed_sign_in_events::start(Arc::clone(&actions))
            .map_err(|error| Failure::io("start a thread", &error))?;
        Ok(Self { store, follower, last_use, seals, quotas, failed_sign_ins, actions })
    }

    /// A checker of this instance, which waits for reservations with `waits`.
    pub(crate) fn checker<W: ReservationWait>(&self, waits: W) -> Checker<W> {
        let (index, clock) = (Arc::clone(self.actions.index()), Arc::clone(self.actions.clock()));
        Checker::new(index, clock, waits)
    }

    /// The HTTP application of this instance.
    pub(crate) fn app(
        &self,
        settings: &Settings,
        public_url: PublicUrl,
        trusted_proxies: TrustedProxies,
    ) -> Result<App, Failure> {
        let links = settings.links.clone();
        let http = http::HttpSettings { public_url, links, trusted_proxies };
        let seed = rand::Rng::next_u64(&mut random()?);
        let app = App::new(Arc::clone(&self.actions), http, seed);
        let (sessions, keys) = (&settings.limits.session_changes, &settings.limits.key_changes);
        let sessions = sessions.clone().unwrap_or_else(Pace::of_sessions);
        Ok(app.paced_by(sessions, keys.clone().unwrap_or_else(Pace::of_keys)))
    }

    /// Writes pending data, returns unused quota reservations, seals the audit log, stops following
    /// the store, and closes it.
    pub(crate) fn close(self) -> Result<(), Failure> {
        self.failed_sign_ins.stop();
        self.quotas.stop();
        self.last_use.stop();
        self.seals.stop();
        self.follower.stop();
        self.store.close().map_err(|error| Failure::new(Exit::Failed, error.to_string()))
    }
}

/// A random generator seeded from the operating system.
fn random() -> Result<StdRng, Failure> {
    let failed = |error| {
        Failure::new(Exit::Failed, format!("could not get random bytes from the system: {error}"))
    };
    StdRng::try_from_rng(&mut SysRng).map_err(failed)
}

/// Rejects a clock that is far behind: expired keys and sessions would be valid again.
fn check_clock(store: &dyn Store, clock: &dyn Clock, accepted: bool) -> Result<(), Failure> {
    let newest = audit::latest_moment(store)
        .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    let Some(newest) = newest else { return Ok(()) };
    let now = clock.now().wall;
    if newest.since(now) <= CLOCK_BEHIND_MAX {
        return Ok(());
    }
    let message =
        format!("the clock shows {now}, more than 1 h before the newest audit event at {newest}");
    if accepted {
        print_message(&format!("{message}; accepted"));
        return Ok(());
    }
    let advice = "correct the clock, or start with --accept-clock if it is right";
    Err(Failure::new(Exit::Failed, format!("{message}: {advice}")))
}
