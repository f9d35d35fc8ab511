//! The suite that every store passes: each case is a claim of the contract.
//!
//! ```
//! use keyhouse_storage::{MemoryStore, conformance};
//!
//! conformance::run(|| Box::new(MemoryStore::new())).unwrap();
//! ```
//!
//! A case that fails is named by its claim, and the other cases run all the same. The suite waits
//! only for a store's own doing; a store that hangs makes it hang.

mod batches;
mod feeds;
mod life;
mod reads;

use std::fmt;
use std::time::Duration;

use crate::{
    At, Commit, CommitError, Feed, FeedError, Order, Range, ReadError, Revision, Row, Step, Store,
};

/// How long the suite waits for a commit that must come. Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The claims that a store did not keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken(Vec<(&'static str, String)>);

impl Broken {
    /// Each broken claim, with what was seen instead.
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

/// Checks every claim, each against a fresh, empty store. Returns how many there are.
///
/// # Errors
/// The claims that don't hold.
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

/// Checks the claims of stores that outlive their process. `place` yields, each time, the opening
/// of a store in a new, empty place. Returns how many claims there are.
///
/// # Errors
/// The claims that don't hold.
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

/// What a case saw instead of what was claimed.
#[derive(Debug)]
struct Unexpected(String);

impl<E: std::error::Error> From<E> for Unexpected {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Claims that two things are equal.
fn equal<T: PartialEq + fmt::Debug>(what: &str, seen: &T, expected: &T) -> Seen {
    if seen == expected {
        return Ok(());
    }
    Err(Unexpected(format!("{what}: {seen:?}, expected {expected:?}")))
}

/// Claims that something is so.
fn holds(what: &str, holds: bool) -> Seen {
    if holds { Ok(()) } else { Err(Unexpected(format!("not so: {what}"))) }
}

fn value(store: &dyn Store, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
    Ok(store.get(key, At::Latest)?.map(|row| row.value))
}

/// The revision that a store is at.
fn latest(store: &dyn Store) -> Result<Revision, ReadError> {
    Ok(store.scan(&Range { limit: 0, ..Range::prefix(b"") }, At::Latest)?.revision)
}

/// All rows at one revision, read page by page.
fn all_rows(store: &dyn Store, limit: usize) -> Result<(Vec<Row>, Revision), ReadError> {
    let first = Range { limit, ..Range::prefix(b"") };
    let mut page = store.scan(&first, At::Latest)?;
    let mut rows = page.rows;
    while page.more {
        let after = rows.last().map(|row| row.key.clone());
        let range = Range { after: after.as_deref(), ..first };
        page = store.scan(&range, At::Revision(page.revision))?;
        rows.append(&mut page.rows);
    }
    Ok((rows, page.revision))
}

/// The next commit of a feed, within the suite's patience.
fn next_commit(feed: &mut dyn Feed) -> Result<Commit, Unexpected> {
    match feed.next(PATIENCE)? {
        Step::Commit(commit) => Ok(commit),
        Step::Progress(revision) => Err(Unexpected(format!("no commit after {revision}"))),
    }
}
