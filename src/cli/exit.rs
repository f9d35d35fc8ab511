//! Exit codes, failures, and printing to stdout and stderr.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, setrlimit};
use serde_json::Value;

use crate::cli::arguments::{name_of, selected};
use crate::cli::terminal;
use crate::config::ConfigError;
use crate::model::id::is_id;
use crate::model::text::{decode, printable, printable_line};
use crate::telemetry::with_sources;

/// The exit codes; scripts depend on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Ok,
    /// Any failure that has no code of its own.
    Failed,
    /// The command, its flags or its settings are wrong.
    Usage,
    NotFound,
    /// The action is not allowed, or the key is not valid.
    Denied,
    /// The current state does not allow the change.
    Conflict,
    /// The server or its store is unavailable.
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

/// The shortest word that could be a secret, in bytes.
const SECRET_BYTES_MIN: usize = 24;

#[derive(Debug)]
pub(super) struct Failure {
    exit: Exit,
    message: String,
    /// The wrong fields and parameters of a request.
    faults: Vec<InputFault>,
}

/// A wrong field or parameter of a request, printable.
#[derive(Debug)]
struct InputFault {
    pointer: String,
    detail: String,
}

impl Failure {
    /// A failure with its message. An empty message is not printed.
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), faults: Vec::new() }
    }

    /// A failed system call: `could not {what}: {error}`.
    pub(super) fn io(what: &str, error: &io::Error) -> Self {
        Self::new(Exit::Failed, format!("could not {what}: {error}"))
    }

    /// The failure of a problem+json response.
    pub(super) fn of_problem(status: u16, body: &Value) -> Self {
        let text = |name: &str| terminal::text(body, name);
        let (title, detail, code) = (text("title"), text("detail"), text("code"));
        let mut message = if title.is_empty() {
            format!("the server returned status {status}")
        } else {
            format!("{title} ({code})")
        };
        let advice = match (status, &*code) {
            (401, _) => ": set KEYHOUSE_KEY to a valid key",
            // Other values, such as `owner`, are not permissions.
            (403, "permission_required") if text("permission").contains(':') => {
                ": set KEYHOUSE_KEY to a key that grants it"
            },
            _ => "",
        };
        let errors = body.get("errors").and_then(Value::as_array);
        let faults: Vec<InputFault> = errors.into_iter().flatten().map(InputFault::of).collect();
        if errors.is_none() && !detail.is_empty() {
            message.push_str(": ");
            message.push_str(&detail);
        }
        message.push_str(advice);
        let exit = match status {
            400 | 413 | 415 => Exit::Usage,
            401 | 403 | 429 => Exit::Denied,
            404 => Exit::NotFound,
            409 | 412 => Exit::Conflict,
            502..=504 => Exit::Unreachable,
            _ => Exit::Failed,
        };
        Self { exit, message, faults }
    }

    /// Adds what the failure is about.
    pub(super) fn about(self, what: &str) -> Self {
        Self { message: format!("{what}\n  {}", self.message), ..self }
    }

    /// Adds what to do, if the failure has this exit code.
    pub(super) fn advise(self, exit: Exit, advice: &str) -> Self {
        if self.exit == exit {
            return Self { message: format!("{}: {advice}", self.message), ..self };
        }
        self
    }

    #[cfg(test)]
    pub(super) fn into_message(self) -> String {
        self.message
    }

    /// Prints the failure and becomes the exit code. `arguments` are those of the process. A fault
    /// names the argument that has it.
    pub(super) fn report(self, arguments: &[OsString]) -> ExitCode {
        let Self { exit, mut message, faults } = self;
        let command = if faults.is_empty() { None } else { selected(arguments) };
        for InputFault { pointer, detail } in faults {
            let name = command.as_ref().and_then(|command| name_of(command, &pointer));
            let place = name.unwrap_or(pointer);
            message.extend(["\n  ", &place, ": ", &detail]);
        }
        if !message.is_empty() {
            print_message_lines(&format!("keyhouse: {message}"));
        }
        exit.into()
    }
}

impl InputFault {
    fn of(error: &Value) -> Self {
        let text = |name: &str| terminal::text(error, name);
        Self { pointer: text("pointer"), detail: text("detail") }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Usage, with_sources(&error))
    }
}

/// Decodes the content of a file or stdin. `what` is its name in the failure.
pub(super) fn decoded<'a>(bytes: &'a [u8], what: &str) -> Result<&'a str, Failure> {
    decode(bytes).map_err(|error| Failure::new(Exit::Usage, format!("{what} {error}")))
}

/// Prints clap's output: help to stdout, faults to stderr.
///
/// A fault that contains a possible secret is replaced: the secret would end up in the terminal's
/// scrollback or in a log.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    let message = error.render().to_string();
    if error.use_stderr() && message.split(|c: char| !is_of_key(c)).any(looks_secret) {
        print_message("keyhouse: an argument looks like a secret; pass secrets on stdin instead");
        print_message("For more information, try '--help'.");
        return Exit::Usage.into();
    }
    // A closed pipe does not change the exit code.
    let (Ok(()) | Err(_)) = error.print();
    if error.use_stderr() { Exit::Usage.into() } else { Exit::Ok.into() }
}

fn is_of_key(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '+' | '/' | '=' | '.')
}

/// Whether a word could be a secret: a long word with letters and digits that is neither a flag nor an id.
fn looks_secret(word: &str) -> bool {
    if is_id(word) {
        return false;
    }
    let mixed = word.chars().any(|c| c.is_ascii_digit()) && word.chars().any(char::is_alphabetic);
    word.len() >= SECRET_BYTES_MIN && mixed && !word.starts_with("--")
}

/// Prints one line of data to stdout. Line breaks and terminal escapes in the line are replaced. A
/// reader that closes the pipe, such as `head`, is not an error and does not change the exit code.
pub(super) fn print(line: &str) -> Result<(), Failure> {
    write_out(&printable_line(line))
}

/// Prints a table to stdout, like [`print`]. The cells must already be printable.
pub(super) fn print_table(table: &str) -> Result<(), Failure> {
    write_out(&printable(table))
}

/// Prints a secret or link that is shown only once. The command fails if the line cannot be
/// written, because the secret is then lost.
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

/// Prints a message to stderr. A closed stderr is not an error.
pub(super) fn print_message(line: &str) {
    print_message_lines(&printable_line(line));
}

fn print_message_lines(lines: &str) {
    let (Ok(()) | Err(_)) = writeln!(io::stderr().lock(), "{}", printable(lines));
}

/// Makes new files private to the user and disables core dumps, which could contain secrets.
pub(super) fn harden() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    // The program also runs on a system that does not allow this.
    let (Ok(()) | Err(_)) = setrlimit(Resource::Core, none);
}
