//! Commits a group of batches in one transaction. Each batch has its own outcome and revision.
//!
//! The writes of a group are made in the order of their keys. New rows between two rows of the table
//! are inserted as one run, which fills its pages. Single insertions split a full page into two
//! halves, and rows that are only appended never fill the first half.

use std::collections::BTreeMap;
use std::collections::btree_map::IntoIter;
use std::io::ErrorKind;
use std::iter::Peekable;
use std::ops::Bound;

use keyhouse_storage::{Batch, Cause, CommitError, Guard, Revision, Write};
use redb::{Database, ReadableTable, Table};

use crate::tables::{META, REVISION, ROWS, decode, encode};

type RowTable<'a> = Table<'a, &'static [u8], &'static [u8]>;

/// The latest write of each key in a group.
type GroupWrites<'a> = BTreeMap<&'a [u8], GroupWrite<'a>>;

#[derive(Clone, Copy, Debug)]
struct GroupWrite<'a> {
    revision: Revision,
    /// `None` for a deletion.
    value: Option<&'a [u8]>,
}

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
        let mut writes = GroupWrites::new();
        for batch in batches {
            let outcome = if guards_hold(batch, &writes, &rows)? {
                revision = revision.next();
                add(batch, revision, &mut writes);
                Some(revision)
            } else {
                None
            };
            outcomes.push(outcome);
        }
        write(writes, &mut rows)?;
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

fn guards_hold(
    batch: &Batch,
    writes: &GroupWrites<'_>,
    rows: &RowTable<'_>,
) -> Result<bool, redb::Error> {
    for guard in batch.guards() {
        let found = match writes.get(guard.key()) {
            Some(write) => write.value.map(|_| write.revision),
            None => match rows.get(guard.key())? {
                Some(stored) => Some(decode(stored.value())?.revision),
                None => None,
            },
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

fn add<'a>(batch: &'a Batch, revision: Revision, writes: &mut GroupWrites<'a>) {
    for write in batch.writes() {
        let value = match write {
            Write::Put { value, .. } => Some(value.as_slice()),
            Write::Delete { .. } => None,
        };
        writes.insert(write.key(), GroupWrite { revision, value });
    }
}

fn write(writes: GroupWrites<'_>, rows: &mut RowTable<'_>) -> Result<(), redb::Error> {
    let mut left = writes.into_iter().peekable();
    while let Some((key, GroupWrite { revision, value })) = left.next() {
        let Some(value) = value else {
            rows.remove(key)?;
            continue;
        };
        let value = encode(revision, value);
        if !insert_run(key, &value, &mut left, rows)? {
            rows.insert(key, value.as_slice())?;
        }
    }
    Ok(())
}

/// Inserts a new row together with the writes that follow, up to the next row of the table. Returns
/// false and changes nothing if the row exists or no such write follows.
fn insert_run<'a>(
    key: &[u8],
    value: &[u8],
    left: &mut Peekable<IntoIter<&'a [u8], GroupWrite<'a>>>,
    rows: &mut RowTable<'_>,
) -> Result<bool, redb::Error> {
    if left.peek().is_none_or(|(_, write)| write.value.is_none()) {
        return Ok(false);
    }
    let mut cursor = rows.lower_bound_mut(Bound::Included(key))?;
    let next_row = cursor.peek_next()?.map(|(row, _)| row.value().to_vec());
    let is_before = |key: &[u8]| next_row.as_deref().is_none_or(|next_row| key < next_row);
    if !is_before(key) || !left.peek().is_some_and(|(following, _)| is_before(following)) {
        cursor.close()?;
        return Ok(false);
    }
    cursor.insert_before(key, value)?;
    while let Some((key, write)) = left.next_if(|(key, _)| is_before(key)) {
        // A deletion in the run has no row to remove.
        let Some(value) = write.value else { continue };
        let value = encode(write.revision, value);
        cursor.insert_before(key, value.as_slice())?;
    }
    cursor.close()?;
    Ok(true)
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
    use redb::backends::InMemoryBackend;
    use redb::{Builder, ReadableDatabase, ReadableTableMetadata};

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
    fn runs_of_new_rows_fill_their_pages() {
        let database = Builder::new().create_with_backend(InMemoryBackend::new()).unwrap();
        tables::make(&database).unwrap();
        commit(&database, [Batch::new().put("z", "")].iter()).unwrap();
        for number in 0..40 {
            let keys = (0..50).map(|row| format!("row/{number:03}/{row:03}"));
            let batch = keys.fold(Batch::new(), |batch, key| batch.put(key, [7; 300]));
            commit(&database, [batch].iter()).unwrap();
        }
        let rows = database.begin_read().unwrap().open_table(ROWS).unwrap();
        assert_eq!(rows.len().unwrap(), 2_001);
        let stats = rows.stats().unwrap();
        let filled = stats.stored_bytes() * 100 / (stats.leaf_pages() * 4_096);
        assert!(filled > 85, "{filled} %");
    }

    #[test]
    fn rows_of_a_group_are_written_between_present_rows() {
        let database = Builder::new().create_with_backend(InMemoryBackend::new()).unwrap();
        tables::make(&database).unwrap();
        let present = ["c", "f", "k"];
        let batch = present.iter().fold(Batch::new(), |batch, key| batch.put(*key, "old"));
        commit(&database, [batch].iter()).unwrap();
        let batches = [
            Batch::new().put("b", "1").put("d", "1").put("e", "1").put("f", "new").put("l", "1"),
            Batch::new().put("a", "2").delete("d").delete("k").put("g", "2").put("e", "2"),
            Batch::new().absent("d").unchanged("e", Revision(3)).put("h", "3").delete("i"),
        ];
        commit(&database, batches.iter()).unwrap();
        let snapshot = Snapshot::latest(&database).unwrap();
        let page = snapshot.scan(&keyhouse_storage::Range::prefix(b"")).unwrap();
        let found: Vec<_> = page
            .rows
            .iter()
            .map(|row| {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                (text(&row.key), text(&row.value), row.revision.0)
            })
            .collect();
        let expected = [
            ("a", "2", 3),
            ("b", "1", 2),
            ("c", "old", 1),
            ("e", "2", 3),
            ("f", "new", 2),
            ("g", "2", 3),
            ("h", "3", 4),
            ("l", "1", 2),
        ];
        assert_eq!(found, expected.map(|(key, value, at)| (key.to_owned(), value.to_owned(), at)));
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
