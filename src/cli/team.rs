//! `keyhouse team`: make, list, show, delete teams, and say who is in them.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::client::{Ask, Client, segment};
use crate::cli::exit::{Failure, say};
use crate::cli::listing::{all, print_all, print_one};
use crate::cli::role::Organization;

/// What to do with teams. TEAM and USER are ids.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a team
    Create(Create),
    /// List teams, the oldest first
    List(Organization),
    /// Show a team
    Show {
        /// The team's id
        team: String,
        #[command(flatten)]
        organization: Organization,
    },
    /// Delete a team; keys that are shared with it stay with their owners
    Delete {
        /// The team's id
        team: String,
        #[command(flatten)]
        organization: Organization,
    },
    /// List who is in a team
    Members {
        /// The team's id
        team: String,
        #[command(flatten)]
        organization: Organization,
    },
    /// Put a user into a team
    Add(Membership),
    /// Take a user out of a team
    Remove(Membership),
}

/// A team to be made.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// What people call it
    name: String,
    /// Hide it from all who are not in it
    #[arg(long)]
    secret: bool,
    /// What it is for
    #[arg(long, value_name = "D")]
    description: Option<String>,
    #[command(flatten)]
    organization: Organization,
}

/// Who, and which team.
#[derive(Debug, Args)]
pub(super) struct Membership {
    /// The team's id
    team: String,
    /// The user's id
    user: String,
    #[command(flatten)]
    organization: Organization,
}

const FIELDS: [&str; 6] = ["id", "name", "description", "visibility", "created_at", "version"];

/// Runs a command.
pub(super) fn run(command: Command, client: &Client, json: bool) -> Result<(), Failure> {
    let path = |team: &str, below: &str| format!("/v1/teams/{}{below}", segment(team));
    match command {
        Command::Create(create) => {
            let body = Some(json!({
                "name": create.name,
                "visibility": if create.secret { "secret" } else { "visible" },
                "description": create.description,
            }));
            let target = create.organization.at("/v1/teams");
            print_one(&client.ask(&Ask { method: "POST", target, body })?, &FIELDS, json)
        },
        Command::List(organization) => {
            let teams = all(client, "/v1/teams", organization.id())?;
            let none = "no teams; make one with keyhouse team create NAME";
            print_all(teams, &["id", "name", "visibility"], none, json)
        },
        Command::Show { team, organization } => {
            let target = organization.at(&path(&team, ""));
            print_one(&client.ask(&Ask { method: "GET", target, body: None })?, &FIELDS, json)
        },
        Command::Delete { team, organization } => {
            let target = organization.at(&path(&team, ""));
            client.ask(&Ask { method: "DELETE", target, body: None })?;
            say(&format!("deleted {team}"));
            Ok(())
        },
        Command::Members { team, organization } => {
            let members = all(client, &path(&team, "/members"), organization.id())?;
            print_all(members, &["id", "name", "email"], "nobody is in it", json)
        },
        Command::Add(membership) => change(&membership, "PUT", client),
        Command::Remove(membership) => change(&membership, "DELETE", client),
    }
}

fn change(membership: &Membership, method: &str, client: &Client) -> Result<(), Failure> {
    let (team, user) = (segment(&membership.team), segment(&membership.user));
    let target = membership.organization.at(&format!("/v1/teams/{team}/members/{user}"));
    client.ask(&Ask { method, target, body: None })?;
    let done = if method == "PUT" { "is in" } else { "is not in" };
    say(&format!("{} {done} {}", membership.user, membership.team));
    Ok(())
}
