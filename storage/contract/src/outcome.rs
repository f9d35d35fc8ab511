//! Outcomes and errors of the operations of a store.

use std::fmt;

use crate::{InvalidBatch, Revision};

/// The description of a failure, for a log. A description contains no values and no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause(String);

impl Cause {
    /// The messages of an error and of all its sources.
    pub fn of(error: &dyn std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut next = error.source();
        while let Some(source) = next {
            text.push_str(": ");
            text.push_str(&source.to_string());
            next = source.source();
        }
        Self(text)
    }

    /// A cause with the given text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a read failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The requested revision is no longer or not yet readable. Read the latest revision instead.
    #[error("revision no longer in the store")]
    Compacted,
    /// The medium is unreachable, closed or damaged.
    #[error("store unavailable: {0}")]
    Unavailable(Cause),
}

/// Why a commit failed, or why its outcome is unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// A guard did not hold. Nothing changed. Read the rows again and retry.
    #[error("a guard did not hold")]
    Conflict,
    /// The batch breaks a rule of [`crate::Batch`]. Nothing changed.
    #[error("invalid batch: {0}")]
    Invalid(#[from] InvalidBatch),
    /// The medium is full. Nothing changed.
    #[error("store full: {0}")]
    Full(Cause),
    /// The medium is unreachable, closed or damaged. Nothing changed.
    #[error("store unavailable: {0}")]
    Unavailable(Cause),
    /// The batch may or may not have been committed. To find out the outcome, wait until the feeds
    /// have ended with [`FeedError::Compacted`], and then read.
    #[error("outcome unknown: {0}")]
    Unknown(Cause),
}

/// Why a feed returns no step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// The feed missed commits. Scan again and follow from the revision of the scan.
    #[error("the feed missed commits")]
    Compacted,
    /// The feed was stopped or the store was closed.
    #[error("feed stopped")]
    Stopped,
    /// The store is unavailable now. The feed continues when it is available again.
    #[error("store unavailable: {0}")]
    Unavailable(Cause),
}

/// Why a store did not open. The message contains the path and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another process has the store open.
    #[error("{0}")]
    InUse(Cause),
    /// The stored data is damaged. The open has not changed the data.
    #[error("{0}")]
    Damaged(Cause),
    /// A newer version wrote the store. The open has not changed the data.
    #[error("{0}")]
    Newer(Cause),
    /// The medium can't be used, for example because of its permissions or a wrong path.
    #[error("{0}")]
    Unavailable(Cause),
}

/// The future outcome of a submitted batch.
pub struct Pending(Box<dyn FnOnce() -> Result<Revision, CommitError> + Send>);

impl Pending {
    /// An outcome that the closure `wait` returns, after blocking if necessary.
    pub fn new(wait: impl FnOnce() -> Result<Revision, CommitError> + Send + 'static) -> Self {
        Self(Box::new(wait))
    }

    /// An outcome that is already known.
    pub fn ready(outcome: Result<Revision, CommitError>) -> Self {
        Self::new(move || outcome)
    }

    /// Blocks until the batch is durable, and returns its revision.
    ///
    /// # Errors
    /// With every error except [`CommitError::Unknown`], nothing changed.
    pub fn wait(self) -> Result<Revision, CommitError> {
        (self.0)()
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending")
    }
}
