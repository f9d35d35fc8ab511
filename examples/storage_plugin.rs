//! A store in fewer than a hundred lines: a list of commits, replayed for every read.
//!
//! It keeps all of its history, so any revision can be read and followed. `cargo run --example
//! storage_plugin` lets the suite of the contract judge it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use keyhouse_storage::{
    At, Batch, Bounds, Cause, Commit, CommitError, Feed, FeedLog, Guard, Order, Page, Pending,
    Range, ReadError, Revision, Row, Store, Write, conformance,
};

type Rows = BTreeMap<Vec<u8>, Row>;

#[derive(Debug)]
struct Ledger {
    /// Every commit there was, or `None` once closed.
    commits: Mutex<Option<Vec<Commit>>>,
    log: FeedLog,
}

impl Ledger {
    fn new() -> Self {
        let log = FeedLog::new(Revision::ZERO, Bounds::default());
        Self { commits: Mutex::new(Some(Vec::new())), log }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Commit>>> {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rows(&self, at: At) -> Result<(Rows, Revision), ReadError> {
        let commits = self.lock();
        let commits = commits.as_deref().ok_or_else(|| ReadError::Unavailable(closed()))?;
        let revision = match at {
            At::Latest => Revision(commits.len() as u64),
            At::Revision(revision) if revision.0 <= commits.len() as u64 => revision,
            At::Revision(_) => return Err(ReadError::Compacted),
        };
        Ok((replay(commits, revision), revision))
    }

    fn decide(&self, batch: Batch) -> Result<Revision, CommitError> {
        batch.validate()?;
        let mut commits = self.lock();
        let commits = commits.as_mut().ok_or_else(|| CommitError::Unavailable(closed()))?;
        let latest = Revision(commits.len() as u64);
        let rows = replay(commits, latest);
        let found = |key| rows.get(key).map(|row: &Row| row.revision);
        let holds = |guard: &Guard| match guard {
            Guard::Absent { key } => found(key).is_none(),
            Guard::Unchanged { key, revision } => found(key) == Some(*revision),
        };
        if !batch.guards().iter().all(holds) {
            return Err(CommitError::Conflict);
        }
        let commit = Commit { revision: latest.next(), writes: batch.into_writes() };
        commits.push(commit.clone());
        self.log.publish([commit]);
        Ok(latest.next())
    }
}

fn replay(commits: &[Commit], until: Revision) -> Rows {
    let mut rows = Rows::new();
    for Commit { revision, writes } in commits.iter().take_while(|it| it.revision <= until) {
        for write in writes.iter().cloned() {
            match write {
                Write::Delete { key } => drop(rows.remove(&key)),
                Write::Put { key, value } => {
                    drop(rows.insert(key.clone(), Row { key, value, revision: *revision }));
                },
            }
        }
    }
    rows
}

fn closed() -> Cause {
    Cause::new("store closed")
}

impl Store for Ledger {
    fn get(&self, key: &[u8], at: At) -> Result<Option<Row>, ReadError> {
        Ok(self.rows(at)?.0.remove(key))
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
        *self.lock() = None;
        self.log.close();
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let claims = conformance::run(|| Box::new(Ledger::new()))?;
    Ok(writeln!(std::io::stdout(), "keeps all {claims} claims of the contract")?)
}

#[test]
fn ledger_passes_the_suite() {
    conformance::run(|| Box::new(Ledger::new())).unwrap();
}
