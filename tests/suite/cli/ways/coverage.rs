//! Every command and every flag has calls in the tables.

use std::collections::BTreeSet;

use super::PARTS;
use super::instance::Way;
use super::table::{Call, Prompt, Table};
use crate::server::{Home, binary, run};

/// Commands that do not reach an instance in three ways, with the reason.
const FEWER_WAYS: &[(&str, &str)] = &[
    ("serve", "is the server"),
    ("config show", "reads the settings of this host"),
    ("config check", "reads the settings of this host"),
    ("healthcheck", "asks the server on this host"),
    ("doctor", "examines this host and its proxies"),
    ("schema", "reaches no instance"),
    ("restore", "makes the store of this host"),
    ("upgrade", "works on the store of this host while no server runs"),
    ("check", "works on the store of this host while no server runs"),
    ("repair", "works on the store of this host while no server runs"),
    ("compact", "works on the store of this host while no server runs"),
];
/// Commands that reach an instance only through a server, with the reason.
const ONLY_RUNNING: &[(&str, &str)] = &[("lockout lift", "lockouts are in the memory of a server")];
/// Commands that only other tests run: those of tests/suite/serve and tests/suite/doctor.
const ELSEWHERE: &[&str] = &["serve", "doctor"];
/// Flags of settings, which `serve`, `config` and `doctor` share: tests/suite/cli/config.rs tests each.
const OF_SETTINGS: &[&str] = &["serve", "config show", "config check", "doctor"];

/// A command as the program documents it.
#[derive(Debug)]
struct Documented {
    /// Its words, such as `key create`.
    name: String,
    flags: Vec<String>,
}

impl Documented {
    fn words(&self) -> Vec<&str> {
        self.name.split(' ').collect()
    }

    /// Whether a call with this prompt runs in every way of the command.
    fn is_complete(&self, prompt: Prompt) -> bool {
        let is_running = ONLY_RUNNING.iter().any(|(name, _)| *name == self.name);
        prompt.is_all() || is_running && prompt == Prompt::Ways(&[Way::Socket, Way::Remote])
    }

    fn has_three_ways(&self) -> bool {
        !FEWER_WAYS.iter().any(|(name, _)| *name == self.name)
    }
}

/// The commands that the program documents, except the hidden one that writes this document.
fn documented() -> Vec<Documented> {
    let home = Home::new();
    let mut command = home.command(binary());
    command.arg("docs").arg(home.folder());
    let ended = run(command, b"");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let page = std::fs::read_to_string(home.folder().join("cli.md")).unwrap();
    let sections = page.split("\n## keyhouse ").skip(1);
    // A group of commands has no usage.
    let commands = sections.filter(|section| section.contains("\n```text\nkeyhouse "));
    let found: Vec<_> = commands.map(of_section).collect();
    assert!(found.len() > FEWER_WAYS.len(), "{page}");
    found
}

fn of_section(section: &str) -> Documented {
    let name = section.lines().next().unwrap().to_owned();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `--"));
    let flag = |row: &str| {
        let end = row.find(|it: char| it != '-' && !it.is_ascii_alphanumeric()).unwrap();
        format!("--{}", row.get(..end).unwrap())
    };
    let flags = rows.map(flag).collect();
    Documented { name, flags }
}

fn calls(folder: &str) -> Vec<Call> {
    let tables = PARTS.map(|part| Table::read(&format!("{folder}/{part}.txt")));
    tables.iter().flat_map(Table::calls).cloned().collect()
}

/// The calls of a command.
fn of<'a>(command: &Documented, calls: &'a [Call]) -> Vec<&'a Call> {
    calls.iter().filter(|call| call.is_of(&command.words())).collect()
}

#[test]
fn every_command_and_flag_has_calls_in_the_tables() {
    let (right, wrong) = (calls("right"), calls("wrong"));
    let mut faults = Vec::new();
    for command in documented() {
        let (mine, mistakes) = (of(&command, &right), of(&command, &wrong));
        let in_all = |json: bool| {
            let mut complete = mine.iter().filter(|call| command.is_complete(call.prompt));
            complete.any(|call| call.has("--json") == json)
        };
        let is_tested = if command.has_three_ways() {
            in_all(false) && in_all(true)
        } else {
            !mine.is_empty() || ELSEWHERE.contains(&&*command.name)
        };
        if !is_tested {
            faults.push(format!("{}: right needs a call as text and one as JSON", command.name));
        }
        if mistakes.is_empty() {
            faults.push(format!("{}: wrong has no mistake", command.name));
        }
        let is_weak = mistakes.iter().any(|call| call.prompt == Prompt::Weak);
        if command.has_three_ways() && !is_weak {
            faults.push(format!("{}: wrong has no call with the weak key", command.name));
        }
        if OF_SETTINGS.contains(&&*command.name) {
            continue;
        }
        for flag in command.flags.iter().filter(|flag| !mine.iter().any(|it| it.has(flag))) {
            faults.push(format!("{}: no right call has {flag}", command.name));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_call_and_every_exception_is_of_a_documented_command() {
    let documented = documented();
    let names: BTreeSet<&str> = documented.iter().map(|command| &*command.name).collect();
    let with_reason = FEWER_WAYS.iter().chain(ONLY_RUNNING).map(|(name, _)| name);
    for name in with_reason.chain(ELSEWHERE).chain(OF_SETTINGS) {
        assert!(names.contains(name), "{name} is not a command");
    }
    let known = |call: &Call| documented.iter().any(|command| call.is_of(&command.words()));
    for call in calls("right") {
        assert!(known(&call), "{}", call.line);
    }
}
