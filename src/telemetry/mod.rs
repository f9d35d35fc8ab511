//! Logging to stderr, as text or JSON.
//!
//! Lines go through a bounded queue to a thread that writes them. If stderr is not read, lines are
//! dropped, so that a full pipe does not block a check. Secrets never reach the log, since their
//! type does not print them.

pub mod measure;

use std::str::FromStr;

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt, reload};

/// Why logging did not start or change.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error(transparent)]
    Filter(#[from] InvalidFilter),
    #[error("could not replace the log filter")]
    Replace(#[from] reload::Error),
    /// Another logger is already installed in this process.
    #[error("could not start logging")]
    Taken(#[from] tracing_subscriber::util::TryInitError),
}

/// A valid filter of log lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(Box<str>);

/// The text is not a filter of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a level such as info, or filters such as keyhouse=debug,warn")]
pub struct InvalidFilter;

impl Default for LogFilter {
    fn default() -> Self {
        Self("info".into())
    }
}

impl FromStr for LogFilter {
    type Err = InvalidFilter;

    fn from_str(text: &str) -> Result<Self, InvalidFilter> {
        parse(text).map(|_filter| Self(text.into()))
    }
}

/// Maximum number of lines that wait for the writer.
pub(crate) const LINES_WAITING_MAX: usize = 4_096;

/// The running log. The drop writes the waiting lines.
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
    /// Replaces the filter of the running log.
    pub fn set_filter(&self, filter: &LogFilter) -> Result<(), TelemetryError> {
        Ok((self.set_filter)(parse(&filter.0)?)?)
    }
}

/// Starts logging the lines that `filter` selects.
pub fn start(filter: &LogFilter, json: bool) -> Result<Logs, TelemetryError> {
    let filter = parse(&filter.0)?;
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

/// The message of an error and of all its sources.
pub fn with_sources(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        message.push_str(": ");
        message.push_str(&source.to_string());
        next = source.source();
    }
    message
}

/// Parses a filter. A bare word must be a level or this program's name: `tracing` would read a
/// mistyped level as the name of a target, and log no lines.
fn parse(filter: &str) -> Result<EnvFilter, InvalidFilter> {
    let is_level = |word: &str| word.is_empty() || word.parse::<LevelFilter>().is_ok();
    let is_own = |word: &str| word.starts_with(env!("CARGO_PKG_NAME"));
    let mut words = filter.split(',').map(str::trim).filter(|part| !part.contains(['=', '[']));
    if !words.all(|word| is_level(word) || is_own(word)) {
        return Err(InvalidFilter);
    }
    filter.parse().map_err(|_source| InvalidFilter)
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
