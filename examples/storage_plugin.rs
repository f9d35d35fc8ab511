//! A storage plugin of 100 lines that keeps all its states. The program runs the conformance suite
//! on the plugin.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use keyhouse_storage::{
    At, Batch, Bounds, Cause, Commit, CommitError, Feed, FeedLog, Guard, Order, Page, Pending,
    Range, ReadError, Revision, Row, Store, Write, conformance,
};

type Rows = Arc<BTreeMap<Vec<u8>, Row>>;

#[derive(Debug)]
struct HistoryStore {
    states: Mutex<Vec<Rows>>, // One for each revision; empty when the store is closed.
    log: FeedLog,
}

impl HistoryStore {
    fn open() -> Box<dyn Store> {
        let log = FeedLog::new(Revision::ZERO, Bounds::default());
        Box::new(Self { states: vec![Rows::default()].into(), log })
    }

    fn rows(&self, at: At) -> Result<(Rows, Revision), ReadError> {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let closed = || ReadError::Unavailable(Cause::new("store closed"));
        let latest = states.len().checked_sub(1).ok_or_else(closed)?;
        let index = match at {
            At::Latest | At::LatestHeld => latest,
            At::Revision(revision) => usize::try_from(revision.0).unwrap_or(usize::MAX),
        };
        let rows = states.get(index).map(Arc::clone).ok_or(ReadError::Compacted)?;
        Ok((rows, Revision(index as u64)))
    }

    fn decide(&self, batch: Batch) -> Result<Revision, CommitError> {
        batch.validate()?;
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let closed = CommitError::Unavailable(Cause::new("store closed"));
        let mut rows = states.last().ok_or(closed)?.as_ref().clone();
        let revision = Revision(states.len() as u64);
        let found = |key| rows.get(key).map(|row: &Row| row.revision);
        if !batch.guards().iter().all(|guard| match guard {
            Guard::Absent { key } => found(key).is_none(),
            Guard::Unchanged { key, revision } => found(key) == Some(*revision),
        }) {
            return Err(CommitError::Conflict);
        }
        for write in batch.writes().iter().cloned() {
            match write {
                Write::Put { key, value } => rows.insert(key.clone(), Row { key, value, revision }),
                Write::Delete { key } => rows.remove(&key),
            };
        }
        states.push(Arc::new(rows));
        self.log.publish([Commit { revision, writes: batch.into_writes() }]);
        Ok(revision)
    }
}

impl Store for HistoryStore {
    fn get(&self, key: &[u8], at: At) -> Result<Option<Row>, ReadError> {
        Ok(self.rows(at)?.0.get(key).cloned())
    }
    fn scan(&self, range: &Range<'_>, at: At) -> Result<Page, ReadError> {
        let (rows, revision) = self.rows(at)?;
        let rows = range.bounds().map(|bounds| rows.range(bounds)).into_iter().flatten();
        let rows = rows.map(|(_, row)| Ok(row.clone()));
        match range.order {
            Order::Ascending => Page::collect(range, revision, rows),
            Order::Descending => Page::collect(range, revision, rows.rev()),
        }
    }
    fn submit(&self, batch: Batch) -> Pending {
        Pending::ready(self.decide(batch))
    }
    fn follow(&self, from: Revision) -> Result<Box<dyn Feed>, ReadError> {
        self.log.follow(from, Revision::ZERO)
    }
    fn check(&self) -> Result<(), ReadError> {
        self.rows(At::Latest).map(drop)
    }
    fn close(&self) -> Result<(), ReadError> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.log.close();
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let claims = conformance::run(HistoryStore::open)?;
    Ok(writeln!(io::stdout(), "all {claims} claims of the contract hold")?)
}
#[test]
fn history_store_passes_the_suite() {
    conformance::run(HistoryStore::open).unwrap();
}
