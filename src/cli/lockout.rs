//! `keyhouse lockout`: see and lift what waits after failed sign-ins.

use clap::Subcommand;

use crate::cli::client::{Ask, Client, segment};
use crate::cli::exit::{Failure, say};
use crate::cli::listing::{all, print_all};
use crate::cli::user::{Named, id_of};

/// What to do with lock-outs.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List accounts and networks that wait after failed sign-ins, the longest first
    List,
    /// Forget an account's or a network's failed sign-ins, so that it may try again at once
    Lift {
        /// The lock-out's id, or the user's e-mail address
        lockout: String,
    },
}

const FIELDS: [&str; 5] = ["id", "kind", "failures", "until", "email"];

/// Runs a command.
pub(super) fn run(command: &Command, client: &Client, json: bool) -> Result<(), Failure> {
    match command {
        Command::List => {
            let mut lockouts = all(client, "/v1/sign-in-lockouts", None)?;
            if !json {
                for lockout in &mut lockouts {
                    let email = lockout.pointer("/user/email").cloned().unwrap_or_default();
                    lockout.as_object_mut().map(|fields| fields.insert("email".to_owned(), email));
                }
            }
            print_all(lockouts, &FIELDS, "no sign-in waits", json)
        },
        Command::Lift { lockout } => {
            let named = Named { user: lockout.clone(), organization: None };
            let id = id_of(&named, client)?;
            let target = format!("/v1/sign-in-lockouts/{}", segment(&id));
            client.ask(&Ask { method: "DELETE", target, body: None })?;
            say(&format!("lifted {id}"));
            Ok(())
        },
    }
}
