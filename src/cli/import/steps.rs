//! The steps of an import: requests of bounded size, which are repeated without the keys that already
//! exist.

use serde_json::{Value, json};

use crate::cli::client::{ApiRequest, Client, query};
use crate::cli::exit::{Exit, Failure, print_message};
use crate::cli::import::file::ImportLine;
use crate::origins::Remark;

const KEYS_A_STEP_MAX: usize = 500;
/// Maximum size of a step: half of the limit for a request, because the stored record of a key is
/// larger than its input.
const BYTES_A_STEP_MAX: usize = 512 * 1024;
/// Maximum number of rows that a step writes: two for each key, and one for its last use. One batch
/// has 1,024, some of them for the audit event.
const ROWS_A_STEP_MAX: usize = 1_000;
/// Maximum number of faults that are printed for one step.
const FAULTS_SHOWN_MAX: usize = 20;

pub(super) struct Steps<'a> {
    client: &'a Client,
    target: String,
    dry_run: bool,
    leaves_out_refused: bool,
    done: Done,
}

#[derive(Default)]
pub(super) struct Done {
    pub(super) imported: usize,
    pub(super) skipped: usize,
    /// Keys that the API rejected, and which were left out.
    pub(super) refused: Vec<Remark>,
}

impl<'a> Steps<'a> {
    pub(super) fn new(client: &'a Client, organization: Option<&str>, dry_run: bool) -> Self {
        let target = format!("/v1/keys/import{}", query(&[("organization", organization)]));
        Self { client, target, dry_run, leaves_out_refused: false, done: Done::default() }
    }

    /// Leaves out keys that the API rejects, instead of ending.
    pub(super) fn leaving_out_refused(&mut self) -> &mut Self {
        self.leaves_out_refused = true;
        self
    }

    /// Sends all lines in steps. If a step fails, calls `stopped` with what was done before and the
    /// first line of the step.
    pub(super) fn send_all(
        &mut self,
        lines: Vec<ImportLine>,
        stopped: impl FnOnce(&Done, usize),
    ) -> Result<Done, Failure> {
        let mut rest = lines.into_iter().peekable();
        while let Some(first) = rest.peek().map(|line| line.number) {
            let (mut step, mut bytes, mut rows) = (Vec::new(), 0, 0);
            while let Some(line) = rest.next_if(|line| {
                step.is_empty()
                    || (step.len() < KEYS_A_STEP_MAX
                        && bytes + line.bytes <= BYTES_A_STEP_MAX
                        && rows + rows_of(line) <= ROWS_A_STEP_MAX)
            }) {
                bytes += line.bytes;
                rows += rows_of(&line);
                step.push(line);
            }
            if let Err(failure) = self.send(step) {
                stopped(&self.done, first);
                return Err(failure);
            }
        }
        Ok(std::mem::take(&mut self.done))
    }

    /// Sends one step. If the API reports existing keys, or keys that are left out, sends the step
    /// again without them.
    fn send(&mut self, mut step: Vec<ImportLine>) -> Result<(), Failure> {
        loop {
            let keys: Vec<&Value> = step.iter().map(|line| &line.key).collect();
            if keys.is_empty() {
                return Ok(());
            }
            let body = Some(json!({ "keys": keys, "dry_run": self.dry_run }));
            let target = self.target.clone();
            let request = ApiRequest { method: "POST", target, body, version: None };
            let (status, response) = self.client.answer(&request)?;
            if (200..300).contains(&status) {
                self.done.imported += step.len();
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
            step = self.without(step, &faults);
            if step.len() == before {
                return Err(Failure::of_problem(status, &response));
            }
        }
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
                self.done.skipped += 1;
            } else {
                let reasons: Vec<String> = own.iter().map(|fault| described(fault)).collect();
                let name = line.key.get("name").and_then(Value::as_str).map(str::to_owned);
                let reason = reasons.join("; ");
                self.done.refused.push(Remark { line: line.number, name, reason });
            }
        }
        rest
    }
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
