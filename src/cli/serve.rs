//! `keyhouse serve`: the assembly. Opens, binds, says where, and stops in order.

use std::io::IsTerminal as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::actions::access::FirstOwner;
use crate::actions::audit::export::Exporter;
use crate::actions::keys::KeyPurge;
use crate::actions::{ActionError, Actions};
use crate::cli::control::Control;
use crate::cli::exit::{Exit, Failure, say, with_sources};
use crate::cli::instance::{Instance, OpenFailure};
use crate::cli::proxies::ProxyResolver;
use crate::cli::signals::{Request, Signals};
use crate::cli::sockets;
use crate::cli::terminal;
use crate::config::{ConfigError, Listen, Settings, Written, WrittenSessions};
use crate::http::App;
use crate::http::transport::{Limits, Listener, Server, Socket, Surface, TrustedProxies};
use crate::index::halt::Halt;
use crate::model::public_url::PublicUrl;
use crate::model::secret::Secret;
use crate::telemetry::{self, Logs};

/// How often, and how long apart, a store that another process holds is tried again.
const LOCK_TRIES: u32 = 5;
const LOCK_WAIT: Duration = Duration::from_millis(100);

/// The flags of `serve`, each also as `KEYHOUSE_*` and in keyhouse.toml.
#[derive(Debug, Args)]
pub(super) struct Flags {
    /// Address to listen on, or `unix:/PATH` [default: 127.0.0.1:7117]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Another one that serves checks and health alone
    #[arg(long, value_name = "ADDR")]
    check_listen: Option<String>,
    /// Another one that serves metrics and health alone, to whoever reaches it
    #[arg(long, value_name = "ADDR")]
    metrics_listen: Option<String>,
    /// Where records are kept: redb:PATH or memory: [default: redb in the data directory]
    #[arg(long, value_name = "URL")]
    storage: Option<String>,
    /// Where browsers reach this instance [default on loopback: the address listened on]
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Where the API is that keys are for, as the page shows it [default: --public-url]
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// Where people get help: a link of the page
    #[arg(long, value_name = "URL")]
    support_url: Option<String>,
    /// Where people read what plans there are: a link of the page
    #[arg(long, value_name = "URL")]
    pricing_url: Option<String>,
    /// Network or host name of proxies whose forwarded headers count; repeatable [default: loopback]
    #[arg(long, value_name = "PROXY")]
    trusted_proxy: Vec<String>,
    /// Let passwords and keys cross a network in the clear
    #[arg(long)]
    allow_plain_http: bool,
    /// Start although the clock is far behind the newest event
    #[arg(long)]
    accept_clock: bool,
    /// On an empty store: make the owner with this address
    #[arg(long, value_name = "E")]
    admin_email: Option<String>,
    /// The owner's password is the first line of this file [default: asked for on a terminal]
    #[arg(long, value_name = "F")]
    admin_password_file: Option<PathBuf>,
    /// What new keys begin with [default: kh]
    #[arg(long, value_name = "P")]
    key_prefix: Option<String>,
    /// How long people stay signed in without a request, such as 30m [default: 1h]
    #[arg(long, value_name = "SPAN")]
    session_idle: Option<String>,
    /// How long people stay signed in at all, at most 720h [default: 24h]
    #[arg(long, value_name = "SPAN")]
    session_absolute: Option<String>,
    /// What is logged, such as warn or keyhouse=debug [default: info]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// How logs look: text or json [default: text]
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

/// Runs the service until SIGTERM or SIGINT. SIGHUP calls `reread` and applies what can change while
/// the service runs.
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
    let closed = instance.close();
    served.and(closed)
}

/// Opens the instance. A command that holds the store for a moment is waited for; a server that
/// holds it is not.
fn open(settings: &Settings) -> Result<Instance, Failure> {
    let patience = Halt::default();
    for _ in 0..LOCK_TRIES {
        match Instance::open(settings) {
            Err(OpenFailure::InUse(_)) => patience.pause(LOCK_WAIT),
            outcome => return Ok(outcome?),
        };
    }
    Ok(Instance::open(settings)?)
}

/// What of a running service follows its settings.
struct Running<'a> {
    app: &'a App,
    proxies: &'a ProxyResolver,
    /// The settings in force.
    settings: Settings,
}

fn serve(
    instance: &Instance,
    mut control: Control,
    settings: &Settings,
    reload: impl Fn(&mut Running<'_>),
) -> Result<(), Failure> {
    let founded = found_if_asked(&instance.actions, settings)?;
    if let Err(error) = instance.actions.resume_removals() {
        // Their keys are refused all the same; the next start tries again.
        tracing::error!(%error, "serve: a removal of a user could not be finished");
    }
    // First: a listener that is told to open at its path then finds it in use.
    let socket = Socket::Unix(control.bind()?);
    let mut listeners = vec![Listener { surface: Surface::Control, socket }];
    let main = sockets::open(&settings.listen)?;
    let mut said = vec![format!("listening on {}", main.at)];
    listeners.push(Listener { surface: Surface::Main, socket: main.socket });
    // Their files go when the server has stopped.
    let mut files = vec![main.file];
    if let Some(at) = &settings.check_listen {
        let checks = sockets::open(at)?;
        said.push(format!("checks alone on {}", checks.at));
        listeners.push(Listener { surface: Surface::Checks, socket: checks.socket });
        files.push(checks.file);
    }
    if let Some(at) = &settings.metrics_listen {
        let metrics = sockets::open(at)?;
        said.push(format!("metrics on {}", metrics.at));
        listeners.push(Listener { surface: Surface::Metrics, socket: metrics.socket });
        files.push(metrics.file);
    }

    let public_url = match &settings.public_url {
        Some(url) => url.clone(),
        None => default_public_url(&main.at)?,
    };
    let trusted = TrustedProxies::default();
    let proxies = ProxyResolver::start(settings.trusted_proxies.clone(), trusted.clone())
        .map_err(|error| Failure::io("start a thread", &error))?;
    let app = Arc::new(instance.app(settings, public_url.clone(), trusted.clone())?);
    let runtime = signal_runtime()?;
    // Handlers first: a signal that comes while the sockets open ends the service in order too.
    let mut stop = runtime.block_on(async { Signals::new() })?;
    let server = Server::start(listeners, Arc::clone(&app) as Arc<_>, limits(settings, trusted))
        .map_err(|error| Failure::io("serve", &error))?;
    for line in &said {
        say(line);
    }
    if !founded {
        let token = instance.actions.prepare_setup().map_err(|error| action_failed(&error))?;
        say(&format!("set up at {public_url}/setup#token={}", token.reveal()));
    }
    tell_service_manager(&[sd_notify::NotifyState::Ready]);
    let purge = KeyPurge::start(Arc::clone(&instance.actions))
        .map_err(|error| Failure::io("start a thread", &error))?;
    let destination = settings.audit_export.clone();
    let export = destination.map(|to| Exporter::start(&instance.actions, to)).transpose();
    let export = export.map_err(|error| Failure::io("start a thread", &error))?;
    let index = instance.actions.index();
    let mut running = Running { app: &app, proxies: &proxies, settings: settings.clone() };
    let outcome = loop {
        match runtime.block_on(stop.wait(|| index.has_ended())) {
            Ok(Request::Reload) => reload(&mut running),
            Ok(Request::Stop) => break Ok(()),
            Err(failure) => break Err(failure),
        }
    };
    say("stopping");
    tell_service_manager(&[sd_notify::NotifyState::Stopping]);
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

/// Applies settings that were read again: the log filter, the links of the page and the trusted
/// proxies. Faults leave everything as it was; what else changed waits for the next start.
fn reload(running: &mut Running<'_>, logs: &Logs, reread: Result<Settings, ConfigError>) {
    tell_service_manager(&[sd_notify::NotifyState::Reloading]);
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
            say("settings read again: log, links and trusted proxies are in force");
            if applied != settings {
                say("other settings changed too; they take effect at the next start");
            }
            running.settings = applied;
        },
        Err(faults) => say(&format!("settings are left as they were: {faults}")),
    }
    tell_service_manager(&[sd_notify::NotifyState::Ready]);
}

/// Makes the first owner where flags name one and nobody is there yet. Returns whether somebody is.
fn found_if_asked(actions: &Actions, settings: &Settings) -> Result<bool, Failure> {
    let founded = actions.is_founded().map_err(|error| action_failed(&error))?;
    let Some(email) = &settings.admin_email else { return Ok(founded) };
    if founded {
        say("--admin-email is ignored: this instance is set up already");
        return Ok(true);
    }
    let password = password(settings.admin_password_file.as_deref())?;
    let owner = FirstOwner { name: None, email: email.clone(), password };
    actions.found(&owner, None, None).map_err(|error| action_failed(&error))?;
    say(&format!("{email} is owner and operator"));
    Ok(true)
}

/// The password: the first line of a file, or typed twice on a terminal.
fn password(file: Option<&Path>) -> Result<Secret, Failure> {
    if let Some(path) = file {
        let bytes = std::fs::read(path)
            .map_err(|error| Failure::io(&format!("read {}", path.display()), &error))?;
        let bytes = zeroize::Zeroizing::new(bytes);
        let text = terminal::decoded(&bytes, &path.display().to_string())?;
        if is_open_to_others(path) {
            say(&format!("{} can be read by others: chmod 600 it", path.display()));
        }
        return Ok(Secret::new(text.lines().next().unwrap_or_default().to_owned()));
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        let said = "--admin-email needs --admin-password-file where there is no terminal to ask on";
        return Err(Failure::new(Exit::Usage, said));
    }
    let ask = |prompt: &str| {
        rpassword::prompt_password(prompt).map_err(|error| Failure::io("read a password", &error))
    };
    let first = Secret::new(ask("Password of the owner: ")?);
    let again = Secret::new(ask("Once more: ")?);
    if first == again {
        Ok(first)
    } else {
        Err(Failure::new(Exit::Usage, "the two passwords differ; nothing was made"))
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
            Failure::new(Exit::Usage, format!("could not make the owner:\n{}", lines.join("\n")))
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

fn tell_service_manager(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "no service manager to tell");
    }
}

fn limits(settings: &Settings, trusted: TrustedProxies) -> Limits {
    let (said, own) = (&settings.limits, Limits::default());
    Limits {
        head_timeout: said.head_timeout.unwrap_or(own.head_timeout),
        idle_timeout: said.idle_timeout.unwrap_or(own.idle_timeout),
        body_timeout: said.body_timeout.unwrap_or(own.body_timeout),
        write_timeout: said.write_timeout.unwrap_or(own.write_timeout),
        drain_timeout: said.drain_timeout.unwrap_or(own.drain_timeout),
        headers_max: said.headers_max.unwrap_or(own.headers_max),
        head_bytes_max: said.head_bytes_max.unwrap_or(own.head_bytes_max),
        proxied_headers_max: said.proxied_headers_max.unwrap_or(own.proxied_headers_max),
        proxied_head_bytes_max: said.proxied_head_bytes_max.unwrap_or(own.proxied_head_bytes_max),
        connections_max: said.connections_max.unwrap_or(own.connections_max),
        connections_per_address_max: said
            .connections_per_address_max
            .unwrap_or(own.connections_per_address_max),
        pool_in_flight_max: said.pool_in_flight_max.unwrap_or(own.pool_in_flight_max),
        per_address_exempt: trusted,
        ..own
    }
}
