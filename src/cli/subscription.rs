//! `keyhouse subscription`: show and set an organization's plan, status and period.

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use crate::cli::client::{Ask, Client, segment};
use crate::cli::exit::Failure;
use crate::cli::listing::print_one;

/// What to do with subscriptions.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the subscription of an organization
    Show {
        /// The organization's id [default: the first]
        organization: Option<String>,
    },
    /// Set the subscription of an organization; it counts at once
    #[command(after_help = "Example: keyhouse subscription set org_... --plan enterprise")]
    Set(Set),
}

/// What a subscription is to be.
#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "help for a terminal")]
pub(super) struct Set {
    /// The organization's id
    organization: String,
    /// free, pro or enterprise
    #[arg(long, value_name = "PLAN")]
    plan: Option<String>,
    /// trialing, active, past_due or canceled
    #[arg(long, value_name = "S")]
    status: Option<String>,
    /// When it ends: a time such as 2027-01-01T00:00:00Z, or none
    #[arg(long, value_name = "TIME")]
    current_period_end: Option<String>,
}

const FIELDS: [&str; 9] = [
    "organization",
    "plan",
    "status",
    "current_period_end",
    "access",
    "features",
    "limits",
    "used",
    "version",
];

/// Runs a command.
pub(super) fn run(command: Command, client: &Client, json: bool) -> Result<(), Failure> {
    let path = |id: &str| format!("/v1/organizations/{}/subscription", segment(id));
    let asked = match command {
        Command::Show { organization } => {
            let own = || "/v1/subscription".to_owned();
            let target = organization.as_deref().map_or_else(own, path);
            Ask { method: "GET", target, body: None }
        },
        Command::Set(set) => {
            let end = set
                .current_period_end
                .map(|end| if end == "none" { Value::Null } else { end.into() });
            let (plan, status) = (set.plan.map(Value::from), set.status.map(Value::from));
            let named = [("plan", plan), ("status", status), ("current_period_end", end)];
            let fields = named.into_iter().filter_map(|(name, value)| Some((name, value?)));
            let body: Map<String, Value> =
                fields.map(|(name, value)| (name.to_owned(), value)).collect();
            let target = path(&set.organization);
            Ask { method: "PATCH", target, body: Some(Value::Object(body)) }
        },
    };
    print_one(&client.ask(&asked)?, &FIELDS, json)
}
