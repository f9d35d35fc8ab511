//! Why the settings of a start are invalid.

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
