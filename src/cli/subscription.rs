//! `keyhouse subscription`: manages the plan, status and period of an organization.

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use crate::cli::client::{Client, segment};
use crate::cli::exit::Failure;
use crate::cli::listing::{fields_of, print_one};
use crate::http::views::SubscriptionView;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show a subscription
    Show {
        /// Id of the organization [default: the first]
        organization: Option<String>,
    },
    /// Change a subscription
    #[command(after_help = "The change takes effect at once.\n\n\
                            Example: keyhouse subscription set org_... --plan enterprise")]
    Set(Set),
}

#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "terminals show the help without Markdown")]
pub(super) struct Set {
    /// Id of the organization
    organization: String,
    /// Plan: free, pro or enterprise
    #[arg(long, value_name = "PLAN")]
    plan: Option<String>,
    /// Status: trialing, active, past_due or canceled
    #[arg(long, value_name = "S")]
    status: Option<String>,
    /// End of the period, such as 2027-01-01T00:00:00Z, or none
    #[arg(long, value_name = "TIME")]
    current_period_end: Option<String>,
}

const FIELDS: [&str; 9] = fields_of::<SubscriptionView, 9>([
    "organization",
    "plan",
    "status",
    "current_period_end",
    "access",
    "features",
    "limits",
    "used",
    "version",
]);

pub(super) fn run(command: Command, client: &Client, json: bool) -> Result<(), Failure> {
    let path = |id: &str| format!("/v1/organizations/{}/subscription", segment(id));
    let subscription = match command {
        Command::Show { organization } => {
            let own = || "/v1/subscription".to_owned();
            let target = organization.as_deref().map_or_else(own, path);
            client.get(target)?
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
            client.patch(path(&set.organization), Value::Object(body))?
        },
    };
    print_one(&subscription, &FIELDS, json)
}
