//! The page on settings: the flags of `serve` from clap, each with its variable and its key in the
//! settings file, and the tables of the file.

use std::time::Duration;

use clap::CommandFactory as _;

use super::{Table, code};
use crate::cli::Cli;
use crate::config::VARIABLES;
use crate::http::transport::TransportLimits;
use crate::model::pace::Pace;
use crate::model::retention::Retention;

const INTRODUCTION: &str = "\
# Settings

A flag takes precedence over the environment, the environment over `keyhouse.toml`, and the file over the
default. The file is `keyhouse.toml` in the data directory, or the file that `--config` names. The
server reports all mistakes at once, each with its source. An unknown key in the file is an error; an unknown
`KEYHOUSE_*` variable is a warning.

An address beyond loopback needs `--public-url`, and either `--trusted-proxy`, the proxy that terminates
TLS, or `--allow-plain-http`. Processes of the socket's user and group can connect to a socket (`unix:/PATH`,
mode 0660). Each such process is a trusted proxy: its forwarded headers count.

Host names of trusted proxies are resolved at the start and every 30 s. A name that never resolved has no
addresses; a name that stops resolving keeps its addresses for an hour. If a trusted proxy sends no
`X-Forwarded-For`, the client's address is unknown: Keyhouse rejects keys with address rules, and logs the
missing header once an hour.

`SIGHUP` reads the settings again: the log filter, the page's links and the trusted proxies change at
once; all other settings change at the next start.

## Flags of `keyhouse serve`

";

const LIMITS: &str = "
## `[limits]`

Limits of the server's sockets, and rates of changes. [SECURITY.md](../../SECURITY.md#bounds-that-callers-share)
lists the bounds that are fixed. Times are written as `10s` or `500ms`.

";

const AUDIT: &str = "
## `[audit]`

";

const VARIABLES_ONLY: &str = "
## Variables without a flag

";

pub(super) fn page() -> String {
    let mut page = format!("{INTRODUCTION}{}", flags().text);
    for (heading, rows) in [(LIMITS, limits()), (AUDIT, audit())] {
        let mut table = Table::new(["key", "default", "meaning"]);
        for SettingRow { key, default, meaning } in &rows {
            table.row([&code(key), default, meaning]);
        }
        page.extend([heading, &table.text]);
    }
    let mut table = Table::new(["variable", "meaning"]);
    for (name, meaning) in OTHER_VARIABLES {
        table.row([&code(name), meaning]);
    }
    page.extend([VARIABLES_ONLY, &table.text]);
    page
}

/// A key of one of the file's tables.
struct SettingRow {
    key: &'static str,
    default: String,
    meaning: &'static str,
}

/// Variables that belong to no flag of `serve`.
const OTHER_VARIABLES: [(&str, &str); 3] = [
    (
        "KEYHOUSE_CHANGE_RATE",
        "`off` disables the limits `session_changes` and `key_changes`, for load tests. No other value is accepted.",
    ),
    ("KEYHOUSE_KEY", "The key that commands send to the server at `KEYHOUSE_URL`."),
    (
        "KEYHOUSE_URL",
        "URL of a remote server that every command except `serve` calls. `http` is accepted only for a loopback host. Requires `KEYHOUSE_KEY`.",
    ),
];

fn flags() -> Table {
    let mut root = Cli::command();
    root.build();
    let mut table = Table::new(["flag", "variable", "key in keyhouse.toml", "default", "meaning"]);
    let Some(serve) = root.find_subcommand("serve") else { return table };
    for argument in serve.get_arguments() {
        let Some(long) = argument.get_long() else { continue };
        let variable = variable(long).unwrap_or_default();
        // `--json`, `--help` and `--version` are not settings.
        if variable.is_empty() && long != "config" {
            continue;
        }
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let (meaning, default) = split_default(&help);
        let key = if variable.is_empty() { String::new() } else { key(long) };
        table.row([&code(&format!("--{long}")), &code(variable), &code(&key), default, meaning]);
    }
    table
}

/// The variable of a flag.
fn variable(long: &str) -> Option<&'static str> {
    let name = format!("KEYHOUSE_{}", long.replace('-', "_").to_uppercase());
    VARIABLES.into_iter().find(|known| *known == name)
}

/// The key in the settings file for a flag.
fn key(long: &str) -> String {
    match long {
        "trusted-proxy" => "trusted_proxies".to_owned(),
        "session-idle" => "sessions.idle".to_owned(),
        "session-absolute" => "sessions.absolute".to_owned(),
        _ => long.replace('-', "_"),
    }
}

/// The help without its default, and the default.
fn split_default(help: &str) -> (&str, &str) {
    let split = help.rsplit_once(" [default").and_then(|(meaning, default)| {
        let default = default.strip_suffix(']')?;
        Some((meaning, default.strip_prefix(": ").unwrap_or(default.trim_start())))
    });
    split.unwrap_or((help, ""))
}

#[expect(clippy::too_many_lines, reason = "one list of rows, without branches")]
fn limits() -> Vec<SettingRow> {
    let own = TransportLimits::default();
    let row = |key, default, meaning| SettingRow { key, default, meaning };
    vec![
        row(
            "head_timeout",
            span(own.head_timeout),
            "Maximum time from the first to the last byte of a request's head.",
        ),
        row(
            "idle_timeout",
            span(own.idle_timeout),
            "Maximum time that a connection stays open without a request.",
        ),
        row(
            "body_timeout",
            span(own.body_timeout),
            "Maximum time from the end of a request's head to the end of its body.",
        ),
        row(
            "write_timeout",
            span(own.write_timeout),
            "Maximum time in which a client must read a response.",
        ),
        row(
            "drain_timeout",
            span(own.drain_timeout),
            "Maximum time that a stopping server waits for requests in progress.",
        ),
        row(
            "headers_max",
            own.headers_max.to_string(),
            "Maximum number of header lines in a request.",
        ),
        row(
            "head_bytes_max",
            own.head_bytes_max.to_string(),
            "Maximum size of a request's head in bytes. The setting must be at least 8192.",
        ),
        row(
            "proxied_headers_max",
            own.proxied_headers_max.to_string(),
            "Maximum number of header lines in a trusted proxy's request to a gate.",
        ),
        row(
            "proxied_head_bytes_max",
            own.proxied_head_bytes_max.to_string(),
            "Maximum size in bytes of the head of a trusted proxy's request to a gate. The setting must be at least 8192.",
        ),
        row(
            "connections_max",
            own.connections_max.to_string(),
            "Maximum number of open connections.",
        ),
        row(
            "connections_per_address_max",
            own.connections_per_address_max.to_string(),
            "Maximum number of open connections from one IPv4 address or IPv6 /64. Trusted proxies are exempt.",
        ),
        row(
            "pool_in_flight_max",
            own.pool_in_flight_max.to_string(),
            "Maximum number of management requests that run at the same time.",
        ),
        row(
            "session_changes",
            pace(&Pace::of_sessions()),
            "Maximum rate of changes by one user in sessions, or `off`. Guests have a tenth of the rate and a fifth of the burst.",
        ),
        row(
            "key_changes",
            pace(&Pace::of_keys()),
            "Maximum rate of changes by one service key, or by all personal keys of one user together, or `off`.",
        ),
    ]
}

fn audit() -> Vec<SettingRow> {
    vec![
        SettingRow {
            key: "retention",
            default: Retention::default().to_string(),
            meaning: "How long audit events are kept, from `30d` to `3650d`.",
        },
        SettingRow {
            key: "export",
            default: String::new(),
            meaning: "Destination of sealed audit events and heads: `file:/PATH`, `syslog:unix:/PATH` or `syslog:tcp://HOST:PORT`.",
        },
    ]
}

fn pace(pace: &Pace) -> String {
    let limit = pace.limit().map(|it| (it.limit / it.window_seconds, it.limit));
    limit.map_or_else(|| "off".to_owned(), |(rate, burst)| code(&format!("{rate}/s burst {burst}")))
}

fn span(duration: Duration) -> String {
    format!("{}s", duration.as_secs())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::Deserialize as _;

    use super::*;
    use crate::config::Written;

    /// The fields of a table of the settings file, read from serde's message for an unknown field.
    fn known(table: &str) -> BTreeSet<String> {
        let text = if table.is_empty() { "?".to_owned() } else { format!("{table}.?") };
        let text = text.replace('?', "\"?\" = 1");
        let error = Written::deserialize(text.parse::<toml::Table>().unwrap()).unwrap_err();
        let (_, fields) = error
            .message()
            .split_once("expected one of ")
            .unwrap_or_else(|| error.message().split_once("expected ").unwrap());
        fields
            .split([',', ' '])
            .map(|it| it.trim_matches('`').to_owned())
            .filter(|it| !it.is_empty() && it != "or")
            .collect()
    }

    #[test]
    fn every_key_of_the_file_is_described() {
        let rows = |rows: Vec<SettingRow>| rows.into_iter().map(|it| it.key.to_owned()).collect();
        assert_eq!(known("limits"), rows(limits()));
        assert_eq!(known("audit"), rows(audit()));
        let flags = flags().text;
        for name in known("") {
            let in_table = ["limits", "audit"].contains(&&*name);
            let described = match &*name {
                "sessions" => {
                    known("sessions").iter().all(|it| flags.contains(&format!("`sessions.{it}`")))
                },
                _ => flags.contains(&format!("`{name}`")),
            };
            assert!(described || in_table, "{name}");
        }
    }

    #[test]
    fn every_variable_is_described_once() {
        let page = page();
        for variable in VARIABLES {
            assert_eq!(page.matches(&format!("| `{variable}` |")).count(), 1, "{variable}");
        }
    }

    #[test]
    fn default_is_split_from_help() {
        assert_eq!(split_default("Where [default: here]"), ("Where", "here"));
        assert_eq!(split_default("Where [default on loopback: x]"), ("Where", "on loopback: x"));
        assert_eq!(split_default("Where"), ("Where", ""));
    }
}
