//! How the program ends: exit codes, and the words that go with them.

use std::io::{self, Write as _};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, setrlimit};
use serde_json::Value;

use crate::cli::terminal;
use crate::config::ConfigError;
use crate::model::text::{printable, printable_line};

/// The exit codes; scripts depend on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done.
    Ok,
    /// Something went wrong that none of the others names.
    Failed,
    /// The command, its flags or its settings are wrong.
    Usage,
    /// There is no such thing.
    NotFound,
    /// Not allowed, or the key is not valid.
    Denied,
    /// The state rules it out.
    Conflict,
    /// No server answers, or its store doesn't.
    Unreachable,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::NotFound => 3,
            Exit::Denied => 4,
            Exit::Conflict => 5,
            Exit::Unreachable => 6,
        })
    }
}

/// From how many bytes on a word could be a secret.
const SECRET_BYTES_MIN: usize = 24;

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    said: String,
}

impl Failure {
    /// A failure with its words; an empty text is not printed.
    pub(super) fn new(exit: Exit, said: impl Into<String>) -> Self {
        Self { exit, said: said.into() }
    }

    /// The failure of an operation of the system.
    pub(super) fn io(what: &str, error: &io::Error) -> Self {
        Self::new(Exit::Failed, format!("could not {what}: {error}"))
    }

    /// The failure that a problem+json answer tells of.
    pub(super) fn of_problem(status: u16, body: &Value) -> Self {
        let text = |name: &str| terminal::text(body, name);
        let (title, detail, code) = (text("title"), text("detail"), text("code"));
        let mut said = if title.is_empty() {
            format!("the server answered {status}")
        } else {
            format!("{title} ({code})")
        };
        let faults = body.get("errors").and_then(Value::as_array);
        if let Some(faults) = faults {
            for fault in faults {
                let part = |name: &str| terminal::text(fault, name);
                said.extend(["\n  ", &part("pointer"), ": ", &part("detail")]);
            }
        } else if !detail.is_empty() {
            said.push_str(": ");
            said.push_str(&detail);
        }
        let exit = match status {
            400 | 413 | 415 => Exit::Usage,
            401 | 403 | 429 => Exit::Denied,
            404 => Exit::NotFound,
            409 | 412 => Exit::Conflict,
            502..=504 => Exit::Unreachable,
            _ => Exit::Failed,
        };
        Self::new(exit, said)
    }

    /// What went wrong, for whoever else tells of it.
    pub(crate) fn into_said(self) -> String {
        self.said
    }

    /// Prints the failure and becomes the exit code.
    pub(super) fn report(self) -> ExitCode {
        if !self.said.is_empty() {
            say_lines(&format!("keyhouse: {}", self.said));
        }
        self.exit.into()
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Usage, with_sources(&error))
    }
}

/// An error with all that caused it.
pub(super) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        said.push_str(": ");
        said.push_str(&source.to_string());
        next = source.source();
    }
    said
}

/// Prints what clap has to say: help to stdout, faults to stderr.
///
/// A word that could be a secret is not repeated: what was typed into the wrong place would stand
/// in a terminal's scrollback, or in a log.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    let said = error.render().to_string();
    if error.use_stderr() && said.split(|c: char| !is_of_key(c)).any(looks_secret) {
        say(
            "keyhouse: a word on the command line looks like a secret; secrets are read from stdin",
        );
        say("For more information, try '--help'.");
        return Exit::Usage.into();
    }
    // A closed pipe is no reason to fail at telling how to use the program.
    let (Ok(()) | Err(_)) = error.print();
    if error.use_stderr() { Exit::Usage.into() } else { Exit::Ok.into() }
}

fn is_of_key(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '+' | '/' | '=' | '.')
}

/// Long words of letters and digits are no names of flags.
fn looks_secret(word: &str) -> bool {
    let mixed = word.chars().any(|c| c.is_ascii_digit()) && word.chars().any(char::is_alphabetic);
    word.len() >= SECRET_BYTES_MIN && mixed && !word.starts_with("--")
}

/// A line of data, to stdout. Whatever is in it, it stays one line and controls no terminal. A reader
/// that has seen enough, such as `head`, is no error, and the command ends as it would have otherwise.
pub(super) fn print(line: &str) -> Result<(), Failure> {
    write_out(&printable_line(line))
}

/// A table, to stdout, as [`print`] writes a line; its cells are lines already.
pub(super) fn print_table(table: &str) -> Result<(), Failure> {
    write_out(&printable(table))
}

/// A line that is shown once, to stdout. Where it can't be written the command fails: what it holds
/// is lost.
pub(super) fn print_once(line: &str) -> Result<(), Failure> {
    write_line(&printable_line(line)).map_err(|error| Failure::io("print", &error))
}

fn write_out(text: &str) -> Result<(), Failure> {
    match write_line(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::io("print", &error))
        },
        Ok(()) | Err(_) => Ok(()),
    }
}

fn write_line(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush())
}

/// A line of talk, to stderr. Nobody to hear it is no fault.
pub(super) fn say(line: &str) {
    say_lines(&printable_line(line));
}

/// Several lines of talk.
fn say_lines(lines: &str) {
    let (Ok(()) | Err(_)) = writeln!(io::stderr().lock(), "{}", printable(lines));
}

/// Before anything else: files are the owner's alone, and a crash writes no memory to disk.
pub(super) fn harden() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    // Where the system does not let go of core dumps, the service is no worse than others.
    let (Ok(()) | Err(_)) = setrlimit(Resource::Core, none);
}
