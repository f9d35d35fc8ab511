//! A table of calls: a text file with commands and what each prints.
//!
//! ```text
//! # A comment, which gives the reason if a call does not run in all ways.
//! $ keyhouse key show [deploy] < the text of stdin
//! ? the exit code, if it is not 0
//! | a line of stdout
//! ! a line of stderr
//! ```
//!
//! `$` runs a command in all ways, `$local`, `$running`, `$socket`, `$store` and `$remote` in some, and
//! `$weak` with a key that has no permission to manage anything. A text in brackets is the label of an id or a secret.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use crate::cli::ways::instance::Way;
use crate::server::CHECKOUT;

/// The most lines of stdout that a table shows for one call.
const LINES_SHOWN_MAX: usize = 160;

/// A table of calls, as its file contains it.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) path: PathBuf,
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    /// A comment or an empty line.
    Line(String),
    Call(Call),
}

#[derive(Clone, Debug)]
pub(super) struct Call {
    /// The line of the table.
    pub(super) line: String,
    pub(super) prompt: Prompt,
    /// The words after `keyhouse`, with labels.
    pub(super) words: Vec<String>,
    /// Variables before `keyhouse`.
    pub(super) variables: Vec<(String, String)>,
    /// The text of stdin, with labels.
    pub(super) stdin: Option<String>,
}

/// Where a call runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prompt {
    Ways(&'static [Way]),
    /// From another host, with the weak key.
    Weak,
}

/// What a call printed, without what differs between two runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Printed {
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Prompt {
    fn of(text: &str) -> Self {
        Self::Ways(match text {
            "$" => &[Way::Socket, Way::Store, Way::Remote],
            "$local" => &[Way::Socket, Way::Store],
            "$running" => &[Way::Socket, Way::Remote],
            "$socket" => &[Way::Socket],
            "$store" => &[Way::Store],
            "$remote" => &[Way::Remote],
            "$weak" => return Self::Weak,
            other => panic!("{other:?} is not a prompt"),
        })
    }

    pub(super) fn ways(self) -> &'static [Way] {
        match self {
            Self::Ways(ways) => ways,
            Self::Weak => &[Way::Remote],
        }
    }

    pub(super) fn is_all(self) -> bool {
        self.ways().len() == 3
    }
}

impl Call {
    fn parse(line: &str) -> Self {
        let (prompt, rest) = line.split_once(' ').unwrap();
        let (rest, stdin) = match rest.split_once(" < ") {
            Some((rest, stdin)) => (rest, Some(stdin.to_owned())),
            None => (rest, None),
        };
        let mut words = split(rest).into_iter();
        let mut variables = Vec::new();
        loop {
            let word = words.next().unwrap_or_else(|| panic!("{line:?} does not run keyhouse"));
            if word == "keyhouse" {
                break;
            }
            let (name, value) = word.split_once('=').unwrap_or_else(|| panic!("{line:?}"));
            variables.push((name.to_owned(), value.to_owned()));
        }
        let (line, words, prompt) = (line.to_owned(), words.collect(), Prompt::of(prompt));
        Self { line, prompt, words, variables, stdin }
    }

    /// Whether the call is of a command, given as its words.
    pub(super) fn is_of(&self, command: &[&str]) -> bool {
        self.words.iter().map(String::as_str).take(command.len()).eq(command.iter().copied())
    }

    pub(super) fn has(&self, flag: &str) -> bool {
        self.words.iter().any(|word| {
            word.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        })
    }
}

/// Splits a line into words. A word in quotes may contain spaces.
fn split(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for character in line.chars() {
        match (character, quote) {
            ('\'' | '"', None) => {
                quote = Some(character);
                word.get_or_insert_default();
            },
            (it, Some(open)) if it == open => quote = None,
            (' ', None) => words.extend(word.take()),
            (it, _) => word.get_or_insert_default().push(it),
        }
    }
    assert_eq!(quote, None, "a quote is open: {line}");
    words.extend(word);
    words
}

impl Table {
    /// Reads a table below the folder of this test.
    pub(super) fn read(name: &str) -> Self {
        let path = folder().join(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut parts = Vec::new();
        for line in text.lines() {
            if line.starts_with('$') {
                parts.push(Part::Call(Call::parse(line)));
            } else if !line.starts_with(['?', '|', '!']) {
                parts.push(Part::Line(line.to_owned()));
            }
        }
        let table = Self { path, parts };
        table.require_reasons();
        table
    }

    /// Each call that does not run in all ways has its reason in the comment above.
    fn require_reasons(&self) {
        let mut has_reason = false;
        for part in &self.parts {
            match part {
                Part::Line(line) => has_reason = line.starts_with("# "),
                Part::Call(call) => {
                    let is_weak = call.prompt == Prompt::Weak;
                    let is_fine = has_reason || is_weak || call.prompt.is_all();
                    assert!(is_fine, "the comment above must give the reason: {}", call.line);
                },
            }
        }
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.parts.iter().filter_map(|part| match part {
            Part::Call(call) => Some(call),
            Part::Line(_) => None,
        })
    }

    /// The text of the file with these outputs.
    fn written(&self, outputs: &[Printed]) -> String {
        let mut outputs = outputs.iter();
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Line(line) => writeln!(text, "{line}").unwrap(),
                Part::Call(call) => {
                    writeln!(text, "{}", call.line).unwrap();
                    text.push_str(&outputs.next().unwrap().shown());
                },
            }
        }
        text
    }

    /// Requires that the file has these outputs. `TRYCMD=overwrite` rewrites the file instead.
    #[expect(clippy::disallowed_methods, reason = "how the files of trycmd are rewritten too")]
    pub(super) fn require(&self, outputs: &[Printed]) {
        let (wanted, written) = (fs::read_to_string(&self.path).unwrap(), self.written(outputs));
        if std::env::var_os("TRYCMD").is_some_and(|it| it == "overwrite") {
            fs::write(&self.path, written).unwrap();
            return;
        }
        if wanted == written {
            return;
        }
        let lines = wanted.lines().zip(written.lines()).zip(1..);
        let first = lines.into_iter().find(|((old, new), _)| old != new);
        let place = first.map_or_else(
            || "at the end".to_owned(),
            |((old, new), line)| format!("line {line}\n  file:    {old}\n  program: {new}"),
        );
        let path = self.path.display();
        panic!(
            "{path} is not what the program prints, {place}\nTRYCMD=overwrite rewrites the file"
        );
    }
}

impl Printed {
    /// What another output has instead of the lines of this one.
    pub(super) fn differences(&self, other: &Self) -> String {
        let lines = |it: &Self| format!("? {}\n{}\n{}", it.code, it.stdout, it.stderr);
        let (one, other) = (lines(self), lines(other));
        let only = |of: &str, not_in: &str, mark: &str| {
            let lines = of.lines().filter(|line| !not_in.lines().any(|it| it == *line));
            let lines: Vec<String> = lines.map(|line| format!("  {mark} {line}\n")).collect();
            lines.concat()
        };
        only(&one, &other, "-") + &only(&other, &one, "+")
    }

    /// The lines of the table for this output.
    fn shown(&self) -> String {
        let mut text = String::new();
        if self.code != 0 {
            writeln!(text, "? {}", self.code).unwrap();
        }
        let lines: Vec<&str> = self.stdout.lines().collect();
        let (shown, left) = match lines.get(LINES_SHOWN_MAX..) {
            Some(left) if !left.is_empty() => (&lines[..3], lines.len() - 3),
            _ => (&*lines, 0),
        };
        for line in shown {
            writeln!(text, "{}", format!("| {line}").trim_end()).unwrap();
        }
        if left > 0 {
            writeln!(text, "| [{left} more lines]").unwrap();
        }
        for line in self.stderr.lines() {
            writeln!(text, "{}", format!("! {line}").trim_end()).unwrap();
        }
        text
    }
}

/// The folder of the tables.
pub(super) fn folder() -> PathBuf {
    PathBuf::from(CHECKOUT).join("tests/suite/cli/ways")
}
