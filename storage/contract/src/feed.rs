//! A bounded log of recent commits in memory, and the feeds that read it.
//!
//! Every store whose commits all pass through one process can use this log. The log writes nothing
//! to a medium and does not check durability: the store publishes a commit when the commit is
//! durable.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{Cause, Commit, Feed, FeedError, ReadError, Revision, Step, Stop, Write};

/// Maximum number of commits that are kept for slow feeds.
pub const BACKLOG_COMMITS_MAX: usize = 8_192;
/// Maximum size of the keys and values that are kept for slow feeds, in bytes.
pub const BACKLOG_BYTES_MAX: usize = 16 << 20;

/// The bounds of a [`FeedLog`]. The newest commit is always kept, regardless of its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Maximum number of commits.
    pub commits_max: usize,
    /// Maximum size of keys and values, in bytes.
    pub bytes_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { commits_max: BACKLOG_COMMITS_MAX, bytes_max: BACKLOG_BYTES_MAX }
    }
}

/// The latest commits of a store, shared by all feeds.
///
/// A feed holds only a position, so a slow feed costs no memory. A feed whose next commit was dropped
/// from the log ends with [`FeedError::Compacted`].
#[derive(Clone, Debug)]
pub struct FeedLog(Arc<SharedFeed>);

#[derive(Debug)]
struct SharedFeed {
    state: Mutex<FeedState>,
    changed: Condvar,
    bounds: Bounds,
}

#[derive(Debug)]
struct FeedState {
    /// The latest commits, oldest first, without gaps, up to `latest`.
    backlog: VecDeque<Arc<Commit>>,
    backlog_bytes: usize,
    latest: Revision,
    /// Number of restarts. A feed of an earlier epoch has missed commits.
    epoch: u64,
    condition: FeedCondition,
}

#[derive(Debug)]
enum FeedCondition {
    Running,
    Interrupted(Cause),
    Closed,
}

impl FeedLog {
    /// An empty log of a store whose latest revision is `latest`.
    #[must_use]
    pub fn new(latest: Revision, bounds: Bounds) -> Self {
        let state = FeedState {
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            latest,
            epoch: 0,
            condition: FeedCondition::Running,
        };
        Self(Arc::new(SharedFeed { state: Mutex::new(state), changed: Condvar::new(), bounds }))
    }

    /// Adds commits for all feeds. The commits must be durable, and follow the last published
    /// commit without gaps.
    pub fn publish(&self, commits: impl IntoIterator<Item = Commit>) {
        let mut state = self.0.lock();
        for commit in commits {
            state.latest = commit.revision;
            state.backlog_bytes += bytes(&commit);
            state.backlog.push_back(Arc::new(commit));
            while state.backlog.len() > self.0.bounds.commits_max.max(1)
                || (state.backlog_bytes > self.0.bounds.bytes_max && state.backlog.len() > 1)
            {
                if let Some(dropped) = state.backlog.pop_front() {
                    state.backlog_bytes -= bytes(&dropped);
                }
            }
        }
        drop(state);
        self.0.changed.notify_all();
    }

    /// A feed of every commit after `from`. `reached` is the latest revision that reads of the
    /// store return, which may be ahead of the published commits.
    ///
    /// # Errors
    /// The errors of [`crate::Store::follow`].
    pub fn follow(&self, from: Revision, reached: Revision) -> Result<Box<dyn Feed>, ReadError> {
        let state = self.0.lock();
        match &state.condition {
            FeedCondition::Running => {},
            FeedCondition::Interrupted(cause) => return Err(ReadError::Unavailable(cause.clone())),
            FeedCondition::Closed => {
                return Err(ReadError::Unavailable(Cause::new("store closed")));
            },
        }
        if from > reached.max(state.latest) || from < state.dropped() {
            return Err(ReadError::Compacted);
        }
        let epoch = state.epoch;
        drop(state);
        let stopped = Arc::new(AtomicBool::new(false));
        Ok(Box::new(LogFeed {
            log: Arc::clone(&self.0),
            position: from,
            epoch,
            stopped,
            reported: false,
        }))
    }

    /// Makes feeds without further commits return [`FeedError::Unavailable`] until
    /// [`Self::restart`]: the first call at once, later calls after the timeout of [`Feed::next`].
    pub fn interrupt(&self, cause: Cause) {
        let mut state = self.0.lock();
        if !matches!(state.condition, FeedCondition::Closed) {
            state.condition = FeedCondition::Interrupted(cause);
        }
        drop(state);
        self.0.changed.notify_all();
    }

    /// Ends every feed with [`FeedError::Compacted`] and starts an empty log at a revision. A store
    /// calls this method after it was reopened, because its content is then known only from reads.
    pub fn restart(&self, latest: Revision) {
        let mut state = self.0.lock();
        state.backlog.clear();
        state.backlog_bytes = 0;
        state.latest = latest;
        state.epoch += 1;
        if !matches!(state.condition, FeedCondition::Closed) {
            state.condition = FeedCondition::Running;
        }
        drop(state);
        self.0.changed.notify_all();
    }

    /// Ends every feed with [`FeedError::Stopped`].
    pub fn close(&self) {
        self.0.lock().condition = FeedCondition::Closed;
        self.0.changed.notify_all();
    }
}

impl SharedFeed {
    /// Every statement leaves the state consistent, so the state is usable even if the lock is
    /// poisoned.
    fn lock(&self) -> MutexGuard<'_, FeedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FeedState {
    /// The latest revision that was dropped from the log.
    fn dropped(&self) -> Revision {
        Revision(self.latest.0.saturating_sub(self.backlog.len() as u64))
    }

    fn after(&self, position: Revision) -> Option<&Arc<Commit>> {
        let index = position.0.checked_sub(self.dropped().0)?;
        self.backlog.get(usize::try_from(index).ok()?)
    }
}

fn bytes(commit: &Commit) -> usize {
    commit.writes.iter().map(Write::bytes).sum()
}

#[derive(Debug)]
struct LogFeed {
    log: Arc<SharedFeed>,
    position: Revision,
    epoch: u64,
    stopped: Arc<AtomicBool>,
    /// Whether the last step was [`FeedError::Unavailable`].
    reported: bool,
}

impl LogFeed {
    /// The next step of the feed, or `None` if there is no new step.
    fn step(&self, state: &FeedState) -> Option<Result<Arc<Commit>, FeedError>> {
        if self.stopped.load(Ordering::Acquire) || matches!(state.condition, FeedCondition::Closed)
        {
            return Some(Err(FeedError::Stopped));
        }
        if (self.epoch != state.epoch) || (self.position < state.dropped()) {
            return Some(Err(FeedError::Compacted));
        }
        if let Some(commit) = state.after(self.position) {
            return Some(Ok(Arc::clone(commit)));
        }
        match &state.condition {
            FeedCondition::Interrupted(cause) if !self.reported => {
                Some(Err(FeedError::Unavailable(cause.clone())))
            },
            FeedCondition::Interrupted(_) | FeedCondition::Running | FeedCondition::Closed => None,
        }
    }
}

impl Feed for LogFeed {
    fn next(&mut self, timeout: Duration) -> Result<Step, FeedError> {
        let waiting = self
            .log
            .changed
            .wait_timeout_while(self.log.lock(), timeout, |state| self.step(state).is_none());
        let (state, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        let step = self.step(&state);
        let interruption = match &state.condition {
            FeedCondition::Interrupted(cause) => Some(cause.clone()),
            FeedCondition::Running | FeedCondition::Closed => None,
        };
        drop(state);
        let outcome = match step {
            None => match interruption {
                None => Ok(Step::Progress(self.position)),
                Some(cause) => Err(FeedError::Unavailable(cause)),
            },
            Some(Ok(commit)) => {
                self.position = commit.revision;
                Ok(Step::Commit(Arc::unwrap_or_clone(commit)))
            },
            Some(Err(error)) => Err(error),
        };
        self.reported = matches!(outcome, Err(FeedError::Unavailable(_)));
        outcome
    }

    fn stopper(&self) -> Box<dyn Stop> {
        Box::new(LogStop { log: Arc::clone(&self.log), stopped: Arc::clone(&self.stopped) })
    }
}

#[derive(Debug)]
struct LogStop {
    log: Arc<SharedFeed>,
    stopped: Arc<AtomicBool>,
}

impl Stop for LogStop {
    fn stop(&self) {
        // The flag is set under the lock, so that a feed cannot miss it between its check and its
        // wait.
        let state = self.log.lock();
        self.stopped.store(true, Ordering::Release);
        drop(state);
        self.log.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(revision: u64, bytes: usize) -> Commit {
        let write = Write::Put { key: vec![1], value: vec![0; bytes.saturating_sub(1)] };
        Commit { revision: Revision(revision), writes: vec![write] }
    }

    fn log(commits_max: usize, bytes_max: usize) -> FeedLog {
        FeedLog::new(Revision::ZERO, Bounds { commits_max, bytes_max })
    }

    #[test]
    fn slow_feed_ends_when_its_next_commit_was_dropped() {
        for (name, log) in [("by commits", log(3, 1 << 20)), ("by bytes", log(100, 30))] {
            let mut slow = log.follow(Revision::ZERO, Revision::ZERO).unwrap();
            let mut quick = log.follow(Revision::ZERO, Revision::ZERO).unwrap();
            for revision in 1..=4 {
                log.publish([commit(revision, 10)]);
                let step = quick.next(Duration::ZERO);
                assert_eq!(step, Ok(Step::Commit(commit(revision, 10))), "{name}");
            }
            for _ in 0..2 {
                assert_eq!(slow.next(Duration::ZERO), Err(FeedError::Compacted), "{name}");
            }
            let refused = log.follow(Revision::ZERO, Revision::ZERO).map(drop);
            assert_eq!(refused, Err(ReadError::Compacted), "{name}");
            assert!(log.follow(Revision(1), Revision::ZERO).is_ok(), "{name}");
        }
    }

    #[test]
    fn feed_from_a_revision_ahead_of_the_log_shows_no_earlier_commit() {
        let log = log(10, 1 << 20);
        let mut feed = log.follow(Revision(2), Revision(2)).unwrap();
        log.publish([commit(1, 1), commit(2, 1), commit(3, 1)]);
        assert_eq!(feed.next(Duration::ZERO), Ok(Step::Commit(commit(3, 1))));
        assert_eq!(feed.next(Duration::ZERO), Ok(Step::Progress(Revision(3))));
    }

    #[test]
    fn interrupted_feed_shows_commits_then_unavailable_then_compacted() {
        let log = log(10, 1 << 20);
        let mut feed = log.follow(Revision::ZERO, Revision::ZERO).unwrap();
        log.publish([commit(1, 1)]);
        let cause = Cause::new("disk gone");
        log.interrupt(cause.clone());
        assert_eq!(feed.next(Duration::ZERO), Ok(Step::Commit(commit(1, 1))));
        assert_eq!(feed.next(Duration::ZERO), Err(FeedError::Unavailable(cause)));
        log.restart(Revision(1));
        assert_eq!(feed.next(Duration::ZERO), Err(FeedError::Compacted));
        assert!(log.follow(Revision(1), Revision(1)).is_ok());
        assert_eq!(log.follow(Revision(0), Revision(1)).map(drop), Err(ReadError::Compacted));
    }
}
