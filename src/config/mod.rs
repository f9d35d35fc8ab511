//! Settings from flags, the environment and a file.
//!
//! `written` holds the text that the operator wrote, `used` the validated settings. All faults are
//! reported at once.

mod limits;
mod listen;
mod proxy;
mod used;
mod written;

pub use limits::ConfiguredLimits;
pub use listen::Listen;
pub use proxy::TrustedProxy;
pub use used::{Settings, StorageUrl, locate};
pub use written::{
    ProcessEnvironment, SettingSource, UnknownVariable, VARIABLES, Written, WrittenAudit,
    WrittenLimits, WrittenSessions,
};

/// Why settings are invalid, with all faults.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("could not read {path}")]
    File { path: String, source: std::io::Error },
    /// The file is not valid TOML.
    #[error("{path}: {detail}")]
    Syntax {
        path: String,
        /// The syntax error, with its line.
        detail: String,
    },
    /// Invalid settings, each with its source: flag, environment or file.
    #[error("invalid settings:\n{}", .0.join("\n"))]
    Faults(Vec<String>),
}
