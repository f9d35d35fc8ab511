//! The file of an import: JSON lines, a JSON list, or an export of another system.

use std::io::Read as _;
use std::path::Path;

use serde_json::Value;
use zeroize::Zeroizing;

use crate::cli::exit::{Exit, Failure, decoded};
use crate::model::moment::Moment;
use crate::origins::{Converted, ExportRow, SourceSystem, convert};

const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A key and its line in the file.
pub(super) struct ImportLine {
    pub(super) number: usize,
    pub(super) key: Value,
    pub(super) bytes: usize,
}

impl ImportLine {
    fn new(number: usize, key: Value) -> Self {
        let bytes = key.to_string().len();
        Self { number, key, bytes }
    }

    pub(super) fn of_row(row: ExportRow) -> Self {
        Self::new(row.line, row.key)
    }

    /// The line with these permissions, if it has no field `permissions`.
    pub(super) fn with_permissions(self, permissions: &[String]) -> Self {
        let Self { number, mut key, bytes } = self;
        if permissions.is_empty() || key.get("permissions").is_some() {
            return Self { number, key, bytes };
        }
        if let Value::Object(fields) = &mut key {
            fields.insert("permissions".to_owned(), permissions.into());
        }
        Self::new(number, key)
    }
}

/// Reads all keys of JSON lines or of a JSON list. Errors do not contain the input, since it may be
/// a secret.
pub(super) fn read_lines(file: &Path) -> Result<Vec<ImportLine>, Failure> {
    let bytes = read_bytes(file)?;
    let text = decoded(&bytes, &file.display().to_string())?;
    let wrong = |number: usize| {
        let message = format!("{}: line {number} is not a JSON object", file.display());
        Failure::new(Exit::Usage, message)
    };
    let line = |number: usize, key: Value| {
        if key.is_object() { Ok(ImportLine::new(number, key)) } else { Err(wrong(number)) }
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

/// Reads an export of another system.
pub(super) fn read_export(
    file: &Path,
    origin: SourceSystem,
    now: Moment,
) -> Result<Converted, Failure> {
    let bytes = read_bytes(file)?;
    let text = decoded(&bytes, &file.display().to_string())?;
    convert(origin, text, now)
        .map_err(|error| Failure::new(Exit::Usage, format!("{}: {error}", file.display())))
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
