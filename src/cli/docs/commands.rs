//! The page on the command line, from clap's own tree of commands.

use clap::{Arg, Command, CommandFactory as _};

use super::{Table, code};
use crate::cli::Cli;

const INTRODUCTION: &str = "\
# Command line

Commands are a noun and a verb. Data goes to stdout, messages go to stderr. Secrets are read from files,
from stdin or from a prompt, never from arguments.

On the host, a command uses the control socket of the running server, or opens the store itself when no
server runs. It needs no credential. With `KEYHOUSE_URL` and `KEYHOUSE_KEY` it calls a remote server over
HTTPS with that key, which acts in its own organization. The output is the same in all three ways. `restore`,
`upgrade`, `check`, `repair` and `compact` work on the store of this host, and fail while `KEYHOUSE_URL` is set.
`restore --list` and `check --file` only read a file, and ignore it.

| exit code | meaning |
| --- | --- |
| 0 | done |
| 1 | failed |
| 2 | usage: a command, a flag or a setting is wrong |
| 3 | not found |
| 4 | denied, or the key is not valid |
| 5 | conflict with the current state |
| 6 | the server or its store is unreachable |

";

const FENCE: &str = "\n```text\n";
const FENCE_END: &str = "\n```\n";

pub(super) fn page() -> String {
    let mut root = Cli::command();
    root.build();
    let mut text = INTRODUCTION.to_owned();
    text.push_str("## Options of every command\n\n");
    let mut table = Table::new(["option", "meaning"]);
    for argument in root.get_arguments().filter(|it| it.is_global_set()) {
        row(&mut table, argument);
    }
    text.push_str(&table.text);
    for command in root.get_subcommands() {
        describe(command, "keyhouse", &mut text);
    }
    text
}

/// Describes a command and all commands below it.
fn describe(command: &Command, above: &str, text: &mut String) {
    if command.is_hide_set() || command.get_name() == "help" {
        return;
    }
    let name = format!("{above} {}", command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    text.extend(["\n## ", &*name, "\n\n", &sentence(&about), "\n"]);
    let is_parent = command.get_subcommands().any(|it| it.get_name() != "help");
    if !is_parent {
        let usage = command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage:").trim();
        text.extend([FENCE, usage, FENCE_END]);
    }
    let own: Vec<&Arg> = command
        .get_arguments()
        .filter(|it| !it.is_global_set() && !it.is_hide_set())
        .filter(|it| !matches!(it.get_id().as_str(), "help" | "version"))
        .collect();
    if !own.is_empty() {
        let mut table = Table::new(["argument", "meaning"]);
        for argument in own {
            row(&mut table, argument);
        }
        text.push('\n');
        text.push_str(&table.text);
    }
    if let Some(after) = command.get_after_help().filter(|_help| !is_parent) {
        text.extend([FENCE, after.to_string().trim_end(), FENCE_END]);
    }
    for below in command.get_subcommands() {
        describe(below, &name, text);
    }
}

fn row(table: &mut Table, argument: &Arg) {
    let mut meaning = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let defaults: Vec<_> =
        argument.get_default_values().iter().map(|it| it.to_string_lossy()).collect();
    if !defaults.is_empty() && argument.get_action().takes_values() {
        meaning.extend([" [default: ", &defaults.join(" "), "]"]);
    }
    let values: Vec<_> =
        argument.get_possible_values().iter().map(|it| it.get_name().to_owned()).collect();
    if !values.is_empty() && argument.get_action().takes_values() {
        meaning.extend([" [values: ", &values.join(", "), "]"]);
    }
    table.row([&code(&argument.to_string()), &meaning]);
}

/// clap takes the full stop off the end of a help line.
fn sentence(text: &str) -> String {
    let end = if text.ends_with(['.', '?']) { "" } else { "." };
    format!("{text}{end}")
}
