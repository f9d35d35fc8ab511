//! Logs: to stderr, as text or JSON. No line ever holds a secret, since no secret prints.
//!
//! Lines go through a bounded queue to a thread that writes them. When nobody reads stderr they are
//! dropped: a full pipe must not stop a check.

pub mod measure;

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
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

/// Most lines that wait to be written.
const LINES_WAITING_MAX: usize = 4_096;

/// Starts logging what `filter` lets through. What waits is written when the guard is dropped.
///
/// # Errors
/// [`TelemetryError`].
pub fn start(filter: &str, json: bool) -> Result<WorkerGuard, TelemetryError> {
    let parsed: EnvFilter =
        filter.parse().map_err(|_source| TelemetryError::Filter(filter.to_owned()))?;
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(LINES_WAITING_MAX)
        .lossy(true)
        .thread_name("log")
        .finish(std::io::stderr());
    let lines = fmt::Subscriber::builder()
        .with_env_filter(parsed)
        .with_writer(writer)
        .with_ansi(false)
        .with_target(false);
    let started = if json { lines.json().finish().try_init() } else { lines.finish().try_init() };
    started?;
    Ok(guard)
}
