//! `keyhouse user`: manages users and their sessions.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use crate::cli::client::{Client, query, segment};
use crate::cli::exit::{Exit, Failure, print_message, print_once};
use crate::cli::listing::{all, fields_of, print_all, print_known, print_rows};
use crate::cli::terminal::text;
use crate::http::views::{OpenSessionView, UserView};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List users, newest first
    List(List),
    /// Show a user
    Show(Named),
    /// Invite a user and print the invitation link
    #[command(after_help = "The link works once, for 24 hours.")]
    Invite(Invite),
    /// Disable a user: their sessions end and their keys are rejected at once
    Disable(Named),
    /// Enable a disabled user
    Enable(Named),
    /// Change the email address of a user
    #[command(after_help = "The user's sessions end.\n\n\
                            Example: keyhouse user change-email ada@old.example ada@new.example")]
    ChangeEmail {
        #[command(flatten)]
        named: Named,
        /// New email address
        email: String,
    },
    /// Remove a user and revoke or transfer their keys
    Remove(Remove),
    /// Print a link with which a user sets a new password
    #[command(
        after_help = "The link works once, for 24 hours. Use this command if an owner has lost the \
                            password and no other\nowner can reset the password."
    )]
    Reset {
        #[command(flatten)]
        named: Named,
        /// Also remove the user's second factor when the link is used
        #[arg(long)]
        totp: bool,
    },
    /// List the sessions of a user, newest first
    Sessions(Named),
    /// End the sessions of a user
    #[command(after_help = "The user is notified at the next sign-in.")]
    EndSessions {
        #[command(flatten)]
        named: Named,
        /// End only the session with this id
        #[arg(long, value_name = "ID")]
        session: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Named {
    /// Id or email address of the user
    pub(super) user: String,
    /// Organization, if users of several organizations have this address
    #[arg(long, value_name = "ID")]
    pub(super) organization: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Organization [default: the first]
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Invite {
    /// Email address of the user
    email: String,
    /// Role: owner, administrator, user, guest or the id of a custom role
    #[arg(long, value_name = "R", default_value = "user")]
    role: String,
    /// Suggested name of the user
    #[arg(long, value_name = "N")]
    name: Option<String>,
    /// Organization to join [default: the first]
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Remove {
    #[command(flatten)]
    named: Named,
    /// Revoke the user's keys or transfer them to --to
    #[arg(long, value_name = "K", default_value = "revoke")]
    keys: Keys,
    /// New owner of the keys: id or email address of a user, or organization
    #[arg(long, value_name = "WHO", required_if_eq("keys", "transfer"))]
    to: Option<String>,
}

/// The disposition of the keys. A transferred key grants no more than before.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Keys {
    Revoke,
    Transfer,
}

pub(super) fn run(command: Command, client: &Client, json: bool) -> Result<(), Failure> {
    match command {
        Command::List(list) => run_list(&list, client, json),
        Command::Show(named) => {
            let target = path(&id_of(&named, client)?, "");
            show(&client.get(target)?, json)
        },
        Command::Invite(invite) => run_invite(invite, client, json),
        Command::Disable(named) => change(&named, json!({ "disabled": true }), client, json),
        Command::Enable(named) => change(&named, json!({ "disabled": false }), client, json),
        Command::ChangeEmail { named, email } => {
            change(&named, json!({ "email": email }), client, json)
        },
        Command::Remove(remove) => run_remove(&remove, client),
        Command::Reset { named, totp } => {
            let target = path(&id_of(&named, client)?, "/reset");
            let body = json!({ "totp": totp });
            let made = client.post(target, body)?;
            link(&made, json)
        },
        Command::Sessions(named) => {
            let target = path(&id_of(&named, client)?, "/sessions");
            print_all(all(client, &target, &[])?, &SESSION_FIELDS, "no sessions", json)
        },
        Command::EndSessions { named, session } => {
            let id = id_of(&named, client)?;
            let (below, ended) = match &session {
                Some(session) => {
                    (format!("/sessions/{}", segment(session)), format!("the session {session}"))
                },
                None => ("/sessions".to_owned(), "all sessions".to_owned()),
            };
            client.delete(path(&id, &below))?;
            print_message(&format!("ended {ended} of {id}"));
            Ok(())
        },
    }
}

const SESSION_FIELDS: [&str; 5] =
    fields_of::<OpenSessionView, 5>(["id", "created_at", "seen_at", "address", "user_agent"]);

fn path(id: &str, below: &str) -> String {
    format!("/v1/users/{}{below}", segment(id))
}

/// The id of a user. An email address must belong to exactly one user.
pub(super) fn id_of(named: &Named, client: &Client) -> Result<String, Failure> {
    let user = &*named.user;
    if !user.contains('@') {
        return Ok(user.to_owned());
    }
    let target = format!("/v1/users{}", query(&[("email", Some(user)), ("limit", Some("100"))]));
    let found = client.get(target)?;
    let mut users = found.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    if let Some(organization) = &named.organization {
        users.retain(|user| text(user, "organization") == *organization);
    }
    match &*users {
        [] => {
            let of = named.organization.as_ref().map(|id| format!(" of {id}")).unwrap_or_default();
            let message = format!("no user{of} has the email address {user}");
            Err(Failure::new(Exit::NotFound, message))
        },
        [user] => Ok(text(user, "id")),
        several => {
            let line = |user| format!("\n  {} in {}", text(user, "id"), text(user, "organization"));
            let lines: String = several.iter().map(line).collect();
            let advice = "use the id, or add --organization";
            Err(Failure::new(
                Exit::Usage,
                format!("several users have the email address {user}: {advice}{lines}"),
            ))
        },
    }
}

fn run_invite(invite: Invite, client: &Client, json: bool) -> Result<(), Failure> {
    let mut body = Map::new();
    body.insert("email".to_owned(), invite.email.into());
    body.insert("role".to_owned(), invite.role.into());
    if let Some(name) = invite.name {
        body.insert("name".to_owned(), name.into());
    }
    let organization = invite.organization.as_deref();
    let target = format!("/v1/invitations{}", query(&[("organization", organization)]));
    let made = client.post(target, Value::Object(body))?;
    link(&made, json)
}

fn change(named: &Named, change: Value, client: &Client, json: bool) -> Result<(), Failure> {
    let target = path(&id_of(named, client)?, "");
    show(&client.patch(target, change)?, json)
}

fn run_remove(remove: &Remove, client: &Client) -> Result<(), Failure> {
    let id = id_of(&remove.named, client)?;
    let to = remove.to.as_ref().map(|to| {
        let organization = remove.named.organization.clone();
        id_of(&Named { user: to.clone(), organization }, client)
    });
    let to = to.transpose()?;
    let keys = match remove.keys {
        Keys::Revoke => "revoke",
        Keys::Transfer => "transfer",
    };
    let parameters = query(&[("keys", Some(keys)), ("to", to.as_deref())]);
    let target = path(&id, &parameters);
    client.delete(target)?;
    print_message(&format!("removed {id}"));
    Ok(())
}

fn run_list(list: &List, client: &Client, json: bool) -> Result<(), Failure> {
    let users = all(client, "/v1/users", &[("organization", list.organization.as_deref())])?;
    let row = |user: &Value| {
        let is = |name: &str| user.get(name).and_then(Value::as_bool).unwrap_or(false);
        let state = if is("disabled") { "disabled" } else { "active" };
        let [id, email, name, role] = ["id", "email", "name", "role"].map(|it| text(user, it));
        let role = if is("operator") { format!("{role}, operator") } else { role };
        vec![id, email, name, role, state.to_owned()]
    };
    let columns = ["id", "email", "name", "role", "state"];
    print_rows(users, &columns, row, "no users; invite one with keyhouse user invite EMAIL", json)
}

/// Prints a one-time link to stdout.
fn link(made: &Value, json: bool) -> Result<(), Failure> {
    if json {
        return print_once(&made.to_string());
    }
    print_message("send this link only to the user: it works once, for 24 hours");
    print_once(&text(made, "url"))
}

fn show(user: &Value, json: bool) -> Result<(), Failure> {
    print_known(user, &ORDER, json)
}

const ORDER: [&str; 13] = fields_of::<UserView, 13>([
    "id",
    "email",
    "email_verified",
    "name",
    "role",
    "operator",
    "disabled",
    "teams",
    "locale",
    "totp",
    "organization",
    "created_at",
    "version",
]);
