//! `keyhouse serve`: opens the instance, listens, reloads settings, and stops in order.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::runtime::Runtime;

use crate::actions::Actions;
use crate::actions::keys::start_purge;
use crate::cli::apply;
use crate::cli::control::Control;
use crate::cli::events::{Event, Events, notify_service_manager};
use crate::cli::exit::{Exit, Failure, print_message};
use crate::cli::first_owner::{action_failed, create_first_owner};
use crate::cli::given_sockets::GivenSockets;
use crate::cli::instance;
use crate::cli::listening::Listening;
use crate::cli::proxies::ProxyResolver;
use crate::cli::setting_flags::SettingFlags;
use crate::cli::signals::SignalRequest;
use crate::cli::sockets::{self, SocketFile};
use crate::cli::starting::{answer_requests, print_progress};
use crate::cli::takeover::{Successor, take_over};
use crate::config::{
    ConfigError, ConfiguredLimits, Listen, ProcessEnvironment, Settings, UsedSetting, Written,
};
use crate::http::App;
use crate::http::transport::{Backlog, Server, TransportLimits, TrustedProxies};
use crate::instance::{AssembleError, Instance, StartProgress};
use crate::model::public_url::PublicUrl;
use crate::telemetry::{self, Logs, with_sources};
use crate::upkeep::audit::export::Exporter;
use crate::upkeep::backups::ScheduledBackups;
use crate::worker::{Halt, Worker};

/// Number of attempts to open a store that another process holds.
const LOCK_TRIES: u32 = 5;
const LOCK_WAIT: Duration = Duration::from_millis(100);
/// Time in which the event loop must run a task, for the watchdog of the service manager.
const ANSWER_WAIT: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, Args)]
pub(super) struct Flags {
    #[command(flatten)]
    pub(super) settings: SettingFlags,
    /// Take over the listening sockets of the server that runs on the same data, after its end
    #[arg(long)]
    take_over: bool,
}

/// Runs the server until SIGTERM or SIGINT, or until another server takes over. On SIGHUP, reads the
/// settings again and applies those that can change while the server runs.
pub(super) fn run(
    flags: &Flags,
    environment: &ProcessEnvironment,
    settings: impl Fn(Written) -> Result<Settings, ConfigError>,
) -> Result<(), Failure> {
    let mut given = GivenSockets::of_service_manager(environment)?;
    let (activated, is_activated) = (given.written(), !given.is_empty());
    let reread = || settings(activated.clone().over(flags.settings.0.clone()));
    let settings = reread()?;
    let logs = telemetry::start(&settings.log, settings.log_json)
        .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    if flags.take_over && !is_activated {
        given = take_over(&settings)?;
    }
    let mut control = Control::claim(&settings).map_err(|failure| {
        failure.advise(Exit::Conflict, "stop it first, or set another directory with --data")
    })?;
    let is_successor = !given.is_empty();
    let listening = Listening::open(&mut control, &settings, &mut given)?;
    sockets::discard(given);
    let start = StartProgress::default();
    // The requests that a server leaves for its successor are not answered, but wait.
    let starting = if is_successor {
        None
    } else {
        let limits = limits(&settings.limits, TrustedProxies::default());
        Some(answer_requests(&listening.listeners, &start, limits)?)
    };
    let printing = print_progress(&start)?;
    let opened = open(&settings, &start);
    // No line of progress follows an error or interrupts the prompt for the owner's password.
    printing.stop();
    let instance = opened?;
    let place = Place { control, listening, starting, is_activated };
    let served = serve(&instance, place, &settings, |running| {
        reload(running, &logs, reread());
    });
    let closed = instance::close(instance);
    // The successor opens the store when its connection ends.
    drop(served?);
    closed
}

/// The sockets of a server, and its lock on the data directory.
struct Place {
    control: Control,
    listening: Listening,
    /// The server that answers until the server of the instance starts.
    starting: Option<Server>,
    /// Whether the service manager has opened the sockets.
    is_activated: bool,
}

/// Opens the instance. Repeats the attempt long enough for a command that holds the store for a
/// moment, but not for a server that holds it.
fn open(settings: &Settings, start: &StartProgress) -> Result<Instance, Failure> {
    let halt = Halt::default();
    for _ in 0..LOCK_TRIES {
        match instance::open_reporting(settings, start.clone()) {
            Err(AssembleError::InUse(_)) => halt.pause(LOCK_WAIT),
            outcome => return Ok(outcome?),
        };
    }
    Ok(instance::open_reporting(settings, start.clone())?)
}

/// The parts of a running server that a reload changes.
struct Running<'a> {
    app: &'a App,
    proxies: &'a ProxyResolver,
    server: &'a Server,
    trusted: TrustedProxies,
    backups: &'a ScheduledBackups,
    /// The settings in effect.
    used: Vec<UsedSetting>,
}

/// Serves until a signal, or until a successor has the sockets.
fn serve(
    instance: &Instance,
    place: Place,
    settings: &Settings,
    reload: impl Fn(&mut Running<'_>),
) -> Result<Option<Successor>, Failure> {
    let Place { control: _control, listening, starting, is_activated } = place;
    let is_set_up = create_first_owner(instance.actions(), settings)?;
    if let Err(error) = instance.actions().resume_removals() {
        // The start continues, since the keys of the removed user are already rejected. The next
        // start tries again.
        tracing::error!(%error, "serve: could not finish the removal of a user");
    }
    if !settings.apply.is_empty() {
        if !is_set_up {
            let message = "--apply needs an instance that is set up: add --admin-email, or start once \
                           without --apply and open the setup link";
            return Err(Failure::new(Exit::Usage, message));
        }
        apply::apply_at_start(instance, settings)?;
    }
    let Listening { listeners, mut files, addresses, main, duplicates } = listening;
    let public_url = match &settings.public_url {
        Some(url) => url.clone(),
        None => default_public_url(&main)?,
    };
    let trusted = TrustedProxies::default();
    let proxies = ProxyResolver::start(settings.trusted_proxies.clone(), trusted.clone())
        .map_err(|error| Failure::io("start a thread", &error))?;
    let app = Arc::new(instance::app(instance, settings, public_url.clone(), trusted.clone())?);
    let runtime = signal_runtime()?;
    // The handlers are installed before the server starts, so that an early signal also stops the
    // server in order.
    let events = runtime.block_on(async { Events::new(settings, duplicates, is_activated) })?;
    let limits = limits(&settings.limits, trusted.clone());
    if let Some(starting) = starting {
        starting.stop(Backlog::Leave);
    }
    let server = Server::start(listeners, Arc::clone(&app) as Arc<_>, limits)
        .map_err(|error| Failure::io("serve", &error))?;
    for line in &addresses {
        print_message(line);
    }
    if !is_set_up {
        let token = instance.actions().prepare_setup().map_err(|error| action_failed(&error))?;
        print_message(&format!("set up at {public_url}/setup#token={}", token.reveal()));
    }
    notify_service_manager(&[sd_notify::NotifyState::Ready]);
    let background = Background::start(instance.actions(), settings)
        .map_err(|error| Failure::io("start a thread", &error))?;
    let backups = instance.actions().scheduled_backups();
    let used = settings.used.clone();
    let mut running =
        Running { app: &app, proxies: &proxies, server: &server, trusted, backups, used };
    let outcome = run_events(&runtime, events, instance, &mut running, reload);
    print_message("stopping");
    notify_service_manager(&[sd_notify::NotifyState::Stopping]);
    App::begin_stopping(&app);
    let has_successor = matches!(outcome, Ok(Some(_)));
    let backlog = if is_activated || has_successor { Backlog::Leave } else { Backlog::Serve };
    server.stop(backlog);
    if has_successor {
        files.iter_mut().for_each(SocketFile::share);
    }
    drop(files);
    proxies.stop();
    background.stop();
    outcome
}

/// Handles events until the server must stop. Closes the duplicates of the sockets, so that a stopped
/// server refuses connections.
fn run_events(
    runtime: &Runtime,
    mut events: Events,
    instance: &Instance,
    running: &mut Running<'_>,
    reload: impl Fn(&mut Running<'_>),
) -> Result<Option<Successor>, Failure> {
    let index = instance.actions().index();
    loop {
        match runtime.block_on(events.next(|| index.has_ended()))? {
            Event::Signal(SignalRequest::Reload) => reload(running),
            Event::Signal(SignalRequest::Stop) => return Ok(None),
            Event::Successor(successor) => return Ok(Some(successor)),
            // An index that no longer follows the store ends the server, by the signals' own check.
            Event::WatchdogDue if running.server.answers_within(ANSWER_WAIT) => {
                notify_service_manager(&[sd_notify::NotifyState::Watchdog]);
            },
            Event::WatchdogDue => tracing::error!("the event loop does not answer"),
        }
    }
}

/// The background work of a server, beside that of every instance.
struct Background {
    purge: Worker,
    backups: Worker,
    export: Option<Exporter>,
}

impl Background {
    fn start(actions: &Arc<Actions>, settings: &Settings) -> std::io::Result<Self> {
        let purge = start_purge(Arc::clone(actions))?;
        actions.scheduled_backups().set_schedule(settings.backup.clone());
        let backups = actions.start_backups()?;
        let destination = settings.audit_export.clone();
        let export = destination.map(|to| actions.start_export(to)).transpose()?;
        Ok(Self { purge, backups, export })
    }

    fn stop(self) {
        self.backups.stop();
        self.purge.stop();
        if let Some(export) = self.export {
            export.stop();
        }
    }
}

/// Applies reloaded settings. Settings with faults change nothing.
fn reload(running: &mut Running<'_>, logs: &Logs, reread: Result<Settings, ConfigError>) {
    notify_service_manager(&[sd_notify::NotifyState::Reloading]);
    match reread.map_err(|error| with_sources(&error)).and_then(|settings| {
        let limits = limits(&settings.limits, running.trusted.clone());
        running.server.set_limits(limits).map_err(|error| error.to_string())?;
        logs.set_filter(&settings.log).map_err(|error| error.to_string())?;
        Ok(settings)
    }) {
        Ok(settings) => {
            let ConfiguredLimits { session_changes, key_changes, .. } = settings.limits;
            running.app.set_paces(session_changes, key_changes);
            running.app.set_links(settings.links.clone());
            running.proxies.replace(settings.trusted_proxies.clone());
            running.backups.set_schedule(settings.backup.clone());
            running.report(settings.used);
        },
        Err(faults) => print_message(&format!("settings not reloaded: {faults}")),
    }
    notify_service_manager(&[sd_notify::NotifyState::Ready]);
}

impl Running<'_> {
    /// Prints which settings have changed, and which of these take effect only at the next start.
    fn report(&mut self, reread: Vec<UsedSetting>) {
        let (mut now, mut later) = (Vec::new(), Vec::new());
        for (used, new) in self.used.iter_mut().zip(reread) {
            if used.value == new.value {
                continue;
            }
            if used.setting.reloads {
                now.push(new.setting.key);
                *used = new;
            } else {
                later.push(new.setting.key);
            }
        }
        let in_effect = if now.is_empty() { "no changes".to_owned() } else { now.join(", ") };
        print_message(&format!("settings reloaded: {in_effect}"));
        if !later.is_empty() {
            let later = later.join(", ");
            print_message(&format!("changed settings that take effect at the next start: {later}"));
        }
    }
}

fn default_public_url(at: &Listen) -> Result<PublicUrl, Failure> {
    at.to_string().parse().map_err(|error: crate::model::public_url::InvalidPublicUrl| {
        Failure::new(Exit::Usage, error.to_string())
    })
}

fn signal_runtime() -> Result<Runtime, Failure> {
    let builder = &mut tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().map_err(|error| Failure::io("start a runtime", &error))
}

/// The limits of the transport.
pub(super) fn limits(limits: &ConfiguredLimits, trusted: TrustedProxies) -> TransportLimits {
    TransportLimits {
        head_timeout: limits.head_timeout,
        idle_timeout: limits.idle_timeout,
        body_timeout: limits.body_timeout,
        write_timeout: limits.write_timeout,
        drain_timeout: limits.drain_timeout,
        headers_max: limits.headers_max,
        head_bytes_max: limits.head_bytes_max,
        proxied_headers_max: limits.proxied_headers_max,
        proxied_head_bytes_max: limits.proxied_head_bytes_max,
        connections_max: limits.connections_max,
        connections_per_address_max: limits.connections_per_address_max,
        pool_in_flight_max: limits.pool_in_flight_max,
        per_address_exempt: trusted,
        ..TransportLimits::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ProcessEnvironment, Written};

    #[test]
    fn the_default_settings_are_the_defaults_of_the_transport() {
        let written = Written::of_flags([("data", "/var/lib/none".to_owned())]);
        let settings = Settings::new(written, None, &ProcessEnvironment::default()).unwrap();
        let set = limits(&settings.limits, TrustedProxies::default());
        assert_eq!(format!("{set:?}"), format!("{:?}", TransportLimits::default()));
    }
}
