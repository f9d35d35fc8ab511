//! `keyhouse repair`: mends what an inspection finds, after a backup, with a report of each change.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use keyhouse_storage::Store;
use serde_json::{Value, json};

use crate::backup::{Existing, back_up_to};
use crate::cli::check::{open, report_json, require_clean, seed_keys, show_report, surroundings};
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::restore::file_time;
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::inspection::{
    RepairError, Repaired, RowChange, StoreReport, Surroundings, inspect, repair,
};
use crate::instance::{AssembleError, require_clock, system_random};
use crate::telemetry::with_sources;

#[derive(Debug, Args)]
#[command(
    after_help = "A repair only ends rights, or writes again what other records define. Before the first change it\nwrites the store to a backup in the data directory. A second file there lists each changed row with\nits content before. Both contain password hashes.\n\nIf a backup from before the damage exists, `keyhouse restore` loses less.\n\nExit code 0 if nothing is left to mend, 1 otherwise.\n\nExample: keyhouse repair --dry-run"
)]
pub(super) struct Flags {
    /// Print what the repair would change first, without changing the store
    #[arg(long)]
    dry_run: bool,
}

/// The files of a repair.
struct RepairFiles {
    backup: PathBuf,
    report: PathBuf,
}

pub(super) fn run(flags: &Flags, settings: &Settings, json: bool) -> Result<(), Failure> {
    let (_claim, store) = open(settings, "stop it first")?;
    // A quota that is used up in a period of the past would be free now.
    require_clock(&*store, &SystemClock::start(), settings.accept_clock)?;
    let seed_keys = seed_keys(settings)?;
    let surroundings = surroundings(settings, seed_keys.as_ref());
    let outcome = inspect(&store, surroundings).map_err(Failure::from).and_then(|found| {
        let is_mendable = found.findings.iter().any(|finding| finding.mend.is_some());
        if flags.dry_run || !is_mendable {
            return show_unchanged(&found, json);
        }
        repair_after_backup(&store, settings, surroundings, json)
    });
    let closed = store.close().map_err(|error| Failure::new(Exit::Failed, error.to_string()));
    outcome.and(closed)
}

fn show_unchanged(found: &StoreReport, json: bool) -> Result<(), Failure> {
    if json {
        print(&json!({ "changes": {}, "left": report_json(found) }).to_string())?;
    } else {
        show_report(found)?;
    }
    require_clean(found)
}

fn repair_after_backup(
    store: &Arc<dyn Store>,
    settings: &Settings,
    surroundings: Surroundings<'_>,
    json: bool,
) -> Result<(), Failure> {
    // Every repair has files of its own: the files of an earlier repair may be the only place of
    // what it removed.
    let time = file_time();
    let files = RepairFiles {
        backup: settings.data.join(format!("before-repair-{time}.khb")),
        report: settings.data.join(format!("repair-{time}.jsonl")),
    };
    let backed_up = back_up_to(&files.backup, Existing::Keep, store, surroundings.now);
    backed_up.map_err(|error| {
        let path = files.backup.display();
        let message = format!(
            "could not write the backup before the repair to {path}: nothing was changed: {}",
            with_sources(&error)
        );
        Failure::new(Exit::Failed, message)
    })?;
    let mut kept = create(&files.report, &settings.data)
        .map_err(|error| Failure::io(&format!("create {}", files.report.display()), &error))?;
    let mut random = system_random().map_err(AssembleError::from)?;
    // An error of the output does not interrupt the repair.
    let mut printed: Result<(), Failure> = Ok(());
    let mut keep = |changes: &[RowChange]| {
        let written = write(&mut kept, changes);
        if !json && written.is_ok() && printed.is_ok() {
            printed = changes.iter().try_for_each(show_change);
        }
        written
    };
    let repaired = repair(store, surroundings, &mut random, &mut keep);
    let repaired = repaired.map_err(|error| failed(&error, &files))?;
    printed?;
    show(&repaired, &files, json)
}

fn failed(error: &RepairError, files: &RepairFiles) -> Failure {
    let message = format!(
        "{}: the repair is incomplete; run `keyhouse repair` again. The store before the repair is \
         in {}",
        with_sources(error),
        files.backup.display()
    );
    Failure::new(Exit::Failed, message)
}

/// Creates a file in a directory, durably.
fn create(path: &Path, directory: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    File::open(directory)?.sync_all()?;
    Ok(file)
}

/// Adds changes to the report, durably: one JSON object a line.
fn write(file: &mut File, changes: &[RowChange]) -> io::Result<()> {
    let mut lines = Vec::new();
    for change in changes {
        serde_json::to_writer(&mut lines, &change_json(change))?;
        lines.push(b'\n');
    }
    file.write_all(&lines)?;
    file.sync_all()
}

fn change_json(change: &RowChange) -> Value {
    let RowChange { finding, key, before } = change;
    json!({
        "code": finding.code.name(),
        "place": finding.place,
        "detail": finding.detail,
        "change": finding.mend.as_ref().map(|mend| mend.what),
        "key_hex": hex(key),
        "value_hex": before.as_deref().map(hex),
    })
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn show_change(change: &RowChange) -> Result<(), Failure> {
    let finding = &change.finding;
    let what = finding.mend.as_ref().map_or("", |mend| mend.what);
    print(&format!("{} {}: {}: {what}", finding.code, finding.place, finding.detail))
}

fn show(repaired: &Repaired, files: &RepairFiles, json: bool) -> Result<(), Failure> {
    let Repaired { changes, left } = repaired;
    let (backup, report) = (files.backup.display(), files.report.display());
    if json {
        let shown = json!({
            "changes": changes,
            "backup": backup.to_string(),
            "report": report.to_string(),
            "left": report_json(left),
        });
        print(&shown.to_string())?;
        return require_clean(left);
    }
    let sum: u64 = changes.values().sum();
    print(&format!("changed {sum} rows; their content before is in {report}"))?;
    print(&format!("the store before the repair is in {backup}"))?;
    show_report(left)?;
    require_clean(left)
}
