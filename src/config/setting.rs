//! The table of all settings: the key of each in `keyhouse.toml`, its flag, its variable, its default
//! and its meaning.
//!
//! A new setting is a row of this table and the line of [`super::used`] that reads it. The flags of
//! `serve`, the variables, the file, `keyhouse config` and the reference page follow the table.

use DefaultValue::{Derived, Text};

/// Beginning of the names of all variables.
pub(super) const VARIABLE_PREFIX: &str = "KEYHOUSE_";
/// The least similarity, from 0 to 1, of an unknown name to the known name that is suggested.
const SIMILARITY_MIN: f64 = 0.8;

/// A row of the table of settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key in the file, after the name of its table: `limits.head_timeout`.
    pub key: &'static str,
    pub kind: ValueKind,
    /// What the flag's value is called in the help. `None`: the setting has no flag.
    pub placeholder: Option<&'static str>,
    pub default: DefaultValue,
    /// One sentence for the help and the reference page.
    pub meaning: &'static str,
    /// Whether a changed value takes effect when the settings are reloaded. Otherwise it takes effect
    /// at the next start.
    pub reloads: bool,
    /// The name in flags and variables, where it is not the key.
    name: &'static str,
}

/// The kind of a value in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    Text,
    /// A list of texts; a repeatable flag, and a variable with commas.
    List,
    /// A flag without a value.
    Switch,
    Count,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    None,
    /// A value that is read as if it was written.
    Text(&'static str),
    /// Words for a value that depends on other settings or on the environment.
    Derived(&'static str),
}

/// All settings, in the order of the help and of the reference page.
pub static SETTINGS: &[Setting] = &[
    text("listen", "Address to listen on, or unix:/PATH").flag("ADDR").or("127.0.0.1:7117"),
    text("check_listen", "Additional address that serves only checks and health").flag("ADDR"),
    text(
        "metrics_listen",
        "Additional address that serves only metrics and health, without authentication",
    )
    .flag("ADDR"),
    text("storage", "Storage: redb:PATH or memory:").flag("URL").or_else("redb in the data directory"),
    text("public_url", "URL of this server for browsers; a path ends with /")
        .flag("URL")
        .or_else("the listen address, if it is on loopback"),
    text("endpoint_url", "URL of the protected API; shown on the page")
        .flag("URL")
        .or_else("--public-url")
        .reloading(),
    text("support_url", "URL of your support; linked from the page").flag("URL").reloading(),
    text("pricing_url", "URL of your pricing; linked from the page").flag("URL").reloading(),
    text(
        "trusted_proxies",
        "Network or host name of a proxy whose forwarded headers are trusted; repeatable",
    )
    .of(ValueKind::List)
    .named("trusted-proxy")
    .flag("PROXY")
    .or_else("loopback")
    .reloading(),
    switch("allow_plain_http", "Allow passwords and keys over unencrypted HTTP"),
    switch("accept_clock", "Start even if the clock is far behind the newest audit event"),
    text("admin_email", "Create the first owner with this email address if the instance is not set up")
        .flag("E"),
    text("admin_password_file", "File with the first owner's password in its first line")
        .flag("F")
        .or_else("prompt"),
    text(
        "apply",
        "Configuration file to apply at each start, such as '/etc/keyhouse/*.toml'; repeatable",
    )
    .of(ValueKind::List)
    .flag("FILE"),
    text("key_prefix", "Prefix of new keys").flag("P").or("kh"),
    text("seal_key_file", "File with the keys that encrypt the seeds of second factors")
        .flag("F")
        .or_else("seal.key in the data directory"),
    text("sessions.idle", "Time until an idle session ends, such as 30m")
        .named("session-idle")
        .flag("SPAN")
        .or_else("1h"),
    text("sessions.absolute", "Maximum length of a session, at most 720h")
        .named("session-absolute")
        .flag("SPAN")
        .or("24h"),
    text("log", "Log filter, such as warn or keyhouse=debug").flag("FILTER").or("info").reloading(),
    text("log_format", "Log format: text or json").flag("FORMAT").or("text"),
    text("data", "Data directory")
        .flag("DIR")
        .or_else("$STATE_DIRECTORY, $XDG_STATE_HOME/keyhouse or ~/.local/state/keyhouse"),
    text("limits.head_timeout", "Maximum time from the first to the last byte of a request's head.").or("10s").reloading(),
    text("limits.idle_timeout", "Maximum time that a connection stays open without a request.").or("75s").reloading(),
    text("limits.body_timeout", "Maximum time from the end of a request's head to the end of its body.").or("10s").reloading(),
    text("limits.write_timeout", "Maximum time in which a client must read a response.").or("30s").reloading(),
    text("limits.drain_timeout", "Maximum time that a stopping server waits for requests in progress. It closes idle connections after a tenth of this time.").or("10s").reloading(),
    count("limits.headers_max", "Maximum number of header lines in a request.").or("64").reloading(),
    count(
        "limits.head_bytes_max",
        "Maximum size of a request's head in bytes. The setting must be at least 8192.",
    )
    .or("16384").reloading(),
    count(
        "limits.proxied_headers_max",
        "Maximum number of header lines in a trusted proxy's request to a gate.",
    )
    .or("256").reloading(),
    count(
        "limits.proxied_head_bytes_max",
        "Maximum size in bytes of the head of a trusted proxy's request to a gate. The setting must be at least 8192.",
    )
    .or("81920").reloading(),
    count("limits.connections_max", "Maximum number of open connections.").or("10000").reloading(),
    count(
        "limits.connections_per_address_max",
        "Maximum number of open connections from one IPv4 address or IPv6 /64. Trusted proxies are exempt.",
    )
    .or("256").reloading(),
    count(
        "limits.pool_in_flight_max",
        "Maximum number of management requests that run at the same time.",
    )
    .or("64"),
    text(
        "limits.session_changes",
        "Maximum rate of changes by one user in sessions, or `off`. Guests have a tenth of the rate and a fifth of the burst.",
    )
    .or("10/s burst 100").reloading(),
    text(
        "limits.key_changes",
        "Maximum rate of changes by one service key, or by all personal keys of one user together, or `off`.",
    )
    .or("100/s burst 1000").reloading(),
    text("audit.retention", "How long audit events are kept, from `30d` to `3650d`.").or("400d"),
    text(
        "audit.export",
        "Destination of sealed audit events and heads: `file:/PATH`, `syslog:unix:/PATH` or `syslog:tcp://HOST:PORT`.",
    ),
    text("backup.every", "Interval of scheduled backups, such as `6h`, at least `1m`. Without it, no backup is scheduled.")
        .reloading(),
    text("backup.directory", "Directory of scheduled backups. Use another disk than the data's. Required by `every`.")
        .reloading(),
    count("backup.keep", "Number of the newest scheduled backups that are kept.").or("28").reloading(),
    text("backup.recipient", "Recipients of age, separated by commas, that can decrypt scheduled backups.")
        .reloading(),
];

/// Variables that belong to no setting, with their meanings.
pub static OTHER_VARIABLES: &[(&str, &str)] = &[
    (
        CHANGE_RATE,
        "`off` disables the limits `session_changes` and `key_changes`, for load tests. No other value is accepted.",
    ),
    ("KEYHOUSE_KEY", "The key that commands send to the server at `KEYHOUSE_URL`."),
    (
        "KEYHOUSE_URL",
        "URL of a remote server that commands call, instead of the instance on this host. `http` is accepted only for a loopback host. Requires `KEYHOUSE_KEY`. `serve`, `config`, `healthcheck`, `doctor` and `schema` ignore it; `restore`, `upgrade`, `check`, `repair` and `compact` fail while it is set, since they work on the store of this host. `restore --list` and `check --file` only read a file, and ignore it.",
    ),
];

/// The variable that removes the rates of changes if it is `off`, for load tests.
pub(super) const CHANGE_RATE: &str = "KEYHOUSE_CHANGE_RATE";

const fn text(key: &'static str, meaning: &'static str) -> Setting {
    let (kind, default) = (ValueKind::Text, DefaultValue::None);
    Setting { key, kind, placeholder: None, default, meaning, reloads: false, name: key }
}

const fn switch(key: &'static str, meaning: &'static str) -> Setting {
    text(key, meaning).of(ValueKind::Switch).flag("")
}

const fn count(key: &'static str, meaning: &'static str) -> Setting {
    text(key, meaning).of(ValueKind::Count)
}

impl Setting {
    const fn of(self, kind: ValueKind) -> Self {
        Self { kind, ..self }
    }

    const fn flag(self, placeholder: &'static str) -> Self {
        Self { placeholder: Some(placeholder), ..self }
    }

    const fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    const fn or(self, value: &'static str) -> Self {
        Self { default: Text(value), ..self }
    }

    const fn or_else(self, words: &'static str) -> Self {
        Self { default: Derived(words), ..self }
    }

    const fn reloading(self) -> Self {
        Self { reloads: true, ..self }
    }

    /// The row of a key.
    pub fn of_key(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// The name of the flag, without its dashes.
    pub fn flag_name(&self) -> Option<String> {
        self.placeholder.map(|_placeholder| self.name.replace('_', "-"))
    }

    /// The name of the variable.
    pub fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.name.replace(['-', '.'], "_").to_uppercase())
    }

    /// The default in words; empty if there is none.
    pub fn default_words(&self) -> &'static str {
        match self.default {
            DefaultValue::None => "",
            Text(words) | Derived(words) => words,
        }
    }
}

/// All variables that the program reads, sorted.
pub(super) fn variables() -> Vec<String> {
    let settings = SETTINGS.iter().map(Setting::variable);
    let others = OTHER_VARIABLES.iter().map(|(name, _)| (*name).to_owned());
    let mut variables: Vec<_> = settings.chain(others).collect();
    variables.sort();
    variables
}

/// The known name that is most similar to a mistyped one.
pub(super) fn nearest(name: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let similarity = |known: &str| strsim::normalized_damerau_levenshtein(name, known);
    let similar = known.filter(|known| similarity(known) >= SIMILARITY_MIN);
    similar.max_by(|one, other| similarity(one).total_cmp(&similarity(other)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_flags_and_variables_are_unique() {
        let distinct =
            |names: Vec<String>| names.iter().collect::<BTreeSet<_>>().len() == names.len();
        assert!(distinct(SETTINGS.iter().map(|it| it.key.to_owned()).collect()));
        assert!(distinct(SETTINGS.iter().filter_map(Setting::flag_name).collect()));
        assert!(distinct(variables()));
        let session = Setting::of_key("sessions.idle").unwrap();
        assert_eq!(session.flag_name().as_deref(), Some("session-idle"));
        assert_eq!(session.variable(), "KEYHOUSE_SESSION_IDLE");
        let limit = Setting::of_key("limits.head_timeout").unwrap();
        assert_eq!(
            (limit.flag_name(), limit.variable()),
            (None, "KEYHOUSE_LIMITS_HEAD_TIMEOUT".to_owned())
        );
    }
}
