//! Logs: to stderr, as text or JSON. No line ever holds a secret, since no secret prints.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Why nothing is logged.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter does not read.
    #[error("log: {0:?} must be a level such as info, or filters such as keyhouse=debug,warn")]
    Filter(String),
    /// Somebody else logs already.
    #[error("could not take over logging")]
    Taken(#[from] tracing_subscriber::util::TryInitError),
}

/// Starts logging what `filter` lets through.
///
/// # Errors
/// [`TelemetryError`].
pub fn start(filter: &str, json: bool) -> Result<(), TelemetryError> {
    let parsed: EnvFilter =
        filter.parse().map_err(|_source| TelemetryError::Filter(filter.to_owned()))?;
    let lines = fmt::Subscriber::builder()
        .with_env_filter(parsed)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false);
    let started = if json { lines.json().finish().try_init() } else { lines.finish().try_init() };
    Ok(started?)
}
