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
//!
//! Writing a plugin: implement [`Store`] and [`Feed`], and let the suite tell what is missing. The
//! parts that most plugins need are here: [`Batch::validate`] before anything else,
//! [`Range::bounds`] and [`Page::collect`] for scans, [`Held`] for the revisions that scans go on
//! at, [`FeedLog`] for feeds of a store whose commits all pass through one process. What a plugin
//! must keep, beyond the signatures:
//!
//! - One counter. The n-th committed batch has revision n, for ever: a store that is closed and
//!   opened again, or moved to another medium as it is, goes on counting. A refused batch takes
//!   no revision.
//! - Durable before visible to feeds, and before acknowledged. What [`Pending::wait`] returned
//!   survives a power cut; what a feed showed does too.
//! - A certain outcome is certain. [`CommitError::Unknown`] is the only one that leaves open
//!   whether the batch is in; a plugin that can't prove that nothing changed answers it.
//! - After [`CommitError::Unknown`] nothing is guessed: until the plugin has read the medium anew,
//!   reads are unavailable; then every feed from before ends with [`FeedError::Compacted`], and
//!   [`Store::follow`] from any revision before the reopening does as well.
//! - Nothing grows without bound: not the queue of batches, not the commits kept for slow feeds,
//!   not the revisions held for scans.
//!
//! A plugin does not retry, does not interpret values, and writes no log: a [`Cause`] goes to the
//! caller, who does.
//!
//! A scan has a direction, because lists show the newest first.

#![warn(missing_docs)]
#![warn(clippy::missing_errors_doc)]

mod batch;
pub mod conformance;
mod faults;
mod feed;
mod forward;
mod held;
mod memory;
mod outcome;
mod range;

use std::fmt;
use std::time::Duration;

pub use batch::{BATCH_BYTES_MAX, BATCH_GUARDS_MAX, BATCH_WRITES_MAX, Batch, Guard, InvalidBatch};
pub use batch::{KEY_BYTES_MAX, Write};
pub use faults::{Fault, FaultyStore, Gate, Operation};
pub use feed::{BACKLOG_BYTES_MAX, BACKLOG_COMMITS_MAX, Bounds, FeedLog};
pub use held::{HELD_AGE_MAX, HELD_MAX, Held};
pub use memory::MemoryStore;
pub use outcome::{Cause, CommitError, FeedError, OpenError, Pending, ReadError};
pub use range::{KeyBounds, Order, PAGE_BYTES_MAX, PAGE_ROWS_MAX, Page, Range};

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
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The state of the store that a read sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Every batch whose commit was acknowledged before the read began, and perhaps later ones.
    Latest,
    /// Exactly the state after that revision; [`ReadError::Compacted`] when it is gone.
    ///
    /// A store keeps the revision of a [`Page`] that has rows, and more of them to come, readable
    /// for at least [`HELD_AGE_MAX`] after its last use while fewer than [`HELD_MAX`] scans are
    /// under way, so that a scan can go on.
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
    /// [`FeedError::Unavailable`] while the store can't be reached, at once the first time and then
    /// after `timeout`: call again.
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
    /// outcome is [`Pending::wait`]'s; a `Pending` that is dropped is committed all the same. A store
    /// takes in a bounded number of batches that are not yet decided; `submit` blocks while that
    /// many wait.
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
