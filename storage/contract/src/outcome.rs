//! How an operation of a store can end, each way with a name.

use std::fmt;

use crate::{InvalidBatch, Revision};

/// What a store says of a failure, for a log: text without values or secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause(String);

impl Cause {
    /// Keeps the text of an error and of all its sources.
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

    /// Keeps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a read gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The revision asked for is no longer, or not yet, readable: read the latest instead.
    #[error("revision gone from the store")]
    Compacted,
    /// The medium can't be reached, was closed, or is broken.
    #[error("store unavailable: {0}")]
    Unavailable(Cause),
}

/// Why a batch was not, or perhaps not, committed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// A guard did not hold; nothing changed. Read again and decide anew.
    #[error("a guard did not hold")]
    Conflict,
    /// The batch breaks a rule of [`crate::Batch`]; nothing changed.
    #[error("batch refused: {0}")]
    Invalid(#[from] InvalidBatch),
    /// No room is left on the medium; nothing changed.
    #[error("store full: {0}")]
    Full(Cause),
    /// The medium can't be reached, was closed, or is broken; nothing changed.
    #[error("store unavailable: {0}")]
    Unavailable(Cause),
    /// The store can't say whether the batch is in. Only reading after the feed ended with
    /// [`FeedError::Compacted`] tells.
    #[error("outcome unknown: {0}")]
    Unknown(Cause),
}

/// Why a feed has no next step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// Commits were missed: scan again, then follow from the scan's revision.
    #[error("commits missed")]
    Compacted,
    /// The feed was stopped or the store closed.
    #[error("feed stopped")]
    Stopped,
    /// The store can't be reached now; the feed goes on when it can.
    #[error("store unavailable: {0}")]
    Unavailable(Cause),
}

/// Why a store did not open. The text names the place and says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the store.
    #[error("{0}")]
    InUse(Cause),
    /// The stored bytes are damaged; they were left as they are.
    #[error("{0}")]
    Damaged(Cause),
    /// A newer version wrote the store; the bytes were left as they are.
    #[error("{0}")]
    Newer(Cause),
    /// The medium refused: missing rights, wrong mode, no such place.
    #[error("{0}")]
    Unavailable(Cause),
}

/// The outcome of a submitted batch, once there is one.
pub struct Pending(Box<dyn FnOnce() -> Result<Revision, CommitError> + Send>);

impl Pending {
    /// An outcome that `wait` will block for.
    pub fn new(wait: impl FnOnce() -> Result<Revision, CommitError> + Send + 'static) -> Self {
        Self(Box::new(wait))
    }

    /// An outcome that is known already.
    pub fn ready(outcome: Result<Revision, CommitError>) -> Self {
        Self::new(move || outcome)
    }

    /// Blocks until the batch is durable, and returns its revision.
    ///
    /// # Errors
    /// As [`CommitError`] says; every variant but [`CommitError::Unknown`] means nothing changed.
    pub fn wait(self) -> Result<Revision, CommitError> {
        (self.0)()
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending")
    }
}
