//! Batches on their way to the writer thread, few enough to fit in memory.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyhouse_storage::{Batch, Cause, CommitError, Pending, Revision, Write};

/// Most batches that wait for the writer; `submit` blocks beyond.
pub(crate) const QUEUE_BATCHES_MAX: usize = 4_096;
/// Most bytes of batches that wait for the writer; `submit` blocks beyond.
pub(crate) const QUEUE_BYTES_MAX: usize = 32 << 20;
/// Most batches that share one durable commit.
pub(crate) const GROUP_BATCHES_MAX: usize = 256;
/// Bytes of batches after which a group is full.
pub(crate) const GROUP_BYTES_MAX: usize = 8 << 20;

pub(crate) type Outcome = Result<Revision, CommitError>;

/// A batch and where its outcome goes.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) batch: Batch,
    outcome: SyncSender<Outcome>,
    bytes: usize,
}

impl Submission {
    pub(crate) fn new(batch: Batch) -> (Self, Pending) {
        let (outcome, receiver) = sync_channel(1);
        let bytes = batch.writes().iter().map(Write::bytes).sum();
        (Self { batch, outcome, bytes }, Pending::new(move || await_outcome(&receiver)))
    }

    pub(crate) fn answer(self, outcome: Outcome) {
        // Whoever dropped the `Pending` doesn't want to know.
        drop(self.outcome.send(outcome));
    }

    pub(crate) fn refuse(self, cause: &Cause) {
        self.answer(Err(CommitError::Unavailable(cause.clone())));
    }
}

fn await_outcome(receiver: &Receiver<Outcome>) -> Outcome {
    let gone = |_| Err(CommitError::Unknown(Cause::new("the writer thread ended")));
    receiver.recv().unwrap_or_else(gone)
}

/// What the writer does next.
#[derive(Debug)]
pub(crate) enum Work {
    /// Commit these together.
    Group(Vec<Submission>),
    /// A read met a broken database: open it anew.
    Broken(Cause),
    /// Everything submitted is decided and nothing more will be.
    Close,
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Submission>,
    waiting_bytes: usize,
    broken: Option<Cause>,
    /// Why batches are refused on arrival.
    refusing: Option<Cause>,
    closing: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a batch in, once there is room, or refuses it.
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

    /// Tells the writer that a read met a broken database.
    pub(crate) fn report(&self, cause: Cause) {
        self.lock().broken.get_or_insert(cause);
        self.changed.notify_all();
    }

    /// Takes no more batches in; those that wait are still handed to the writer.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_all();
    }

    /// Waits for work.
    pub(crate) fn next(&self) -> Work {
        let waiting = self.changed.wait_while(self.lock(), |state| {
            state.waiting.is_empty() && state.broken.is_none() && !state.closing
        });
        let mut state = waiting.unwrap_or_else(PoisonError::into_inner);
        if let Some(cause) = state.broken.take() {
            return Work::Broken(cause);
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
            return Work::Close;
        }
        self.changed.notify_all();
        Work::Group(group)
    }

    /// Refuses what waits and what comes, until [`Self::admit`].
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

    /// Takes batches in again, with a database that isn't known to be broken.
    pub(crate) fn admit(&self) {
        let mut state = self.lock();
        state.refusing = None;
        state.broken = None;
    }

    /// Waits, at most `timeout`, for the store to be closed; whether it is.
    pub(crate) fn pause(&self, timeout: Duration) -> bool {
        let waiting = self.changed.wait_timeout_while(self.lock(), timeout, |state| !state.closing);
        waiting.unwrap_or_else(PoisonError::into_inner).0.closing
    }
}
