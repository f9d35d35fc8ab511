//! Fills an empty store with the rows of a backup, through the storage contract alone.
//!
//! The row of the store's format is written last, after the end of the backup was verified. A store
//! that was filled only in part has no format, and no instance opens it.

use std::collections::{BTreeMap, VecDeque};

use keyhouse_storage::{
    At, BATCH_BYTES_MAX, BATCH_WRITES_MAX, Batch, CommitError, Pending, Range, ReadError, Store,
};

use crate::backup::reader::kind_of;
use crate::backup::{BackupError, BackupReader, BackupSummary};
use crate::records::place::{ENDED_BY_RESTORE, StoreKey};
use crate::records::upgrade::STORE_FORMAT;

/// Maximum number of batches that are submitted before the first of them is waited for.
const PENDING_MAX: usize = 16;

/// The result of a restore, for its event in the audit log and for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoredRows {
    pub backup: BackupSummary,
    /// The number of rows that were left out, by kind: sessions and one-time links.
    pub left_out: BTreeMap<String, u64>,
}

/// Why a store could not be restored. Nothing uses a store after an error: it has no format.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(
        "the backup is of store format {found}, and this version of keyhouse supports \
         {STORE_FORMAT}: use the version that wrote the backup, {program}, or a later one"
    )]
    NewerStore { found: u32, program: String },
    #[error("the store is not empty: restore into an empty store")]
    NotEmpty,
    #[error("the backup contains no format of the store")]
    NoFormat,
    #[error("could not read the store")]
    Read(#[from] ReadError),
    #[error("could not write the store")]
    Commit(#[from] CommitError),
}

/// The batches that were submitted, and the next one.
struct RestoreBatches<'a> {
    store: &'a dyn Store,
    pending: VecDeque<Pending>,
    batch: Batch,
    bytes: usize,
}

/// Writes the rows of a backup to an empty store, but for sessions and one-time links.
pub fn restore_into(
    mut backup: BackupReader<'_>,
    store: &dyn Store,
) -> Result<RestoredRows, RestoreError> {
    let header = backup.header();
    if header.store_format > STORE_FORMAT {
        let (found, program) = (header.store_format, header.program.clone());
        return Err(RestoreError::NewerStore { found, program });
    }
    let any = Range { limit: 1, ..Range::prefix(b"") };
    if !store.scan(&any, At::Latest)?.rows.is_empty() {
        return Err(RestoreError::NotEmpty);
    }
    let (mut format, mut left_out) = (None, BTreeMap::new());
    let format_key = StoreKey::Format.to_bytes();
    let mut batches = RestoreBatches::new(store);
    while let Some(rows) = backup.next_rows()? {
        for (key, value) in rows {
            if key == format_key {
                format = Some(value);
            } else if is_ended(&key) {
                *left_out.entry(kind_of(&key).to_owned()).or_default() += 1;
            } else {
                batches.put(key, value)?;
            }
        }
    }
    // The end was verified, so nothing is missing.
    let backup = backup.finish()?;
    batches.finish()?;
    let format = format.ok_or(RestoreError::NoFormat)?;
    store.commit(Batch::new().absent(format_key.clone()).put(format_key, format))?;
    Ok(RestoredRows { backup, left_out })
}

/// Whether a row is a session or a one-time link.
fn is_ended(key: &[u8]) -> bool {
    ENDED_BY_RESTORE.iter().any(|ended| match ended.last() {
        Some(b'/') => key.starts_with(ended),
        Some(_) | None => key == *ended,
    })
}

impl<'a> RestoreBatches<'a> {
    fn new(store: &'a dyn Store) -> Self {
        Self { store, pending: VecDeque::new(), batch: Batch::new(), bytes: 0 }
    }

    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), RestoreError> {
        let bytes = key.len() + value.len();
        let is_full = self.batch.writes().len() == BATCH_WRITES_MAX;
        if is_full || self.bytes + bytes > BATCH_BYTES_MAX {
            self.submit()?;
        }
        self.batch = std::mem::take(&mut self.batch).put(key, value);
        self.bytes += bytes;
        Ok(())
    }

    fn submit(&mut self) -> Result<(), RestoreError> {
        if self.batch.writes().is_empty() {
            return Ok(());
        }
        self.bytes = 0;
        self.pending.push_back(self.store.submit(std::mem::take(&mut self.batch)));
        while self.pending.len() > PENDING_MAX {
            self.wait()?;
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<(), RestoreError> {
        self.pending.pop_front().map_or(Ok(()), |pending| Ok(pending.wait().map(drop)?))
    }

    fn finish(mut self) -> Result<(), RestoreError> {
        self.submit()?;
        while !self.pending.is_empty() {
            self.wait()?;
        }
        Ok(())
    }
}
