//! The thread that commits batches and reopens the database after a fault.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::Duration;

use keyhouse_storage::{Cause, Commit, CommitError, ReadError};

use crate::group::{self, Reached};
use crate::opening::{self, guarded};
use crate::queue::{QueuedWork, Submission};
use crate::state::{Condition, State};

/// The wait after the first failed reopening. The wait doubles after every further failure.
const REOPEN_WAIT_MIN: Duration = Duration::from_millis(100);
/// The longest wait between two reopenings.
const REOPEN_WAIT_MAX: Duration = Duration::from_secs(10);

/// Commits submitted batches until the store is closed.
pub(crate) fn run(state: &State) -> Result<(), ReadError> {
    let ended = catch_unwind(AssertUnwindSafe(|| work(state))).unwrap_or_else(|_| {
        // This crate panicked. Panics of redb are handled as faults of the database.
        let cause = Cause::new("the writer thread panicked");
        take_down(state, &cause);
        Err(ReadError::Unavailable(cause))
    });
    state.queue.refuse(&Cause::new("store closed"));
    state.log.close();
    let mut condition = state.condition_mut();
    state.held().clear();
    *condition = Condition::Closed;
    drop(condition);
    state.place.leave();
    ended
}

fn work(state: &State) -> Result<(), ReadError> {
    loop {
        match state.queue.next() {
            QueuedWork::Group(group) => decide(state, group),
            QueuedWork::Broken(cause) => take_down(state, &cause),
            QueuedWork::Close => return Ok(()),
        }
        if state.is_down() {
            reopen(state)?;
        }
    }
}

/// Commits a group, publishes it to the feeds, and then sends each batch its outcome.
fn decide(state: &State, group: Vec<Submission>) {
    let still = state.still();
    state.held().expire();
    let committed = state.with_engine(|engine| {
        let syncs = engine.watch.syncs();
        let batches = group.iter().map(|submission| &submission.batch);
        guarded(|| group::commit(&engine.database, batches)).map_err(|error| {
            let reached = engine.watch.syncs() != syncs;
            let reached = if reached { Reached::Sync } else { Reached::Preparation };
            (Cause::of(&error), group::failure(&error, reached))
        })
    });
    drop(still);
    let outcomes = match committed {
        Ok(Ok(outcomes)) => outcomes,
        Ok(Err((cause, failure))) => {
            // The database is closed before the callers receive their outcomes, so that they read
            // no state that the reopened database may contradict.
            take_down(state, &cause);
            for submission in group {
                submission.answer(Err(failure.clone()));
            }
            return;
        },
        Err(cause) => {
            for submission in group {
                submission.refuse(&cause);
            }
            return;
        },
    };
    let mut answers = Vec::new();
    let mut commits = Vec::new();
    for (submission, outcome) in group.into_iter().zip(outcomes) {
        if let Some(revision) = outcome {
            commits.push(Commit { revision, writes: submission.batch.writes().to_vec() });
        }
        answers.push((submission, outcome.ok_or(CommitError::Conflict)));
    }
    state.log.publish(commits);
    for (submission, outcome) in answers {
        submission.answer(outcome);
    }
}

/// Closes the database after a fault. Later reads and writes are rejected.
fn take_down(state: &State, cause: &Cause) {
    state.queue.refuse(cause);
    state.log.interrupt(cause.clone());
    let still = state.still();
    // No read runs while the condition is locked, so no read can hold another revision after
    // `clear`.
    let mut condition = state.condition_mut();
    state.held().clear();
    if let Condition::Open(engine) = &*condition {
        engine.watch.fence();
    }
    *condition = Condition::Down(cause.clone());
    drop(condition);
    drop(still);
}

/// Reopens the database, and retries until it succeeds. Fails if the store is closed meanwhile.
fn reopen(state: &State) -> Result<(), ReadError> {
    let mut wait = REOPEN_WAIT_MIN;
    loop {
        let still = state.still();
        let opened = opening::open(&*state.disk, &state.place.file, &state.settings);
        drop(still);
        let cause = match opened {
            Ok((engine, revision)) => {
                let mut condition = state.condition_mut();
                *condition = Condition::Open(engine);
                state.log.restart(revision);
                state.queue.admit();
                state.reopenings.fetch_add(1, Ordering::AcqRel);
                return Ok(());
            },
            Err(error) => Cause::of(&error),
        };
        *state.condition_mut() = Condition::Down(cause.clone());
        state.queue.refuse(&cause);
        state.log.interrupt(cause.clone());
        if state.queue.pause(wait) {
            return Err(ReadError::Unavailable(cause));
        }
        wait = (wait * 2).min(REOPEN_WAIT_MAX);
    }
}
