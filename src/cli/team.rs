//! `keyhouse team`: manages teams and their members.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::client::{ApiRequest, Client, segment};
use crate::cli::exit::{Failure, print_message};
use crate::cli::listing::{all, fields_of, print_all, print_one};
use crate::cli::role::Organization;
use crate::cli::user::{Named, id_of};
use crate::http::views::{MemberView, TeamView};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a team
    Create(Create),
    /// List teams, oldest first
    List(Organization),
    /// Show a team
    Show {
        /// Id of the team
        team: String,
        #[command(flatten)]
        organization: Organization,
    },
    /// Delete a team; keys that are shared with it are kept
    Delete {
        /// Id of the team
        team: String,
        #[command(flatten)]
        organization: Organization,
    },
    /// List the members of a team
    Members {
        /// Id of the team
        team: String,
        #[command(flatten)]
        organization: Organization,
    },
    /// Add a user to a team
    Add(Membership),
    /// Remove a user from a team
    Remove(Membership),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// Name of the team
    name: String,
    /// Hide the team from users who are not members
    #[arg(long)]
    secret: bool,
    /// Description of the team
    #[arg(long, value_name = "D")]
    description: Option<String>,
    #[command(flatten)]
    organization: Organization,
}

#[derive(Debug, Args)]
pub(super) struct Membership {
    /// Id of the team
    team: String,
    /// Id or email address of the user
    user: String,
    #[command(flatten)]
    organization: Organization,
}

const COLUMNS: [&str; 3] = fields_of::<TeamView, 3>(["id", "name", "visibility"]);
const MEMBER_COLUMNS: [&str; 3] = fields_of::<MemberView, 3>(["id", "name", "email"]);
const FIELDS: [&str; 6] =
    fields_of::<TeamView, 6>(["id", "name", "description", "visibility", "created_at", "version"]);

pub(super) fn run(command: Command, client: &Client, json: bool) -> Result<(), Failure> {
    let path = |team: &str, below: &str| format!("/v1/teams/{}{below}", segment(team));
    match command {
        Command::Create(create) => {
            let body = json!({
                "name": create.name,
                "visibility": if create.secret { "secret" } else { "visible" },
                "description": create.description,
            });
            let target = create.organization.at("/v1/teams");
            print_one(&client.post(target, body)?, &FIELDS, json)
        },
        Command::List(organization) => {
            let teams = all(client, "/v1/teams", &[organization.parameter()])?;
            let none = "no teams; create one with keyhouse team create NAME";
            print_all(teams, &COLUMNS, none, json)
        },
        Command::Show { team, organization } => {
            let target = organization.at(&path(&team, ""));
            print_one(&client.get(target)?, &FIELDS, json)
        },
        Command::Delete { team, organization } => {
            let target = organization.at(&path(&team, ""));
            client.delete(target)?;
            print_message(&format!("deleted {team}"));
            Ok(())
        },
        Command::Members { team, organization } => {
            let members = all(client, &path(&team, "/members"), &[organization.parameter()])?;
            print_all(
                members,
                &MEMBER_COLUMNS,
                "no members; add one with keyhouse team add TEAM USER",
                json,
            )
        },
        Command::Add(membership) => change(&membership, "PUT", client),
        Command::Remove(membership) => change(&membership, "DELETE", client),
    }
}

fn change(membership: &Membership, method: &str, client: &Client) -> Result<(), Failure> {
    let (_, organization) = membership.organization.parameter();
    let organization = organization.map(str::to_owned);
    let id = id_of(&Named { user: membership.user.clone(), organization }, client)?;
    let (team, user) = (segment(&membership.team), segment(&id));
    let target = membership.organization.at(&format!("/v1/teams/{team}/members/{user}"));
    client.send(&ApiRequest { method, target, body: None, version: None })?;
    let done = if method == "PUT" { "is a member of" } else { "is not a member of" };
    print_message(&format!("{} {done} {}", membership.user, membership.team));
    Ok(())
}
