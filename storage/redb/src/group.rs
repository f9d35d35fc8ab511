//! A group of batches in one transaction: each with guards, outcome and revision of its own.

use std::io::ErrorKind;

use keyhouse_storage::{Batch, Cause, CommitError, Guard, Revision, Write};
use redb::{Database, ReadableTable, Table};

use crate::tables::{META, REVISION, ROWS, decode, encode};

type Rows<'a> = Table<'a, &'static [u8], &'static [u8]>;

/// Commits a group durably. Each batch sees those before it; one whose guards don't hold leaves
/// nothing and gets `None`, the others get their revisions.
///
/// On an error nothing is known to be in; [`failure`] says what that means.
pub(crate) fn commit<'a>(
    database: &Database,
    batches: impl Iterator<Item = &'a Batch>,
) -> Result<Vec<Option<Revision>>, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    let mut outcomes = Vec::new();
    let changed = {
        let mut rows = transaction.open_table(ROWS)?;
        let mut meta = transaction.open_table(META)?;
        let before = meta.get(REVISION)?.map(|number| Revision(number.value()));
        let before =
            before.ok_or_else(|| redb::Error::Corrupted("no revision counter".to_owned()))?;
        let mut revision = before;
        for batch in batches {
            let outcome = if guards_hold(batch, &rows)? {
                revision = revision.next();
                write(batch, revision, &mut rows)?;
                Some(revision)
            } else {
                None
            };
            outcomes.push(outcome);
        }
        meta.insert(REVISION, revision.0)?;
        revision != before
    };
    if changed {
        transaction.commit()?;
    } else {
        transaction.abort()?;
    }
    Ok(outcomes)
}

fn guards_hold(batch: &Batch, rows: &Rows<'_>) -> Result<bool, redb::Error> {
    for guard in batch.guards() {
        let stored = rows.get(guard.key())?;
        let found = match stored {
            None => None,
            Some(stored) => Some(decode(stored.value())?.revision),
        };
        let holds = match guard {
            Guard::Absent { .. } => found.is_none(),
            Guard::Unchanged { revision, .. } => found == Some(*revision),
        };
        if !holds {
            return Ok(false);
        }
    }
    Ok(true)
}

fn write(batch: &Batch, revision: Revision, rows: &mut Rows<'_>) -> Result<(), redb::Error> {
    for write in batch.writes() {
        match write {
            Write::Put { key, value } => {
                rows.insert(key.as_slice(), encode(revision, value).as_slice())?;
            },
            Write::Delete { key } => {
                rows.remove(key.as_slice())?;
            },
        }
    }
    Ok(())
}

/// Whether a sync was begun by the time a group failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// No sync: redb had not moved its root, so nothing of the group is in.
    Preparation,
    /// A sync: the root may have moved.
    Sync,
}

/// What the batches of a group that failed are told.
pub(crate) fn failure(error: &redb::Error, reached: Reached) -> CommitError {
    let cause = Cause::of(error);
    match (reached, error) {
        (Reached::Sync, _) => CommitError::Unknown(cause),
        (Reached::Preparation, redb::Error::Io(error)) if is_full(error.kind()) => {
            CommitError::Full(cause)
        },
        (Reached::Preparation, _) => CommitError::Unavailable(cause),
    }
}

fn is_full(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}
