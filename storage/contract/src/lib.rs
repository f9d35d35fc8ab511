//! The storage contract of Keyhouse: ordered keys, guarded batches, one revision counter, and a feed.
//!
//! A store maps byte keys to byte values, in byte order of the keys. Every committed batch gets a
//! [`Revision`] above all earlier ones. An empty store is at [`Revision::ZERO`]. A store does not depend on API keys,
//! users or HTTP, and its own error types are not part of this contract.
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
//! [`conformance::run`] is the suite that every store passes. [`FaultyStore`] wraps a store and makes
//! chosen operations fail or wait.
//!
//! To write a plugin, implement [`Store`] and [`Feed`], and run the suite. This crate has the parts
//! that most plugins need: [`Batch::validate`], which `submit` calls first, [`Range::bounds`] and
//! [`Page::collect`] for scans, [`Snapshots`] for the revisions at which scans continue, and [`FeedLog`]
//! for the feeds of a store whose commits all pass through one process. Beyond the signatures, a
//! plugin makes these promises:
//!
//! - One counter. A batch has a greater revision than every batch that was committed before it. The
//!   counter continues after the store is closed and opened again. A rejected batch takes no revision.
//!   The n-th batch has revision n only in a medium whose counter nothing else uses: other programs, or
//!   an open and a close, may take revisions too. Compare revisions; do not count with them.
//! - A commit is durable before it is acknowledged or visible to feeds. Every commit that
//!   [`Pending::wait`] or a feed returned survives a power cut.
//! - Only after [`CommitError::Unknown`] is it unknown whether the batch was committed. A plugin
//!   returns this error unless it can prove that nothing changed.
//! - After [`CommitError::Unknown`], reads are unavailable until the plugin has read the medium
//!   again. Then every earlier feed ends with [`FeedError::Compacted`], and [`Store::follow`] from an
//!   earlier revision fails with [`ReadError::Compacted`].
//! - These have a maximum: the queue of batches, the commits kept for slow feeds, and the revisions
//!   held for scans.
//!
//! A plugin does not retry, does not interpret values, and does not log. The plugin returns a
//! [`Cause`], which the caller logs.
//!
//! A scan has a direction, because lists begin with the newest rows.

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
mod progress;
mod range;
mod rows;

use std::fmt;
use std::time::Duration;

pub use batch::{BATCH_BYTES_MAX, BATCH_GUARDS_MAX, BATCH_WRITES_MAX, Batch, Guard, InvalidBatch};
pub use batch::{KEY_BYTES_MAX, Write};
pub use faults::{FaultyStore, InjectedFault, StoreOperation, TestGate};
pub use feed::{BACKLOG_BYTES_MAX, BACKLOG_COMMITS_MAX, Bounds, FeedLog};
pub use held::{HELD_AGE_MAX, HELD_MAX, Snapshots};
pub use memory::MemoryStore;
pub use outcome::{Cause, CommitError, FeedError, OpenError, Pending, ReadError};
pub use progress::Progress;
pub use range::{KeyBounds, Order, PAGE_BYTES_MAX, PAGE_ROWS_MAX, Page, Range};
pub use rows::{Pages, Rows};

/// A position in the history of a store. Later batches have greater revisions, but not always the next
/// one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of an empty store that has committed no batch.
    pub const ZERO: Self = Self(0);

    /// The smallest revision above this one. No batch need have it.
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

/// The state of the store that a read returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// A state with every batch that was acknowledged before the read began. The state may include
    /// later batches. The store need not keep this state after the read.
    Latest,
    /// Like [`At::Latest`], for a scan that continues: the store keeps the revision of the [`Page`], if
    /// the page has rows and more follow. While a store keeps a revision, it cannot reuse the space of
    /// rows that were replaced since.
    LatestHeld,
    /// Exactly the state at this revision, or [`ReadError::Compacted`] if that state is gone.
    ///
    /// To let a scan continue, a store keeps the revision of a [`Page`] that was read at
    /// [`At::LatestHeld`] or at a revision, if the page has rows and more to follow. The revision stays
    /// readable for at least [`HELD_AGE_MAX`] after its last use, while fewer than [`HELD_MAX`] scans
    /// are in progress.
    Revision(Revision),
}

/// A key with its value and the revision of the batch that last wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key of the row.
    pub key: Vec<u8>,
    /// The value, which may be empty.
    pub value: Vec<u8>,
    /// The revision of the batch that wrote this value. Guards compare with it.
    pub revision: Revision,
}

/// One committed batch, as a feed returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The revision of the batch.
    pub revision: Revision,
    /// All writes of the batch, in their order.
    pub writes: Vec<Write>,
}

/// The result of [`Feed::next`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next commit in order.
    Commit(Commit),
    /// No commit came within the timeout. The feed has returned every commit up to this revision.
    Progress(Revision),
}

/// Every commit after a revision, complete, in order, without gaps.
///
/// A feed returns a commit only when the commit is durable. A store keeps a bounded number of
/// commits for its feeds. A feed that falls too far behind ends with [`FeedError::Compacted`], as
/// does every feed of a store that was reopened after a fault. The caller then scans again and
/// follows from the revision of the page.
pub trait Feed: Send + fmt::Debug {
    /// Waits for the next commit, at most `timeout`.
    ///
    /// # Errors
    /// [`FeedError::Stopped`] on every call after [`Stop::stop`] or [`Store::close`].
    /// [`FeedError::Compacted`] on every call after the feed missed commits.
    /// [`FeedError::Unavailable`] while the store is unavailable: the first call returns at once,
    /// later calls after `timeout`. The caller then calls `next` again.
    fn next(&mut self, timeout: Duration) -> Result<Step, FeedError>;

    /// A handle that another thread can use to end this feed.
    fn stopper(&self) -> Box<dyn Stop>;
}

/// A handle that ends one feed.
pub trait Stop: Send + Sync + fmt::Debug {
    /// Makes the current and all later calls of the feed's `next` return [`FeedError::Stopped`] at once.
    fn stop(&self);
}

/// An ordered key-value store. Every call may block the thread until the medium has responded.
///
/// Commits are totally ordered by revision. After [`Pending::wait`] or a feed has returned a
/// commit, a read at [`At::Latest`] sees this commit and all earlier commits.
pub trait Store: Send + Sync + fmt::Debug {
    /// The row of a key, or `None` if the key has no row.
    ///
    /// # Errors
    /// [`ReadError::Compacted`] if `at` is gone, [`ReadError::Unavailable`] if the medium fails.
    fn get(&self, key: &[u8], at: At) -> Result<Option<Row>, ReadError>;

    /// The first rows of a range, all of one revision.
    ///
    /// # Errors
    /// The errors of [`Store::get`].
    fn scan(&self, range: &Range<'_>, at: At) -> Result<Page, ReadError>;

    /// Submits a batch. Batches of one thread are committed in the order of their submission.
    ///
    /// If all guards hold, all writes become durable under one revision. Otherwise nothing changes.
    /// [`Pending::wait`] returns the outcome. Dropping the `Pending` does not cancel the batch. The
    /// queue of a store is bounded: `submit` blocks while it is full.
    fn submit(&self, batch: Batch) -> Pending;

    /// A feed of every commit after `from`.
    ///
    /// # Errors
    /// [`ReadError::Compacted`] if the store no longer has the commits after `from`, or if `from` is
    /// ahead of the store. [`ReadError::Unavailable`] if the medium fails.
    fn follow(&self, from: Revision) -> Result<Box<dyn Feed>, ReadError>;

    /// Reads all of the medium and checks it for damage.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`] with a description of the damage.
    fn check(&self) -> Result<(), ReadError>;

    /// Commits all submitted batches, ends the feeds, and releases the medium. Later calls return
    /// `Unavailable`. Closing twice has no further effect.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`] if the last commit failed to reach the medium.
    fn close(&self) -> Result<(), ReadError>;

    /// Submits a batch and waits for its outcome.
    ///
    /// # Errors
    /// The errors of [`Pending::wait`].
    fn commit(&self, batch: Batch) -> Result<Revision, CommitError> {
        self.submit(batch).wait()
    }
}
