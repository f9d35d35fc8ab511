//! `keyhouse import`: imports keys of another system, from JSON lines, a JSON list, or an export of
//! that system.
//!
//! The keys are sent in steps, and each step imports all of its keys or none. Keys that already
//! exist are skipped, so that an interrupted import can be repeated with the same file. A wrong line
//! of JSON lines stops the import; a key of an export that cannot be imported is reported and left
//! out.

mod file;
mod steps;

use std::collections::HashSet;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::client::{Client, SendRequest};
use crate::cli::exit::{Exit, Failure, print, print_message};
use crate::clock::{Clock as _, SystemClock};
use crate::model::text::printable_line;
use crate::origins::{Converted, Remark, SourceSystem};
use file::{ImportLine, read_export, read_lines};
use steps::{Done, Steps};

#[derive(Debug, Args)]
#[command(
    after_help = "Each line is an object with {\"algorithm\": \"sha256\", \"digest\": \"...\"} or \
                        {\"key\": \"...\"},\nand name, owner, permissions, expires_at and the other \
                        fields of a key.\nKeys that already exist are skipped.\n\nExamples:\n  \
                        keyhouse import keys.jsonl --dry-run\n  \
                        keyhouse import --from kong kong.yaml"
)]
pub(super) struct Flags {
    /// File with JSON lines, a JSON list or an export of another system; - for stdin
    file: PathBuf,
    /// Print what would be imported without importing it
    #[arg(long)]
    dry_run: bool,
    /// Format of the file: unkey, kong, better-auth, tyk or csv. A number instead: start at this
    /// line of JSON lines or entry of a JSON list, counted from 1
    #[arg(long, value_name = "SYSTEM|LINE", default_value = "1", hide_default_value = true)]
    from: FromFlag,
    /// Permission of keys that have none in the file; can be repeated
    #[arg(long = "permission", value_name = "PATTERN")]
    permissions: Vec<String>,
    /// Organization of keys without the field organization [default: the first]
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
}

/// The meaning of `--from`.
#[derive(Clone, Copy, Debug)]
enum FromFlag {
    Line(usize),
    System(SourceSystem),
}

impl FromStr for FromFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(line) = text.parse() {
            return Ok(Self::Line(line));
        }
        let found = SourceSystem::NAMES.iter().find(|(_, name)| *name == text);
        found.map(|(origin, _)| Self::System(*origin)).ok_or_else(|| {
            let names = SourceSystem::NAMES.map(|(_, name)| name).join(", ");
            format!("must be one of {names}, or the number of a line")
        })
    }
}

pub(super) fn run(flags: &Flags, client: &Client, json: bool) -> Result<(), Failure> {
    // The file is read before the store is opened, since stdin may be the output of a command that
    // uses the store.
    match flags.from {
        FromFlag::Line(first) => {
            let lines = read_lines(&flags.file)?;
            client.hold(|send| import_lines(flags, (lines, first), send, json))
        },
        FromFlag::System(origin) => {
            let now = SystemClock::start().now().wall;
            let converted = read_export(&flags.file, origin, now)?;
            client.hold(|send| import_export(flags, (converted, origin), send, json))
        },
    }
}

/// Imports the keys of JSON lines or of a JSON list from the line `first` on.
fn import_lines(
    flags: &Flags,
    (lines, first): (Vec<ImportLine>, usize),
    send: &SendRequest<'_>,
    json: bool,
) -> Result<(), Failure> {
    let last = lines.last().map_or(0, |line| line.number);
    let lines = lines.into_iter().filter(|line| line.number >= first);
    let lines = lines.map(|line| line.with_permissions(&flags.permissions)).collect();
    let done = steps_of(flags, send).send_all(lines, |done, first| {
        print_message(&format!(
            "stopped at line {first} after {} imported keys; continue with --from {first}",
            done.imported
        ));
    })?;
    report(flags, &done, json.then(|| json!({ "next": last + 1 })))
}

/// Imports the keys of an export, and reports the keys and the facts that were not imported.
fn import_export(
    flags: &Flags,
    (converted, origin): (Converted, SourceSystem),
    send: &SendRequest<'_>,
    json: bool,
) -> Result<(), Failure> {
    let (mut refused, mut left_out) = (converted.refused, converted.left_out);
    let lines = converted.rows.into_iter().map(ImportLine::of_row);
    let lines = lines.map(|line| line.with_permissions(&flags.permissions)).collect();
    let done = steps_of(flags, send).leaving_out_refused().send_all(lines, |done, first| {
        print_message(&format!(
            "stopped at {} after {} imported keys; repeat the command to continue",
            place(origin, first),
            done.imported
        ));
    })?;
    refused.extend(done.refused.iter().cloned());
    refused.sort_by_key(|remark| remark.line);
    let lines: HashSet<usize> = refused.iter().map(|remark| remark.line).collect();
    left_out.retain(|remark| !lines.contains(&remark.line));
    if json {
        let list = |remarks: &[Remark]| remarks.iter().map(remark_json).collect::<Vec<_>>();
        let more = json!({ "not_imported": list(&refused), "left_out": list(&left_out) });
        report(flags, &done, Some(more))?;
    } else {
        for (remarks, what) in [(&refused, "not imported"), (&left_out, "left out")] {
            for remark in remarks {
                print_message(&remark_line(origin, remark, what));
            }
        }
        report(flags, &done, None)?;
    }
    if refused.is_empty() {
        return Ok(());
    }
    let message = match refused.len() {
        1 => "1 key was not imported".to_owned(),
        count => format!("{count} keys were not imported"),
    };
    Err(Failure::new(Exit::Failed, message))
}

fn steps_of<'a>(flags: &Flags, send: &'a SendRequest<'a>) -> Steps<'a> {
    Steps::new(send, flags.organization.as_deref(), flags.dry_run)
}

/// Prints the numbers of keys, as JSON with the fields of `more`.
fn report(flags: &Flags, done: &Done, more: Option<Value>) -> Result<(), Failure> {
    let (imported, skipped) = (done.imported, done.skipped);
    if let Some(Value::Object(more)) = more {
        let mut fields = json!({
            "dry_run": flags.dry_run, "imported": imported, "skipped": skipped,
        });
        if let Value::Object(fields) = &mut fields {
            fields.extend(more);
        }
        return print(&fields.to_string());
    }
    let verb = if flags.dry_run { "would be imported" } else { "imported" };
    print(&format!("{imported} {verb}, {skipped} already exist"))
}

/// A key's place in an export.
fn place(origin: SourceSystem, line: usize) -> String {
    match origin {
        SourceSystem::Csv => format!("line {line}"),
        SourceSystem::Unkey | SourceSystem::Kong | SourceSystem::BetterAuth | SourceSystem::Tyk => {
            format!("key {line}")
        },
    }
}

fn remark_line(origin: SourceSystem, remark: &Remark, what: &str) -> String {
    let name = remark.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    let place = place(origin, remark.line);
    printable_line(&format!("{place}{name}: {what}: {}", remark.reason))
}

fn remark_json(remark: &Remark) -> Value {
    json!({ "line": remark.line, "name": remark.name, "reason": remark.reason })
}
