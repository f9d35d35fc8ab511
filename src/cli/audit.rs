//! `keyhouse audit`: lists audit events and checks the audit log.

use std::num::NonZeroUsize;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::listing::{first, print_rows};
use crate::cli::terminal::text;

const LIST_LIMIT_DEFAULT: NonZeroUsize = NonZeroUsize::new(100).unwrap();

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List audit events, newest first
    #[command(after_help = "Example: keyhouse audit list --action 'key.*' \
                            --since 2027-01-31T00:00:00Z")]
    List(List),
    /// Check that no audit event was removed, changed or added
    #[command(
        after_help = "Prints the head, the newest seal's hash. Keep the head outside this host: a \
                            later check with --head\nalso detects a log that was cut short or \
                            rewritten.\n\nExit code 0 if the log is intact, 1 if it is not."
    )]
    Check {
        /// Hash of an earlier head that the log must still contain
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only events by this actor: id of a user or key, local or none
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
    /// Only events with this action, such as key.create or key.*
    #[arg(long, value_name = "A")]
    action: Option<String>,
    /// Only events that changed the object with this id
    #[arg(long, value_name = "ID")]
    target: Option<String>,
    /// Only events at or after this time, such as 2027-01-31T00:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only events before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Maximum number of events
    #[arg(
        long,
        value_name = "N",
        default_value_t = LIST_LIMIT_DEFAULT,
        value_parser = positive_number
    )]
    limit: NonZeroUsize,
    /// Organization [default: the first]
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
}

pub(super) fn run(command: &Command, client: &Client, json: bool) -> Result<(), Failure> {
    match command {
        Command::List(list) => run_list(list, client, json),
        Command::Check { head } => run_check(head.as_deref(), client, json),
    }
}

fn run_list(list: &List, client: &Client, json: bool) -> Result<(), Failure> {
    let parameters = [
        ("actor", list.actor.as_deref()),
        ("action", list.action.as_deref()),
        ("target", list.target.as_deref()),
        ("since", list.since.as_deref()),
        ("until", list.until.as_deref()),
        ("organization", list.organization.as_deref()),
    ];
    let events = first(list.limit.get(), client, "/v1/audit", &parameters)?;
    let row = |event: &Value| {
        let [at, from, action, target] =
            ["at", "address", "action", "target"].map(|field| text(event, field));
        vec![at, actor(event), from, action, target]
    };
    let columns = ["at", "actor", "from", "action", "target"];
    print_rows(events, &columns, row, "no audit events found", json)
}

fn run_check(head: Option<&str>, client: &Client, json: bool) -> Result<(), Failure> {
    let body = head.map_or_else(|| json!({}), |head| json!({ "head": head }));
    let report = client.post("/v1/audit/check", body)?;
    let is_intact = report.get("ok").and_then(Value::as_bool).unwrap_or(false);
    if json {
        print(&report.to_string())?;
    } else {
        show_check(&report, is_intact)?;
    }
    if is_intact {
        Ok(())
    } else {
        Err(Failure::new(Exit::Failed, "the audit log is not intact: see its faults"))
    }
}

fn show_check(report: &Value, is_intact: bool) -> Result<(), Failure> {
    let number = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or_default();
    let head = report.get("head").unwrap_or(&Value::Null);
    if is_intact {
        print("the audit log is intact")?;
    }
    let (seals, events, unsealed) = (number("seals"), number("events"), number("unsealed"));
    print(&format!("seals     {seals}"))?;
    print(&format!("events    {events}, {unsealed} not yet sealed"))?;
    print(&format!("head      {}", text(head, "hash")))?;
    if let Some(cut) = report.get("cut").filter(|cut| !cut.is_null()) {
        let seal = cut.get("number").and_then(Value::as_u64).unwrap_or_default();
        let kept = Some(text(cut, "retention")).filter(|kept| !kept.is_empty());
        let kept = kept.map_or_else(
            || "by an earlier version of Keyhouse".to_owned(),
            |it| format!("retention {it}"),
        );
        print(&format!("cut       after seal {seal} at {}, {kept}", text(cut, "at")))?;
    }
    for fault in report.get("faults").and_then(Value::as_array).into_iter().flatten() {
        let seal = fault.get("seal").and_then(Value::as_u64);
        let seal = seal.map(|number| format!(" seal {number}")).unwrap_or_default();
        let event = text(fault, "event");
        let line = format!("fault     {}{seal} {event}", text(fault, "kind"));
        print(line.trim_end())?;
    }
    Ok(())
}

fn positive_number(text: &str) -> Result<NonZeroUsize, &'static str> {
    text.parse().map_err(|_source| "must be a whole number, at least 1")
}

/// The actor's name, or the actor's id if it has no name, or the kind of the actor.
fn actor(event: &Value) -> String {
    let actor = event.get("actor").unwrap_or(&Value::Null);
    let known = ["name", "id", "kind"].map(|field| text(actor, field));
    known.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}
