//! The file of `--azure-export`: resources as Resource Graph returns them, without any request.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use super::{ROWS, Row};
use crate::cloud::ScanError;

/// The most bytes of the file.
const EXPORT_BYTES_MAX: u64 = 32 << 20;

/// Reads an array of resources, or an object with it as `data`.
pub(super) fn rows(path: &Path) -> Result<Vec<Row>, ScanError> {
    let unreadable = |detail: String| ScanError::Export { detail };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut file = file.take(EXPORT_BYTES_MAX + 1);
    file.read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > EXPORT_BYTES_MAX {
        return Err(unreadable(format!("it has more than {} MiB", EXPORT_BYTES_MAX >> 20)));
    }
    let mut whole: Value =
        serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
    let list = match whole.get_mut("data") {
        Some(list) => list.take(),
        None => whole,
    };
    let Value::Array(list) = list else {
        return Err(unreadable(
            "it is neither an array nor an object with the array data".to_owned(),
        ));
    };
    let mut rows = Vec::new();
    for (at, element) in list.into_iter().enumerate() {
        let row = serde_json::from_value(element)
            .map_err(|error| unreadable(format!("resource {at}: {error}")))?;
        ROWS.push(&mut rows, row)?;
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<usize, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("export.json");
        std::fs::write(&path, text).unwrap();
        rows(&path).map(|rows| rows.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_export_is_an_array_or_has_one_as_data() {
        let row = r#"{"id": "/subscriptions/s/a", "type": "t"}"#;
        assert_eq!(read(&format!("[{row}, {row}]")), Ok(2));
        assert_eq!(read(&format!("{{\"count\": 1, \"data\": [{row}]}}")), Ok(1));
        assert_eq!(read("[]"), Ok(0));
        for (text, part) in [
            ("{}", "neither an array nor"),
            ("[", "EOF"),
            ("{\"data\": 7}", "neither an array nor"),
            ("[{\"id\": 7, \"type\": \"t\"}]", "resource 0: invalid type"),
            ("[{\"id\": \"i\"}]", "resource 0: missing field `type`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn an_export_has_a_maximum_of_bytes_and_of_resources() {
        let long = format!("[{}]", " ".repeat(32 << 20));
        assert!(read(&long).unwrap_err().contains("it has more than 32 MiB"));
        let rows = vec![r#"{"id":"i","type":"t"}"#; ROWS.maximum + 1].join(",");
        let error = read(&format!("[{rows}]")).unwrap_err();
        assert_eq!(
            error,
            "the account has more than 10000 resources with their parts in the region"
        );
    }

    #[test]
    fn a_missing_file_is_named_without_its_path() {
        let error = rows(Path::new("folder-of-the-operator/none.json")).unwrap_err().to_string();
        assert!(error.contains("No such file"), "{error}");
        assert!(!error.contains("folder-of-the-operator"), "{error}");
    }
}
