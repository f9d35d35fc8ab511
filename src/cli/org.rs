//! `keyhouse org` and its subcommands: organizations.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::cli::client::{Client, segment};
use crate::cli::exit::{Failure, print_message, print_once};
use crate::cli::listing::{all, fields_of, print_all, print_one};
use crate::http::views::OrganizationView;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create an organization and print the invitation link for its owner
    #[command(after_help = "The link works once, for 24 hours.\n\n\
                            Example: keyhouse org create Acme --owner ada@acme.example")]
    Create {
        /// Name of the organization
        name: String,
        /// Email address of the first owner
        #[arg(id = "owner_email", long = "owner", value_name = "EMAIL")]
        owner: String,
        /// Plan: free, pro or enterprise [default: free]
        #[arg(long, value_name = "PLAN")]
        plan: Option<String>,
    },
    /// List organizations, newest first
    List,
    /// Show an organization
    Show {
        /// Id of the organization
        id: String,
    },
    /// Change an organization's name, email domains or second-factor requirement
    #[command(
        after_help = "Example: keyhouse org change org_.. --domains acme.example,acme.test\n\
                      Example: keyhouse org change org_.. --require-second-factor operator,owner"
    )]
    Change(Change),
    /// Suspend an organization: its keys are rejected at once, its users can still sign in
    Suspend {
        /// Id of the organization
        id: String,
    },
    /// Resume a suspended organization: its keys are accepted again
    Resume {
        /// Id of the organization
        id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Change {
    /// Id of the organization
    id: String,
    #[command(flatten)]
    fields: ChangedFields,
}

/// At least one of the fields is given.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct ChangedFields {
    /// New name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Email domains that the organization owns, separated by commas; "" for none
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    domains: Option<Vec<String>>,
    /// Require a second factor from operators or roles, separated by commas; "" for none
    #[arg(
        id = "second_factor_required_of",
        long = "require-second-factor",
        value_name = "LIST",
        value_delimiter = ','
    )]
    require_second_factor: Option<Vec<String>>,
}

impl ChangedFields {
    fn body(self) -> Value {
        let mut body = Map::new();
        if let Some(name) = self.name {
            body.insert("name".to_owned(), name.into());
        }
        let mut list = |name: &str, entries: Option<Vec<String>>| {
            let Some(mut entries) = entries else { return };
            entries.retain(|entry| !entry.is_empty());
            body.insert(name.to_owned(), entries.into());
        };
        list("domains", self.domains);
        list("second_factor_required_of", self.require_second_factor);
        Value::Object(body)
    }
}

const COLUMNS: [&str; 4] = fields_of::<OrganizationView, 4>(["id", "name", "plan", "suspended"]);
const FIELDS: [&str; 11] = fields_of::<OrganizationView, 11>([
    "id",
    "name",
    "plan",
    "suspended",
    "permissions",
    "members_create_keys",
    "key_lifetime_days_max",
    "domains",
    "second_factor_required_of",
    "created_at",
    "version",
]);

pub(super) fn run(command: Command, client: &Client, json: bool) -> Result<(), Failure> {
    let path = |id: &str| format!("/v1/organizations/{}", segment(id));
    let suspend = |id: &str, suspended: bool| {
        let body = json!({ "suspended": suspended });
        client.patch(path(id), body)
    };
    match command {
        Command::Create { name, owner, plan } => {
            let body = json!({ "name": name, "owner_email": owner, "plan": plan });
            let target = "/v1/organizations".to_owned();
            let made = client.post(target, body)?;
            if json {
                return print_once(&made.to_string());
            }
            let id = made.pointer("/organization/id").and_then(Value::as_str).unwrap_or_default();
            print_message(&format!(
                "created {id}; send this link to its owner: it works once, for 24 hours"
            ));
            print_once(made.get("url").and_then(Value::as_str).unwrap_or_default())
        },
        Command::List => {
            let organizations = all(client, "/v1/organizations", &[])?;
            print_all(
                organizations,
                &COLUMNS,
                "no organizations; create one with keyhouse org create NAME --owner EMAIL",
                json,
            )
        },
        Command::Show { id } => {
            let answer = client.get(path(&id))?;
            print_one(&answer, &FIELDS, json)
        },
        Command::Change(change) => {
            let target = path(&change.id);
            let body = change.fields.body();
            print_one(&client.patch(target, body)?, &FIELDS, json)
        },
        Command::Suspend { id } => print_one(&suspend(&id, true)?, &FIELDS, json),
        Command::Resume { id } => print_one(&suspend(&id, false)?, &FIELDS, json),
    }
}
