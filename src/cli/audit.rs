//! `keyhouse audit`: see what was done, and prove that the log of it is whole.

use clap::{Args, Subcommand};
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};

use crate::cli::client::{Ask, Client, query};
use crate::cli::exit::{Exit, Failure, print, print_table, say};
use crate::cli::terminal::text;

/// Most events that are listed unless asked otherwise.
const LIST_LIMIT_DEFAULT: usize = 100;
/// Most events of one request.
const PAGE_LIMIT: usize = 100;

/// What to do with the audit log.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List events, the newest first
    #[command(after_help = "Example: keyhouse audit list --action 'key.*' \
                            --since 2027-01-31T00:00:00Z")]
    List(List),
    /// Prove that no event was removed, altered or added, and show the head of the seals
    #[command(after_help = "Write the head down elsewhere: with --head, a later check also finds \
                            that the log was\ncut short or rewritten since.\n\nExit code 0 when \
                            the log is whole, 1 when it is not.")]
    Check {
        /// The hash of an earlier head, which must be one of this log's
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
    },
}

/// Which events.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Only what this one did: the id of a user or a key, local, or none
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
    /// Only this action, such as key.create, or all of a kind, such as key.*
    #[arg(long, value_name = "A")]
    action: Option<String>,
    /// Only what was done to the thing of this id
    #[arg(long, value_name = "ID")]
    target: Option<String>,
    /// Only events from this time on
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only events before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = LIST_LIMIT_DEFAULT)]
    limit: usize,
    /// Organization, where this host has several [default: the first]
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
}

/// Runs a command.
pub(super) fn run(command: &Command, client: &Client, json: bool) -> Result<(), Failure> {
    match command {
        Command::List(list) => run_list(list, client, json),
        Command::Check { head } => run_check(head.as_deref(), client, json),
    }
}

fn run_list(list: &List, client: &Client, json: bool) -> Result<(), Failure> {
    let mut items = Vec::new();
    let mut cursor: Option<String> = None;
    while items.len() < list.limit {
        let limit = (list.limit - items.len()).min(PAGE_LIMIT).to_string();
        let parameters = query(&[
            ("limit", Some(limit.as_str())),
            ("actor", list.actor.as_deref()),
            ("action", list.action.as_deref()),
            ("target", list.target.as_deref()),
            ("since", list.since.as_deref()),
            ("until", list.until.as_deref()),
            ("organization", list.organization.as_deref()),
            ("cursor", cursor.as_deref()),
        ]);
        let target = format!("/v1/audit{parameters}");
        let page = client.ask(&Ask { method: "GET", target, body: None })?;
        let found = page.get("items").and_then(Value::as_array).cloned();
        items.extend(found.unwrap_or_default());
        cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    if json {
        return print(&Value::Array(items).to_string());
    }
    if items.is_empty() {
        say("no such events");
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["AT", "ACTOR", "FROM", "ACTION", "TARGET"]);
    for event in &items {
        let row = [
            text(event, "at"),
            actor(event),
            text(event, "address"),
            text(event, "action"),
            text(event, "target"),
        ];
        table.add_row(row);
    }
    print_table(&table.trim_fmt())
}

fn run_check(head: Option<&str>, client: &Client, json: bool) -> Result<(), Failure> {
    let body = head.map_or_else(|| json!({}), |head| json!({ "head": head }));
    let ask = Ask { method: "POST", target: "/v1/audit/check".to_owned(), body: Some(body) };
    let told = client.ask(&ask)?;
    let is_whole = told.get("ok").and_then(Value::as_bool).unwrap_or(false);
    if json {
        print(&told.to_string())?;
    } else {
        show_check(&told, is_whole)?;
    }
    if is_whole { Ok(()) } else { Err(Failure::new(Exit::Failed, "the audit log is not whole")) }
}

fn show_check(told: &Value, is_whole: bool) -> Result<(), Failure> {
    let number = |name: &str| told.get(name).and_then(Value::as_u64).unwrap_or_default();
    let head = told.get("head").unwrap_or(&Value::Null);
    if is_whole {
        print("the audit log is whole")?;
    }
    let (seals, events, unsealed) = (number("seals"), number("events"), number("unsealed"));
    print(&format!("seals     {seals}"))?;
    print(&format!("events    {events}, of which {unsealed} wait for their seal"))?;
    print(&format!("head      {}", text(head, "hash")))?;
    if let Some(cut) = told.get("cut").filter(|cut| !cut.is_null()) {
        let seal = cut.get("number").and_then(Value::as_u64).unwrap_or_default();
        let kept = Some(text(cut, "retention")).filter(|kept| !kept.is_empty());
        let kept =
            kept.map_or_else(|| "by an earlier version".to_owned(), |it| format!("retention {it}"));
        print(&format!("cut       behind seal {seal} at {}, {kept}", text(cut, "at")))?;
    }
    for fault in told.get("faults").and_then(Value::as_array).into_iter().flatten() {
        let seal = fault.get("seal").and_then(Value::as_u64);
        let seal = seal.map(|number| format!(" seal {number}")).unwrap_or_default();
        let event = text(fault, "event");
        let line = format!("fault     {}{seal} {event}", text(fault, "kind"));
        print(line.trim_end())?;
    }
    Ok(())
}

/// Who it was: the name where there is one, else the id, else what kind of one.
fn actor(event: &Value) -> String {
    let actor = event.get("actor").unwrap_or(&Value::Null);
    let known = ["name", "id", "kind"].map(|field| text(actor, field));
    known.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}
