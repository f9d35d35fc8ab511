//! Reads configuration files, and the files with secrets that they name.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::cli::exit::{Exit, Failure, decoded, print_message};
use crate::http::fields::DeclaredDigest;
use crate::manifest::{Declared, FILE_BYTES_MAX, FileFault, SourceFormat, SourceText};
use crate::model::foreign::{InvalidForeign, check_text};
use crate::model::secret::Secret;

/// Maximum size of a file with a secret.
const SECRET_BYTES_MAX: u64 = 4_096;
/// The name of stdin as a file.
const STDIN: &str = "-";

/// Reads configuration files. A path with `*` is replaced by all files that match it.
///
/// # Errors
/// [`Exit::Usage`] with all faults of all files.
pub(super) fn read(names: &[PathBuf]) -> Result<Declared, Failure> {
    let mut sources = Vec::new();
    for name in names {
        for path in expanded(name)? {
            sources.push(read_source(&path)?);
        }
    }
    Declared::read(&sources, &|source, path| read_secret(Path::new(source), path))
        .map_err(|faults| wrong_files(&faults))
}

/// The failure of files with faults.
pub(super) fn wrong_files(faults: &[FileFault]) -> Failure {
    let lines: Vec<String> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    let number = if faults.len() == 1 { "a fault" } else { "faults" };
    let message = format!("nothing was changed, since the files have {number}:{}", lines.concat());
    Failure::new(Exit::Usage, message)
}

/// The files that match a path, sorted. `*` matches no hidden file.
pub(in crate::cli) fn expanded(name: &Path) -> Result<Vec<PathBuf>, Failure> {
    let Some(pattern) = name.to_str().filter(|name| name.contains('*')) else {
        return Ok(vec![name.to_owned()]);
    };
    let usage = |message: String| Failure::new(Exit::Usage, message);
    let options =
        glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::default() };
    let found = glob::glob_with(pattern, options)
        .map_err(|error| usage(format!("{pattern} is not a valid pattern: {error}")))?;
    let found: Result<Vec<PathBuf>, glob::GlobError> = found.collect();
    let mut found = found.map_err(|error| {
        usage(format!("could not read {}: {}", error.path().display(), error.error()))
    })?;
    found.retain(|path| path.is_file());
    if found.is_empty() {
        return Err(usage(format!("no file matches {pattern}")));
    }
    Ok(found)
}

fn read_source(path: &Path) -> Result<SourceText, Failure> {
    let name = path.display().to_string();
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Usage, format!("could not read {name}: {error}"))
    };
    let limit = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    if path == Path::new(STDIN) {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    }
    if bytes.len() > FILE_BYTES_MAX {
        let message = format!("{name} is larger than {} MiB: split it", FILE_BYTES_MAX >> 20);
        return Err(Failure::new(Exit::Usage, message));
    }
    let text = decoded(&bytes, &name)?.to_owned();
    let is_json = text.trim_start().starts_with('{');
    let format = if is_json { SourceFormat::Json } else { SourceFormat::Toml };
    Ok(SourceText { name, text, format })
}

/// Reads the digest of the secret in the first line of a file, whose path is relative to the file that
/// names it. The error contains no part of the text.
fn read_secret(source: &Path, path: &str) -> Result<DeclaredDigest, String> {
    let path = source.parent().unwrap_or_else(|| Path::new("")).join(path);
    let shown = path.display();
    let file =
        std::fs::File::open(&path).map_err(|error| format!("could not read {shown}: {error}"))?;
    let mode = file.metadata().map(|file| file.permissions().mode());
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(SECRET_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("could not read {shown}: {error}"))?;
    if mode.is_ok_and(|mode| mode & 0o077 != 0) {
        print_message(&format!("{shown} is readable by other users: run `chmod 600 {shown}`"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_source| format!("{shown} is not UTF-8"))?;
    let secret = Secret::new(text.lines().next().unwrap_or_default().trim().to_owned());
    match check_text(&secret) {
        // A key in Keyhouse's own format works by its digest too.
        Ok(()) | Err(InvalidForeign::OwnShape) => Ok(DeclaredDigest::of_text(secret.digest())),
        Err(error) => Err(format!("the first line of {shown} {error}")),
    }
}
