//! `keyhouse role` and its subcommands: roles.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::client::{Client, query, segment};
use crate::cli::exit::{Failure, print_message};
use crate::cli::listing::{all, fields_of, print_all, print_one};
use crate::http::views::RoleView;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a custom role
    #[command(
        after_help = "Example: keyhouse role create Reader --permission diagrams:read --permission keyhouse:keys:create"
    )]
    Create(Create),
    /// List roles: built-in roles, then custom roles, oldest first
    List(Organization),
    /// Show a role
    Show {
        /// Role: owner, administrator, user, guest or an id
        role: String,
        #[command(flatten)]
        organization: Organization,
    },
    /// Delete a custom role that no user has
    Delete {
        /// Id of the role
        role: String,
        #[command(flatten)]
        organization: Organization,
    },
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// Name of the role
    name: String,
    /// Permission of the role, such as diagrams:read; repeatable [default: none]
    #[arg(long = "permission", value_name = "P")]
    permissions: Vec<String>,
    /// Description of the role
    #[arg(long, value_name = "D")]
    description: Option<String>,
    #[command(flatten)]
    organization: Organization,
}

#[derive(Debug, Args)]
pub(super) struct Organization {
    /// Organization [default: the first]
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
}

impl Organization {
    pub(super) fn parameter(&self) -> (&'static str, Option<&str>) {
        ("organization", self.organization.as_deref())
    }

    /// Appends the organization to a path as a query.
    pub(super) fn at(&self, path: &str) -> String {
        format!("{path}{}", query(&[self.parameter()]))
    }
}

const COLUMNS: [&str; 3] = fields_of::<RoleView, 3>(["id", "name", "permissions"]);
const FIELDS: [&str; 6] =
    fields_of::<RoleView, 6>(["id", "name", "description", "builtin", "permissions", "version"]);

pub(super) fn run(command: Command, client: &Client, json: bool) -> Result<(), Failure> {
    let path = |role: &str| format!("/v1/roles/{}", segment(role));
    match command {
        Command::Create(create) => {
            let body = json!({
                "name": create.name,
                "permissions": create.permissions,
                "description": create.description,
            });
            let target = create.organization.at("/v1/roles");
            print_one(&client.post(target, body)?, &FIELDS, json)
        },
        Command::List(organization) => {
            let roles = all(client, "/v1/roles", &[organization.parameter()])?;
            print_all(roles, &COLUMNS, "no roles", json)
        },
        Command::Show { role, organization } => {
            let target = organization.at(&path(&role));
            print_one(&client.get(target)?, &FIELDS, json)
        },
        Command::Delete { role, organization } => {
            let target = organization.at(&path(&role));
            client.delete(target)?;
            print_message(&format!("deleted {role}"));
            Ok(())
        },
    }
}
