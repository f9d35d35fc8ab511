//! Why background work could not read or write the store.

use keyhouse_storage::{CommitError, ReadError};

use crate::records::RecordError;

#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    #[error("could not read the store")]
    Read(#[from] ReadError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("could not commit")]
    Commit(#[from] CommitError),
}
