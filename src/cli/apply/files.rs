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

/// Reads files and what they declare. A name with `*` stands for all files that match it.
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

/// The files that a name stands for, sorted. Only the last part of a path may have `*`.
fn expanded(name: &Path) -> Result<Vec<PathBuf>, Failure> {
    let pattern = name.file_name().and_then(|last| last.to_str()).unwrap_or_default();
    if !pattern.contains('*') {
        return Ok(vec![name.to_owned()]);
    }
    let directory = name.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or_else(|| Path::new("."));
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Usage, format!("could not read {}: {error}", directory.display()))
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let matches = entry.file_name().to_str().is_some_and(|name| is_match(pattern, name));
        if matches && entry.path().is_file() {
            found.push(entry.path());
        }
    }
    found.sort();
    if found.is_empty() {
        let message = format!("no file matches {}", name.display());
        return Err(Failure::new(Exit::Usage, message));
    }
    Ok(found)
}

/// Whether a name matches a pattern, in which `*` is any text. A hidden file matches only a pattern
/// that begins with a dot.
fn is_match(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let (first, parts): (&str, Vec<&str>) = (parts.next().unwrap_or_default(), parts.collect());
    let Some((last, middle)) = parts.split_last() else { return pattern == name };
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    for part in middle {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_of_a_name() {
        for (pattern, name, expected) in [
            ("*.toml", "a.toml", true),
            ("*.toml", "a.json", false),
            ("*.toml", ".a.toml", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("*", "x", true),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(is_match(pattern, name), expected, "{pattern} {name}");
        }
    }
}
