//! Settings as they are used.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use crate::config::listen::control_socket;
use crate::config::{
    ConfigError, Environment, Limits, Listen, Origin, TrustedProxy, Written, WrittenAudit,
    WrittenLimits,
};
use crate::model::export::Destination;
use crate::model::key_text::Prefix;
use crate::model::public_url::{Links, PublicUrl, WebUrl};
use crate::model::retention::Retention;
use crate::model::session_times::{SESSION_MAX, SessionTimes};

const LISTEN_DEFAULT: &str = "127.0.0.1:7117";
const FILE_NAME: &str = "keyhouse.toml";
const LOG_DEFAULT: &str = "info";

/// Where records are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageUrl {
    /// `redb:PATH`, a directory.
    Redb(PathBuf),
    /// `memory:`, gone with the process.
    Memory,
}

/// Everything the instance is told from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The data directory.
    pub data: PathBuf,
    /// Where records are kept.
    pub storage: StorageUrl,
    /// Where to listen.
    pub listen: Listen,
    /// Where checks alone are served.
    pub check_listen: Option<Listen>,
    /// Where metrics alone are served, to whoever reaches it.
    pub metrics_listen: Option<Listen>,
    /// Where browsers come, if it was said; else `http://` and the address that was bound.
    pub public_url: Option<PublicUrl>,
    /// Where the page's links lead.
    pub links: Links,
    /// Whose forwarded headers count.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// Starts although the clock is behind the newest event.
    pub accept_clock: bool,
    /// Address of the first owner.
    pub admin_email: Option<String>,
    /// File with the first owner's password.
    pub admin_password_file: Option<PathBuf>,
    /// What keys begin with.
    pub key_prefix: Prefix,
    /// What is logged.
    pub log: String,
    /// Whether logs are JSON.
    pub log_json: bool,
    /// The control socket of the command line.
    pub control_socket: PathBuf,
    /// Limits of the transport that differ from its own.
    pub limits: Limits,
    /// How long audit events are kept.
    pub audit_retention: Retention,
    /// Where audit events and heads go as they are sealed.
    pub audit_export: Option<Destination>,
    /// How long people stay signed in.
    pub session_times: SessionTimes,
}

/// The data directory: as said, else the service manager's, else the user's own.
///
/// # Errors
/// [`ConfigError::Faults`] where nothing tells.
pub fn locate(flags: &Written, environment: &Environment) -> Result<PathBuf, ConfigError> {
    let said = flags.data.clone().or_else(|| environment.get("KEYHOUSE_DATA").map(PathBuf::from));
    let service = || {
        let folders = environment.get("STATE_DIRECTORY")?;
        folders.split(':').next().map(PathBuf::from)
    };
    let user = || {
        let state = environment.get("XDG_STATE_HOME").map(PathBuf::from);
        let home = || Some(PathBuf::from(environment.get("HOME")?).join(".local/state"));
        Some(state.or_else(home)?.join("keyhouse"))
    };
    said.or_else(service).or_else(user).ok_or_else(|| {
        ConfigError::Faults(vec!["  data: no --data, and no HOME to look in".to_owned()])
    })
}

impl Settings {
    /// Puts the layers together, the flags first, and validates all of it.
    ///
    /// The file is `file`, else `keyhouse.toml` in the data directory where there is one.
    ///
    /// # Errors
    /// [`ConfigError`], with every fault at once.
    pub fn new(
        flags: Written,
        file: Option<&Path>,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let from_environment = Written::of_environment(environment)?;
        let mut directory = locate(&flags, environment)?;
        let beside = directory.join(FILE_NAME);
        let (from_file, faults) = match file {
            Some(path) => Written::of_file(path)?,
            None if beside.is_file() => Written::of_file(&beside)?,
            None => (Written::default(), Vec::new()),
        };
        let said = flags.data.is_some() || from_environment.data.is_some();
        if let (Some(path), false) = (&from_file.data, said) {
            directory.clone_from(path);
        }
        let (limits, audit) = (from_file.limits.clone(), from_file.audit.clone());
        let layers = [
            (Origin::Flag, flags),
            (Origin::Environment, from_environment),
            (Origin::File, from_file),
        ];
        let tables = Tables { limits, audit };
        Reader { layers, faults }.read(directory, &tables, environment)
    }
}

/// The tables of the file, which no other layer has.
struct Tables {
    limits: WrittenLimits,
    audit: WrittenAudit,
}

struct Reader {
    layers: [(Origin, Written); 3],
    faults: Vec<String>,
}

impl Reader {
    fn read(
        mut self,
        directory: PathBuf,
        tables: &Tables,
        environment: &Environment,
    ) -> Result<Settings, ConfigError> {
        let listen = self.parse("listen", |layer| layer.listen.clone(), str::parse);
        let listen = listen.or_else(|| LISTEN_DEFAULT.parse().ok());
        let check_listen =
            self.parse("check-listen", |layer| layer.check_listen.clone(), str::parse);
        let metrics_listen =
            self.parse("metrics-listen", |layer| layer.metrics_listen.clone(), str::parse);
        let public_url = self.parse(
            "public-url",
            |layer| layer.public_url.clone(),
            |text| text.parse::<PublicUrl>().map_err(|error| error.to_string()),
        );
        let links = Links {
            endpoint: self.web_url("endpoint-url", |layer| layer.endpoint_url.clone()),
            support: self.web_url("support-url", |layer| layer.support_url.clone()),
            pricing: self.web_url("pricing-url", |layer| layer.pricing_url.clone()),
        };
        let storage = self.parse("storage", |layer| layer.storage.clone(), parse_storage);
        let key_prefix = self.parse(
            "key-prefix",
            |layer| layer.key_prefix.clone(),
            |text| text.parse::<Prefix>().map_err(|error| error.to_string()),
        );
        let trusted_proxies = self.proxies();
        let plain = self.first(|layer| layer.allow_plain_http).is_some_and(|(_, plain)| plain);
        let log_json = self.parse("log-format", |layer| layer.log_format.clone(), parse_log_format);
        let limits = Limits::of_table(&tables.limits, environment, &mut self.faults);
        let audit = &tables.audit;
        let retention = self.of_table("audit.retention", audit.retention.as_deref());
        let audit_export = self.of_table("audit.export", audit.export.as_deref());
        let session_times = self.session_times();
        self.guard_addresses(&Reach {
            addresses: [("listen", listen.as_ref()), ("check-listen", check_listen.as_ref())],
            public_url: public_url.as_ref(),
            is_proxied: trusted_proxies.is_some(),
            is_plain: plain,
        });
        let admin_email = self.first(|layer| layer.admin_email.clone()).map(|(_, email)| email);
        let admin_password_file =
            self.first(|layer| layer.admin_password_file.clone()).map(|(_, file)| file);
        if admin_password_file.is_some() && admin_email.is_none() {
            self.fault("admin-password-file", "is of no use without --admin-email");
        }
        let control_socket = control_socket(&directory, environment);
        if control_socket.is_none() {
            self.fault("data", "its path is too long for a socket, and no XDG_RUNTIME_DIR is set");
        }
        match (listen, control_socket) {
            (Some(listen), Some(control_socket)) if self.faults.is_empty() => Ok(Settings {
                storage: storage.unwrap_or_else(|| StorageUrl::Redb(directory.clone())),
                data: directory,
                listen,
                check_listen,
                metrics_listen,
                public_url,
                links,
                trusted_proxies: trusted_proxies.unwrap_or_else(loopback),
                accept_clock: self.first(|layer| layer.accept_clock).is_some_and(|(_, on)| on),
                admin_email,
                admin_password_file,
                key_prefix: key_prefix.unwrap_or_default(),
                log: log_or_default(self.first(|layer| layer.log.clone())),
                log_json: log_json.unwrap_or_default(),
                control_socket,
                limits,
                audit_retention: retention.unwrap_or_default(),
                audit_export,
                session_times,
            }),
            _ => Err(ConfigError::Faults(self.faults)),
        }
    }

    fn web_url(&mut self, name: &str, take: impl Fn(&Written) -> Option<String>) -> Option<WebUrl> {
        self.parse(name, take, |text| text.parse::<WebUrl>().map_err(|error| error.to_string()))
    }

    /// What may be reached from beyond this machine must be reached safely.
    fn guard_addresses(&mut self, reach: &Reach<'_>) {
        for (name, address) in reach.addresses {
            let beyond = address.is_some_and(Listen::is_beyond_loopback);
            if beyond && !reach.is_proxied && !reach.is_plain {
                self.fault(
                    name,
                    "an address beyond loopback needs --trusted-proxy CIDR, the proxy \
                                  that speaks TLS, or --allow-plain-http",
                );
            }
            let is_socket = matches!(address, Some(Listen::Unix(_)));
            // Browsers don't come to where only checks are served.
            if (beyond || is_socket) && name == "listen" && reach.public_url.is_none() {
                self.fault(name, "an address beyond loopback, or a socket, needs --public-url");
            }
        }
        let clear = reach.public_url.is_some_and(|url| !url.is_https() && !url.is_loopback());
        if clear && !reach.is_plain {
            self.fault("public-url", "http needs a loopback name or --allow-plain-http");
        }
    }

    /// What the weightiest layer that says anything says.
    fn first<T>(&self, take: impl Fn(&Written) -> Option<T>) -> Option<(Origin, T)> {
        self.layers.iter().find_map(|(origin, layer)| Some((*origin, take(layer)?)))
    }

    fn parse<T>(
        &mut self,
        name: &str,
        take: impl Fn(&Written) -> Option<String>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (origin, text) = self.first(take)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.faults.push(format!("  {name} ({origin}): {text:?} {error}"));
                None
            },
        }
    }

    /// A setting of one of the file's tables.
    fn of_table<T>(&mut self, name: &str, text: Option<&str>) -> Option<T>
    where
        T: FromStr<Err: std::fmt::Display>,
    {
        let text = text?;
        text.parse()
            .inspect_err(|error| {
                self.faults.push(format!("  {name} (keyhouse.toml): {text:?} {error}"));
            })
            .ok()
    }

    fn fault(&mut self, name: &str, detail: &str) {
        self.faults.push(format!("  {name}: {detail}"));
    }

    fn proxies(&mut self) -> Option<Vec<TrustedProxy>> {
        let (origin, texts) = self.first(|layer| layer.trusted_proxies.clone())?;
        let mut proxies = Vec::new();
        for text in &texts {
            match text.parse() {
                Ok(proxy) => proxies.push(proxy),
                Err(error) => {
                    self.faults.push(format!("  trusted-proxy ({origin}): {text:?} {error}"));
                },
            }
        }
        Some(proxies)
    }

    fn session_times(&mut self) -> SessionTimes {
        let idle = self.parse("session-idle", |layer| layer.sessions.idle.clone(), parse_span);
        let absolute =
            self.parse("session-absolute", |layer| layer.sessions.absolute.clone(), parse_span);
        // Each alone first, so that the fault names the one that is wrong.
        for (name, alone) in [
            ("session-idle", SessionTimes::new(idle, Some(SESSION_MAX))),
            ("session-absolute", SessionTimes::new(None, absolute)),
        ] {
            if let Err(error) = alone {
                self.fault(name, &error.to_string());
                return SessionTimes::default();
            }
        }
        SessionTimes::new(idle, absolute).unwrap_or_else(|error| {
            self.fault("session-idle", &error.to_string());
            SessionTimes::default()
        })
    }
}

/// From where the instance can be reached, and what was said to make that safe.
struct Reach<'a> {
    addresses: [(&'static str, Option<&'a Listen>); 2],
    public_url: Option<&'a PublicUrl>,
    is_proxied: bool,
    is_plain: bool,
}

fn log_or_default(said: Option<(Origin, String)>) -> String {
    said.map_or_else(|| LOG_DEFAULT.to_owned(), |(_, log)| log)
}

pub(super) fn parse_span(text: &str) -> Result<Duration, String> {
    let parsed = jiff::SignedDuration::from_str(text).ok();
    let span = parsed.and_then(|span| Duration::try_from(span).ok());
    span.ok_or_else(|| "must be a span such as 30m or 8h".to_owned())
}

/// Whether it is JSON.
fn parse_log_format(text: &str) -> Result<bool, String> {
    match text {
        "text" => Ok(false),
        "json" => Ok(true),
        _ => Err("must be text or json".to_owned()),
    }
}

fn parse_storage(text: &str) -> Result<StorageUrl, String> {
    match text.split_once(':') {
        Some(("redb", path)) if !path.is_empty() => Ok(StorageUrl::Redb(PathBuf::from(path))),
        Some(("memory", "")) => Ok(StorageUrl::Memory),
        Some(_) | None => Err("must be redb:PATH or memory:".to_owned()),
    }
}

fn loopback() -> Vec<TrustedProxy> {
    ["127.0.0.0/8", "::1/128"].iter().filter_map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(flags: Written) -> Result<Settings, String> {
        let environment = Environment::from([("HOME", "/home/ada")]);
        Settings::new(flags, None, &environment).map_err(|error| error.to_string())
    }

    fn flags(change: impl FnOnce(&mut Written)) -> Written {
        let mut flags = Written { data: Some("/var/lib/none".into()), ..Written::default() };
        change(&mut flags);
        flags
    }

    #[test]
    fn defaults_are_loopback_and_the_users_own_directory() {
        let settings = settings(Written::default()).unwrap();
        assert_eq!(settings.data, Path::new("/home/ada/.local/state/keyhouse"));
        assert_eq!(settings.listen.to_string(), format!("http://{LISTEN_DEFAULT}"));
        assert_eq!(settings.trusted_proxies.len(), 2);
        assert_eq!(settings.storage, StorageUrl::Redb(settings.data.clone()));
    }

    #[test]
    fn links_of_the_page_lead_to_web_pages_alone() {
        for (url, fits) in [
            ("https://help.example.com/keys?topic=1#top", true),
            ("http://intranet/help", true),
            ("javascript:alert(1)", false),
            ("https://", false),
            ("https://ada@example.com/", false),
            ("https://example.com/<script>", false),
            ("mailto:help@example.com", false),
            ("//example.com", false),
        ] {
            let settings = settings(flags(|it| it.support_url = Some(url.to_owned())));
            assert_eq!(settings.is_ok(), fits, "{url}");
        }
        let all = settings(flags(|it| {
            let wrong = || Some("ftp://example.com".to_owned());
            (it.support_url, it.pricing_url, it.endpoint_url) = (wrong(), wrong(), wrong());
        }));
        let said = all.unwrap_err();
        assert!(
            ["support-url", "pricing-url", "endpoint-url"].iter().all(|it| said.contains(it)),
            "{said}"
        );
    }

    #[test]
    fn an_address_beyond_loopback_needs_its_safeguards() {
        let beyond = || "0.0.0.0:80".to_owned();
        let said = settings(flags(|it| it.listen = Some(beyond()))).unwrap_err();
        assert!(said.contains("--public-url") && said.contains("--trusted-proxy"), "{said}");
        let url = || Some("https://keys.example.com".to_owned());
        for (claim, fits, change) in [
            ("no proxy", false, &(|_: &mut Written| {}) as &dyn Fn(&mut Written)),
            ("a proxy", true, &|it| it.trusted_proxies = Some(vec!["10.0.0.0/8".to_owned()])),
            ("plain", true, &|it| it.allow_plain_http = Some(true)),
        ] {
            let written = flags(|it| {
                (it.listen, it.public_url) = (Some(beyond()), url());
                change(it);
            });
            assert_eq!(settings(written).is_ok(), fits, "{claim}");
        }
        let plain = flags(|it| it.public_url = Some("http://keys.example.com".to_owned()));
        assert!(settings(plain).unwrap_err().contains("loopback name"));
    }

    #[test]
    fn all_faults_are_reported_at_once() {
        let said = settings(flags(|it| {
            it.listen = Some("here".to_owned());
            it.storage = Some("mysql:".to_owned());
            it.trusted_proxies = Some(vec!["10.0.0.1/8".to_owned()]);
            it.key_prefix = Some("K".to_owned());
            it.admin_password_file = Some("/etc/password".into());
        }))
        .unwrap_err();
        for part in ["listen (flag)", "storage", "10.0.0.0/8?", "key-prefix", "admin-email"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }

    #[test]
    fn sessions_last_as_long_as_was_said_within_bounds() {
        let times = |idle: &str, absolute: &str| {
            settings(flags(|it| {
                let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
                (it.sessions.idle, it.sessions.absolute) = (said(idle), said(absolute));
            }))
            .map(|settings| settings.session_times)
        };
        assert_eq!(times("", "").unwrap(), SessionTimes::default());
        let set = times("15m", "8h").unwrap();
        assert_eq!((set.idle().as_secs(), set.absolute().as_secs()), (900, 28_800));
        for (idle, absolute, part) in [
            ("soon", "", "session-idle (flag): \"soon\" must be a span"),
            ("1m", "", "session-idle: must be from 5m to 720h"),
            ("", "721h", "session-absolute: must be from 5m to 720h"),
            ("9h", "8h", "session-idle: must be no longer than the absolute time"),
        ] {
            let said = times(idle, absolute).unwrap_err();
            assert!(said.contains(part), "{said}");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keyhouse.toml");
        std::fs::write(&file, "[sessions]\nidle = \"10m\"\nabsolut = \"1h\"\n").unwrap();
        let written = || Written { data: Some(folder.path().into()), ..Written::default() };
        let said = settings(written()).unwrap_err();
        assert!(said.contains("sessions.absolut"), "{said}");
        std::fs::write(&file, "[sessions]\nidle = \"10m\"\n").unwrap();
        assert_eq!(settings(written()).unwrap().session_times.idle().as_secs(), 600);
    }

    #[test]
    fn flags_outweigh_the_environment_and_that_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("any.toml");
        std::fs::write(&file, "listen = \"127.0.0.1:1\"\nkey_prefix = \"fromfile\"\n").unwrap();
        let environment =
            Environment::from([("HOME", "/home/ada"), ("KEYHOUSE_LISTEN", "127.0.0.1:2")]);
        let flags = flags(|_| {});
        let settings = Settings::new(flags, Some(&file), &environment).unwrap();
        assert_eq!(settings.listen.to_string(), "http://127.0.0.1:2");
        assert_eq!(settings.key_prefix.as_str(), "fromfile");
    }

    #[test]
    fn a_wrong_file_is_named_with_its_line_and_field() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keyhouse.toml");
        std::fs::write(&file, "[limits]\nhead_timeot = \"1s\"\n").unwrap();
        let written = Written { data: Some(folder.path().into()), ..Written::default() };
        let said = settings(written).unwrap_err();
        assert!(said.contains("keyhouse.toml") && said.contains("head_timeot"), "{said}");
    }

    #[test]
    fn a_long_path_moves_the_control_socket() {
        let environment = Environment::from([("XDG_RUNTIME_DIR", "/run/user/1")]);
        let long = PathBuf::from(format!("/{}", "x".repeat(120)));
        let socket = control_socket(&long, &environment).unwrap();
        assert!(socket.starts_with("/run/user/1") && socket.as_os_str().len() < 100);
        assert_eq!(control_socket(&long, &Environment::default()), None);
        let short = control_socket(Path::new("/data"), &environment).unwrap();
        assert_eq!(short, Path::new("/data/control.sock"));
    }
}
