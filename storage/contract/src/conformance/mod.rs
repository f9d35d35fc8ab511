//! The conformance suite for stores. Each case checks one claim of the contract.
//!
//! ```
//! use keyhouse_storage::{MemoryStore, conformance};
//!
//! conformance::run(|| Box::new(MemoryStore::new())).unwrap();
//! ```
//!
//! While a case runs, it is the only user of its medium, so that revisions are consecutive from the first
//! open to the close of a store. After reopening, they only grow.
//!
//! A failed case is reported with its claim, and the other cases still run. The suite has no overall
//! timeout: a store that hangs makes the suite hang.

mod batches;
mod feeds;
mod life;
mod reads;

use std::fmt;
use std::time::Duration;

use crate::{
    At, Commit, CommitError, Feed, FeedError, Order, Range, ReadError, Revision, Row, Step, Store,
};

/// The longest wait of the suite for an expected commit, long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The claims that a store did not fulfil.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken(Vec<(&'static str, String)>);

impl Broken {
    /// Each unfulfilled claim with the observed behaviour.
    pub fn claims(&self) -> &[(&'static str, String)] {
        &self.0
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken:")?;
        self.0.iter().try_for_each(|(claim, seen)| write!(f, "\n{claim}: {seen}"))
    }
}

impl std::error::Error for Broken {}

/// Checks every claim, each with a new, empty store. Returns the number of claims.
///
/// # Errors
/// The claims that the store did not fulfil.
pub fn run(fresh: impl Fn() -> Box<dyn Store>) -> Result<usize, Broken> {
    let groups = [batches::CASES, reads::CASES, feeds::CASES, life::CASES];
    let mut broken = Vec::new();
    let mut checked = 0;
    for (claim, case) in groups.into_iter().flatten() {
        let store = fresh();
        let outcome = case(&*store);
        note(&mut broken, claim, outcome.and_then(|()| Ok(store.close()?)));
        checked += 1;
    }
    if broken.is_empty() { Ok(checked) } else { Err(Broken(broken)) }
}

/// Checks the claims of stores that outlive their process. Each call of `place` returns a function
/// that opens and reopens one new, empty store. Returns the number of claims.
///
/// # Errors
/// The claims that the store did not fulfil.
pub fn run_reopening<P>(place: impl Fn() -> P) -> Result<usize, Broken>
where
    P: Fn() -> Box<dyn Store>,
{
    let mut broken = Vec::new();
    for (claim, case) in life::REOPENING {
        let open = place();
        note(&mut broken, claim, case(&open));
    }
    if broken.is_empty() { Ok(life::REOPENING.len()) } else { Err(Broken(broken)) }
}

fn note(broken: &mut Vec<(&'static str, String)>, claim: &'static str, outcome: Seen) {
    if let Err(Unexpected(seen)) = outcome {
        broken.push((claim, seen));
    }
}

type Seen = Result<(), Unexpected>;
type Case = (&'static str, fn(&dyn Store) -> Seen);
type ReopeningCase = (&'static str, fn(&dyn Fn() -> Box<dyn Store>) -> Seen);

/// The behaviour that a case observed instead of the claimed behaviour.
#[derive(Debug)]
struct Unexpected(String);

impl<E: std::error::Error> From<E> for Unexpected {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Checks that two values are equal.
fn equal<T: PartialEq + fmt::Debug>(what: &str, seen: &T, expected: &T) -> Seen {
    if seen == expected {
        return Ok(());
    }
    Err(Unexpected(format!("{what}: {seen:?}, expected {expected:?}")))
}

/// Checks that a condition is true.
fn holds(what: &str, holds: bool) -> Seen {
    if holds { Ok(()) } else { Err(Unexpected(format!("false: {what}"))) }
}

fn value(store: &dyn Store, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
    Ok(store.get(key, At::Latest)?.map(|row| row.value))
}

/// The latest revision of a store.
fn latest(store: &dyn Store) -> Result<Revision, ReadError> {
    Ok(store.scan(&Range { limit: 0, ..Range::prefix(b"") }, At::Latest)?.revision)
}

/// All rows at one revision, read in pages.
fn all_rows(store: &dyn Store, limit: usize) -> Result<(Vec<Row>, Revision), ReadError> {
    let first = Range { limit, ..Range::prefix(b"") };
    let mut page = store.scan(&first, At::LatestHeld)?;
    let mut rows = page.rows;
    while page.more {
        let after = rows.last().map(|row| row.key.clone());
        let range = Range { after: after.as_deref(), ..first };
        page = store.scan(&range, At::Revision(page.revision))?;
        rows.append(&mut page.rows);
    }
    Ok((rows, page.revision))
}

/// The next commit of a feed, within [`PATIENCE`].
fn next_commit(feed: &mut dyn Feed) -> Result<Commit, Unexpected> {
    match feed.next(PATIENCE)? {
        Step::Commit(commit) => Ok(commit),
        Step::Progress(revision) => Err(Unexpected(format!("no commit after {revision}"))),
    }
}
