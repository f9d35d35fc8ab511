//! `keyhouse import`: imports keys of another system from JSON lines or a JSON list.
//!
//! The keys are sent in steps, and each step imports all of its keys or none. Keys that already
//! exist are skipped, so that an interrupted import can be repeated with the same file.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::cli::client::{ApiRequest, Client, query};
use crate::cli::exit::{Exit, Failure, decoded, print, print_message};

const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;
const KEYS_A_STEP_MAX: usize = 500;
/// Maximum size of a step: half of the limit for a request, because the stored record of a key is
/// larger than its input.
const BYTES_A_STEP_MAX: usize = 512 * 1024;
/// Maximum number of faults that are printed for one step.
const FAULTS_SHOWN_MAX: usize = 20;

#[derive(Debug, Args)]
#[command(
    after_help = "Each line is an object with {\"algorithm\": \"sha256\", \"digest\": \"...\"} or \
                        {\"key\": \"...\"},\nand name, owner, permissions, expires_at and the other \
                        fields of a key.\nKeys that already exist are skipped.\n\nExample: keyhouse import keys.jsonl --dry-run"
)]
pub(super) struct Flags {
    /// File with JSON lines or a JSON list; - for stdin
    file: PathBuf,
    /// Print what would be imported without importing it
    #[arg(long)]
    dry_run: bool,
    /// Start at this line or list entry, counted from 1
    #[arg(long, value_name = "LINE", default_value_t = 1)]
    from: usize,
    /// Organization of keys without the field organization [default: the first]
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
}

/// A key and its line in the file.
struct ImportLine {
    number: usize,
    key: Value,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Done {
    imported: usize,
    skipped: usize,
}

pub(super) fn run(flags: &Flags, client: &Client, json: bool) -> Result<(), Failure> {
    let lines: Vec<ImportLine> = read(&flags.file)?;
    let last = lines.last().map_or(0, |line| line.number);
    let mut rest = lines.into_iter().filter(|line| line.number >= flags.from).peekable();
    let mut done = Done::default();
    while let Some(first) = rest.peek().map(|line| line.number) {
        let (mut step, mut bytes) = (Vec::new(), 0);
        while let Some(line) = rest.next_if(|line| {
            step.is_empty()
                || (step.len() < KEYS_A_STEP_MAX && bytes + line.bytes <= BYTES_A_STEP_MAX)
        }) {
            bytes += line.bytes;
            step.push(line);
        }
        send(flags, client, step, &mut done).inspect_err(|_failure| {
            print_message(&format!(
                "stopped at line {first} after {} imported keys; continue with --from {first}",
                done.imported
            ));
        })?;
    }
    let (imported, skipped) = (done.imported, done.skipped);
    if json {
        let done = json!({
            "dry_run": flags.dry_run, "imported": imported, "skipped": skipped, "next": last + 1,
        });
        return print(&done.to_string());
    }
    let verb = if flags.dry_run { "would be imported" } else { "imported" };
    print(&format!("{imported} {verb}, {skipped} already exist"))
}

/// Sends one step. If the API reports existing keys, sends the step again without them.
fn send(
    flags: &Flags,
    client: &Client,
    mut step: Vec<ImportLine>,
    done: &mut Done,
) -> Result<(), Failure> {
    let target =
        format!("/v1/keys/import{}", query(&[("organization", flags.organization.as_deref())]));
    loop {
        let keys: Vec<&Value> = step.iter().map(|line| &line.key).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let body = Some(json!({ "keys": keys, "dry_run": flags.dry_run }));
        let (status, response) =
            client.answer(&ApiRequest { method: "POST", target: target.clone(), body })?;
        if (200..300).contains(&status) {
            done.imported += step.len();
            return Ok(());
        }
        let faults = response.get("errors").and_then(Value::as_array).cloned().unwrap_or_default();
        let taken: Vec<usize> = faults.iter().filter_map(taken_at).collect();
        if taken.is_empty() || taken.len() < faults.len() {
            return Err(failure(status, &response, &faults, &step));
        }
        let before = step.len();
        let mut at = 0..;
        step.retain(|_line| !at.next().is_some_and(|at| taken.contains(&at)));
        done.skipped += before - step.len();
        if step.len() == before {
            return Err(Failure::of_problem(status, &response));
        }
    }
}

/// The index of the key, if the fault is that the key already exists.
fn taken_at(fault: &Value) -> Option<usize> {
    let is_taken = fault.get("code").and_then(Value::as_str) == Some("digest_taken");
    entry_of(fault).filter(|_at| is_taken)
}

/// The index of the key that has the fault.
fn entry_of(fault: &Value) -> Option<usize> {
    let pointer = fault.get("pointer").and_then(Value::as_str)?;
    pointer.strip_prefix("/keys/")?.split('/').next()?.parse().ok()
}

/// Prints the faults of a step with their lines, and returns its failure.
fn failure(status: u16, response: &Value, faults: &[Value], step: &[ImportLine]) -> Failure {
    let text = |fault: &Value, name: &str| {
        fault.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let mut known = 0;
    for fault in faults.iter().filter(|fault| taken_at(fault).is_none()) {
        let Some(line) = entry_of(fault).and_then(|at| step.get(at)) else { continue };
        known += 1;
        if known <= FAULTS_SHOWN_MAX {
            let pointer = text(fault, "pointer");
            let field = pointer.split('/').skip(3).collect::<Vec<_>>().join("/");
            print_message(&format!("line {}: {field}: {}", line.number, text(fault, "detail")));
        }
    }
    if known > FAULTS_SHOWN_MAX {
        print_message(&format!("and {} more", known - FAULTS_SHOWN_MAX));
    }
    if known == 0 {
        return Failure::of_problem(status, response);
    }
    Failure::new(Exit::Usage, "some lines are invalid: correct these lines")
}

/// Reads all keys of the file. Errors do not contain the input, since it may be a secret.
fn read(file: &Path) -> Result<Vec<ImportLine>, Failure> {
    let bytes = read_bytes(file)?;
    let text = decoded(&bytes, &file.display().to_string())?;
    let wrong =
        |number: usize| Failure::new(Exit::Usage, format!("line {number} is not a JSON object"));
    let line = |number: usize, key: Value| {
        let bytes = key.to_string().len();
        if key.is_object() { Ok(ImportLine { number, key, bytes }) } else { Err(wrong(number)) }
    };
    if text.trim_start().starts_with('[') {
        let keys: Vec<Value> = serde_json::from_str(text).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            Failure::new(
                Exit::Usage,
                format!("{} is not a JSON list: error at {place}", file.display()),
            )
        })?;
        return keys.into_iter().zip(1..).map(|(key, number)| line(number, key)).collect();
    }
    let lines = text.lines().zip(1..).filter(|(text, _)| !text.trim().is_empty());
    lines
        .map(|(text, number)| {
            line(number, serde_json::from_str(text).map_err(|_source| wrong(number))?)
        })
        .collect()
}

fn read_bytes(file: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |error| Failure::io(&format!("read {}", file.display()), &error);
    let mut read = Zeroizing::new(Vec::new());
    let bytes = if file == Path::new("-") {
        std::io::stdin().lock().take(FILE_BYTES_MAX + 1).read_to_end(&mut read)
    } else {
        let file = std::fs::File::open(file).map_err(failed)?;
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut read)
    };
    let bytes = bytes.map_err(failed)?;
    if u64::try_from(bytes).map_or(true, |bytes| bytes > FILE_BYTES_MAX) {
        let message = format!("{} is larger than 256 MiB: split it", file.display());
        return Err(Failure::new(Exit::Usage, message));
    }
    Ok(read)
}
