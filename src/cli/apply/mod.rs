//! `keyhouse apply`: makes an instance match configuration files, by requests of the API.
//!
//! The command validates the files and resolves all names before the first change. A change that fails
//! ends the command: the changes before it stay, and another run continues.

pub(super) mod fetch;
mod files;
#[cfg(test)]
mod tests;

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::client::{ApiRequest, Client, SendRequest, json_of, query, send_to_instance};
use crate::cli::exit::{Exit, Failure, print, print_message, print_once};
use crate::config::Settings;
use crate::instance::Instance;
use crate::manifest::{
    ApplyPlan, ChangeKind, Declared, PlanOptions, PlannedChange, Titled, compare, lines_of,
};
use fetch::InstanceReader;
pub(super) use files::expanded;

/// Maximum number of new keys that are validated in one request.
const KEYS_A_STEP_MAX: usize = 100;

#[derive(Debug, Args)]
#[command(
    after_help = "The files are TOML or JSON. They identify objects by name, and change only these objects.\n\
                  A second run changes nothing.\n\n\
                  Examples:\n  keyhouse apply keyhouse.d/*.toml --dry-run\n  \
                  keyhouse export | KEYHOUSE_URL=https://other.example KEYHOUSE_KEY=... keyhouse apply -"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct Flags {
    /// Configuration files; - for stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print the difference without changing anything
    #[arg(long)]
    dry_run: bool,
    /// Delete objects that the files' lists do not contain. Of keys, only those that apply created are
    /// revoked
    #[arg(long)]
    prune: bool,
    /// Delete without asking
    #[arg(long)]
    yes: bool,
}

/// The changes that an apply has made.
#[derive(Debug, Default)]
struct AppliedChanges {
    changes: usize,
    /// The one-time links of invited owners, by organization.
    links: Vec<(String, String)>,
}

pub(super) fn run(flags: &Flags, client: &Client, json: bool) -> Result<(), Failure> {
    let declared = files::read(&flags.files)?;
    client.hold(|send| {
        let options = PlanOptions { prune: flags.prune, only: None };
        let mut plan = planned(send, client.is_local(), &declared, &options)?;
        if !json {
            print_plan(&plan)?;
        }
        if flags.dry_run {
            if json {
                return print(&report(&plan, true, &AppliedChanges::default()).to_string());
            }
            print_message(&summary(&plan, "to "));
            return Ok(());
        }
        confirm(flags, &plan)?;
        let mut done = AppliedChanges::default();
        let outcome = execute(send, client.is_local(), &mut plan, &mut done);
        if json {
            print_once(&report(&plan, false, &done).to_string())?;
        } else {
            for (organization, url) in &done.links {
                print_message(&format!(
                    "send this link to the owner of {organization:?}: it works once, for 24 hours"
                ));
                print_once(url)?;
            }
        }
        outcome?;
        print_message(&summary(&plan, ""));
        Ok(())
    })
}

/// Applies the files of the settings at the start of the server, and prints the changes to stderr.
/// The links of invited owners are not printed, since logs keep them.
pub(super) fn apply_at_start(instance: &Instance, settings: &Settings) -> Result<(), Failure> {
    let send = |request: &ApiRequest<'_>| {
        let (status, body) = send_to_instance(instance, settings, request, None)?;
        Ok((status, json_of(&body)))
    };
    let declared = files::read(&settings.apply)?;
    let mut plan = planned(&send, true, &declared, &PlanOptions::default())?;
    let mut done = AppliedChanges::default();
    let outcome = execute(&send, true, &mut plan, &mut done);
    for change in plan.changes.iter().take(done.changes) {
        if let Some(line) = lines_of(change).first() {
            print_message(&format!("apply: {line}"));
        }
    }
    for missing in &plan.waiting {
        print_message(&format!("apply: skipped: {missing}"));
    }
    for (organization, _) in &done.links {
        print_message(&format!(
            "apply: the owner of {organization:?} is invited: keyhouse user invite prints a new link"
        ));
    }
    outcome?;
    print_message(&format!("apply: {}", summary(&plan, "")));
    Ok(())
}

/// Compares the files with the instance, and lets the instance validate the new keys.
fn planned(
    send: &SendRequest<'_>,
    is_local: bool,
    declared: &Declared,
    options: &PlanOptions,
) -> Result<ApplyPlan, Failure> {
    let fetched = InstanceReader { send, is_local }.fetch(Some(declared))?;
    let options = PlanOptions { only: fetched.only, ..options.clone() };
    let plan = compare(declared, &fetched.current, &options)
        .map_err(|faults| files::wrong_files(&faults))?;
    let faults =
        plan.faults_of_keys(KEYS_A_STEP_MAX, |organization, keys| -> Result<Value, Failure> {
            let organization = is_local.then_some(organization);
            let target = format!("/v1/keys/import{}", query(&[("organization", organization)]));
            let body = Some(json!({ "keys": keys, "applied": true, "dry_run": true }));
            let request = ApiRequest { method: "POST", target, body, version: None };
            let (status, answer) = send(&request)?;
            match status {
                400 => Ok(answer),
                // An earlier change of the same apply may raise a limit of the plan (403).
                200..300 | 403 => Ok(Value::Null),
                _ => Err(Failure::of_problem(status, &answer)),
            }
        })?;
    if faults.is_empty() {
        return Ok(plan);
    }
    let faults: Vec<_> = faults
        .into_iter()
        .map(|(name, detail)| declared.fault_of(&name, "digest", &detail))
        .collect();
    Err(files::wrong_files(&faults))
}

fn print_plan(plan: &ApplyPlan) -> Result<(), Failure> {
    for change in &plan.changes {
        for line in lines_of(change) {
            print(&line)?;
        }
    }
    for missing in &plan.waiting {
        print_message(&format!(
            "skipped: {missing}; invite with keyhouse user invite, then apply again"
        ));
    }
    Ok(())
}

/// Requires a confirmation before the first deletion.
fn confirm(flags: &Flags, plan: &ApplyPlan) -> Result<(), Failure> {
    let deletions = count(plan, ChangeKind::Delete);
    if deletions == 0 || flags.yes {
        return Ok(());
    }
    let objects = if deletions == 1 { "object" } else { "objects" };
    let is_terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if !is_terminal {
        let message = format!(
            "nothing was changed: --prune would delete {deletions} {objects}; repeat with --yes"
        );
        return Err(Failure::new(Exit::Usage, message));
    }
    print_message(&format!("Delete {deletions} {objects}, which cannot be undone? Type yes:"));
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Failure::io("read the answer", &error))?;
    if answer.trim() == "yes" {
        return Ok(());
    }
    Err(Failure::new(Exit::Failed, "nothing was changed"))
}

/// Makes the changes in their order. Stops at the first that fails.
fn execute(
    send: &SendRequest<'_>,
    is_local: bool,
    plan: &mut ApplyPlan,
    done: &mut AppliedChanges,
) -> Result<(), Failure> {
    let total = plan.changes.len();
    for change in &plan.changes {
        for request in &change.requests {
            let title = Titled { name: &change.name, label: &change.label };
            let Some(ready) = plan.known.ready(request) else {
                let message = format!("{title}: an object that it names has no id");
                return Err(Failure::new(Exit::Failed, message));
            };
            // A key acts in its own organization.
            let organization = ready.organization.as_deref().filter(|_| is_local);
            let parameters = query(&[("organization", organization)]);
            let target = format!("{}{parameters}", ready.path);
            let (method, body, version) = (ready.method, ready.body, ready.version);
            let made = done.changes;
            let sent = send(&ApiRequest { method, target, body, version });
            let (status, response) = sent.map_err(|failure| {
                failure.about(&format!(
                    "{title}: outcome unknown after {made} of {total} changes; apply again to continue"
                ))
            })?;
            if !(200..300).contains(&status) {
                return Err(Failure::of_problem(status, &response).about(&format!(
                    "{title}: stopped after {made} of {total} changes; apply again to continue"
                )));
            }
            if let (Some(url), ChangeKind::Create) =
                (response.get("url").and_then(Value::as_str), change.kind)
            {
                done.links.push((change.label.clone(), url.to_owned()));
            }
            plan.known.learn(change, request, &response);
        }
        done.changes += 1;
    }
    Ok(())
}

fn count(plan: &ApplyPlan, kind: ChangeKind) -> usize {
    plan.changes.iter().filter(|change| change.kind == kind).count()
}

fn summary(plan: &ApplyPlan, infinitive: &str) -> String {
    let words = if infinitive.is_empty() {
        ["created", "changed", "deleted"]
    } else {
        ["create", "change", "delete"]
    };
    let kinds = [ChangeKind::Create, ChangeKind::Change, ChangeKind::Delete];
    let parts = kinds.into_iter().zip(words);
    let parts: Vec<String> =
        parts.map(|(kind, word)| format!("{} {infinitive}{word}", count(plan, kind))).collect();
    let kept = match plan.kept {
        0 => String::new(),
        1 => "; 1 object is not in the files: --prune would delete it".to_owned(),
        kept => format!("; {kept} objects are not in the files: --prune would delete them"),
    };
    format!("{}, {} unchanged{kept}", parts.join(", "), plan.unchanged)
}

fn report(plan: &ApplyPlan, dry_run: bool, done: &AppliedChanges) -> Value {
    let shown = |(at, change): (usize, &PlannedChange)| {
        let fields: Map<String, Value> = change
            .fields
            .iter()
            .map(|it| (it.field.clone(), json!({ "before": it.before, "after": it.after })))
            .collect();
        let action = match change.kind {
            ChangeKind::Create => "create",
            ChangeKind::Change => "change",
            ChangeKind::Delete => "delete",
        };
        json!({
            "action": action,
            "kind": change.name.kind.noun(),
            "organization": change.name.organization,
            "name": change.label,
            "fields": fields,
            "done": at < done.changes,
        })
    };
    let links = done.links.iter();
    let links =
        links.map(|(organization, url)| json!({ "organization": organization, "url": url }));
    json!({
        "dry_run": dry_run,
        "changes": plan.changes.iter().enumerate().map(shown).collect::<Vec<_>>(),
        "unchanged": plan.unchanged,
        "kept": plan.kept,
        "waiting": plan.waiting,
        "links": links.collect::<Vec<_>>(),
    })
}
