//! `keyhouse serve`: opens the instance, listens, reloads settings, and stops in order.

use std::io::IsTerminal as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::actions::keys::start_purge;
use crate::actions::signing_in::setup::FirstOwner;
use crate::actions::{ActionError, Actions};
use crate::cli::control::Control;
use crate::cli::exit::{Exit, Failure, decoded, print_message, with_sources};
use crate::cli::instance;
use crate::cli::proxies::ProxyResolver;
use crate::cli::signals::{SignalRequest, Signals};
use crate::cli::sockets;
use crate::config::{ConfigError, Listen, Settings, Written, WrittenSessions};
use crate::http::App;
use crate::http::transport::{
    Listener, ListenerKind, Server, Socket, TransportLimits, TrustedProxies,
};
use crate::instance::{AssembleError, Instance};
use crate::model::public_url::PublicUrl;
use crate::model::secret::Secret;
use crate::telemetry::{self, Logs};
use crate::worker::Halt;

/// Number of attempts to open a store that another process holds.
const LOCK_TRIES: u32 = 5;
const LOCK_WAIT: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "terminals show the help without Markdown")]
pub(super) struct Flags {
    /// Address to listen on, or unix:/PATH [default: 127.0.0.1:7117]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Additional address that serves only checks and health
    #[arg(long, value_name = "ADDR")]
    check_listen: Option<String>,
    /// Additional address that serves only metrics and health, without authentication
    #[arg(long, value_name = "ADDR")]
    metrics_listen: Option<String>,
    /// Storage: redb:PATH or memory: [default: redb in the data directory]
    #[arg(long, value_name = "URL")]
    storage: Option<String>,
    /// URL of this server for browsers [default on loopback: the listen address]
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// URL of the protected API; shown on the page [default: --public-url]
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// URL of your support; linked from the page
    #[arg(long, value_name = "URL")]
    support_url: Option<String>,
    /// URL of your pricing; linked from the page
    #[arg(long, value_name = "URL")]
    pricing_url: Option<String>,
    /// Network or host name of a proxy whose forwarded headers are trusted; repeatable [default: loopback]
    #[arg(long, value_name = "PROXY")]
    trusted_proxy: Vec<String>,
    /// Allow passwords and keys over unencrypted HTTP
    #[arg(long)]
    allow_plain_http: bool,
    /// Start even if the clock is far behind the newest audit event
    #[arg(long)]
    accept_clock: bool,
    /// Create the first owner with this email address if the instance is not set up
    #[arg(long, value_name = "E")]
    admin_email: Option<String>,
    /// File with the first owner's password in its first line [default: prompt]
    #[arg(long, value_name = "F")]
    admin_password_file: Option<PathBuf>,
    /// Prefix of new keys [default: kh]
    #[arg(long, value_name = "P")]
    key_prefix: Option<String>,
    /// Time until an idle session ends, such as 30m [default: 1h]
    #[arg(long, value_name = "SPAN")]
    session_idle: Option<String>,
    /// Maximum length of a session, at most 720h [default: 24h]
    #[arg(long, value_name = "SPAN")]
    session_absolute: Option<String>,
    /// Log filter, such as warn or keyhouse=debug [default: info]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Log format: text or json [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl From<Flags> for Written {
    fn from(flags: Flags) -> Self {
        Self {
            listen: flags.listen,
            check_listen: flags.check_listen,
            metrics_listen: flags.metrics_listen,
            storage: flags.storage,
            public_url: flags.public_url,
            endpoint_url: flags.endpoint_url,
            support_url: flags.support_url,
            pricing_url: flags.pricing_url,
            trusted_proxies: (!flags.trusted_proxy.is_empty()).then_some(flags.trusted_proxy),
            allow_plain_http: flags.allow_plain_http.then_some(true),
            accept_clock: flags.accept_clock.then_some(true),
            admin_email: flags.admin_email,
            admin_password_file: flags.admin_password_file,
            key_prefix: flags.key_prefix,
            sessions: WrittenSessions {
                idle: flags.session_idle,
                absolute: flags.session_absolute,
            },
            log: flags.log,
            log_format: flags.log_format,
            ..Self::default()
        }
    }
}

/// Runs the server until SIGTERM or SIGINT. On SIGHUP, calls `reread` and applies the settings that
/// can change while the server runs.
pub(super) fn run(
    settings: &Settings,
    reread: impl Fn() -> Result<Settings, ConfigError>,
) -> Result<(), Failure> {
    let logs = telemetry::start(&settings.log, settings.log_json)
        .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    let control = Control::claim(settings)?;
    let instance = open(settings)?;
    let served = serve(&instance, control, settings, |running| {
        reload(running, &logs, reread());
    });
    let closed = instance::close(instance);
    served.and(closed)
}

/// Opens the instance. Repeats the attempt long enough for a command that holds the store for a
/// moment, but not for a server that holds it.
fn open(settings: &Settings) -> Result<Instance, Failure> {
    let halt = Halt::default();
    for _ in 0..LOCK_TRIES {
        match instance::open(settings) {
            Err(AssembleError::InUse(_)) => halt.pause(LOCK_WAIT),
            outcome => return Ok(outcome?),
        };
    }
    Ok(instance::open(settings)?)
}

/// The parts of a running server that a reload changes.
struct Running<'a> {
    app: &'a App,
    proxies: &'a ProxyResolver,
    settings: Settings,
}

fn serve(
    instance: &Instance,
    mut control: Control,
    settings: &Settings,
    reload: impl Fn(&mut Running<'_>),
) -> Result<(), Failure> {
    let is_set_up = create_first_owner(instance.actions(), settings)?;
    if let Err(error) = instance.actions().resume_removals() {
        // The start continues, since the keys of the removed user are already rejected. The next
        // start tries again.
        tracing::error!(%error, "serve: could not finish the removal of a user");
    }
    // The control socket is opened first, so that a listener with the same path fails.
    let socket = Socket::Unix(control.bind()?);
    let mut listeners = vec![Listener { listener: ListenerKind::Control, socket }];
    let main = sockets::open(&settings.listen)?;
    let mut addresses = vec![format!("listening on {}", main.at)];
    listeners.push(Listener { listener: ListenerKind::Main, socket: main.socket });
    // The socket files are removed on drop, after the server has stopped.
    let mut files = vec![main.file];
    if let Some(at) = &settings.check_listen {
        let checks = sockets::open(at)?;
        addresses.push(format!("checks on {}", checks.at));
        listeners.push(Listener { listener: ListenerKind::Checks, socket: checks.socket });
        files.push(checks.file);
    }
    if let Some(at) = &settings.metrics_listen {
        let metrics = sockets::open(at)?;
        addresses.push(format!("metrics on {}", metrics.at));
        listeners.push(Listener { listener: ListenerKind::Metrics, socket: metrics.socket });
        files.push(metrics.file);
    }

    let public_url = match &settings.public_url {
        Some(url) => url.clone(),
        None => default_public_url(&main.at)?,
    };
    let trusted = TrustedProxies::default();
    let proxies = ProxyResolver::start(settings.trusted_proxies.clone(), trusted.clone())
        .map_err(|error| Failure::io("start a thread", &error))?;
    let app = Arc::new(instance::app(instance, settings, public_url.clone(), trusted.clone())?);
    let runtime = signal_runtime()?;
    // The handlers are installed before the server starts, so that an early signal also stops the
    // server in order.
    let mut stop = runtime.block_on(async { Signals::new() })?;
    let server = Server::start(listeners, Arc::clone(&app) as Arc<_>, limits(settings, trusted))
        .map_err(|error| Failure::io("serve", &error))?;
    for line in &addresses {
        print_message(line);
    }
    if !is_set_up {
        let token = instance.actions().prepare_setup().map_err(|error| action_failed(&error))?;
        print_message(&format!("set up at {public_url}/setup#token={}", token.reveal()));
    }
    notify_service_manager(&[sd_notify::NotifyState::Ready]);
    let purge = start_purge(Arc::clone(instance.actions()))
        .map_err(|error| Failure::io("start a thread", &error))?;
    let destination = settings.audit_export.clone();
    let export = destination.map(|to| instance.actions().start_export(to)).transpose();
    let export = export.map_err(|error| Failure::io("start a thread", &error))?;
    let index = instance.actions().index();
    let mut running = Running { app: &app, proxies: &proxies, settings: settings.clone() };
    let outcome = loop {
        match runtime.block_on(stop.wait(|| index.has_ended())) {
            Ok(SignalRequest::Reload) => reload(&mut running),
            Ok(SignalRequest::Stop) => break Ok(()),
            Err(failure) => break Err(failure),
        }
    };
    print_message("stopping");
    notify_service_manager(&[sd_notify::NotifyState::Stopping]);
    App::begin_stopping(&app);
    server.stop();
    drop(files);
    purge.stop();
    proxies.stop();
    if let Some(export) = export {
        export.stop();
    }
    outcome
}

/// Applies reloaded settings: the log filter, the links of the page and the trusted proxies. Settings
/// with faults change nothing. Other changed settings take effect at the next start.
fn reload(running: &mut Running<'_>, logs: &Logs, reread: Result<Settings, ConfigError>) {
    notify_service_manager(&[sd_notify::NotifyState::Reloading]);
    match reread.map_err(|error| with_sources(&error)).and_then(|settings| {
        logs.set_filter(&settings.log).map_err(|error| error.to_string())?;
        Ok(settings)
    }) {
        Ok(settings) => {
            running.app.set_links(settings.links.clone());
            running.proxies.replace(settings.trusted_proxies.clone());
            let applied = Settings {
                log: settings.log.clone(),
                links: settings.links.clone(),
                trusted_proxies: settings.trusted_proxies.clone(),
                ..running.settings.clone()
            };
            print_message("settings reloaded: log filter, links and trusted proxies are in effect");
            if applied != settings {
                print_message("other changed settings take effect at the next start");
            }
            running.settings = applied;
        },
        Err(faults) => print_message(&format!("settings not reloaded: {faults}")),
    }
    notify_service_manager(&[sd_notify::NotifyState::Ready]);
}

/// Creates the first owner if the settings name one and the instance is not set up. Returns whether
/// the instance is set up afterwards.
fn create_first_owner(actions: &Actions, settings: &Settings) -> Result<bool, Failure> {
    let founded = actions.is_founded().map_err(|error| action_failed(&error))?;
    let Some(email) = &settings.admin_email else { return Ok(founded) };
    if founded {
        print_message("--admin-email is ignored: this instance is already set up");
        return Ok(true);
    }
    let password = password(settings.admin_password_file.as_deref())?;
    let owner = FirstOwner { name: None, email: email.clone(), password };
    actions.found(&owner, None, None).map_err(|error| action_failed(&error))?;
    print_message(&format!("created {email} as owner and operator"));
    Ok(true)
}

/// Reads the password from the first line of a file, or prompts for it twice on a terminal.
fn password(file: Option<&Path>) -> Result<Secret, Failure> {
    if let Some(path) = file {
        let bytes = std::fs::read(path)
            .map_err(|error| Failure::io(&format!("read {}", path.display()), &error))?;
        let bytes = zeroize::Zeroizing::new(bytes);
        let text = decoded(&bytes, &path.display().to_string())?;
        if is_open_to_others(path) {
            print_message(&format!(
                "{0} is readable by other users: run `chmod 600 {0}`",
                path.display()
            ));
        }
        return Ok(Secret::new(text.lines().next().unwrap_or_default().to_owned()));
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        let message = "--admin-email needs --admin-password-file if there is no terminal";
        return Err(Failure::new(Exit::Usage, message));
    }
    let request = |prompt: &str| {
        rpassword::prompt_password(prompt).map_err(|error| Failure::io("read a password", &error))
    };
    let first = Secret::new(request("Password of the owner: ")?);
    let again = Secret::new(request("Repeat the password: ")?);
    if first == again {
        Ok(first)
    } else {
        Err(Failure::new(Exit::Usage, "the two passwords differ; no owner was created"))
    }
}

fn is_open_to_others(path: &Path) -> bool {
    let mode = std::fs::metadata(path).map(|file| file.permissions().mode());
    mode.is_ok_and(|mode| mode & 0o077 != 0)
}

fn action_failed(error: &ActionError) -> Failure {
    match error {
        ActionError::Invalid(faults) => {
            let lines: Vec<_> = faults
                .iter()
                .map(|fault| {
                    format!("  {}: {}", fault.pointer.trim_start_matches('/'), fault.detail)
                })
                .collect();
            Failure::new(Exit::Usage, format!("could not create the owner:\n{}", lines.join("\n")))
        },
        ActionError::Busy
        | ActionError::StorageFull
        | ActionError::StorageUnavailable
        | ActionError::OutcomeUnknown => Failure::new(Exit::Unreachable, error.to_string()),
        ActionError::LinkInvalid
        | ActionError::Conflict { .. }
        | ActionError::VersionConflict { .. } => Failure::new(Exit::Conflict, error.to_string()),
        ActionError::NotFound(_)
        | ActionError::PermissionRequired(_)
        | ActionError::BeyondKey(_)
        | ActionError::SubscriptionRequired { .. }
        | ActionError::LimitReached { .. }
        | ActionError::CodeRequired
        | ActionError::OrganizationRequired(_)
        | ActionError::SecondFactorRequired
        | ActionError::Throttled { .. }
        | ActionError::SignInFailed
        | ActionError::KeyRefused(_)
        | ActionError::SessionEnded => Failure::new(Exit::Denied, error.to_string()),
    }
}

fn default_public_url(at: &Listen) -> Result<PublicUrl, Failure> {
    at.to_string().parse().map_err(|error: crate::model::public_url::InvalidPublicUrl| {
        Failure::new(Exit::Usage, error.to_string())
    })
}

fn signal_runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let builder = &mut tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().map_err(|error| Failure::io("start a runtime", &error))
}

fn notify_service_manager(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "could not notify the service manager");
    }
}

fn limits(settings: &Settings, trusted: TrustedProxies) -> TransportLimits {
    let (given, default) = (&settings.limits, TransportLimits::default());
    TransportLimits {
        head_timeout: given.head_timeout.unwrap_or(default.head_timeout),
        idle_timeout: given.idle_timeout.unwrap_or(default.idle_timeout),
        body_timeout: given.body_timeout.unwrap_or(default.body_timeout),
        write_timeout: given.write_timeout.unwrap_or(default.write_timeout),
        drain_timeout: given.drain_timeout.unwrap_or(default.drain_timeout),
        headers_max: given.headers_max.unwrap_or(default.headers_max),
        head_bytes_max: given.head_bytes_max.unwrap_or(default.head_bytes_max),
        proxied_headers_max: given.proxied_headers_max.unwrap_or(default.proxied_headers_max),
        proxied_head_bytes_max: given
            .proxied_head_bytes_max
            .unwrap_or(default.proxied_head_bytes_max),
        connections_max: given.connections_max.unwrap_or(default.connections_max),
        connections_per_address_max: given
            .connections_per_address_max
            .unwrap_or(default.connections_per_address_max),
        pool_in_flight_max: given.pool_in_flight_max.unwrap_or(default.pool_in_flight_max),
        per_address_exempt: trusted,
        ..default
    }
}
