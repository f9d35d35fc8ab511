//! The page on settings, from the table of settings.

use std::fmt::Write as _;

use super::{Table, code};
use crate::config::{OTHER_VARIABLES, SETTINGS, Setting};

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

`SIGHUP` reads the settings again. The settings marked *reloads* take effect at once; the server names each other
changed setting, which takes effect at the next start. Settings with faults change nothing.

`keyhouse config show` prints each setting with its value and its origin. `keyhouse config check` reports all
faults, with exit code 2. Both commands take the flags of `keyhouse serve`. The setting of the file itself is the flag
`--config`.

## At the top of the file

";

/// The tables of the file, with the introduction to each.
const TABLES: [(&str, &str); 4] = [
    (
        "limits",
        "Limits of the server's sockets, and rates of changes. \
         [SECURITY.md](../../SECURITY.md#bounds-that-callers-share)\nlists the bounds that are fixed. \
         Times are written as `10s` or `500ms`. Open connections keep the limits\nwith which they began.\n\n",
    ),
    ("audit", ""),
    ("backup", "[Back up and restore](../how-to/backup.md#on-a-schedule) describes the files.\n\n"),
    ("sessions", ""),
];

const VARIABLES_ONLY: &str = "
## Other variables

";

pub(super) fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    let top = |setting: &Setting| !setting.key.contains('.');
    page.push_str(&table(SETTINGS.iter().filter(|setting| top(setting))));
    for (name, introduction) in TABLES {
        let (Ok(()) | Err(_)) = write!(page, "\n## `[{name}]`\n\n{introduction}");
        let of_table =
            |setting: &&Setting| setting.key.split_once('.').is_some_and(|it| it.0 == name);
        page.push_str(&table(SETTINGS.iter().filter(of_table)));
    }
    let mut table = Table::new(["variable", "meaning"]);
    for (name, meaning) in OTHER_VARIABLES {
        table.row([&code(name), meaning]);
    }
    page.extend([VARIABLES_ONLY, &table.text]);
    page
}

fn table<'a>(settings: impl Iterator<Item = &'a Setting>) -> String {
    let mut table =
        Table::new(["key in keyhouse.toml", "flag", "variable", "default", "meaning", "reloads"]);
    for setting in settings {
        let flag = setting.flag_name().map(|name| code(&format!("--{name}"))).unwrap_or_default();
        let key = setting.key.rsplit_once('.').map_or(setting.key, |(_, key)| key);
        let reloads = if setting.reloads { "yes" } else { "" };
        table.row([
            &code(key),
            &flag,
            &code(&setting.variable()),
            setting.default_words(),
            setting.meaning,
            reloads,
        ]);
    }
    table.text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_described_once() {
        let page = page();
        for setting in SETTINGS {
            let variable = format!("| `{}` |", setting.variable());
            assert_eq!(page.matches(&variable).count(), 1, "{}", setting.key);
        }
    }
}
