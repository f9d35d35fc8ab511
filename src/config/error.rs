//! Why the settings of a start are invalid.

use std::fmt;

use crate::config::origin::Origin;

/// One fault of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingFault {
    /// The name of the setting, the variable, or the file.
    pub name: String,
    /// Where the value was written; `Default` if the fault is not in one value.
    pub origin: Origin,
    pub detail: String,
}

impl fmt::Display for SettingFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, origin, detail } = self;
        match origin {
            Origin::Default => write!(f, "{name}: {detail}"),
            Origin::Socket | Origin::Flag | Origin::Environment(_) | Origin::File { .. } => {
                write!(f, "{name} ({origin}): {detail}")
            },
        }
    }
}

/// Why settings are invalid, with all faults.
#[derive(Debug, thiserror::Error)]
#[error("invalid settings:{}", lines(.0))]
pub struct ConfigError(pub Vec<SettingFault>);

fn lines(faults: &[SettingFault]) -> String {
    let lines: Vec<_> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    lines.concat()
}
