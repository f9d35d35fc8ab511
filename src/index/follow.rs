//! Builds the index from a scan of the store and then follows the feed, in a thread.
//!
//! If the feed has missed commits, the index is rebuilt in place: rows of the store are added and
//! rows that the store no longer has are removed. Checks continue meanwhile.
//!
//! A rebuild reads pages of the latest state, and then reads changed rows again. A scan at one
//! revision would force the store to keep that revision meanwhile. Applying old values from the
//! feed would make a revoked key valid for a moment.

use std::sync::Arc;
use std::time::Duration;

use keyhouse_storage::{Cause, Feed, Progress, ReadError, Step, Store};

pub use crate::index::stopped::FollowError;
use crate::index::stopped::{FEED_WAIT, Stopped};
use crate::index::writer::Writer;
use crate::index::{Index, IndexState};
use crate::telemetry::with_sources;
use crate::worker::{Halt, Worker};

/// The pause before the next attempt when the store is unavailable.
const RETRY_WAIT: Duration = Duration::from_millis(200);

/// Builds the index from the store and keeps it up to date in a thread of its own. Returns when the
/// index contains all commits from before the call.
/// `progress` counts the rows that were read.
pub fn start(
    index: Arc<Index>,
    store: Arc<dyn Store>,
    progress: &Progress,
) -> Result<Worker, FollowError> {
    let mut writer = Writer::new(index);
    let feed = first_build(&mut writer, &*store, progress)?;
    let halt = Arc::new(Halt::default());
    halt.watch(feed.stopper());
    let following = FollowThread { feed, writer, store, halt: Arc::clone(&halt), missed: false };
    Ok(Worker::halted_by(halt, "index-follow", || following.run())?)
}

/// Builds the index for the first time. If the feed misses commits during the build, the feed is
/// opened again.
fn first_build(
    writer: &mut Writer,
    store: &dyn Store,
    progress: &Progress,
) -> Result<Box<dyn Feed>, FollowError> {
    loop {
        match writer.rebuild(store, progress) {
            Ok(feed) => return Ok(feed),
            Err(Stopped::Missed) => {},
            Err(Stopped::Store(error)) => return Err(error),
            Err(Stopped::Closed) => {
                let cause = Cause::new("the store was closed");
                return Err(ReadError::Unavailable(cause).into());
            },
        }
    }
}

struct FollowThread {
    feed: Box<dyn Feed>,
    writer: Writer,
    store: Arc<dyn Store>,
    halt: Arc<Halt>,
    /// Whether the index must be rebuilt before the feed continues.
    missed: bool,
}

impl FollowThread {
    fn run(mut self) {
        let ended = self.follow_until_it_ends();
        // An unrequested end is logged, since the index would otherwise miss changes unnoticed.
        if !self.halt.pause(Duration::ZERO) {
            tracing::error!(cause = %ended, "index: stopped following the store");
            self.writer.set_state(IndexState::Ended(ended));
        }
    }

    fn follow_until_it_ends(&mut self) -> String {
        loop {
            let Err(stopped) = self.step() else { continue };
            // If the store cannot be read, or the system has no thread for a scan, this thread
            // retries. Only a permanent error ends this thread.
            let cause = match stopped {
                Stopped::Store(FollowError::Read(error)) => error.to_string(),
                Stopped::Store(error @ FollowError::Thread(_)) => with_sources(&error),
                Stopped::Store(FollowError::Record(error)) => return error.to_string(),
                Stopped::Closed => return "the store was closed".to_owned(),
                Stopped::Missed => {
                    self.missed = true;
                    continue;
                },
            };
            self.writer.set_state(IndexState::Unavailable(cause));
            if self.halt.pause(RETRY_WAIT) {
                return "asked to".to_owned();
            }
        }
    }

    /// Processes one step of the feed, or rebuilds the index if commits were missed.
    fn step(&mut self) -> Result<(), Stopped> {
        if self.missed {
            self.feed = self.writer.rebuild(&*self.store, &Progress::default())?;
            self.halt.watch(self.feed.stopper());
            self.missed = false;
        }
        match self.feed.next(FEED_WAIT)? {
            Step::Commit(commit) => {
                self.writer.apply(&commit.writes)?;
                self.writer.reach(commit.revision);
            },
            Step::Progress(revision) => self.writer.reach(revision),
        }
        Ok(())
    }
}

/// Logs an unplanned end of the thread.
impl Drop for FollowThread {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.writer.set_state(IndexState::Ended("its thread panicked".to_owned()));
        }
    }
}
