//! Settings before validation: flags, `KEYHOUSE_*` variables and `keyhouse.toml`.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Table;

use crate::config::error::ConfigError;
use crate::model::text;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingSource {
    Flag,
    Environment,
    File,
}

impl fmt::Display for SettingSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "keyhouse.toml",
        })
    }
}

const VARIABLE_PREFIX: &str = "KEYHOUSE_";
/// All variables that the program reads.
pub const VARIABLES: [&str; 22] = [
    "KEYHOUSE_ACCEPT_CLOCK",
    "KEYHOUSE_ADMIN_EMAIL",
    "KEYHOUSE_ADMIN_PASSWORD_FILE",
    "KEYHOUSE_ALLOW_PLAIN_HTTP",
    "KEYHOUSE_CHANGE_RATE",
    "KEYHOUSE_CHECK_LISTEN",
    "KEYHOUSE_DATA",
    "KEYHOUSE_ENDPOINT_URL",
    "KEYHOUSE_KEY",
    "KEYHOUSE_KEY_PREFIX",
    "KEYHOUSE_LISTEN",
    "KEYHOUSE_LOG",
    "KEYHOUSE_LOG_FORMAT",
    "KEYHOUSE_METRICS_LISTEN",
    "KEYHOUSE_PRICING_URL",
    "KEYHOUSE_PUBLIC_URL",
    "KEYHOUSE_SESSION_ABSOLUTE",
    "KEYHOUSE_SESSION_IDLE",
    "KEYHOUSE_STORAGE",
    "KEYHOUSE_SUPPORT_URL",
    "KEYHOUSE_TRUSTED_PROXY",
    "KEYHOUSE_URL",
];
/// The least similarity, from 0 to 1, of an unknown name to the known name that is suggested.
const SIMILARITY_MIN: f64 = 0.9;

/// The environment variables, read once.
#[derive(Clone, Debug, Default)]
pub struct ProcessEnvironment(HashMap<String, String>);

/// A `KEYHOUSE_*` variable that the program does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownVariable {
    pub name: String,
    /// The known variable with the most similar name.
    pub meant: Option<&'static str>,
}

impl ProcessEnvironment {
    /// Reads the environment of the process.
    ///
    /// A `KEYHOUSE_*` variable that is not UTF-8 is a fault. Other variables that are not UTF-8 are
    /// ignored.
    pub fn of_process() -> Result<Self, ConfigError> {
        let (mut variables, mut faults) = (HashMap::new(), Vec::new());
        for (name, value) in std::env::vars_os() {
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => drop(variables.insert(name, value)),
                (Ok(name), Err(_)) if name.starts_with(VARIABLE_PREFIX) => {
                    faults.push(format!("  {name} (environment): must be UTF-8"));
                },
                (Ok(_) | Err(_), _) => {},
            }
        }
        if faults.is_empty() { Ok(Self(variables)) } else { Err(ConfigError::Faults(faults)) }
    }

    /// The unknown `KEYHOUSE_*` variables, sorted by name.
    pub fn unknown(&self) -> Vec<UnknownVariable> {
        let names = self.0.keys().filter(|name| name.starts_with(VARIABLE_PREFIX));
        let unknown = names.filter(|name| !VARIABLES.contains(&name.as_str()));
        let mut unknown: Vec<UnknownVariable> = unknown
            .map(|name| UnknownVariable { name: name.clone(), meant: nearest(name) })
            .collect();
        unknown.sort_by(|one, other| one.name.cmp(&other.name));
        unknown
    }

    /// The value of a variable, if it is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        debug_assert!(
            !name.starts_with(VARIABLE_PREFIX) || VARIABLES.contains(&name),
            "{name} is missing from VARIABLES"
        );
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl<const N: usize> From<[(&str, &str); N]> for ProcessEnvironment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self(pairs.into_iter().map(owned).collect())
    }
}

/// The known variable that is most similar to a mistyped name.
fn nearest(name: &str) -> Option<&'static str> {
    let similarity = |known: &str| strsim::normalized_damerau_levenshtein(name, known);
    let similar = VARIABLES.into_iter().filter(|known| similarity(known) >= SIMILARITY_MIN);
    similar.max_by(|one, other| similarity(one).total_cmp(&similarity(other)))
}

/// The settings of one source.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    pub data: Option<PathBuf>,
    pub listen: Option<String>,
    /// Additional address that serves only checks and health.
    pub check_listen: Option<String>,
    /// Additional address that serves only metrics and health.
    pub metrics_listen: Option<String>,
    pub storage: Option<String>,
    /// URL of this server for browsers.
    pub public_url: Option<String>,
    /// URL of the protected API; shown on the page.
    pub endpoint_url: Option<String>,
    /// URL of the operator's support; linked from the page.
    pub support_url: Option<String>,
    /// URL of the operator's pricing; linked from the page.
    pub pricing_url: Option<String>,
    /// Networks and host names of trusted proxies.
    pub trusted_proxies: Option<Vec<String>>,
    /// Allows passwords and keys over unencrypted HTTP.
    pub allow_plain_http: Option<bool>,
    /// Starts even if the clock is far behind the newest audit event.
    pub accept_clock: Option<bool>,
    pub admin_email: Option<String>,
    pub admin_password_file: Option<PathBuf>,
    pub key_prefix: Option<String>,
    /// Log filter in the syntax of `tracing`.
    pub log: Option<String>,
    /// Format of log lines: `text` or `json`.
    pub log_format: Option<String>,
    #[serde(default)]
    pub limits: WrittenLimits,
    #[serde(default)]
    pub audit: WrittenAudit,
    #[serde(default)]
    pub sessions: WrittenSessions,
}

/// The table `[sessions]` of the file. Durations are written as `1h` or `30m`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenSessions {
    /// The time after which a session ends without a request.
    pub idle: Option<String>,
    /// Maximum length of a session.
    pub absolute: Option<String>,
}

/// The table `[audit]` of the file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenAudit {
    /// The retention of audit events, such as `400d`.
    pub retention: Option<String>,
    /// Destination to which sealed audit events are exported.
    pub export: Option<String>,
}

/// The table `[limits]` of the file. Durations are written as `10s` or `500ms`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenLimits {
    /// Maximum time from the first byte of a request's head to its last.
    pub head_timeout: Option<String>,
    /// Maximum time that a connection is idle.
    pub idle_timeout: Option<String>,
    /// Maximum time from the end of the head to the end of the body.
    pub body_timeout: Option<String>,
    /// Maximum time to write a response.
    pub write_timeout: Option<String>,
    /// Maximum time to finish requests while stopping.
    pub drain_timeout: Option<String>,
    /// Maximum number of header lines in a request.
    pub headers_max: Option<usize>,
    /// Maximum size of a request's head, in bytes.
    pub head_bytes_max: Option<usize>,
    /// Maximum number of header lines in a request from a trusted proxy.
    pub proxied_headers_max: Option<usize>,
    /// Maximum size of the head of a request from a trusted proxy, in bytes.
    pub proxied_head_bytes_max: Option<usize>,
    pub connections_max: Option<usize>,
    /// Maximum number of connections from one address.
    pub connections_per_address_max: Option<usize>,
    /// Maximum number of management requests in progress.
    pub pool_in_flight_max: Option<usize>,
    /// Rate of changes by a user in sessions, such as `10/s burst 100`, or `off`. Guests have a
    /// tenth of this rate and a fifth of the burst.
    pub session_changes: Option<String>,
    /// Rate of changes by a service key, or by all personal keys of a user together.
    pub key_changes: Option<String>,
}

impl Written {
    /// Reads the settings of the environment.
    ///
    /// A switch that is neither true nor false is a fault.
    pub fn of_environment(environment: &ProcessEnvironment) -> Result<Self, ConfigError> {
        let mut faults = Vec::new();
        let text = |name: &str| environment.get(name).map(str::to_owned);
        let mut switch = |name: &str| match environment.get(name)? {
            "1" | "true" | "yes" => Some(true),
            "0" | "false" | "no" => Some(false),
            _ => {
                faults.push(format!("  {name} (environment): must be true or false"));
                None
            },
        };
        let (allow_plain_http, accept_clock) =
            (switch("KEYHOUSE_ALLOW_PLAIN_HTTP"), switch("KEYHOUSE_ACCEPT_CLOCK"));
        let list = |text: String| text.split(',').map(|part| part.trim().to_owned()).collect();
        let written = Self {
            data: text("KEYHOUSE_DATA").map(PathBuf::from),
            listen: text("KEYHOUSE_LISTEN"),
            check_listen: text("KEYHOUSE_CHECK_LISTEN"),
            metrics_listen: text("KEYHOUSE_METRICS_LISTEN"),
            storage: text("KEYHOUSE_STORAGE"),
            public_url: text("KEYHOUSE_PUBLIC_URL"),
            endpoint_url: text("KEYHOUSE_ENDPOINT_URL"),
            support_url: text("KEYHOUSE_SUPPORT_URL"),
            pricing_url: text("KEYHOUSE_PRICING_URL"),
            trusted_proxies: text("KEYHOUSE_TRUSTED_PROXY").map(list),
            allow_plain_http,
            accept_clock,
            admin_email: text("KEYHOUSE_ADMIN_EMAIL"),
            admin_password_file: text("KEYHOUSE_ADMIN_PASSWORD_FILE").map(PathBuf::from),
            key_prefix: text("KEYHOUSE_KEY_PREFIX"),
            log: text("KEYHOUSE_LOG"),
            log_format: text("KEYHOUSE_LOG_FORMAT"),
            limits: WrittenLimits::default(),
            audit: WrittenAudit::default(),
            sessions: WrittenSessions {
                idle: text("KEYHOUSE_SESSION_IDLE"),
                absolute: text("KEYHOUSE_SESSION_ABSOLUTE"),
            },
        };
        if faults.is_empty() { Ok(written) } else { Err(ConfigError::Faults(faults)) }
    }

    /// Reads the settings of a file, and the faults of its fields. A field with a fault is left out, and
    /// the others are still read.
    ///
    /// # Errors
    /// [`ConfigError::File`] if the file can't be read, [`ConfigError::Syntax`] if it is not TOML.
    pub fn of_file(path: &Path) -> Result<(Self, Vec<String>), ConfigError> {
        let path_text = path.display().to_string();
        let bytes = std::fs::read(path)
            .map_err(|source| ConfigError::File { path: path_text.clone(), source })?;
        let syntax = |detail: String| ConfigError::Syntax { path: path_text.clone(), detail };
        let text = text::decode(&bytes).map_err(|error| syntax(error.to_string()))?;
        let table: Table =
            text.parse().map_err(|error: toml::de::Error| syntax(error.to_string()))?;
        let mut faults = Vec::new();
        let mut fault = |name: &str, error: &toml::de::Error| {
            faults.push(format!("  {name} ({path_text}): {}", error.message()));
        };
        let mut good = Table::new();
        for (name, value) in table {
            let alone = |value| Self::deserialize(Table::from_iter([(name.clone(), value)]));
            let is_known = alone(toml::Value::Table(Table::new())).is_ok();
            match (alone(value.clone()), value) {
                (Ok(_), value) => drop(good.insert(name, value)),
                (Err(_), toml::Value::Table(fields)) if is_known => {
                    let fields = fields.into_iter().filter(|(field, value)| {
                        let table = Table::from_iter([(field.clone(), value.clone())]);
                        let read = alone(toml::Value::Table(table));
                        read.inspect_err(|error| fault(&format!("{name}.{field}"), error)).is_ok()
                    });
                    let fields = fields.collect();
                    good.insert(name, toml::Value::Table(fields));
                },
                (Err(error), _) => fault(&name, &error),
            }
        }
        let written = Self::deserialize(good).map_err(|error| syntax(error.to_string()))?;
        Ok((written, faults))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_variable_is_reported_with_the_most_similar_known_one() {
        let environment = ProcessEnvironment::from([
            ("KEYHOUSE_LISEN", "127.0.0.1:1"),
            ("KEYHOUSE_LISTEN", "127.0.0.1:2"),
            ("KEYHOUSE_PUBLIC_ULR", "http://localhost"),
            ("KEYHOUSE_SOMETHING_ELSE", "1"),
            ("HOME", "/home/ada"),
        ]);
        let unknown = environment.unknown();
        let found: Vec<_> = unknown.iter().map(|it| (&*it.name, it.meant)).collect();
        assert_eq!(
            found,
            [
                ("KEYHOUSE_LISEN", Some("KEYHOUSE_LISTEN")),
                ("KEYHOUSE_PUBLIC_ULR", Some("KEYHOUSE_PUBLIC_URL")),
                ("KEYHOUSE_SOMETHING_ELSE", None),
            ]
        );
    }
}
