//! Logs: to stderr, as text or JSON. No line ever holds a secret, since no secret prints.
//!
//! Lines go through a bounded queue to a thread that writes them. When nobody reads stderr they are
//! dropped: a full pipe must not stop a check.

pub mod measure;

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt, reload};

/// Why nothing is logged.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter does not read.
    #[error("log: {0:?} must be a level such as info, or filters such as keyhouse=debug,warn")]
    Filter(String),
    /// The filter could not be replaced.
    #[error("could not replace the log filter")]
    Replace(#[from] reload::Error),
    /// Somebody else logs already.
    #[error("could not take over logging")]
    Taken(#[from] tracing_subscriber::util::TryInitError),
}

/// Most lines that wait to be written.
pub(crate) const LINES_WAITING_MAX: usize = 4_096;

/// The running log. What waits is written when it is dropped.
pub struct Logs {
    _worker: WorkerGuard,
    set_filter: Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>,
}

impl std::fmt::Debug for Logs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logs").finish_non_exhaustive()
    }
}

impl Logs {
    /// Replaces the filter.
    ///
    /// # Errors
    /// [`TelemetryError::Filter`], [`TelemetryError::Replace`].
    pub fn set_filter(&self, filter: &str) -> Result<(), TelemetryError> {
        Ok((self.set_filter)(parse(filter)?)?)
    }
}

/// Starts logging what `filter` lets through.
///
/// # Errors
/// [`TelemetryError`].
pub fn start(filter: &str, json: bool) -> Result<Logs, TelemetryError> {
    let filter = parse(filter)?;
    let (writer, worker) = NonBlockingBuilder::default()
        .buffered_lines_limit(LINES_WAITING_MAX)
        .lossy(true)
        .thread_name("log")
        .finish(std::io::stderr());
    let (filter, handle) = reload::Layer::new(filter);
    let set_filter = Box::new(move |filter| handle.reload(filter));
    let lines = fmt::layer().with_writer(writer).with_ansi(false).with_target(false);
    let lines = if json { lines.json().boxed() } else { lines.boxed() };
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    Ok(Logs { _worker: worker, set_filter })
}

/// Reads a filter. A bare word is a level, or the program's own name: `tracing` would take a
/// mistyped level for the name of a program that logs nothing.
fn parse(filter: &str) -> Result<EnvFilter, TelemetryError> {
    let wrong = || TelemetryError::Filter(filter.to_owned());
    let is_level = |word: &str| word.is_empty() || word.parse::<LevelFilter>().is_ok();
    let is_own = |word: &str| word.starts_with(env!("CARGO_PKG_NAME"));
    let mut words = filter.split(',').map(str::trim).filter(|part| !part.contains(['=', '[']));
    if !words.all(|word| is_level(word) || is_own(word)) {
        return Err(wrong());
    }
    filter.parse().map_err(|_source| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_level_is_an_error() {
        for filter in ["info", "WARN", "keyhouse=debug,warn", "keyhouse", "hyper=off", "", "off"] {
            assert!(parse(filter).is_ok(), "{filter}");
        }
        for filter in ["inof", "verbose", "keyhouse=debgu", "warn,inof", "keyhouse=debug,wran"] {
            assert!(parse(filter).is_err(), "{filter}");
        }
    }
}
