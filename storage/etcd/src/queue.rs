//! The bounded queue of batches for the lane's thread.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyhouse_storage::{Batch, Cause, CommitError, Pending, Revision, Write};

/// Maximum number of queued batches. `submit` blocks while the queue is full.
pub(crate) const QUEUE_BATCHES_MAX: usize = 4_096;
/// Maximum size of queued batches in bytes. `submit` blocks while the queue is full.
pub(crate) const QUEUE_BYTES_MAX: usize = 32 << 20;

pub(crate) type LaneOutcome = Result<Revision, CommitError>;

/// A batch with the channel for its outcome.
#[derive(Debug)]
pub(crate) struct QueuedBatch {
    pub(crate) batch: Batch,
    outcome: SyncSender<LaneOutcome>,
    bytes: usize,
}

impl QueuedBatch {
    pub(crate) fn new(batch: Batch) -> (Self, Pending) {
        let (outcome, receiver) = sync_channel(1);
        let bytes = batch.writes().iter().map(Write::bytes).sum();
        (Self { batch, outcome, bytes }, Pending::new(move || wait(&receiver)))
    }

    pub(crate) fn answer(self, outcome: LaneOutcome) {
        // Sending fails if the caller has dropped its `Pending`, which is not an error.
        drop(self.outcome.send(outcome));
    }

    pub(crate) fn refuse(self, cause: &Cause) {
        self.answer(Err(CommitError::Unavailable(cause.clone())));
    }
}

fn wait(receiver: &Receiver<LaneOutcome>) -> LaneOutcome {
    let gone = |_| Err(CommitError::Unknown(Cause::new("the thread of the lane ended")));
    receiver.recv().unwrap_or_else(gone)
}

/// What the lane's thread does next.
#[derive(Debug)]
pub(crate) enum Work {
    Batch(QueuedBatch),
    /// A read showed that etcd may have lost writes.
    Settle,
    /// The store is closing and the queue is empty.
    Close,
}

#[derive(Debug, Default)]
pub(crate) struct LaneQueue {
    state: Mutex<LaneQueueState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct LaneQueueState {
    waiting: VecDeque<QueuedBatch>,
    waiting_bytes: usize,
    must_settle: bool,
    /// The reason for which new batches are rejected; `None` while batches are accepted.
    refusing: Option<Cause>,
    closing: bool,
}

impl LaneQueue {
    fn lock(&self) -> MutexGuard<'_, LaneQueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for space and queues a batch, or rejects the batch.
    pub(crate) fn push(&self, submission: QueuedBatch) {
        let waiting = self.changed.wait_while(self.lock(), |state| {
            let is_full =
                state.waiting.len() >= QUEUE_BATCHES_MAX || state.waiting_bytes >= QUEUE_BYTES_MAX;
            is_full && state.refusing.is_none() && !state.closing
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

    pub(crate) fn settle(&self) {
        self.lock().must_settle = true;
        self.changed.notify_all();
    }

    /// Rejects new batches, and those that are queued.
    pub(crate) fn refuse(&self, cause: &Cause) {
        let mut state = self.lock();
        state.refusing = Some(cause.clone());
        let waiting = std::mem::take(&mut state.waiting);
        state.waiting_bytes = 0;
        drop(state);
        self.changed.notify_all();
        for submission in waiting {
            submission.refuse(cause);
        }
    }

    /// Accepts batches again.
    pub(crate) fn accept(&self) {
        let mut state = self.lock();
        state.refusing = None;
        state.must_settle = false;
    }

    /// Rejects new batches. The lane's thread still receives the queued batches.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_all();
    }

    /// Waits for `pause`, or until the store closes. Returns whether it closes.
    pub(crate) fn pause(&self, pause: Duration) -> bool {
        let waiting = self.changed.wait_timeout_while(self.lock(), pause, |it| !it.closing);
        waiting.unwrap_or_else(PoisonError::into_inner).0.closing
    }

    /// Waits for the next work.
    pub(crate) fn next(&self) -> Work {
        let waiting = self.changed.wait_while(self.lock(), |state| {
            state.waiting.is_empty() && !state.must_settle && !state.closing
        });
        let mut state = waiting.unwrap_or_else(PoisonError::into_inner);
        if state.must_settle && !state.closing {
            return Work::Settle;
        }
        let Some(submission) = state.waiting.pop_front() else { return Work::Close };
        state.waiting_bytes = state.waiting_bytes.saturating_sub(submission.bytes);
        drop(state);
        self.changed.notify_all();
        Work::Batch(submission)
    }
}
