//! `keyhouse role`: make, list, show, delete custom roles.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::client::{Ask, Client, query, segment};
use crate::cli::exit::{Failure, say};
use crate::cli::listing::{all, print_all, print_one};

/// What to do with roles. ROLE is owner, administrator, user, guest, or an id.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a role of permissions
    #[command(
        after_help = "Example: keyhouse role create Reader --permission diagrams:read --permission keyhouse:keys:create"
    )]
    Create(Create),
    /// List roles: the built-in ones, then custom ones, the oldest first
    List(Organization),
    /// Show a role
    Show {
        /// The role's id
        role: String,
        #[command(flatten)]
        organization: Organization,
    },
    /// Delete a custom role that nobody has
    Delete {
        /// The role's id
        role: String,
        #[command(flatten)]
        organization: Organization,
    },
}

/// A role to be made.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// What people call it
    name: String,
    /// What it holds; repeatable [default: nothing]
    #[arg(long = "permission", value_name = "P")]
    permissions: Vec<String>,
    /// What it is for
    #[arg(long, value_name = "D")]
    description: Option<String>,
    #[command(flatten)]
    organization: Organization,
}

/// In which organization.
#[derive(Debug, Args)]
pub(super) struct Organization {
    /// Organization it belongs to, where this host has several [default: the first]
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
}

impl Organization {
    /// The organization's id, where one was named.
    pub(super) fn id(&self) -> Option<&str> {
        self.organization.as_deref()
    }

    /// A path with the query that names the organization.
    pub(super) fn at(&self, path: &str) -> String {
        format!("{path}{}", query(&[("organization", self.id())]))
    }
}

const FIELDS: [&str; 6] = ["id", "name", "description", "builtin", "permissions", "version"];

/// Runs a command.
pub(super) fn run(command: Command, client: &Client, json: bool) -> Result<(), Failure> {
    let path = |role: &str| format!("/v1/roles/{}", segment(role));
    match command {
        Command::Create(create) => {
            let body = Some(json!({
                "name": create.name,
                "permissions": create.permissions,
                "description": create.description,
            }));
            let target = create.organization.at("/v1/roles");
            print_one(&client.ask(&Ask { method: "POST", target, body })?, &FIELDS, json)
        },
        Command::List(organization) => {
            let roles = all(client, "/v1/roles", organization.id())?;
            print_all(roles, &["id", "name", "permissions"], "no roles", json)
        },
        Command::Show { role, organization } => {
            let target = organization.at(&path(&role));
            print_one(&client.ask(&Ask { method: "GET", target, body: None })?, &FIELDS, json)
        },
        Command::Delete { role, organization } => {
            let target = organization.at(&path(&role));
            client.ask(&Ask { method: "DELETE", target, body: None })?;
            say(&format!("deleted {role}"));
            Ok(())
        },
    }
}
