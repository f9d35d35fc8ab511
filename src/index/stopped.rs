//! Why the index could not be built, and why a step of the feed failed.

use std::io;
use std::time::Duration;

use keyhouse_storage::{FeedError, ReadError};

use crate::records::RecordError;

/// The longest wait for one step of the feed.
pub(super) const FEED_WAIT: Duration = Duration::from_secs(5);

/// Why the index could not be built.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    #[error("could not read the store")]
    Read(#[from] ReadError),
    /// A row is invalid. The index loads nothing from a store with a row that it cannot read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The thread of a scan, or the thread that follows the feed, could not be started.
    #[error("could not start a thread that reads the store")]
    Thread(#[from] io::Error),
}

/// Why a step of the feed failed.
pub(super) enum Stopped {
    /// The store did not respond, or its response is invalid.
    Store(FollowError),
    Missed,
    /// The feed was stopped, by this process or by the store.
    Closed,
}

impl From<ReadError> for Stopped {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Compacted => Self::Missed,
            ReadError::Unavailable(_) => Self::Store(error.into()),
        }
    }
}

impl From<RecordError> for Stopped {
    fn from(error: RecordError) -> Self {
        Self::Store(error.into())
    }
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<FeedError> for Stopped {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Compacted => Self::Missed,
            FeedError::Stopped => Self::Closed,
            FeedError::Unavailable(cause) => ReadError::Unavailable(cause).into(),
        }
    }
}
