//! Opens an instance for a command: its warnings, its failures and its HTTP application.

use std::sync::Arc;

use crate::backends;
use crate::cli::control::Control;
use crate::cli::exit::{Exit, Failure, print_message};
use crate::config::Settings;
use crate::http::transport::TrustedProxies;
use crate::http::{App, HttpSettings, prepare_routes};
use crate::index::follow::FollowError;
use crate::instance::{
    AssembleError, Instance, InstanceParameters, StartProgress, Upgraded, system_random,
};
use crate::model::public_url::PublicUrl;
use crate::records::upgrade::STORE_FORMAT;
use crate::telemetry::with_sources;

/// Locks the data directory for a command that works on the store itself.
///
/// # Errors
/// [`Exit::Conflict`] while a server runs; [`Exit::Unreachable`] if there is no store.
pub(super) fn claim_store(settings: &Settings) -> Result<Control, Failure> {
    let claim = Control::claim(settings)?;
    if backends::exists(&settings.storage) {
        return Ok(claim);
    }
    let directory = settings.data.display();
    let message = format!("no instance in {directory}: set another directory with --data");
    Err(Failure::new(Exit::Unreachable, message))
}

/// Opens the instance of the settings. Prints a warning if an accepted clock is far behind.
pub(super) fn open(settings: &Settings) -> Result<Instance, AssembleError> {
    open_reporting(settings, StartProgress::default())
}

/// Like [`open`], and reports how far the opening is.
pub(super) fn open_reporting(
    settings: &Settings,
    start: StartProgress,
) -> Result<Instance, AssembleError> {
    let parameters = InstanceParameters { start, ..InstanceParameters::from(settings) };
    let instance = Instance::open(&settings.storage, parameters)?;
    if let Some(behind) = instance.clock_behind() {
        print_message(&format!("{behind}; accepted"));
    }
    if let Some(Upgraded { from, backup }) = instance.upgraded() {
        print_message(&format!("upgraded the store from format {from} to {STORE_FORMAT}"));
        if let Some(backup) = backup {
            print_message(&format!("the store before the upgrade is in {}", backup.display()));
        }
    }
    Ok(instance)
}

/// The HTTP application of an instance.
pub(super) fn app(
    instance: &Instance,
    settings: &Settings,
    public_url: PublicUrl,
    trusted_proxies: TrustedProxies,
) -> Result<App, Failure> {
    prepare_routes();
    let links = settings.links.clone();
    let http = HttpSettings { public_url, links, trusted_proxies };
    let seed = rand::Rng::next_u64(&mut system_random().map_err(AssembleError::from)?);
    let app = App::new(Arc::clone(instance.actions()), http, seed);
    let limits = &settings.limits;
    Ok(app.paced_by(limits.session_changes.clone(), limits.key_changes.clone()))
}

/// Closes an instance after its last request.
pub(super) fn close(instance: Instance) -> Result<(), Failure> {
    instance.close().map_err(|error| Failure::new(Exit::Failed, error.to_string()))
}

impl From<AssembleError> for Failure {
    fn from(error: AssembleError) -> Self {
        let message = with_sources(&error);
        match error {
            AssembleError::InUse(_) => Self::new(Exit::Conflict, message),
            AssembleError::ClockBehind(_) => {
                let advice = "correct the clock, or start with --accept-clock if it is right";
                Self::new(Exit::Failed, format!("{message}: {advice}"))
            },
            AssembleError::Index(FollowError::Record(_)) => {
                let advice = "run `keyhouse check` for all damaged records and what to do";
                Self::new(Exit::Failed, format!("{message}: {advice}"))
            },
            AssembleError::Open(_)
            | AssembleError::SeedKeys(_)
            | AssembleError::Prepare(_)
            | AssembleError::UpgradeBackup { .. }
            | AssembleError::NewestEvent(_)
            | AssembleError::Index(_)
            | AssembleError::Restored(_)
            | AssembleError::Seals(_)
            | AssembleError::Thread(_)
            | AssembleError::Random(_) => Self::new(Exit::Failed, message),
        }
    }
}
