//! Validated settings, merged from flags, the environment and the file.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::config::error::ConfigError;
use crate::config::limits::{ConfiguredLimits, parse_span};
use crate::config::listen::{Listen, control_socket};
use crate::config::proxy::TrustedProxy;
use crate::config::written::{
    ProcessEnvironment, SettingSource, Written, WrittenAudit, WrittenLimits,
};
use crate::model::export::Destination;
use crate::model::key_text::Prefix;
use crate::model::public_url::{Links, PublicUrl, WebUrl};
use crate::model::retention::Retention;
use crate::model::session_times::{SESSION_MAX, SessionTimes};

const LISTEN_DEFAULT: &str = "127.0.0.1:7117";
const FILE_NAME: &str = "keyhouse.toml";
const LOG_DEFAULT: &str = "info";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageUrl {
    /// `redb:PATH`; the path is a directory.
    Redb(PathBuf),
    /// `memory:`. The data is lost when the process ends.
    Memory,
}

/// All settings of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub data: PathBuf,
    pub storage: StorageUrl,
    pub listen: Listen,
    /// The address of a listener that serves only checks and health.
    pub check_listen: Option<Listen>,
    /// The address of a listener that serves only metrics and health, without authentication.
    pub metrics_listen: Option<Listen>,
    /// The URL of the server for browsers. The default is `http://` and the bound address.
    pub public_url: Option<PublicUrl>,
    /// The links of the page to other sites.
    pub links: Links,
    /// Proxies whose forwarded headers are trusted.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// Whether the server starts even if the clock is far behind the newest audit event.
    pub accept_clock: bool,
    pub admin_email: Option<String>,
    pub admin_password_file: Option<PathBuf>,
    pub key_prefix: Prefix,
    pub log: String,
    pub log_json: bool,
    /// Path of the socket for commands on this host.
    pub control_socket: PathBuf,
    /// Limits that differ from the defaults.
    pub limits: ConfiguredLimits,
    pub audit_retention: Retention,
    /// Destination to which sealed audit events are exported.
    pub audit_export: Option<Destination>,
    pub session_times: SessionTimes,
}

/// Finds the data directory: the configured directory, otherwise the directory of the service
/// manager, otherwise a directory of the user.
pub fn locate(flags: &Written, environment: &ProcessEnvironment) -> Result<PathBuf, ConfigError> {
    let set = flags.data.clone().or_else(|| environment.get("KEYHOUSE_DATA").map(PathBuf::from));
    let service = || {
        let folders = environment.get("STATE_DIRECTORY")?;
        folders.split(':').next().map(PathBuf::from)
    };
    let user = || {
        let state = environment.get("XDG_STATE_HOME").map(PathBuf::from);
        let home = || Some(PathBuf::from(environment.get("HOME")?).join(".local/state"));
        Some(state.or_else(home)?.join("keyhouse"))
    };
    set.or_else(service).or_else(user).ok_or_else(|| {
        ConfigError::Faults(vec!["  data: set --data, since HOME is not set".to_owned()])
    })
}

impl Settings {
    /// Merges flags, environment and file, in this order of precedence, and validates the result.
    ///
    /// The file is `file`, or otherwise `keyhouse.toml` in the data directory, if that file exists.
    ///
    /// # Errors
    /// [`ConfigError`] with all faults.
    pub fn new(
        flags: Written,
        file: Option<&Path>,
        environment: &ProcessEnvironment,
    ) -> Result<Self, ConfigError> {
        let from_environment = Written::of_environment(environment)?;
        let mut directory = locate(&flags, environment)?;
        let beside = directory.join(FILE_NAME);
        let (from_file, faults) = match file {
            Some(path) => Written::of_file(path)?,
            None if beside.is_file() => Written::of_file(&beside)?,
            None => (Written::default(), Vec::new()),
        };
        let is_set = flags.data.is_some() || from_environment.data.is_some();
        if let (Some(path), false) = (&from_file.data, is_set) {
            directory.clone_from(path);
        }
        let (limits, audit) = (from_file.limits.clone(), from_file.audit.clone());
        let layers = [
            (SettingSource::Flag, flags),
            (SettingSource::Environment, from_environment),
            (SettingSource::File, from_file),
        ];
        let tables = Tables { limits, audit };
        SettingsReader { layers, faults }.read(directory, &tables, environment)
    }
}

/// The settings that only the file has, in tables.
struct Tables {
    limits: WrittenLimits,
    audit: WrittenAudit,
}

struct SettingsReader {
    layers: [(SettingSource, Written); 3],
    faults: Vec<String>,
}

impl SettingsReader {
    fn read(
        mut self,
        directory: PathBuf,
        tables: &Tables,
        environment: &ProcessEnvironment,
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
        let links = self.links();
        let storage = self.parse("storage", |layer| layer.storage.clone(), parse_storage);
        let key_prefix = self.parse(
            "key-prefix",
            |layer| layer.key_prefix.clone(),
            |text| text.parse::<Prefix>().map_err(|error| error.to_string()),
        );
        let trusted_proxies = self.proxies();
        let plain = self.first(|layer| layer.allow_plain_http).is_some_and(|(_, plain)| plain);
        let log_json = self.parse("log-format", |layer| layer.log_format.clone(), parse_log_format);
        let limits = ConfiguredLimits::of_table(&tables.limits, environment, &mut self.faults);
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
            self.fault("admin-password-file", "needs --admin-email");
        }
        let control_socket = control_socket(&directory, environment);
        if control_socket.is_none() {
            self.fault("data", "the path is too long for the control socket: use a shorter path or set XDG_RUNTIME_DIR");
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

    fn links(&mut self) -> Links {
        Links {
            endpoint: self.web_url("endpoint-url", |layer| layer.endpoint_url.clone()),
            support: self.web_url("support-url", |layer| layer.support_url.clone()),
            pricing: self.web_url("pricing-url", |layer| layer.pricing_url.clone()),
        }
    }

    fn web_url(&mut self, name: &str, take: impl Fn(&Written) -> Option<String>) -> Option<WebUrl> {
        self.parse(name, take, |text| text.parse::<WebUrl>().map_err(|error| error.to_string()))
    }

    /// Rejects addresses that other machines can reach without TLS.
    fn guard_addresses(&mut self, reach: &Reach<'_>) {
        for (name, address) in reach.addresses {
            let beyond = address.is_some_and(Listen::is_beyond_loopback);
            if beyond && !reach.is_proxied && !reach.is_plain {
                self.fault(
                    name,
                    "an address beyond loopback needs --trusted-proxy CIDR for the proxy \
                     that terminates TLS, or --allow-plain-http",
                );
            }
            let is_socket = matches!(address, Some(Listen::Unix(_)));
            // Only the main listener serves browsers.
            if (beyond || is_socket) && name == "listen" && reach.public_url.is_none() {
                self.fault(name, "an address beyond loopback or a Unix socket needs --public-url");
            }
        }
        let clear = reach.public_url.is_some_and(|url| !url.is_https() && !url.is_loopback());
        if clear && !reach.is_plain {
            self.fault(
                "public-url",
                "http needs a loopback name or --allow-plain-http; use https otherwise",
            );
        }
    }

    /// The value of the first layer that sets it.
    fn first<T>(&self, take: impl Fn(&Written) -> Option<T>) -> Option<(SettingSource, T)> {
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

    /// Parses a setting of one of the file's tables.
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
        // Each setting is validated alone first, so that a fault names the right setting.
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

/// The addresses of the instance and the settings that protect them.
struct Reach<'a> {
    addresses: [(&'static str, Option<&'a Listen>); 2],
    public_url: Option<&'a PublicUrl>,
    is_proxied: bool,
    is_plain: bool,
}

fn log_or_default(set: Option<(SettingSource, String)>) -> String {
    set.map_or_else(|| LOG_DEFAULT.to_owned(), |(_, log)| log)
}

/// Whether a log format is JSON.
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
        let environment = ProcessEnvironment::from([("HOME", "/home/ada")]);
        Settings::new(flags, None, &environment).map_err(|error| error.to_string())
    }

    fn flags(change: impl FnOnce(&mut Written)) -> Written {
        let mut flags = Written { data: Some("/var/lib/none".into()), ..Written::default() };
        change(&mut flags);
        flags
    }

    #[test]
    fn defaults_are_loopback_and_a_directory_of_the_user() {
        let settings = settings(Written::default()).unwrap();
        assert_eq!(settings.data, Path::new("/home/ada/.local/state/keyhouse"));
        assert_eq!(settings.listen.to_string(), format!("http://{LISTEN_DEFAULT}"));
        assert_eq!(settings.trusted_proxies.len(), 2);
        assert_eq!(settings.storage, StorageUrl::Redb(settings.data.clone()));
    }

    #[test]
    fn links_of_the_page_must_be_http_or_https_urls() {
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
        let error = all.unwrap_err();
        assert!(
            ["support-url", "pricing-url", "endpoint-url"].iter().all(|it| error.contains(it)),
            "{error}"
        );
    }

    #[test]
    fn an_address_beyond_loopback_needs_a_proxy_or_plain_http() {
        let beyond = || "0.0.0.0:80".to_owned();
        let error = settings(flags(|it| it.listen = Some(beyond()))).unwrap_err();
        assert!(error.contains("--public-url") && error.contains("--trusted-proxy"), "{error}");
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
        let error = settings(flags(|it| {
            it.listen = Some("here".to_owned());
            it.storage = Some("mysql:".to_owned());
            it.trusted_proxies = Some(vec!["10.0.0.1/8".to_owned()]);
            it.key_prefix = Some("K".to_owned());
            it.admin_password_file = Some("/etc/password".into());
        }))
        .unwrap_err();
        for part in ["listen (flag)", "storage", "10.0.0.0/8?", "key-prefix", "admin-email"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn session_times_are_set_within_bounds() {
        let times = |idle: &str, absolute: &str| {
            settings(flags(|it| {
                let set = |text: &str| (!text.is_empty()).then(|| text.to_owned());
                (it.sessions.idle, it.sessions.absolute) = (set(idle), set(absolute));
            }))
            .map(|settings| settings.session_times)
        };
        assert_eq!(times("", "").unwrap(), SessionTimes::default());
        let set = times("15m", "8h").unwrap();
        assert_eq!((set.idle().as_secs(), set.absolute().as_secs()), (900, 28_800));
        for (idle, absolute, part) in [
            ("soon", "", "session-idle (flag): \"soon\" must be a duration"),
            ("1m", "", "session-idle: must be from 5m to 720h"),
            ("", "721h", "session-absolute: must be from 5m to 720h"),
            ("9h", "8h", "session-idle: must not exceed the absolute time"),
        ] {
            let error = times(idle, absolute).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keyhouse.toml");
        std::fs::write(&file, "[sessions]\nidle = \"10m\"\nabsolut = \"1h\"\n").unwrap();
        let written = || Written { data: Some(folder.path().into()), ..Written::default() };
        let error = settings(written()).unwrap_err();
        assert!(error.contains("sessions.absolut"), "{error}");
        std::fs::write(&file, "[sessions]\nidle = \"10m\"\n").unwrap();
        assert_eq!(settings(written()).unwrap().session_times.idle().as_secs(), 600);
    }

    #[test]
    fn flags_override_the_environment_which_overrides_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("any.toml");
        std::fs::write(&file, "listen = \"127.0.0.1:1\"\nkey_prefix = \"fromfile\"\n").unwrap();
        let environment =
            ProcessEnvironment::from([("HOME", "/home/ada"), ("KEYHOUSE_LISTEN", "127.0.0.1:2")]);
        let flags = flags(|_| {});
        let settings = Settings::new(flags, Some(&file), &environment).unwrap();
        assert_eq!(settings.listen.to_string(), "http://127.0.0.1:2");
        assert_eq!(settings.key_prefix.as_str(), "fromfile");
    }

    #[test]
    fn a_fault_in_the_file_names_the_file_and_the_field() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keyhouse.toml");
        std::fs::write(&file, "[limits]\nhead_timeot = \"1s\"\n").unwrap();
        let written = Written { data: Some(folder.path().into()), ..Written::default() };
        let error = settings(written).unwrap_err();
        assert!(error.contains("keyhouse.toml") && error.contains("head_timeot"), "{error}");
    }

    #[test]
    fn a_long_data_path_moves_the_control_socket() {
        let environment = ProcessEnvironment::from([("XDG_RUNTIME_DIR", "/run/user/1")]);
        let long = PathBuf::from(format!("/{}", "x".repeat(120)));
        let socket = control_socket(&long, &environment).unwrap();
        assert!(socket.starts_with("/run/user/1") && socket.as_os_str().len() < 100);
        assert_eq!(control_socket(&long, &ProcessEnvironment::default()), None);
        let short = control_socket(Path::new("/data"), &environment).unwrap();
        assert_eq!(short, Path::new("/data/control.sock"));
    }
}
