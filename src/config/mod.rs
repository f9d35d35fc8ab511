//! Settings: as written in flags, environment and file, and as used: validated, typed, with every
//! fault reported at once.

mod limits;
mod listen;
mod proxy;
mod used;
mod written;

pub use limits::Limits;
pub use listen::Listen;
pub use proxy::TrustedProxy;
pub use used::{Settings, StorageUrl, locate};
pub use written::{
    Environment, Origin, UnknownVariable, Written, WrittenAudit, WrittenLimits, WrittenSessions,
};

/// Why settings can't be used. Says all that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file does not read.
    #[error("could not read {path}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what this program knows.
    #[error("{path}: {detail}")]
    Syntax {
        /// Which.
        path: String,
        /// What is wrong, with its line.
        detail: String,
    },
    /// Settings that can't be used, each with where it was written.
    #[error("settings can't be used:\n{}", .0.join("\n"))]
    Faults(Vec<String>),
}
