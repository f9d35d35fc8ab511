//! `keyhouse plan` and its subcommands: plans.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::cli::client::{Client, segment};
use crate::cli::exit::{Exit, Failure};
use crate::cli::listing::{all, fields_of, print_all, print_one};
use crate::http::views::PlanView;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List plans
    List,
    /// Show a plan
    Show {
        /// Plan: free, pro or enterprise
        plan: String,
    },
    /// Change the features and limits of a plan
    #[command(
        after_help = "Only the given features and limits change.\n\nExample: keyhouse plan set free --feature api_access=true --limit keys=5"
    )]
    Set(Set),
}

#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "terminals show the help without Markdown")]
pub(super) struct Set {
    /// Plan: free, pro or enterprise
    plan: String,
    /// Feature api_access, teams or multiple_teams, =true or =false; repeatable
    #[arg(long = "feature", value_name = "F=BOOL")]
    features: Vec<String>,
    /// Limit keys, keys_per_user, users, requests_per_10s or requests_per_month, =N or =none; repeatable
    #[arg(long = "limit", value_name = "L=N")]
    limits: Vec<String>,
}

const COLUMNS: [&str; 3] = fields_of::<PlanView, 3>(["id", "features", "limits"]);
const FIELDS: [&str; 4] = fields_of::<PlanView, 4>(["id", "features", "limits", "version"]);

pub(super) fn run(command: &Command, client: &Client, json: bool) -> Result<(), Failure> {
    let path = |plan: &str| format!("/v1/plans/{}", segment(plan));
    match command {
        Command::List => print_all(all(client, "/v1/plans", &[])?, &COLUMNS, "no plans", json),
        Command::Show { plan } => {
            let answer = client.get(path(plan))?;
            print_one(&answer, &FIELDS, json)
        },
        Command::Set(set) => {
            let features = pairs("--feature", "api_access=true", &set.features)?;
            let limits = pairs("--limit", "keys=5", &set.limits)?;
            let body = json!({ "features": features, "limits": limits });
            let set = client.patch(path(&set.plan), body)?;
            print_one(&set, &FIELDS, json)
        },
    }
}

/// Parses `name=value` pairs: a value is a number, true, false or none. The API validates them.
fn pairs(flag: &str, example: &str, words: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut pairs = Map::new();
    for word in words {
        let Some((name, value)) = word.split_once('=') else {
            let message = format!("{flag} {word:?} must be NAME=VALUE, such as {example}");
            return Err(Failure::new(Exit::Usage, message));
        };
        let value = match value {
            "none" => Value::Null,
            text => serde_json::from_str(text).unwrap_or_else(|_no_json| text.into()),
        };
        pairs.insert(name.to_owned(), value);
    }
    Ok(pairs)
}
