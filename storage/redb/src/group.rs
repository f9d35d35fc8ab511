//! Commits a group of batches in one transaction. Each batch has its own outcome and revision.

use std::io::ErrorKind;

use keyhouse_storage::{Batch, Cause, CommitError, Guard, Revision, Write};
use redb::{Database, ReadableTable, Table};

use crate::tables::{META, REVISION, ROWS, decode, encode};

type RowTable<'a> = Table<'a, &'static [u8], &'static [u8]>;

/// Commits a group durably. The guards of a batch see the earlier batches of the group. A batch
/// whose guards do not hold changes nothing, and its result is `None`. The result of every other
/// batch is its revision.
///
/// After an error, [`failure`] gives the outcome of every batch.
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

fn guards_hold(batch: &Batch, rows: &RowTable<'_>) -> Result<bool, redb::Error> {
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

fn write(batch: &Batch, revision: Revision, rows: &mut RowTable<'_>) -> Result<(), redb::Error> {
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

/// The phase in which a group failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// Before the first sync: redb had not changed its root, so no part of the group is committed.
    Preparation,
    /// During or after a sync: redb may have changed its root.
    Sync,
}

/// The outcome of every batch of a group that failed.
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

#[cfg(test)]
mod tests {
    use redb::Builder;
    use redb::backends::InMemoryBackend;

    use super::*;
    use crate::tables::{self, Snapshot};

    #[test]
    fn batches_of_a_group_see_earlier_batches_and_have_their_own_outcomes() {
        let database = Builder::new().create_with_backend(InMemoryBackend::new()).unwrap();
        tables::make(&database).unwrap();
        let batches = [
            Batch::new().absent("a").put("a", "first").put("b", ""),
            Batch::new().absent("a").put("a", "second").put("c", ""),
            Batch::new().unchanged("a", Revision(1)).put("a", "third"),
            Batch::new().unchanged("a", Revision(1)).put("a", "fourth"),
            Batch::new().unchanged("a", Revision(2)).delete("a"),
            Batch::new().absent("a").put("a", "sixth"),
        ];
        let outcomes = commit(&database, batches.iter()).unwrap();
        let revisions = [Some(1), None, Some(2), None, Some(3), Some(4)];
        assert_eq!(outcomes, revisions.map(|revision| revision.map(Revision)));
        let snapshot = Snapshot::latest(&database).unwrap();
        assert_eq!(snapshot.revision().unwrap(), Revision(4));
        let row = snapshot.get(b"a").unwrap().unwrap();
        assert_eq!((row.value, row.revision), (b"sixth".to_vec(), Revision(4)));
        assert_eq!(snapshot.get(b"c").unwrap(), None);
    }

    #[test]
    fn outcome_of_a_failure_is_known_only_before_the_first_sync() {
        let full = || redb::Error::Io(ErrorKind::StorageFull.into());
        let other = || redb::Error::PreviousIo;
        let outcome = |error, reached| failure(&error, reached);
        assert!(matches!(outcome(full(), Reached::Preparation), CommitError::Full(_)));
        assert!(matches!(outcome(other(), Reached::Preparation), CommitError::Unavailable(_)));
        assert!(matches!(outcome(full(), Reached::Sync), CommitError::Unknown(_)));
        assert!(matches!(outcome(other(), Reached::Sync), CommitError::Unknown(_)));
    }
}
