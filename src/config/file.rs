//! Reads the settings file: each value as a text with its line.

use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use crate::config::error::SettingFault;
use crate::config::origin::Origin;
use crate::config::setting::{SETTINGS, Setting, ValueKind, nearest};
use crate::config::written::{LIST_SEPARATOR, Written};
use crate::model::text;

/// Reads the settings of a file. A value with a fault is left out, and the others are still read. A
/// file that can't be read or is not TOML has no values.
pub(super) fn read(path: &Path, faults: &mut Vec<SettingFault>) -> Written {
    let name = path.display().to_string();
    let mut unreadable = |detail: String| {
        faults.push(SettingFault { name: name.clone(), origin: Origin::Default, detail });
        Written::default()
    };
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return unreadable(format!("could not be read: {error}")),
    };
    let text = match text::decode(&bytes) {
        Ok(text) => text,
        Err(error) => return unreadable(error.to_string()),
    };
    let mut file =
        SettingsFile { path: name.as_str().into(), text, faults, written: Written::default() };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let origin = file.origin_of(error.span().unwrap_or_default().start);
        file.fault("syntax", origin, error.message().to_owned());
    }
    if errors.is_empty() {
        file.read_table("", table.get_ref());
    }
    file.written
}

struct SettingsFile<'a> {
    path: Arc<str>,
    text: &'a str,
    faults: &'a mut Vec<SettingFault>,
    written: Written,
}

impl SettingsFile<'_> {
    /// Reads the keys of a table. `prefix` is the table's name and a dot.
    fn read_table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.get_ref());
            let origin = self.origin_of(key.span().start);
            match (Setting::of_key(&name), value.get_ref()) {
                (Some(setting), value) => match text_of(setting.kind, value) {
                    Ok(text) => self.written.set(setting.key, text, origin),
                    Err(expected) => {
                        let found = value.type_str();
                        self.fault(&name, origin, format!("must be {expected}, not {found}"));
                    },
                },
                (None, DeValue::Table(fields)) if is_table(&name) => {
                    self.read_table(&format!("{name}."), fields);
                },
                (None, _) => {
                    let known = SETTINGS.iter().map(|setting| setting.key.to_owned());
                    let meant = nearest(&name, known);
                    let advice = meant.map(|meant| format!(": did you mean {meant}?"));
                    let detail = format!("is not a setting{}", advice.unwrap_or_default());
                    self.fault(&name, origin, detail);
                },
            }
        }
    }

    fn fault(&mut self, name: &str, origin: Origin, detail: String) {
        self.faults.push(SettingFault { name: name.to_owned(), origin, detail });
    }

    fn origin_of(&self, offset: usize) -> Origin {
        let before = self.text.bytes().take(offset);
        let line = 1 + before.filter(|byte| *byte == b'\n').count();
        Origin::File { path: Arc::clone(&self.path), line }
    }
}

/// Whether some setting is in the table of this name.
fn is_table(name: &str) -> bool {
    let table =
        |setting: &Setting| setting.key.split_once('.').is_some_and(|(table, _)| table == name);
    SETTINGS.iter().any(table)
}

/// The text of a value, or the kind of value that the setting needs.
fn text_of(kind: ValueKind, value: &DeValue<'_>) -> Result<String, &'static str> {
    match kind {
        ValueKind::Text => value.as_str().map(str::to_owned).ok_or("a string"),
        ValueKind::Switch => value.as_bool().map(|on| on.to_string()).ok_or("true or false"),
        ValueKind::Count => {
            let number = value.as_integer();
            let number = number.and_then(|it| i64::from_str_radix(it.as_str(), it.radix()).ok());
            number.map(|number| number.to_string()).ok_or("a whole number")
        },
        ValueKind::List => {
            let values = value.as_array().ok_or("a list of strings")?;
            let texts: Option<Vec<_>> = values.iter().map(|it| it.get_ref().as_str()).collect();
            let texts = texts.ok_or("a list of strings")?;
            Ok(texts.join(&LIST_SEPARATOR.to_string()))
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> (Written, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keyhouse.toml");
        std::fs::write(&file, text).unwrap();
        let mut faults = Vec::new();
        let written = read(&file, &mut faults);
        let path = folder.path().display().to_string();
        (written, faults.iter().map(|it| it.to_string().replace(&path, "")).collect())
    }

    #[test]
    fn values_have_the_line_of_their_key() {
        let (written, faults) = read_text(
            "listen = \"127.0.0.1:1\"\n\n[limits]\n# a comment\nheaders_max = 0x40\n\
             [sessions]\nidle = \"\"\"\n10m\"\"\"\n",
        );
        assert_eq!(faults, Vec::<String>::new());
        for (key, text, expected) in [
            ("listen", "127.0.0.1:1", 1),
            ("limits.headers_max", "64", 5),
            ("sessions.idle", "10m", 7),
        ] {
            let value = written.get(key).unwrap();
            let Origin::File { line, .. } = value.origin else { panic!("{value:?}") };
            assert_eq!((&*value.text, line), (text, expected), "{key}");
        }
    }

    #[test]
    fn each_fault_has_its_line_and_the_good_values_are_read() {
        let (written, faults) = read_text(
            "listen = 7\nlog = \"warn\"\nlimits = 1\n[audit]\nretentio = \"400d\"\n[session]\nidle = 1\n\
             [sessions]\nidle.x = 1\n",
        );
        assert_eq!(
            faults,
            [
                "audit.retentio (/keyhouse.toml:5): is not a setting: did you mean audit.retention?",
                "limits (/keyhouse.toml:3): is not a setting",
                "listen (/keyhouse.toml:1): must be a string, not integer",
                "session (/keyhouse.toml:6): is not a setting",
                "sessions.idle (/keyhouse.toml:9): must be a string, not table",
            ]
        );
        assert_eq!(written.get("log").unwrap().text, "warn");
    }

    #[test]
    fn a_file_that_is_not_toml_has_all_its_syntax_errors_and_no_values() {
        let (written, faults) = read_text("listen = \nlog = \"warn\"\nlog = 1\n");
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].starts_with("syntax (/keyhouse.toml:1): "), "{faults:?}");
        assert!(
            faults[1].contains("keyhouse.toml:3") && faults[1].contains("duplicate"),
            "{faults:?}"
        );
        assert!(written.get("log").is_none());
    }
}
