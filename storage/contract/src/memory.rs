//! A store in memory, for tests and trials. This file is also the shortest example of the contract.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    At, Batch, Bounds, Cause, Commit, CommitError, Feed, FeedLog, Guard, Order, Page, Pending,
    Range, ReadError, Revision, Row, Snapshots, Store, Write,
};

type RowMap = Arc<BTreeMap<Vec<u8>, Arc<Row>>>;

/// A store in memory. The first write after a scan copies the map if the scan's snapshot is still
/// held.
///
/// Nothing is durable: dropping the store drops its rows. [`Store::submit`] commits a batch before it
/// returns.
#[derive(Debug)]
pub struct MemoryStore {
    state: Mutex<MemoryState>,
    log: FeedLog,
}

#[derive(Debug)]
struct MemoryState {
    rows: RowMap,
    revision: Revision,
    held: Snapshots<RowMap>,
    closed: bool,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store with the default bounds.
    #[must_use]
    pub fn new() -> Self {
        Self::with_backlog(Bounds::default())
    }

    /// An empty store with the given bounds for slow feeds.
    #[must_use]
    pub fn with_backlog(bounds: Bounds) -> Self {
        let state = MemoryState {
            rows: Arc::default(),
            revision: Revision::ZERO,
            held: Snapshots::default(),
            closed: false,
        };
        Self { state: Mutex::new(state), log: FeedLog::new(Revision::ZERO, bounds) }
    }

    fn lock(&self) -> MutexGuard<'_, MemoryState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn decide(&self, batch: Batch) -> Result<Revision, CommitError> {
        batch.validate()?;
        let mut state = self.lock();
        if state.closed {
            return Err(CommitError::Unavailable(Cause::new("store closed")));
        }
        if !batch.guards().iter().all(|guard| holds(guard, &state.rows)) {
            return Err(CommitError::Conflict);
        }
        let revision = state.revision.next();
        state.revision = revision;
        let rows = Arc::make_mut(&mut state.rows);
        for write in batch.writes() {
            match write {
                Write::Put { key, value } => {
                    let row = Row { key: key.clone(), value: value.clone(), revision };
                    rows.insert(key.clone(), Arc::new(row));
                },
                Write::Delete { key } => {
                    rows.remove(key);
                },
            }
        }
        // The commit is published under the lock, so that the log is in the order of revisions.
        self.log.publish([Commit { revision, writes: batch.into_writes() }]);
        Ok(revision)
    }
}

fn holds(guard: &Guard, rows: &BTreeMap<Vec<u8>, Arc<Row>>) -> bool {
    let found = rows.get(guard.key()).map(|row| row.revision);
    match guard {
        Guard::Absent { .. } => found.is_none(),
        Guard::Unchanged { revision, .. } => found == Some(*revision),
    }
}

impl MemoryState {
    fn at(&mut self, at: At) -> Result<(RowMap, Revision), ReadError> {
        if self.closed {
            return Err(ReadError::Unavailable(Cause::new("store closed")));
        }
        match at {
            At::Latest | At::LatestHeld => Ok((Arc::clone(&self.rows), self.revision)),
            At::Revision(revision) if revision == self.revision => {
                Ok((Arc::clone(&self.rows), revision))
            },
            At::Revision(revision) => {
                let rows = self.held.get(revision).ok_or(ReadError::Compacted)?;
                Ok((Arc::clone(rows), revision))
            },
        }
    }
}

impl Store for MemoryStore {
    fn get(&self, key: &[u8], at: At) -> Result<Option<Row>, ReadError> {
        let (rows, _) = self.lock().at(at)?;
        Ok(rows.get(key).map(|row| Row::clone(row)))
    }

    fn scan(&self, range: &Range<'_>, at: At) -> Result<Page, ReadError> {
        let mut state = self.lock();
        let (rows, revision) = state.at(at)?;
        let page = match range.bounds() {
            None => Page { rows: Vec::new(), more: false, revision },
            Some(bounds) => {
                let rows = rows.range(bounds).map(|(_, row)| Ok(Row::clone(row)));
                match range.order {
                    Order::Ascending => Page::collect(range, revision, rows)?,
                    Order::Descending => Page::collect(range, revision, rows.rev())?,
                }
            },
        };
        state.held.note(&page, at, || rows);
        Ok(page)
    }

    fn submit(&self, batch: Batch) -> Pending {
        Pending::ready(self.decide(batch))
    }

    fn follow(&self, from: Revision) -> Result<Box<dyn Feed>, ReadError> {
        self.log.follow(from, Revision::ZERO)
    }

    fn check(&self) -> Result<(), ReadError> {
        self.lock().at(At::Latest).map(drop)
    }

    fn close(&self) -> Result<(), ReadError> {
        self.lock().closed = true;
        self.log.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FaultyStore, conformance};

    #[test]
    fn memory_store_passes_the_suite() {
        let checked = conformance::run(|| Box::new(MemoryStore::new()));
        checked.unwrap_or_else(|broken| panic!("{broken}"));
    }

    #[test]
    fn wrapped_memory_store_passes_the_suite() {
        let checked = conformance::run(|| Box::new(FaultyStore::new(MemoryStore::new())));
        checked.unwrap_or_else(|broken| panic!("{broken}"));
    }
}
