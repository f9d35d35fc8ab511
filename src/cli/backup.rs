//! `keyhouse backup`: writes all records of one revision to a file.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value, json};

use crate::backup::{BackupFile, BackupSummary, Existing};
use crate::cli::client::{Client, query};
use crate::cli::exit::{Exit, Failure, print};
use crate::telemetry::with_sources;

#[derive(Debug, Args)]
#[command(
    after_help = "The server answers checks and accepts changes meanwhile. The file appears \
                        under its name only when it is\ncomplete. It contains password hashes: \
                        encrypt it with --recipient. Keep a copy of the seal key elsewhere.\n\n\
                        Example: keyhouse backup keyhouse.khb --recipient age1..."
)]
pub(super) struct Flags {
    /// File to write; - for stdout
    file: PathBuf,
    /// Encrypt the backup to this recipient of age; repeatable
    #[arg(long, value_name = "AGE1..")]
    recipient: Vec<String>,
    /// Replace an existing file
    #[arg(long)]
    force: bool,
}

pub(super) fn run(flags: &Flags, client: &Client, json: bool) -> Result<(), Failure> {
    let recipients = Some(flags.recipient.join(",")).filter(|text| !text.is_empty());
    let target = format!("/v1/backup{}", query(&[("recipient", recipients.as_deref())]));
    if flags.file == Path::new("-") {
        return to_stdout(client, &target);
    }
    let path = &flags.file;
    let existing = if flags.force { Existing::Replace } else { Existing::Keep };
    let mut file = BackupFile::create(path, existing).map_err(|error| unwritten(path, &error))?;
    client
        .download(target, &mut file)
        .map_err(|failure| failure.describe(|error| unwritten(path, error)))?;
    let summary = if recipients.is_none() { Some(read_back(&file)?) } else { None };
    let bytes = file.complete().map_err(|error| unwritten(path, &error))?;
    show(path, bytes, summary.as_ref(), json)
}

fn to_stdout(client: &Client, target: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    if stdout.is_terminal() {
        let message = "a backup is no text for a terminal: name a file, or use a pipe";
        return Err(Failure::new(Exit::Usage, message));
    }
    let failed = |error: &io::Error| Failure::io("write the backup", error);
    client.download(target, &mut stdout).map_err(|failure| failure.describe(failed))?;
    stdout.flush().map_err(|error| failed(&error))
}

fn read_back(file: &BackupFile) -> Result<BackupSummary, Failure> {
    file.read_back().map_err(|error| {
        let message =
            format!("the backup arrived damaged, and was removed: {}", with_sources(&error));
        Failure::new(Exit::Failed, message)
    })
}

fn show(
    path: &Path,
    bytes: u64,
    summary: Option<&BackupSummary>,
    json: bool,
) -> Result<(), Failure> {
    if json {
        let mut shown = Map::new();
        shown.insert("file".to_owned(), path.display().to_string().into());
        shown.insert("bytes".to_owned(), bytes.into());
        shown.insert("encrypted".to_owned(), summary.is_none().into());
        if let Some(Value::Object(fields)) = summary.map(|summary| json!(summary)) {
            shown.extend(fields);
        }
        return print(&Value::Object(shown).to_string());
    }
    let path = path.display();
    let Some(BackupSummary { header, rows, .. }) = summary else {
        return print(&format!("wrote {path}: {bytes} bytes, encrypted"));
    };
    print(&format!("wrote {path}: {bytes} bytes, {rows} records of revision {}", header.revision))?;
    print(&format!("audit head {} {}", header.audit.number, header.audit.hash))
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    let (path, kind) = (path.display(), error.kind());
    if kind == ErrorKind::AlreadyExists {
        let message = format!("{path} exists: choose another name, or replace it with --force");
        return Failure::new(Exit::Conflict, message);
    }
    if kind == ErrorKind::ResourceBusy {
        let message = format!("another backup is being written to {path}");
        return Failure::new(Exit::Conflict, message);
    }
    Failure::io(&format!("write {path}"), error)
}
