//! Why a backup could not be written or read.

use std::io;

use keyhouse_storage::ReadError;

use crate::backup::frame::FORMAT;
use crate::records::{PrepareError, RecordError};

/// Why a backup could not be written or read. The positions are those of the file, or of the
/// decrypted file if it is encrypted.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store was never opened by an instance.
    #[error("the store is empty: there is nothing to back up")]
    NothingToBackUp,
    /// The receiver was so slow that the store no longer has the revision.
    #[error(
        "the store no longer holds revision {revision}: the backup was read too slowly; write it \
         to a faster place and start again"
    )]
    RevisionGone { revision: u64 },
    /// The backup as a whole took longer than it may.
    #[error("the backup took longer than {} minutes: write it to a faster place", .minutes)]
    TooSlow { minutes: u64 },
    #[error("could not read the store")]
    Store(#[source] ReadError),
    #[error("could not read a record of the store")]
    Record(#[from] RecordError),
    #[error("could not read the identity of the store")]
    Prepare(#[from] PrepareError),
    #[error("could not compress or encrypt the backup")]
    Encode(#[source] io::Error),
    #[error("could not read the backup")]
    Input(#[source] io::Error),
    #[error("the file is not a keyhouse backup")]
    NotABackup,
    #[error(
        "the backup has format {found}, this version of keyhouse reads format {FORMAT}: use a \
         later version"
    )]
    Newer { found: u32 },
    #[error("the backup is encrypted: name the file with the age identity (--identity-file)")]
    IdentityRequired,
    #[error("the backup is encrypted to other recipients than those of this identity file")]
    NoMatchingIdentity,
    #[error("the backup is damaged: its encryption header is invalid")]
    EncryptionHeader,
    #[error("the backup is damaged: {what} in frame {frame}, which begins at byte {at}")]
    Damaged { what: &'static str, frame: u64, at: u64 },
    #[error("the backup is incomplete: it ends within frame {frame}, which begins at byte {at}")]
    Incomplete { frame: u64, at: u64 },
    #[error("the backup is damaged: more bytes follow its end")]
    Surplus,
}

impl From<ReadError> for BackupError {
    fn from(error: ReadError) -> Self {
        Self::Store(error)
    }
}
