//! Validated settings, merged from flags, the environment and the file.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use crate::backup::{BackupSchedule, EVERY_MIN, KEEP_MAX, Recipients};
use crate::config::environment::ProcessEnvironment;
use crate::config::error::ConfigError;
use crate::config::file;
use crate::config::limits::ConfiguredLimits;
use crate::config::listen::{Listen, control_socket};
use crate::config::proxy::TrustedProxy;
use crate::config::reader::{SettingsReader, UsedSetting, parse_span};
use crate::config::written::{Written, values};
use crate::model::export::Destination;
use crate::model::key_text::Prefix;
use crate::model::public_url::{Links, PublicUrl, WebUrl};
use crate::model::retention::Retention;
use crate::model::session_times::{SESSION_MAX, SessionTimes};
use crate::seed_keys::{FILE_NAME as SEAL_KEY_NAME, SeedKeyFile};
use crate::telemetry::LogFilter;

const FILE_NAME: &str = "keyhouse.toml";
/// The proxies that are trusted by default.
const LOOPBACK: &str = "127.0.0.0/8,::1/128";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageUrl {
    /// `redb:PATH`; the path is a directory.
    Redb(PathBuf),
    /// `etcd://HOST:PORT/PREFIX`, as written; the plugin reads it. It contains no secret.
    Etcd(String),
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
    /// Configuration files to apply at each start.
    pub apply: Vec<PathBuf>,
    pub key_prefix: Prefix,
    pub log: LogFilter,
    pub log_json: bool,
    /// Path of the socket for commands on this host.
    pub control_socket: PathBuf,
    pub limits: ConfiguredLimits,
    pub audit_retention: Retention,
    /// `None` if no backup is scheduled.
    pub backup: Option<BackupSchedule>,
    /// Destination to which sealed audit events are exported.
    pub audit_export: Option<Destination>,
    pub session_times: SessionTimes,
    /// The file with the keys that encrypt the seeds of second factors. `None` for storage in memory.
    pub seed_key_file: Option<SeedKeyFile>,
    /// Every setting of the table, in its order.
    pub used: Vec<UsedSetting>,
}

/// Finds the data directory: the configured directory, otherwise the directory of the service
/// manager, otherwise a directory of the user.
fn locate(written: &Written, environment: &ProcessEnvironment) -> Option<PathBuf> {
    let service = || {
        let folders = environment.get("STATE_DIRECTORY")?;
        folders.split(':').next().map(PathBuf::from)
    };
    let user = || {
        let state = environment.get("XDG_STATE_HOME").map(PathBuf::from);
        let home = || Some(PathBuf::from(environment.get("HOME")?).join(".local/state"));
        Some(state.or_else(home)?.join("keyhouse"))
    };
    let set = written.get("data").map(|value| PathBuf::from(&value.text));
    set.or_else(service).or_else(user)
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
        let mut faults = Vec::new();
        let mut written = flags.over(Written::of_environment(environment, &mut faults));
        let beside = locate(&written, environment).map(|directory| directory.join(FILE_NAME));
        let file = file.or(beside.as_deref().filter(|path| path.is_file()));
        if let Some(path) = file {
            written = written.over(file::read(path, &mut faults));
        }
        let directory = locate(&written, environment);
        let written = written.over(Written::of_defaults());
        SettingsReader { written, faults }.read(directory, environment)
    }
}

impl SettingsReader {
    fn read(
        mut self,
        directory: Option<PathBuf>,
        environment: &ProcessEnvironment,
    ) -> Result<Settings, ConfigError> {
        let directory = self.directory(directory);
        let control_socket = control_socket(&directory, environment);
        if control_socket.is_none() {
            self.fault("data", "the path is too long for the control socket: use a shorter path or set XDG_RUNTIME_DIR");
        }
        let (listen, public_url) = (self.parse("listen"), self.parse("public_url"));
        let (check_listen, metrics_listen) =
            (self.parse("check_listen"), self.parse("metrics_listen"));
        let trusted_proxies = self.proxies();
        let is_plain = self.switch("allow_plain_http");
        self.guard_addresses(&Reach {
            addresses: [("listen", listen.as_ref()), ("check_listen", check_listen.as_ref())],
            public_url: public_url.as_ref(),
            is_proxied: trusted_proxies.is_some(),
            is_plain,
        });
        let (admin_email, admin_password_file) =
            (self.parse("admin_email"), self.parse("admin_password_file"));
        if admin_password_file.is_some() && admin_email.is_none() {
            self.fault("admin_password_file", "needs --admin-email");
        }
        let storage = self.parse_with("storage", parse_storage);
        let storage = storage.unwrap_or_else(|| StorageUrl::Redb(directory.clone()));
        self.derive("storage", &storage);
        let seed_key_file = self.seed_key_file(&storage, &directory);
        if let (None, Some(listen)) = (&public_url, &listen) {
            self.derive("public_url", listen);
        }
        let settings = Settings {
            storage,
            // The defaults of values with faults are not used, since the faults are returned.
            listen: listen.unwrap_or_else(|| Listen::Unix(PathBuf::new())),
            check_listen,
            metrics_listen,
            public_url,
            links: self.links(),
            trusted_proxies: trusted_proxies.unwrap_or_else(|| self.loopback()),
            accept_clock: self.switch("accept_clock"),
            admin_email,
            admin_password_file,
            apply: self.paths("apply"),
            key_prefix: self.parse("key_prefix").unwrap_or_default(),
            log: self.parse("log").unwrap_or_default(),
            log_json: self.parse_with("log_format", parse_log_format).unwrap_or_default(),
            control_socket: control_socket.unwrap_or_default(),
            limits: ConfiguredLimits::read(&mut self),
            audit_retention: self.parse("audit.retention").unwrap_or_default(),
            audit_export: self.parse("audit.export"),
            session_times: self.session_times(),
            backup: self.backup(),
            seed_key_file,
            data: directory,
            used: self.used(),
        };
        if self.faults.is_empty() { Ok(settings) } else { Err(ConfigError(self.faults)) }
    }

    fn backup(&mut self) -> Option<BackupSchedule> {
        let every = self.parse_with("backup.every", |text| {
            let span = parse_span(text).ok().filter(|span| *span >= EVERY_MIN);
            span.ok_or("must be a duration such as 6h, at least 1m")
        });
        let keep = self.parse_with("backup.keep", |text| {
            let keep = text.parse().ok().filter(|keep| (1..=KEEP_MAX).contains(keep));
            keep.ok_or_else(|| format!("must be a whole number from 1 to {KEEP_MAX}"))
        });
        let recipients = self.parse_with("backup.recipient", Recipients::parse_list);
        let directory = self.parse("backup.directory");
        if every.is_some() && directory.is_none() {
            self.fault("backup.every", "needs backup.directory");
        }
        let recipients = recipients.unwrap_or_default();
        Some(BackupSchedule { every: every?, directory: directory?, keep: keep?, recipients })
    }

    fn directory(&mut self, found: Option<PathBuf>) -> PathBuf {
        let Some(directory) = found else {
            self.fault("data", "set --data, since HOME is not set");
            return PathBuf::new();
        };
        self.derive("data", &directory.display());
        directory
    }

    /// The seal key file. The default one is created, and a given one must exist.
    fn seed_key_file(&mut self, storage: &StorageUrl, directory: &Path) -> Option<SeedKeyFile> {
        if let Some(path) = self.parse("seal_key_file") {
            return Some(SeedKeyFile::Given(path));
        }
        if *storage == StorageUrl::Memory {
            return None;
        }
        let path = directory.join(SEAL_KEY_NAME);
        self.derive("seal_key_file", &path.display());
        Some(SeedKeyFile::Default(path))
    }

    fn links(&mut self) -> Links {
        let mut url = |key| self.parse::<WebUrl>(key);
        Links {
            endpoint: url("endpoint_url"),
            support: url("support_url"),
            pricing: url("pricing_url"),
        }
    }

    /// Rejects addresses that other machines can reach without TLS.
    fn guard_addresses(&mut self, reach: &Reach<'_>) {
        for (key, address) in reach.addresses {
            let beyond = address.is_some_and(Listen::is_beyond_loopback);
            if beyond && !reach.is_proxied && !reach.is_plain {
                self.fault(
                    key,
                    "an address beyond loopback needs --trusted-proxy CIDR for the proxy \
                     that terminates TLS, or --allow-plain-http",
                );
            }
            let is_socket = matches!(address, Some(Listen::Unix(_)));
            // Only the main listener serves browsers.
            if (beyond || is_socket) && key == "listen" && reach.public_url.is_none() {
                self.fault(key, "an address beyond loopback or a Unix socket needs --public-url");
            }
        }
        let clear = reach.public_url.is_some_and(|url| !url.is_https() && !url.is_loopback());
        if clear && !reach.is_plain {
            self.fault(
                "public_url",
                "http needs a loopback name or --allow-plain-http; use https otherwise",
            );
        }
    }

    fn paths(&self, key: &str) -> Vec<PathBuf> {
        let texts = self.written.get(key).map(|it| it.text.as_str()).unwrap_or_default();
        values(texts).map(PathBuf::from).collect()
    }

    fn proxies(&mut self) -> Option<Vec<TrustedProxy>> {
        let texts = self.written.get("trusted_proxies")?.text.clone();
        let mut proxies = Vec::new();
        for text in values(&texts) {
            match text.parse() {
                Ok(proxy) => proxies.push(proxy),
                Err(error) => self.fault("trusted_proxies", &format!("{text:?} {error}")),
            }
        }
        Some(proxies)
    }

    fn loopback(&mut self) -> Vec<TrustedProxy> {
        self.derive("trusted_proxies", &LOOPBACK);
        self.proxies().unwrap_or_default()
    }

    fn session_times(&mut self) -> SessionTimes {
        let idle = self.parse_with("sessions.idle", parse_span);
        let absolute = self.parse_with("sessions.absolute", parse_span);
        // Each setting is validated alone first, so that a fault names the right setting.
        for (key, alone) in [
            ("sessions.idle", SessionTimes::new(idle, Some(SESSION_MAX))),
            ("sessions.absolute", SessionTimes::new(None, absolute)),
        ] {
            if let Err(error) = alone {
                self.fault(key, &error.to_string());
                return SessionTimes::default();
            }
        }
        let times = SessionTimes::new(idle, absolute).unwrap_or_else(|error| {
            self.fault("sessions.idle", &error.to_string());
            SessionTimes::default()
        });
        self.derive("sessions.idle", &format_args!("{}s", times.idle().as_secs()));
        times
    }
}

/// The addresses of the instance and the settings that protect them.
struct Reach<'a> {
    addresses: [(&'static str, Option<&'a Listen>); 2],
    public_url: Option<&'a PublicUrl>,
    is_proxied: bool,
    is_plain: bool,
}

/// Whether a log format is JSON.
fn parse_log_format(text: &str) -> Result<bool, &'static str> {
    match text {
        "text" => Ok(false),
        "json" => Ok(true),
        _ => Err("must be text or json"),
    }
}

fn parse_storage(text: &str) -> Result<StorageUrl, &'static str> {
    match text.split_once(':') {
        Some(("redb", path)) if !path.is_empty() => Ok(StorageUrl::Redb(PathBuf::from(path))),
        Some(("etcd", place)) if has_password(place) => {
            Err("must have no password: etcd://USER@HOST:PORT/PREFIX?password-file=FILE")
        },
        Some(("etcd", place)) if place.starts_with("//") => Ok(StorageUrl::Etcd(text.to_owned())),
        Some(("memory", "")) => Ok(StorageUrl::Memory),
        Some(_) | None => Err("must be redb:PATH or memory:"),
    }
}

/// Whether the place of a store in etcd contains a password, which every log line with the place would show.
fn has_password(place: &str) -> bool {
    place.split_once('@').is_some_and(|(user, _hosts)| user.contains(':'))
        || place.contains("password=")
}

impl Display for StorageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redb(path) => write!(f, "redb:{}", path.display()),
            Self::Etcd(url) => f.write_str(url),
            Self::Memory => f.write_str("memory:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::setting::SETTINGS;
    use crate::model::pace::Pace;

    fn settings(flags: Written) -> Result<Settings, String> {
        let environment = ProcessEnvironment::from([("HOME", "/home/ada")]);
        Settings::new(flags, None, &environment).map_err(|error| error.to_string())
    }

    fn flags(flags: &[(&'static str, &str)]) -> Written {
        let directory = [("data", "/var/lib/none")];
        Written::of_flags(
            directory.iter().chain(flags).map(|(key, text)| (*key, (*text).to_owned())),
        )
    }

    #[test]
    fn defaults_are_loopback_and_a_directory_of_the_user() {
        let settings = settings(Written::default()).unwrap();
        assert_eq!(settings.data, Path::new("/home/ada/.local/state/keyhouse"));
        assert_eq!(settings.listen.to_string(), "http://127.0.0.1:7117");
        assert_eq!(settings.trusted_proxies.len(), 2);
        assert_eq!(settings.storage, StorageUrl::Redb(settings.data.clone()));
    }

    #[test]
    fn store_in_etcd_has_a_seal_key_in_the_data_directory() {
        let url = "etcd://127.0.0.1:2379/keyhouse";
        let settings = settings(flags(&[("storage", url)])).unwrap();
        assert_eq!(settings.storage, StorageUrl::Etcd(url.to_owned()));
        let file = settings.seed_key_file.unwrap();
        assert_eq!(file.path().parent(), Some(Path::new("/var/lib/none")));
    }

    #[test]
    fn password_in_the_url_of_etcd_is_rejected_and_not_printed() {
        for url in [
            "etcd://kh:hunter2@127.0.0.1:2379/keyhouse",
            "etcd://kh@127.0.0.1:2379/keyhouse?password=hunter2",
            "etcd:kh:hunter2@127.0.0.1:2379",
        ] {
            let error = settings(flags(&[("storage", url)])).unwrap_err();
            assert!(error.contains("password-file=FILE"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
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
            let settings = settings(flags(&[("support_url", url)]));
            assert_eq!(settings.is_ok(), fits, "{url}");
        }
        let wrong =
            ["support_url", "pricing_url", "endpoint_url"].map(|key| (key, "ftp://example.com"));
        let all = settings(flags(&wrong));
        let error = all.unwrap_err();
        assert!(
            ["support-url", "pricing-url", "endpoint-url"].iter().all(|it| error.contains(it)),
            "{error}"
        );
    }

    #[test]
    fn an_address_beyond_loopback_needs_a_proxy_or_plain_http() {
        let beyond = ("listen", "0.0.0.0:80");
        let error = settings(flags(&[beyond])).unwrap_err();
        assert!(error.contains("--public-url") && error.contains("--trusted-proxy"), "{error}");
        let url = ("public_url", "https://keys.example.com");
        for (claim, fits, more) in [
            ("no proxy", false, ("log", "info")),
            ("a proxy", true, ("trusted_proxies", "10.0.0.0/8")),
            ("plain", true, ("allow_plain_http", "true")),
        ] {
            assert_eq!(settings(flags(&[beyond, url, more])).is_ok(), fits, "{claim}");
        }
        let plain = flags(&[("public_url", "http://keys.example.com")]);
        assert!(settings(plain).unwrap_err().contains("loopback name"));
    }

    #[test]
    fn all_faults_are_reported_at_once() {
        let error = settings(flags(&[
            ("listen", "here"),
            ("storage", "mysql:"),
            ("trusted_proxies", "10.0.0.1/8"),
            ("key_prefix", "K"),
            ("log", "inof"),
            ("admin_password_file", "/etc/password"),
        ]))
        .unwrap_err();
        for part in ["listen (flag)", "storage", "10.0.0.0/8?", "key-prefix", "inof", "admin-email"]
        {
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn session_times_are_set_within_bounds() {
        let times = |idle: &str, absolute: &str| {
            let both = [("sessions.idle", idle), ("sessions.absolute", absolute)];
            let set: Vec<_> = both.into_iter().filter(|(_, text)| !text.is_empty()).collect();
            settings(flags(&set)).map(|settings| settings.session_times)
        };
        assert_eq!(times("", "").unwrap(), SessionTimes::default());
        let set = times("15m", "8h").unwrap();
        assert_eq!((set.idle().as_secs(), set.absolute().as_secs()), (900, 28_800));
        for (idle, absolute, part) in [
            ("soon", "", "session-idle (flag): \"soon\" must be a duration"),
            ("1m", "", "session-idle (flag): must be from 5m to 720h"),
            ("", "721h", "session-absolute (flag): must be from 5m to 720h"),
            ("9h", "8h", "session-idle (flag): must not exceed the absolute time"),
        ] {
            let error = times(idle, absolute).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keyhouse.toml");
        std::fs::write(&file, "[sessions]\nidle = \"10m\"\nabsolut = \"1h\"\n").unwrap();
        let written = || Written::of_data(folder.path()).unwrap();
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
        let settings = Settings::new(flags(&[("log", "warn")]), Some(&file), &environment).unwrap();
        assert_eq!(settings.listen.to_string(), "http://127.0.0.1:2");
        assert_eq!(settings.key_prefix.as_str(), "fromfile");
        let origin = |key| {
            let used = settings.used.iter().find(|it| it.setting.key == key).unwrap();
            used.origin.to_string().replace(folder.path().to_str().unwrap(), "")
        };
        assert_eq!(origin("log"), "flag");
        assert_eq!(origin("listen"), "environment KEYHOUSE_LISTEN");
        assert_eq!(origin("key_prefix"), "/any.toml:2");
        assert_eq!(origin("storage"), "default");
    }

    #[test]
    fn a_fault_in_the_file_names_the_file_and_the_field() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keyhouse.toml");
        std::fs::write(&file, "[limits]\nhead_timeot = \"1s\"\n").unwrap();
        let written = Written::of_data(folder.path()).unwrap();
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

    #[test]
    fn the_defaults_of_the_table_are_those_of_the_model() {
        let settings = settings(Written::default()).unwrap();
        assert_eq!(settings.key_prefix, Prefix::default());
        assert_eq!(settings.audit_retention, Retention::default());
        assert_eq!(settings.session_times, SessionTimes::default());
        assert_eq!(settings.log, LogFilter::default());
        assert_eq!(settings.limits.session_changes, Pace::of_sessions());
        assert_eq!(settings.limits.key_changes, Pace::of_keys());
    }

    #[test]
    fn every_setting_of_the_table_has_its_value_as_used() {
        let settings = settings(flags(&[("sessions.absolute", "30m")])).unwrap();
        let value = |key| {
            let used = settings.used.iter().find(|it| it.setting.key == key).unwrap();
            used.value.as_deref()
        };
        assert_eq!(settings.used.len(), SETTINGS.len());
        for (key, expected) in [
            ("storage", Some("redb:/var/lib/none")),
            ("public_url", Some("http://127.0.0.1:7117")),
            ("trusted_proxies", Some("127.0.0.0/8,::1/128")),
            ("sessions.idle", Some("1800s")),
            ("limits.headers_max", Some("64")),
            ("support_url", None),
        ] {
            assert_eq!(value(key), expected, "{key}");
        }
    }
}
