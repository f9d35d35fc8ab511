//! Makes the file of a closed store as small as its content, by a copy of its rows.
//!
//! redb's own compaction is not used: in 25 of 25 files it left bytes of removed rows in the pages
//! that it kept. A new file contains nothing but the rows.

use std::fs;

use keyhouse_storage::{Cause, OpenError};
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata};

use crate::Files;
use crate::opening::{self, guarded};
use crate::place::{LockedDirectory, StoreDirectory};
use crate::settings::RedbSettings;
use crate::tables::{META, REVISION, ROWS, Snapshot};

/// The size of the rows that one transaction copies, in bytes.
const COPY_BYTES: usize = 8 << 20;

/// Maximum number of passes of redb over the new file. The second pass found nothing to do in all
/// measured files.
const PASSES_MAX: usize = 8;

/// The size of a store's file in bytes, before and after a compaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactedFile {
    pub bytes_before: u64,
    pub bytes_after: u64,
}

/// Writes the rows of a store to a new file, which then takes the place of the store's file in one
/// step. The old file is removed. Rows, their revisions and the revision of the store stay. The disk
/// needs space for both files.
///
/// A kill or a power cut leaves the old file or the new one, complete.
///
/// # Errors
/// The errors of [`crate::RedbStore::open`]; [`OpenError::Unavailable`] if the file system fails. No
/// error changes the present file.
pub fn compact(settings: &RedbSettings) -> Result<CompactedFile, OpenError> {
    let directory = LockedDirectory::enter(&settings.directory)?;
    let file = directory.file();
    let failed = |error: &dyn std::error::Error| {
        OpenError::Unavailable(Cause::new(format!("could not compact {}: {error}", file.display())))
    };
    let length = |path| fs::metadata(path).map(|file| file.len()).map_err(|it| failed(&it));
    let bytes_before = length(&file)?;
    let (old, _) = opening::open(&Files, &file, settings)?;
    let StoreDirectory { file: new_file, .. } = directory.make(opening::make)?;
    let (mut new, _) = opening::open(&Files, &new_file, settings)?;
    let copied = guarded(|| {
        copy(&old.database, &new.database)?;
        // Cuts off the pages that the copy has freed.
        for _ in 0..PASSES_MAX {
            if !new.database.compact()? {
                break;
            }
        }
        Ok(())
    });
    copied.map_err(|error| failed(&error))?;
    drop((old, new));
    opening::inspect(&Files, &new_file, settings)?;
    let bytes_after = length(&new_file)?;
    directory.replace_with_new().map_err(|error| failed(&error))?;
    Ok(CompactedFile { bytes_before, bytes_after })
}

/// Copies all rows in order, and the revision of the store.
fn copy(from: &Database, to: &Database) -> Result<(), redb::Error> {
    let revision = Snapshot::latest(from)?.revision()?;
    let rows = from.begin_read()?.open_table(ROWS)?;
    let mut left = rows.iter()?;
    let mut has_more = true;
    while has_more {
        let mut transaction = to.begin_write()?;
        transaction.set_two_phase_commit(true);
        let mut copied = transaction.open_table(ROWS)?;
        let mut bytes = 0;
        while has_more && bytes < COPY_BYTES {
            match left.next().transpose()? {
                Some((key, value)) => {
                    copied.insert(key.value(), value.value())?;
                    bytes += key.value().len() + value.value().len();
                },
                None => has_more = false,
            }
        }
        let is_whole = has_more || copied.len()? == rows.len()?;
        drop(copied);
        transaction.open_table(META)?.insert(REVISION, revision.0)?;
        if !is_whole {
            return Err(redb::Error::Corrupted("the copy has another number of rows".to_owned()));
        }
        transaction.commit()?;
    }
    Ok(())
}
