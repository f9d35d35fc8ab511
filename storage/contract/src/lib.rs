//! What Keyhouse asks of a store: ordered keys, guarded batches, one revision counter, a feed.
//!
//! A store maps byte keys to byte values, in byte order of the keys. Every batch that is committed
//! gets the next [`Revision`]; the empty store is at [`Revision::ZERO`]. A store knows nothing of
//! API keys, users or HTTP, and no error type of its own crosses this contract.
//!
//! ```
//! use keyhouse_storage::{At, Batch, MemoryStore, Store};
//!
//! let store = MemoryStore::new();
//! let revision = store.commit(Batch::new().absent("a").put("a", "1")).unwrap();
//! assert_eq!(store.get(b"a", At::Latest).unwrap().unwrap().value, b"1");
//! assert_eq!(store.get(b"a", At::Latest).unwrap().unwrap().revision, revision);
//! ```
//!
//! [`conformance::run`] is the suite that every store passes; [`FaultyStore`] wraps a store and
//! makes chosen operations fail or wait.

mod batch;
pub mod conformance;
mod faults;
mod memory;
mod outcome;

use std::fmt;
use std::time::Duration;

pub use batch::{BATCH_BYTES_MAX, BATCH_GUARDS_MAX, BATCH_WRITES_MAX, Batch, Guard, InvalidBatch};
pub use batch::{KEY_BYTES_MAX, Write};
pub use faults::{Fault, FaultyStore, Operation};
pub use memory::MemoryStore;
pub use outcome::{Cause, CommitError, FeedError, OpenError, Pending, ReadError};

/// Most rows that one page holds, whatever limit was asked for.
pub const PAGE_ROWS_MAX: usize = 10_000;

/// A position in the history of a store: the number of batches committed so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of a store in which nothing was ever committed.
    pub const ZERO: Self = Self(0);

    /// The revision after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The state of the store that a read sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Every batch whose commit was acknowledged before the read began, and perhaps later ones.
    Latest,
    /// Exactly the state after that revision; [`ReadError::Compacted`] when it is gone.
    ///
    /// A store keeps the revision of a [`Page`] that has more rows readable for at least a
    /// minute while fewer than eight scans are under way, so that a scan can go on.
    Revision(Revision),
}

/// A key with its value and the revision of the batch that last wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key.
    pub key: Vec<u8>,
    /// The value; may be empty.
    pub value: Vec<u8>,
    /// The revision of the batch that wrote this value. Guards compare it.
    pub revision: Revision,
}

/// The direction of a scan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// From the smallest key up.
    #[default]
    Ascending,
    /// From the greatest key down.
    Descending,
}

/// Which rows a scan returns.
#[derive(Clone, Copy, Debug)]
pub struct Range<'a> {
    /// Only keys that start with these bytes; empty means all.
    pub prefix: &'a [u8],
    /// Only keys beyond this one, in the direction of the scan; it need not exist.
    pub after: Option<&'a [u8]>,
    /// Most rows wanted; a store returns at most [`PAGE_ROWS_MAX`]. Zero yields no row.
    pub limit: usize,
    /// The direction.
    pub order: Order,
}

impl<'a> Range<'a> {
    /// All rows below `prefix` in ascending order, as many as a page holds.
    pub const fn prefix(prefix: &'a [u8]) -> Self {
        Self { prefix, after: None, limit: PAGE_ROWS_MAX, order: Order::Ascending }
    }
}

/// The rows of one scan, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The rows.
    pub rows: Vec<Row>,
    /// Whether rows of the range remain beyond the last one here.
    pub more: bool,
    /// The revision that was read: hand it back as [`At::Revision`] to read on unchanged ground.
    pub revision: Revision,
}

/// One committed batch, as a feed shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The revision of the batch.
    pub revision: Revision,
    /// All its writes, in the order of the batch.
    pub writes: Vec<Write>,
}

/// What a feed has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next commit.
    Commit(Commit),
    /// Nothing came within the timeout: every commit up to this revision was handed out.
    Progress(Revision),
}

/// Every commit after a revision, whole, in order, without gaps.
///
/// A feed shows a commit only once it is durable. It holds a bounded number of commits back; one
/// that falls too far behind ends with [`FeedError::Compacted`], and so does every feed of a store
/// that had to be reopened: whoever follows scans again and follows from the page's revision.
pub trait Feed: Send + fmt::Debug {
    /// Waits until the next commit, at most `timeout`.
    ///
    /// # Errors
    /// [`FeedError::Stopped`] after [`Stop::stop`] or [`Store::close`], from then on always;
    /// [`FeedError::Compacted`] when commits were missed, from then on always;
    /// [`FeedError::Unavailable`] while the store can't be reached: call again.
    fn next(&mut self, timeout: Duration) -> Result<Step, FeedError>;

    /// A handle with which another thread ends this feed.
    fn stopper(&self) -> Box<dyn Stop>;
}

/// Ends one feed.
pub trait Stop: Send + Sync + fmt::Debug {
    /// Makes the feed's pending and later `next` return [`FeedError::Stopped`] at once.
    fn stop(&self);
}

/// A store. All calls may block the thread for as long as the medium takes.
///
/// Order: commits are totally ordered by revision. Whoever has seen a commit acknowledged, by
/// [`Pending::wait`] or through a feed, reads it and everything before it at [`At::Latest`].
pub trait Store: Send + Sync + fmt::Debug {
    /// The row of a key, or `None` when it is absent.
    ///
    /// # Errors
    /// [`ReadError::Compacted`] when `at` is gone, [`ReadError::Unavailable`] when the medium fails.
    fn get(&self, key: &[u8], at: At) -> Result<Option<Row>, ReadError>;

    /// The first rows of a range, all of one revision.
    ///
    /// # Errors
    /// As [`Store::get`].
    fn scan(&self, range: &Range<'_>, at: At) -> Result<Page, ReadError>;

    /// Hands a batch over. Batches handed over by one thread are decided in that order.
    ///
    /// All guards hold and all writes become durable, under one revision, or nothing changes. The
    /// outcome is [`Pending::wait`]'s; a `Pending` that is dropped is committed all the same.
    fn submit(&self, batch: Batch) -> Pending;

    /// A feed of every commit after `from`.
    ///
    /// # Errors
    /// [`ReadError::Compacted`] when commits after `from` are no longer known, or `from` lies ahead
    /// of the store; [`ReadError::Unavailable`] when the medium fails.
    fn follow(&self, from: Revision) -> Result<Box<dyn Feed>, ReadError>;

    /// Whether the medium is sound, as far as the store can tell by reading all of it.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`] with what is wrong.
    fn check(&self) -> Result<(), ReadError>;

    /// Commits what was submitted, ends the feeds, lets go of the medium. Later calls are
    /// unavailable; closing twice is harmless.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`] when the last commit failed to reach the medium.
    fn close(&self) -> Result<(), ReadError>;

    /// Submits and waits: [`Store::submit`] then [`Pending::wait`].
    ///
    /// # Errors
    /// Those of [`Pending::wait`].
    fn commit(&self, batch: Batch) -> Result<Revision, CommitError> {
        self.submit(batch).wait()
    }
}
