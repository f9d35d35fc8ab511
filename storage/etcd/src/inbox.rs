//! The commits that a watch has delivered and a feed has not yet returned.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyhouse_storage::{Cause, Commit, FeedError, Revision, Write};
use tokio::sync::Notify;

/// Maximum number of commits of one feed. The watch of a full inbox waits, and etcd keeps its events.
pub(crate) const INBOX_COMMITS_MAX: usize = 256;
/// Maximum size of the commits of one feed in bytes. One commit more may be taken.
pub(crate) const INBOX_BYTES_MAX: usize = 4 << 20;

/// Shared by a feed, the task of its watch, and its stop handles.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    state: Mutex<InboxState>,
    changed: Condvar,
    /// Wakes the task of the watch: there is space, the watch must be opened again, or the feed ended.
    wake: Notify,
}

#[derive(Debug, Default)]
struct InboxState {
    commits: VecDeque<Commit>,
    bytes: usize,
    end: Option<FeedError>,
    interruption: Option<Cause>,
    must_reopen: bool,
    /// Number of the last requested look at the head, and the outcome of the last finished one.
    looks: u64,
    looked: Option<(u64, Result<Revision, Cause>)>,
}

/// What a feed does next.
#[derive(Debug)]
pub(crate) enum Item {
    Commit(Commit),
    End(FeedError),
    /// The watch is interrupted.
    Interrupted(Cause),
    /// The outcome of a look at the head.
    Looked(Result<Revision, Cause>),
    /// Nothing within the timeout.
    Nothing,
}

/// What [`Inbox::wait`] waits for, besides commits and the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    Interruption,
    Look(u64),
    Commit,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, InboxState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut InboxState)) {
        change(&mut self.lock());
        self.changed.notify_all();
        self.wake.notify_one();
    }

    /// Ends the feed, unless it has already ended. Commits that were not returned are dropped.
    pub(crate) fn end(&self, error: FeedError) {
        self.change(|state| {
            state.commits.clear();
            let is_stop = error == FeedError::Stopped;
            if is_stop || state.end.is_none() {
                state.end = Some(error);
            }
        });
    }

    pub(crate) fn stop(&self) {
        self.end(FeedError::Stopped);
    }

    pub(crate) fn interrupt(&self, cause: &Cause) {
        self.change(|state| state.interruption = Some(cause.clone()));
    }

    pub(crate) fn resume(&self) {
        self.lock().interruption = None;
    }

    /// Asks the task to open the watch again, on another member.
    pub(crate) fn reopen(&self) {
        self.change(|state| state.must_reopen = true);
    }

    /// Adds a commit of the watch.
    pub(crate) fn push(&self, commit: Commit) {
        let mut state = self.lock();
        if state.end.is_none() {
            state.bytes += bytes(&commit);
            state.commits.push_back(commit);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until the inbox has space. Returns false when the feed has ended.
    pub(crate) async fn has_space(&self) -> bool {
        loop {
            if self.has_ended() {
                return false;
            }
            if !self.is_full() {
                return true;
            }
            self.wake.notified().await;
        }
    }

    /// Waits until the watch must be left. Ends with the future if nothing requests it.
    pub(crate) async fn left(&self) {
        while !self.must_leave() {
            self.wake.notified().await;
        }
    }

    fn must_leave(&self) -> bool {
        let mut state = self.lock();
        std::mem::take(&mut state.must_reopen) || state.end.is_some()
    }

    fn is_full(&self) -> bool {
        let state = self.lock();
        state.commits.len() >= INBOX_COMMITS_MAX || state.bytes >= INBOX_BYTES_MAX
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.lock().end.is_some()
    }

    /// Begins a look at the head, and returns its number.
    pub(crate) fn begin_look(&self) -> u64 {
        let mut state = self.lock();
        state.looks += 1;
        state.looks
    }

    pub(crate) fn finish_look(&self, number: u64, outcome: Result<Revision, Cause>) {
        self.change(|state| state.looked = Some((number, outcome)));
    }

    /// Waits for the next commit, the end, or what `until` names.
    pub(crate) fn wait(&self, timeout: Duration, until: Until) -> Item {
        let waiting =
            self.changed.wait_timeout_while(self.lock(), timeout, |state| !state.is_due(until));
        let mut state = waiting.unwrap_or_else(PoisonError::into_inner).0;
        let item = state.take(until);
        drop(state);
        if matches!(item, Item::Commit(_)) {
            self.wake.notify_one();
        }
        item
    }
}

impl InboxState {
    fn is_due(&self, until: Until) -> bool {
        let is_named = match until {
            Until::Interruption => self.interruption.is_some(),
            Until::Look(number) => self.looked.as_ref().is_some_and(|(of, _)| *of == number),
            Until::Commit => false,
        };
        is_named || self.end.is_some() || !self.commits.is_empty()
    }

    fn take(&mut self, until: Until) -> Item {
        if let Some(end) = &self.end {
            return Item::End(end.clone());
        }
        if let Some(commit) = self.commits.pop_front() {
            self.bytes = self.bytes.saturating_sub(bytes(&commit));
            return Item::Commit(commit);
        }
        match until {
            Until::Interruption | Until::Commit => {
                self.interruption.clone().map_or(Item::Nothing, Item::Interrupted)
            },
            Until::Look(_) => {
                self.looked.take().map_or(Item::Nothing, |(_, outcome)| Item::Looked(outcome))
            },
        }
    }
}

fn bytes(commit: &Commit) -> usize {
    commit.writes.iter().map(Write::bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_come_before_an_interruption_and_not_after_the_end() {
        let inbox = Inbox::default();
        let commit = Commit { revision: Revision(1), writes: Vec::new() };
        inbox.push(commit.clone());
        inbox.interrupt(&Cause::new("gone"));
        let next = || inbox.wait(Duration::ZERO, Until::Interruption);
        assert!(matches!(next(), Item::Commit(it) if it == commit));
        assert!(matches!(next(), Item::Interrupted(_)));
        inbox.resume();
        assert!(matches!(next(), Item::Nothing));
        inbox.push(commit);
        inbox.end(FeedError::Compacted);
        assert!(matches!(next(), Item::End(FeedError::Compacted)));
        inbox.end(FeedError::Stopped);
        inbox.end(FeedError::Compacted);
        assert!(matches!(next(), Item::End(FeedError::Stopped)));
    }

    #[test]
    fn look_of_an_earlier_call_is_not_taken_for_a_later_one() {
        let inbox = Inbox::default();
        let (one, other) = (inbox.begin_look(), inbox.begin_look());
        inbox.finish_look(one, Ok(Revision(1)));
        let state = inbox.lock();
        assert!(state.is_due(Until::Look(one)) && !state.is_due(Until::Look(other)));
    }
}
