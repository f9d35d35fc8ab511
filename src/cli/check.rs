//! `keyhouse check`: inspects a store, or the content of a backup.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use keyhouse_storage::{MemoryStore, Store};
use serde_json::{Value, json};

use crate::backends;
use crate::backup::{BackupReader, RestoreError, restore_into};
use crate::cli::control::Control;
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::instance::claim_store;
use crate::cli::restore::identities;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Settings;
use crate::inspection::{
    Finding, InspectionError, SeedKeysFound, StoreReport, Surroundings, inspect,
};
use crate::instance::{AssembleError, existing_seed_keys, system_random};
use crate::model::seed::SeedKeys;
use crate::records::prepare::prepare;
use crate::telemetry::with_sources;

/// What to do while a server has the store.
const WHILE_RUNNING: &str = "stop it first, or check a backup of it: `keyhouse backup FILE`, then \
                             `keyhouse check --file FILE`";

#[derive(Debug, Args)]
#[command(
    after_help = "Reads every record: it must decode, and refer to records that exist. Verifies the audit log and\nthe file, and compares the records with the index that a server would build.\n\nExit code 0 without findings, 1 with findings. `keyhouse repair` mends what can be mended.\n\nExample: keyhouse check --file keyhouse.khb"
)]
pub(super) struct Flags {
    /// Check the content of a backup, for example of a running server, in memory
    #[arg(long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// File with the age identity that decrypts the backup
    #[arg(long, value_name = "F", requires = "file")]
    identity_file: Option<PathBuf>,
}

pub(super) fn run(flags: &Flags, settings: &Settings, json: bool) -> Result<(), Failure> {
    let report = match &flags.file {
        Some(file) => of_backup(file, flags.identity_file.as_deref(), settings)?,
        None => of_store(settings)?,
    };
    show(&report, json)
}

fn of_store(settings: &Settings) -> Result<StoreReport, Failure> {
    let (_claim, store) = open(settings, WHILE_RUNNING)?;
    let seed_keys = seed_keys(settings)?;
    let inspected = inspect(&store, surroundings(settings, seed_keys.as_ref()));
    let closed = store.close();
    let report = inspected?;
    closed.map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    Ok(report)
}

/// Locks the data directory and opens its store. `while_running` is what to do while a server has it.
pub(super) fn open(
    settings: &Settings,
    while_running: &str,
) -> Result<(Control, Arc<dyn Store>), Failure> {
    let claim =
        claim_store(settings).map_err(|failure| failure.advise(Exit::Conflict, while_running))?;
    let store = backends::open(&settings.storage).map_err(AssembleError::from)?;
    Ok((claim, store))
}

/// The keys of the seal key file, if it exists. Reading never creates it.
pub(super) fn seed_keys(settings: &Settings) -> Result<Option<SeedKeys>, Failure> {
    Ok(existing_seed_keys(settings)?)
}

pub(super) fn surroundings<'a>(
    settings: &Settings,
    seed_keys: Option<&'a SeedKeys>,
) -> Surroundings<'a> {
    let now = SystemClock::start().now().wall;
    let seed_keys = seed_keys.map_or(SeedKeysFound::Missing, SeedKeysFound::Keys);
    Surroundings { now, retention: settings.audit_retention, seed_keys }
}

/// Restores a backup into memory and inspects it. The seeds of second factors are not checked,
/// since a backup is often checked on a host without the seal key file.
fn of_backup(
    path: &Path,
    identity: Option<&Path>,
    settings: &Settings,
) -> Result<StoreReport, Failure> {
    let file = File::open(path)
        .map_err(|error| Failure::io(&format!("open {}", path.display()), &error))?;
    let identities = identity.map(identities).transpose()?;
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let restored = BackupReader::open(&file, identities.as_ref())
        .map_err(RestoreError::from)
        .and_then(|backup| restore_into(backup, &*store));
    restored.map_err(|error| {
        Failure::new(Exit::Failed, format!("{}: {}", path.display(), with_sources(&error)))
    })?;
    let mut random = system_random().map_err(AssembleError::from)?;
    let keys = SeedKeys::generate(&mut random);
    prepare(&*store, &keys, &mut random).map_err(AssembleError::from)?;
    let surroundings =
        Surroundings { seed_keys: SeedKeysFound::NotChecked, ..surroundings(settings, None) };
    Ok(inspect(&store, surroundings)?)
}

fn show(report: &StoreReport, json: bool) -> Result<(), Failure> {
    if json {
        print(&report_json(report).to_string())?;
    } else {
        show_report(report)?;
    }
    require_clean(report)
}

/// Prints each finding with what to do, and the sums.
pub(super) fn show_report(report: &StoreReport) -> Result<(), Failure> {
    for finding in &report.findings {
        let Finding { code, place, detail, .. } = finding;
        print(&format!("{code} {place}: {detail}"))?;
        print(&format!("  to do: {}", finding.remedy()))?;
    }
    let StoreReport { rows, keys, unlisted, .. } = report;
    if *unlisted > 0 {
        print(&format!("{unlisted} more findings"))?;
    }
    let found = if report.is_clean() { "no findings".to_owned() } else { counted(report) };
    print(&format!("checked {rows} records with {keys} keys: {found}"))
}

pub(super) fn report_json(report: &StoreReport) -> Value {
    let finding = |finding: &Finding| {
        json!({
            "code": finding.code.name(),
            "place": finding.place,
            "detail": finding.detail,
            "remedy": finding.remedy(),
            "repairable": finding.mend.is_some(),
        })
    };
    json!({
        "ok": report.is_clean(),
        "records": report.rows,
        "keys": report.keys,
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "unlisted": report.unlisted,
    })
}

/// Requires a report without findings.
pub(super) fn require_clean(report: &StoreReport) -> Result<(), Failure> {
    if report.is_clean() {
        return Ok(());
    }
    let mendable = report.findings.iter().filter(|finding| finding.mend.is_some()).count();
    let message = format!("the store has {}, of which a repair mends {mendable}", counted(report));
    Err(Failure::new(Exit::Failed, message))
}

fn counted(report: &StoreReport) -> String {
    let listed = u64::try_from(report.findings.len()).unwrap_or(u64::MAX);
    match listed.saturating_add(report.unlisted) {
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    }
}

impl From<InspectionError> for Failure {
    fn from(error: InspectionError) -> Self {
        let exit = match &error {
            InspectionError::Format { .. } => Exit::Conflict,
            InspectionError::Read(_)
            | InspectionError::Prepare(_)
            | InspectionError::AuditLog(_)
            | InspectionError::Index(_)
            | InspectionError::Encode(_) => Exit::Failed,
        };
        Self::new(exit, with_sources(&error))
    }
}
