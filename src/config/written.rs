//! Settings as people write them: flags, `KEYHOUSE_*`, `keyhouse.toml`, in this order of weight.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Table;

use crate::config::ConfigError;
use crate::model::text;

/// Where a setting was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag.
    Flag,
    /// A variable of the environment.
    Environment,
    /// The file.
    File,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "keyhouse.toml",
        })
    }
}

/// What the program's own variables begin with.
const VARIABLE_PREFIX: &str = "KEYHOUSE_";
/// All of the program's own variables.
const VARIABLES: [&str; 22] = [
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
/// How alike a mistyped name and a known one are at least, from 0 to 1.
const LIKENESS_MIN: f64 = 0.9;

/// The variables of the environment, read once.
#[derive(Clone, Debug, Default)]
pub struct Environment(HashMap<String, String>);

/// A `KEYHOUSE_*` variable that the program does not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownVariable {
    /// Its name.
    pub name: String,
    /// The known variable that was probably meant.
    pub meant: Option<&'static str>,
}

impl Environment {
    /// Reads the process's own.
    ///
    /// # Errors
    /// [`ConfigError::Faults`] for a variable of the program whose value is not UTF-8. Others that
    /// are not UTF-8 are left out.
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

    /// The variables that begin as the program's own do and are none of them, sorted by name.
    pub fn unknown(&self) -> Vec<UnknownVariable> {
        let names = self.0.keys().filter(|name| name.starts_with(VARIABLE_PREFIX));
        let unknown = names.filter(|name| !VARIABLES.contains(&name.as_str()));
        let mut unknown: Vec<UnknownVariable> = unknown
            .map(|name| UnknownVariable { name: name.clone(), meant: nearest(name) })
            .collect();
        unknown.sort_by(|one, other| one.name.cmp(&other.name));
        unknown
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        debug_assert!(
            !name.starts_with(VARIABLE_PREFIX) || VARIABLES.contains(&name),
            "{name} is read but not listed in VARIABLES"
        );
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self(pairs.into_iter().map(owned).collect())
    }
}

/// The known variable that a mistyped name is most like.
fn nearest(name: &str) -> Option<&'static str> {
    let likeness = |known: &str| strsim::normalized_damerau_levenshtein(name, known);
    let alike = VARIABLES.into_iter().filter(|known| likeness(known) >= LIKENESS_MIN);
    alike.max_by(|one, other| likeness(one).total_cmp(&likeness(other)))
}

/// One layer of settings: what one place says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// Data directory.
    pub data: Option<PathBuf>,
    /// Address to listen on.
    pub listen: Option<String>,
    /// Address that serves checks alone.
    pub check_listen: Option<String>,
    /// Address that serves metrics alone.
    pub metrics_listen: Option<String>,
    /// Storage URL.
    pub storage: Option<String>,
    /// Where browsers reach this instance.
    pub public_url: Option<String>,
    /// Where the protected API is, for people who make keys.
    pub endpoint_url: Option<String>,
    /// Where people get help.
    pub support_url: Option<String>,
    /// Where people read what plans there are.
    pub pricing_url: Option<String>,
    /// Networks of trusted proxies.
    pub trusted_proxies: Option<Vec<String>>,
    /// Lets passwords and keys cross a network in the clear.
    pub allow_plain_http: Option<bool>,
    /// Starts although the clock is behind the newest event.
    pub accept_clock: Option<bool>,
    /// Address of the first owner.
    pub admin_email: Option<String>,
    /// File with the first owner's password.
    pub admin_password_file: Option<PathBuf>,
    /// What keys begin with.
    pub key_prefix: Option<String>,
    /// What is logged, as tracing's filters are written.
    pub log: Option<String>,
    /// `text` or `json`.
    pub log_format: Option<String>,
    /// Limits of the transport.
    #[serde(default)]
    pub limits: WrittenLimits,
    /// The audit log.
    #[serde(default)]
    pub audit: WrittenAudit,
    /// How long people stay signed in.
    #[serde(default)]
    pub sessions: WrittenSessions,
}

/// The `[sessions]` of the file. Spans are written as `1h` or `30m`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenSessions {
    /// How long a session lasts without a request.
    pub idle: Option<String>,
    /// How long a session lasts at all.
    pub absolute: Option<String>,
}

/// The `[audit]` of the file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenAudit {
    /// How long events are kept, such as `400d`.
    pub retention: Option<String>,
    /// Where events and heads go as they are sealed.
    pub export: Option<String>,
}

/// The `[limits]` of the file. Spans are written as `10s` or `500ms`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenLimits {
    /// From the first byte of a head to its last.
    pub head_timeout: Option<String>,
    /// How long an idle connection lives.
    pub idle_timeout: Option<String>,
    /// From the end of the head to the end of the body.
    pub body_timeout: Option<String>,
    /// How long a response may take to be written.
    pub write_timeout: Option<String>,
    /// How long a stop waits for requests.
    pub drain_timeout: Option<String>,
    /// Header lines of one request.
    pub headers_max: Option<usize>,
    /// Bytes of one request's head.
    pub head_bytes_max: Option<usize>,
    /// Header lines of a trusted proxy's question.
    pub proxied_headers_max: Option<usize>,
    /// Bytes of the head of a trusted proxy's question.
    pub proxied_head_bytes_max: Option<usize>,
    /// Connections in all.
    pub connections_max: Option<usize>,
    /// Connections of one address.
    pub connections_per_address_max: Option<usize>,
    /// Management requests under way at once.
    pub pool_in_flight_max: Option<usize>,
    /// Changes by a user in sessions, such as `10/s burst 100`, or `off`. Guests have a tenth of the
    /// rate and a fifth of the burst.
    pub session_changes: Option<String>,
    /// Changes by a service key, or by all personal keys of a user.
    pub key_changes: Option<String>,
}

impl Written {
    /// What the environment says.
    ///
    /// # Errors
    /// [`ConfigError::Faults`] for a switch that is neither true nor false.
    pub fn of_environment(environment: &Environment) -> Result<Self, ConfigError> {
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

    /// What a file says, and what is wrong with it, field by field: a fault in one hides no other.
    ///
    /// # Errors
    /// [`ConfigError::File`]; [`ConfigError::Syntax`] where it is no TOML.
    pub fn of_file(path: &Path) -> Result<(Self, Vec<String>), ConfigError> {
        let shown = path.display().to_string();
        let bytes = std::fs::read(path)
            .map_err(|source| ConfigError::File { path: shown.clone(), source })?;
        let syntax = |detail: String| ConfigError::Syntax { path: shown.clone(), detail };
        let text = text::decode(&bytes).map_err(|error| syntax(error.to_string()))?;
        let table: Table =
            text.parse().map_err(|error: toml::de::Error| syntax(error.to_string()))?;
        let mut faults = Vec::new();
        let mut fault = |name: &str, error: &toml::de::Error| {
            faults.push(format!("  {name} ({shown}): {}", error.message()));
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
    fn a_mistyped_variable_is_named_with_the_one_that_was_meant() {
        let environment = Environment::from([
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
