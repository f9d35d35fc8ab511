//! Settings before validation: flags, `KEYHOUSE_*` variables and `keyhouse.toml`, each value as a
//! text with its origin.

use std::collections::BTreeMap;
use std::path::Path;

use crate::config::environment::ProcessEnvironment;
use crate::config::error::{ConfigError, SettingFault};
use crate::config::origin::Origin;
use crate::config::setting::{CHANGE_RATE, DefaultValue, SETTINGS, Setting, ValueKind};

/// Separates the values of a list in its text.
pub const LIST_SEPARATOR: char = ',';

/// The values of a list.
pub(super) fn values(text: &str) -> impl Iterator<Item = &str> {
    text.split(LIST_SEPARATOR).map(str::trim).filter(|text| !text.is_empty())
}

/// The text of a setting and its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WrittenValue {
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// The values that are written in one source, or in several, by key.
#[derive(Clone, Debug, Default)]
pub struct Written(BTreeMap<&'static str, WrittenValue>);

impl Written {
    /// The values of flags, by the keys of their settings.
    pub fn of_flags(flags: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let mut written = Self::default();
        for (key, text) in flags {
            written.set(key, text, Origin::Flag);
        }
        written
    }

    /// The addresses of given sockets, by the keys of their settings.
    pub fn of_sockets(addresses: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let mut written = Self::default();
        for (key, text) in addresses {
            written.set(key, text, Origin::Socket);
        }
        written
    }

    /// The flag `--data` alone.
    ///
    /// # Errors
    /// If the path is not UTF-8.
    pub fn of_data(directory: &Path) -> Result<Self, ConfigError> {
        let text = directory.to_str().ok_or_else(|| {
            let (name, detail) = (directory.display().to_string(), "must be UTF-8".to_owned());
            ConfigError(vec![SettingFault { name, origin: Origin::Default, detail }])
        })?;
        Ok(Self::of_flags([("data", text.to_owned())]))
    }

    /// The values of the environment. A switch that is neither true nor false is a fault.
    pub(super) fn of_environment(
        environment: &ProcessEnvironment,
        faults: &mut Vec<SettingFault>,
    ) -> Self {
        let mut written = Self::default();
        for setting in SETTINGS {
            let variable = setting.variable();
            let Some(text) = environment.get(&variable) else { continue };
            let text = match (setting.kind, text) {
                (ValueKind::Switch, "1" | "yes") => "true",
                (ValueKind::Switch, "0" | "no") => "false",
                (
                    ValueKind::Switch | ValueKind::Text | ValueKind::List | ValueKind::Count,
                    text,
                ) => text,
            };
            written.set(setting.key, text.to_owned(), Origin::Environment(variable));
        }
        match environment.get(CHANGE_RATE) {
            Some("off") => {
                for key in ["limits.session_changes", "limits.key_changes"] {
                    let origin = Origin::Environment(CHANGE_RATE.to_owned());
                    written.set(key, "off".to_owned(), origin);
                }
            },
            Some(_) => faults.push(SettingFault {
                name: CHANGE_RATE.to_owned(),
                origin: Origin::Default,
                detail: "must be off; unset it for the default".to_owned(),
            }),
            None => {},
        }
        written
    }

    /// The defaults of the table.
    pub(super) fn of_defaults() -> Self {
        let mut written = Self::default();
        for setting in SETTINGS {
            if let DefaultValue::Text(text) = setting.default {
                written.set(setting.key, text.to_owned(), Origin::Default);
            }
        }
        written
    }

    /// These values, and those of `lower` that are not among them.
    #[must_use]
    pub fn over(mut self, lower: Self) -> Self {
        for (key, value) in lower.0 {
            self.0.entry(key).or_insert(value);
        }
        self
    }

    pub(super) fn set(&mut self, key: &'static str, text: String, origin: Origin) {
        debug_assert!(
            Setting::of_key(key).is_some(),
            "{key} is missing from the table of settings"
        );
        self.0.insert(key, WrittenValue { text, origin });
    }

    pub(super) fn get(&self, key: &str) -> Option<&WrittenValue> {
        debug_assert!(
            Setting::of_key(key).is_some(),
            "{key} is missing from the table of settings"
        );
        self.0.get(key)
    }
}
