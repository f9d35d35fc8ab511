//! The steps of an import: requests of bounded size, which are repeated without the keys that already
//! exist.

use std::iter::Peekable;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::vec::IntoIter;

use serde_json::{Value, json};

use crate::cli::client::{ApiRequest, SendRequest, query};
use crate::cli::exit::{Exit, Failure, print_message};
use crate::cli::import::file::ImportLine;
use crate::origins::Remark;

const KEYS_A_STEP_MAX: usize = 500;
/// Maximum size of a step: less than half of the limit for a request, because the stored record of a
/// key is larger than its input. The bodies of [`STEPS_AT_ONCE`] steps fit into the 2 MiB that one
/// network may send to the server at once.
const BYTES_A_STEP_MAX: usize = 384 * 1024;
/// Maximum number of rows that a step writes: two for each key, and one for its last use. One batch
/// has 1,024, some of them for the audit event.
const ROWS_A_STEP_MAX: usize = 1_000;
/// Number of steps that are sent at once. While the server commits one, it reads the next.
const STEPS_AT_ONCE: usize = 4;
/// Maximum number of faults that are printed for one step.
const FAULTS_SHOWN_MAX: usize = 20;

pub(super) struct Steps<'a> {
    send: &'a SendRequest<'a>,
    target: String,
    dry_run: bool,
    leaves_out_refused: bool,
}

#[derive(Default)]
pub(super) struct Done {
    pub(super) imported: usize,
    pub(super) skipped: usize,
    /// Keys that the API rejected, and which were left out.
    pub(super) refused: Vec<Remark>,
}

/// What all steps have done so far, and the failed step with the first line.
#[derive(Default)]
struct StepsDone {
    done: Done,
    stopped: Option<(usize, Failure)>,
}

impl<'a> Steps<'a> {
    pub(super) fn new(
        send: &'a SendRequest<'a>,
        organization: Option<&str>,
        dry_run: bool,
    ) -> Self {
        let target = format!("/v1/keys/import{}", query(&[("organization", organization)]));
        Self { send, target, dry_run, leaves_out_refused: false }
    }

    /// Leaves out keys that the API rejects, instead of ending.
    pub(super) fn leaving_out_refused(self) -> Self {
        Self { leaves_out_refused: true, ..self }
    }

    /// Sends all lines in steps, several at once. If a step fails, no further step is sent. If keys
    /// were imported or skipped before, `stopped` is called with what was done and the first line of
    /// the failed step. Lines after that line may have been imported.
    pub(super) fn send_all(
        &self,
        lines: Vec<ImportLine>,
        stopped: impl FnOnce(&Done, usize),
    ) -> Result<Done, Failure> {
        let (lines, progress) = (Mutex::new(lines.into_iter().peekable()), Mutex::default());
        thread::scope(|scope| {
            for _ in 0..STEPS_AT_ONCE {
                scope.spawn(|| self.send_steps(&lines, &progress));
            }
        });
        let progress = progress.into_inner().unwrap_or_else(PoisonError::into_inner);
        let StepsDone { done, stopped: failed }: StepsDone = progress;
        match failed {
            None => Ok(done),
            Some((first, failure)) => {
                if done.imported + done.skipped > 0 {
                    stopped(&done, first);
                }
                Err(failure)
            },
        }
    }

    fn send_steps(
        &self,
        lines: &Mutex<Peekable<IntoIter<ImportLine>>>,
        progress: &Mutex<StepsDone>,
    ) {
        loop {
            // The lines stay locked until it is known that no step has failed, so that all lines
            // before those of the failed step are sent.
            let mut lines = lock(lines);
            if lock(progress).stopped.is_some() {
                return;
            }
            let step = next_step(&mut lines);
            drop(lines);
            let Some(first) = step.first().map(|line| line.number) else { return };
            let mut done = Done::default();
            let sent = self.send(step, &mut done);
            let mut progress = lock(progress);
            progress.done.add(done);
            if let Err(failure) = sent {
                let earlier = progress.stopped.take_if(|(other, _)| *other < first);
                progress.stopped = Some(earlier.unwrap_or((first, failure)));
            }
        }
    }

    /// Sends one step. If the API reports existing keys, or keys that are left out, sends the step
    /// again without them.
    fn send(&self, mut step: Vec<ImportLine>, done: &mut Done) -> Result<(), Failure> {
        loop {
            let keys: Vec<&Value> = step.iter().map(|line| &line.key).collect();
            if keys.is_empty() {
                return Ok(());
            }
            let body = Some(json!({ "keys": keys, "dry_run": self.dry_run }));
            let target = self.target.clone();
            let request = ApiRequest { method: "POST", target, body, version: None };
            let (status, response) = (self.send)(&request)?;
            if (200..300).contains(&status) {
                done.imported += step.len();
                return Ok(());
            }
            let faults =
                response.get("errors").and_then(Value::as_array).cloned().unwrap_or_default();
            let wrong: Vec<&Value> = faults.iter().filter(|fault| !is_taken(fault)).collect();
            let at_keys = |faults: &[&Value]| faults.iter().all(|fault| entry_of(fault).is_some());
            if faults.is_empty()
                || !(wrong.is_empty() || self.leaves_out_refused && at_keys(&wrong))
            {
                return Err(failure(status, &response, &faults, &step));
            }
            let before = step.len();
            step = done.without(step, &faults);
            if step.len() == before {
                return Err(Failure::of_problem(status, &response));
            }
        }
    }
}

impl Done {
    fn add(&mut self, other: Self) {
        let Self { imported, skipped, refused } = other;
        self.imported += imported;
        self.skipped += skipped;
        self.refused.extend(refused);
    }

    /// The step without the keys that have faults. A key that is wrong and exists was not imported
    /// from this file.
    fn without(&mut self, step: Vec<ImportLine>, faults: &[Value]) -> Vec<ImportLine> {
        let mut rest = Vec::with_capacity(step.len());
        for (at, line) in step.into_iter().enumerate() {
            let own: Vec<&Value> =
                faults.iter().filter(|fault| entry_of(fault) == Some(at)).collect();
            if own.is_empty() {
                rest.push(line);
            } else if own.iter().any(|fault| is_taken(fault)) {
                self.skipped += 1;
            } else {
                let reasons: Vec<String> = own.iter().map(|fault| described(fault)).collect();
                let name = line.key.get("name").and_then(Value::as_str).map(str::to_owned);
                let reason = reasons.join("; ");
                self.refused.push(Remark { line: line.number, name, reason });
            }
        }
        rest
    }
}

/// Takes the lines of the next step. Empty at the end.
fn next_step(lines: &mut Peekable<IntoIter<ImportLine>>) -> Vec<ImportLine> {
    let (mut step, mut bytes, mut rows) = (Vec::new(), 0, 0);
    while let Some(line) = lines.next_if(|line| {
        step.is_empty()
            || (step.len() < KEYS_A_STEP_MAX
                && bytes + line.bytes <= BYTES_A_STEP_MAX
                && rows + rows_of(line) <= ROWS_A_STEP_MAX)
    }) {
        bytes += line.bytes;
        rows += rows_of(&line);
        step.push(line);
    }
    step
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The number of rows that the import of a key writes.
fn rows_of(line: &ImportLine) -> usize {
    if line.key.get("last_used_at").is_some() { 3 } else { 2 }
}

fn is_taken(fault: &Value) -> bool {
    fault.get("code").and_then(Value::as_str) == Some("digest_taken") && entry_of(fault).is_some()
}

/// The index of the key that has the fault.
fn entry_of(fault: &Value) -> Option<usize> {
    let pointer = fault.get("pointer").and_then(Value::as_str)?;
    pointer.strip_prefix("/keys/")?.split('/').next()?.parse().ok()
}

/// The field of a key and the detail of its fault.
fn described(fault: &Value) -> String {
    let text = |name: &str| fault.get(name).and_then(Value::as_str).unwrap_or_default();
    let field = text("pointer").split('/').skip(3).collect::<Vec<_>>().join("/");
    format!("{field}: {}", text("detail"))
}

/// Prints the faults of a step with their lines, and returns its failure.
fn failure(status: u16, response: &Value, faults: &[Value], step: &[ImportLine]) -> Failure {
    let mut known = 0;
    for fault in faults.iter().filter(|fault| !is_taken(fault)) {
        let Some(line) = entry_of(fault).and_then(|at| step.get(at)) else { continue };
        known += 1;
        if known <= FAULTS_SHOWN_MAX {
            print_message(&format!("line {}: {}", line.number, described(fault)));
        }
    }
    if known > FAULTS_SHOWN_MAX {
        print_message(&format!("and {} more", known - FAULTS_SHOWN_MAX));
    }
    if known == 0 {
        return Failure::of_problem(status, response);
    }
    Failure::new(Exit::Usage, "some lines are invalid: correct these lines")
}
