//! The tables of the file, and reads from them.

use keyhouse_storage::{Order, Page, Range, Revision, Row};
use redb::{Database, ReadTransaction, ReadableDatabase, TableDefinition, TableError};

/// The table of rows: keys to values. A stored value starts with the revision that wrote it, in
/// eight bytes, big-endian.
pub(crate) const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");
/// The table of the numbers [`FORMAT`] and [`REVISION`].
pub(crate) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// The version of the file's layout.
pub(crate) const FORMAT: &str = "format";
/// The number of committed batches.
pub(crate) const REVISION: &str = "revision";
/// The version that this code writes, and the newest version that it reads.
pub(crate) const FORMAT_NEWEST: u64 = 1;

/// Writes an empty store to an empty database.
pub(crate) fn make(database: &Database) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    let mut meta = transaction.open_table(META)?;
    meta.insert(FORMAT, FORMAT_NEWEST)?;
    meta.insert(REVISION, 0)?;
    drop(meta);
    drop(transaction.open_table(ROWS)?);
    Ok(transaction.commit()?)
}

/// The stored form of a value.
pub(crate) fn encode(revision: Revision, value: &[u8]) -> Vec<u8> {
    [&revision.0.to_be_bytes(), value].concat()
}

/// A value and the revision that wrote it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoredRow<'a> {
    pub(crate) revision: Revision,
    pub(crate) value: &'a [u8],
}

/// Splits a stored value into revision and value.
pub(crate) fn decode(stored: &[u8]) -> Result<StoredRow<'_>, redb::Error> {
    let (revision, value) = stored
        .split_first_chunk()
        .ok_or_else(|| redb::Error::Corrupted("a row has no revision".to_owned()))?;
    Ok(StoredRow { revision: Revision(u64::from_be_bytes(*revision)), value })
}

/// The store at one revision.
#[derive(Debug)]
pub(crate) struct Snapshot(ReadTransaction);

impl Snapshot {
    pub(crate) fn latest(database: &Database) -> Result<Self, redb::Error> {
        Ok(Self(database.begin_read()?))
    }

    /// The version of the layout, or `None` if the database is not a Keyhouse store.
    pub(crate) fn format(&self) -> Result<Option<u64>, redb::Error> {
        self.number(FORMAT)
    }

    pub(crate) fn revision(&self) -> Result<Revision, redb::Error> {
        let revision = self.number(REVISION)?;
        let missing = || redb::Error::Corrupted("no revision counter".to_owned());
        revision.map(Revision).ok_or_else(missing)
    }

    fn number(&self, name: &str) -> Result<Option<u64>, redb::Error> {
        match self.0.open_table(META) {
            Ok(meta) => Ok(meta.get(name)?.map(|number| number.value())),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Row>, redb::Error> {
        let stored = self.0.open_table(ROWS)?.get(key)?;
        stored.map(|stored| row(key, stored.value())).transpose()
    }

    pub(crate) fn scan(&self, range: &Range<'_>) -> Result<Page, redb::Error> {
        let revision = self.revision()?;
        let Some((lower, upper)) = range.bounds() else {
            return Ok(Page { rows: Vec::new(), more: false, revision });
        };
        let rows = self.0.open_table(ROWS)?;
        let bounds = (lower.as_ref().map(Vec::as_slice), upper.as_ref().map(Vec::as_slice));
        let found = rows.range::<&[u8]>(bounds)?.map(|found| {
            let (key, stored) = found?;
            row(key.value(), stored.value())
        });
        match range.order {
            Order::Ascending => Page::collect(range, revision, found),
            Order::Descending => Page::collect(range, revision, found.rev()),
        }
    }
}

fn row(key: &[u8], stored: &[u8]) -> Result<Row, redb::Error> {
    let StoredRow { revision, value } = decode(stored)?;
    Ok(Row { key: key.to_vec(), value: value.to_vec(), revision })
}
