//! The thread that commits, and that opens the database anew after a fault.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::Duration;

use keyhouse_storage::{Cause, Commit, CommitError, ReadError};

use crate::group::{self, Reached};
use crate::opening::{self, guarded};
use crate::queue::{Submission, Work};
use crate::state::{Condition, State};

/// How long the writer waits after the first failed reopening; twice as long after each more.
const REOPEN_WAIT_MIN: Duration = Duration::from_millis(100);
/// The longest wait between two reopenings.
const REOPEN_WAIT_MAX: Duration = Duration::from_secs(10);

/// Commits what is submitted until the store is closed.
pub(crate) fn run(state: &State) -> Result<(), ReadError> {
    let ended = catch_unwind(AssertUnwindSafe(|| work(state))).unwrap_or_else(|_| {
        // Not redb's panics, which are faults of the database, but one of ours.
        let cause = Cause::new("the writer thread panicked");
        go_down(state, &cause);
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
            Work::Group(group) => decide(state, group),
            Work::Broken(cause) => go_down(state, &cause),
            Work::Close => return Ok(()),
        }
        if state.is_down() {
            come_back(state)?;
        }
    }
}

/// Commits a group, shows it to the feeds, then answers each batch.
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
            // First down, then the answers: whoever hears of the failure reads nothing that the
            // reopened database may contradict.
            go_down(state, &cause);
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

/// Gives the database up: nothing more is read from it or written to it.
fn go_down(state: &State, cause: &Cause) {
    state.queue.refuse(cause);
    state.log.interrupt(cause.clone());
    let still = state.still();
    // Nobody reads once the condition is held; a read before might have held another revision.
    let mut condition = state.condition_mut();
    state.held().clear();
    if let Condition::Open(engine) = &*condition {
        engine.watch.fence();
    }
    *condition = Condition::Down(cause.clone());
    drop(condition);
    drop(still);
}

/// Opens the database anew, as often as it takes. An error means that the store was closed before.
fn come_back(state: &State) -> Result<(), ReadError> {
    let mut wait = REOPEN_WAIT_MIN;
    loop {
        let still = state.still();
        let opened = opening::open(&*state.disk, &state.place.file, state.cache_bytes);
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
