//! `keyhouse restore`: makes a store from a backup, or shows what a backup contains.
//!
//! A restore works on the storage of this host while no server runs. The present store may be
//! damaged; it is not opened.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use crate::backends::{self, NewStore};
use crate::backup::{
    BackupReader, BackupSummary, Identities, RestoreError, RestoredRows, restore_into,
};
use crate::cli::control::Control;
use crate::cli::exit::{Exit, Failure, print};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Settings;
use crate::instance::{AssembleError, InstanceParameters, complete_restore};
use crate::model::text::printable_line;
use crate::telemetry::with_sources;
use crate::upkeep::audit::AuditHead;

#[derive(Debug, Args)]
#[command(
    after_help = "The whole backup is verified before anything is written. Sessions and one-time \
                        links are left out: users sign in\nagain, and pending invitations are sent \
                        again.\n\nExample: keyhouse restore keyhouse.khb --identity-file \
                        backup-identity.txt"
)]
pub(super) struct Flags {
    /// File that keyhouse backup has written
    file: PathBuf,
    /// File with the age identity that decrypts the backup
    #[arg(long, value_name = "F")]
    identity_file: Option<PathBuf>,
    /// Replace an existing store, which is kept beside the new one
    #[arg(long, conflicts_with = "list")]
    replace: bool,
    /// Verify the backup and show what it contains, without restoring it
    #[arg(long)]
    list: bool,
}

/// A restore that is complete.
struct Restored {
    rows: RestoredRows,
    head: AuditHead,
    kept: Option<PathBuf>,
}

pub(super) fn run(
    flags: &Flags,
    settings: impl FnOnce() -> Result<Settings, Failure>,
    json: bool,
) -> Result<(), Failure> {
    let path = &flags.file;
    let mut file = File::open(path)
        .map_err(|error| Failure::io(&format!("open {}", path.display()), &error))?;
    let identities = flags.identity_file.as_deref().map(identities).transpose()?;
    if flags.list {
        let summary = verify(&file, identities.as_ref(), path)?;
        return show_summary(&summary, json);
    }
    let settings = settings()?;
    // Refuses what it can before the backup is read.
    let _claim = Control::claim(&settings)
        .map_err(|failure| failure.advise(Exit::Conflict, "stop it first"))?;
    let is_there = backends::exists(&settings.storage);
    if is_there && !flags.replace {
        let message = format!(
            "{} already has an instance: use --replace, which keeps it beside the restored one, or \
             set another directory with --data",
            settings.data.display()
        );
        return Err(Failure::new(Exit::Conflict, message));
    }
    let summary = verify(&file, identities.as_ref(), path)?;
    file.seek(SeekFrom::Start(0)).map_err(|error| Failure::io("read the backup again", &error))?;
    let restored = restore(&file, identities.as_ref(), &summary, &settings)?;
    show_restored(&restored, json)
}

pub(super) fn identities(path: &Path) -> Result<Identities, Failure> {
    let opened = File::open(path)
        .map_err(|error| Failure::io(&format!("open {}", path.display()), &error))?;
    Identities::read(opened).map_err(|error| {
        Failure::new(Exit::Usage, format!("{}: {}", path.display(), with_sources(&error)))
    })
}

fn verify(
    file: &File,
    identities: Option<&Identities>,
    path: &Path,
) -> Result<BackupSummary, Failure> {
    let verified = BackupReader::open(file, identities).and_then(BackupReader::finish);
    verified.map_err(|error| {
        Failure::new(Exit::Failed, format!("{}: {}", path.display(), with_sources(&error)))
    })
}

fn restore(
    file: &File,
    identities: Option<&Identities>,
    summary: &BackupSummary,
    settings: &Settings,
) -> Result<Restored, Failure> {
    let new = NewStore::begin(&settings.storage).map_err(AssembleError::from)?;
    let failed = |error: &RestoreError| Failure::new(Exit::Failed, with_sources(error));
    let backup = BackupReader::open(file, identities).map_err(|error| failed(&error.into()))?;
    let rows = restore_into(backup, &*new.store()).map_err(|error| failed(&error))?;
    if rows.backup != *summary {
        let message = "the backup was changed while it was restored: nothing was replaced";
        return Err(Failure::new(Exit::Failed, message));
    }
    let head = complete_restore(new.store(), &rows, &InstanceParameters::from(settings))?;
    let kept = new.take_place(&format!("restore-{}", file_time())).map_err(|error| {
        Failure::new(Exit::Failed, format!("could not replace the store: {error}"))
    })?;
    Ok(Restored { rows, head, kept })
}

/// Date and time as part of a file name.
pub(super) fn file_time() -> String {
    let now = SystemClock::start().now().wall.to_string();
    now.chars().filter(|it| *it != ':').collect()
}

fn show_summary(summary: &BackupSummary, json: bool) -> Result<(), Failure> {
    if json {
        return print(&json!(summary).to_string());
    }
    let header = &summary.header;
    let instance = header.instance.map_or_else(|| "-".to_owned(), |id| id.to_string());
    print(&format!("created at    {}", header.created_at))?;
    print(&format!("instance      {instance}"))?;
    print(&format!("version       {}", printable_line(&header.program)))?;
    print(&format!("store format  {}", header.store_format))?;
    print(&format!("revision      {}", header.revision))?;
    print(&format!("audit head    {} {}", header.audit.number, header.audit.hash))?;
    print(&format!("encrypted     {}", if summary.encrypted { "yes" } else { "no" }))?;
    print(&format!("records       {}", summary.rows))?;
    show_kinds(&summary.kinds)
}

fn show_kinds(kinds: &BTreeMap<String, u64>) -> Result<(), Failure> {
    for (kind, rows) in kinds {
        print(&format!("  {:<16}{rows}", printable_line(kind)))?;
    }
    Ok(())
}

fn show_restored(restored: &Restored, json: bool) -> Result<(), Failure> {
    let Restored { rows: RestoredRows { backup, left_out }, head, kept } = restored;
    let kept = kept.as_ref().map(|kept| kept.display().to_string());
    if json {
        let mut shown = json!(backup);
        if let Value::Object(fields) = &mut shown {
            fields.insert("left_out".to_owned(), json!(left_out));
            fields.insert("replaced".to_owned(), json!(kept));
            let head = json!({ "number": head.number, "hash": head.hash.to_string() });
            fields.insert("audit_head".to_owned(), head);
        }
        return print(&shown.to_string());
    }
    show_summary(backup, false)?;
    for (kind, rows) in left_out {
        print(&format!("left out      {rows} {}", printable_line(kind)))?;
    }
    if let Some(kept) = kept {
        print(&format!("replaced      kept as {kept}"))?;
    }
    print(&format!("audit head    {} {}, after the restore", head.number, head.hash))
}
