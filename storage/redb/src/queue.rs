//! The bounded queue of batches for the writer thread.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyhouse_storage::{Batch, Cause, CommitError, Pending, Revision, Write};

/// Maximum number of queued batches. `submit` blocks while the queue is full.
pub(crate) const QUEUE_BATCHES_MAX: usize = 4_096;
/// Maximum size of queued batches, in bytes. `submit` blocks while the queue is full.
pub(crate) const QUEUE_BYTES_MAX: usize = 32 << 20;
/// Maximum number of batches in one durable commit.
pub(crate) const GROUP_BATCHES_MAX: usize = 256;
/// The size of the batches, in bytes, at which a group is full.
pub(crate) const GROUP_BYTES_MAX: usize = 8 << 20;

pub(crate) type CommitOutcome = Result<Revision, CommitError>;

/// A batch with the channel for its outcome.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) batch: Batch,
    outcome: SyncSender<CommitOutcome>,
    bytes: usize,
}

impl Submission {
    pub(crate) fn new(batch: Batch) -> (Self, Pending) {
        let (outcome, receiver) = sync_channel(1);
        let bytes = batch.writes().iter().map(Write::bytes).sum();
        (Self { batch, outcome, bytes }, Pending::new(move || await_outcome(&receiver)))
    }

    pub(crate) fn answer(self, outcome: CommitOutcome) {
        // Sending fails if the caller has dropped its `Pending`, which is not an error.
        drop(self.outcome.send(outcome));
    }

    pub(crate) fn refuse(self, cause: &Cause) {
        self.answer(Err(CommitError::Unavailable(cause.clone())));
    }
}

fn await_outcome(receiver: &Receiver<CommitOutcome>) -> CommitOutcome {
    let gone = |_| Err(CommitError::Unknown(Cause::new("the writer thread ended")));
    receiver.recv().unwrap_or_else(gone)
}

#[derive(Debug)]
pub(crate) enum QueuedWork {
    Group(Vec<Submission>),
    /// A read failed, so the writer must reopen the database.
    Broken(Cause),
    /// The store is closing and the queue is empty.
    Close,
}

#[derive(Debug, Default)]
pub(crate) struct BatchQueue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct QueueState {
    waiting: VecDeque<Submission>,
    waiting_bytes: usize,
    broken: Option<Cause>,
    /// The reason for which new batches are rejected; `None` while batches are accepted.
    refusing: Option<Cause>,
    closing: bool,
}

impl BatchQueue {
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for space and queues a batch, or rejects the batch.
    pub(crate) fn push(&self, submission: Submission) {
        let waiting = self.changed.wait_while(self.lock(), |state| {
            let full =
                state.waiting.len() >= QUEUE_BATCHES_MAX || state.waiting_bytes >= QUEUE_BYTES_MAX;
            full && state.refusing.is_none() && !state.closing
        });
        let mut state = waiting.unwrap_or_else(PoisonError::into_inner);
        let closed = || state.closing.then(|| Cause::new("store closed"));
        if let Some(cause) = state.refusing.clone().or_else(closed) {
            drop(state);
            submission.refuse(&cause);
            return;
        }
        state.waiting_bytes += submission.bytes;
        state.waiting.push_back(submission);
        drop(state);
        self.changed.notify_all();
    }

    /// Reports a failed read to the writer.
    pub(crate) fn report(&self, cause: Cause) {
        self.lock().broken.get_or_insert(cause);
        self.changed.notify_all();
    }

    /// Rejects new batches. The writer still receives the queued batches.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_all();
    }

    /// Waits for the next work of the writer.
    pub(crate) fn next(&self) -> QueuedWork {
        let waiting = self.changed.wait_while(self.lock(), |state| {
            state.waiting.is_empty() && state.broken.is_none() && !state.closing
        });
        let mut state = waiting.unwrap_or_else(PoisonError::into_inner);
        if let Some(cause) = state.broken.take() {
            return QueuedWork::Broken(cause);
        }
        let mut group = Vec::new();
        let mut group_bytes = 0;
        while group.len() < GROUP_BATCHES_MAX && group_bytes < GROUP_BYTES_MAX {
            let Some(submission) = state.waiting.pop_front() else { break };
            group_bytes += submission.bytes;
            group.push(submission);
        }
        state.waiting_bytes -= group_bytes;
        drop(state);
        if group.is_empty() {
            return QueuedWork::Close;
        }
        self.changed.notify_all();
        QueuedWork::Group(group)
    }

    /// Rejects queued and new batches until [`Self::admit`].
    pub(crate) fn refuse(&self, cause: &Cause) {
        let mut state = self.lock();
        state.refusing = Some(cause.clone());
        state.waiting_bytes = 0;
        let refused = std::mem::take(&mut state.waiting);
        drop(state);
        self.changed.notify_all();
        for submission in refused {
            submission.refuse(cause);
        }
    }

    /// Accepts batches again, after the database was reopened.
    pub(crate) fn admit(&self) {
        let mut state = self.lock();
        state.refusing = None;
        state.broken = None;
    }

    /// Waits until the store is closing, at most `timeout`. Returns whether the store is closing.
    pub(crate) fn pause(&self, timeout: Duration) -> bool {
        let waiting = self.changed.wait_timeout_while(self.lock(), timeout, |state| !state.closing);
        waiting.unwrap_or_else(PoisonError::into_inner).0.closing
    }
}
