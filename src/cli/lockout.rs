//! `keyhouse lockout`: lists and lifts sign-in lockouts.

use clap::Subcommand;

use crate::cli::client::{Client, segment};
use crate::cli::exit::{Failure, print_message};
use crate::cli::listing::{all, print_all};
use crate::cli::user::{Named, id_of};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List accounts and networks that are locked out after failed sign-ins, longest first
    List,
    /// Lift a lockout, so that the account or network can sign in again
    Lift {
        /// Id of the lockout, or email address of the user
        lockout: String,
    },
}

const FIELDS: [&str; 5] = ["id", "kind", "failures", "until", "email"];

pub(super) fn run(command: &Command, client: &Client, json: bool) -> Result<(), Failure> {
    match command {
        Command::List => {
            let mut lockouts = all(client, "/v1/sign-in-lockouts", &[])?;
            if !json {
                for lockout in &mut lockouts {
                    let email = lockout.pointer("/user/email").cloned().unwrap_or_default();
                    lockout.as_object_mut().map(|fields| fields.insert("email".to_owned(), email));
                }
            }
            print_all(lockouts, &FIELDS, "no lockouts", json)
        },
        Command::Lift { lockout } => {
            let named = Named { user: lockout.clone(), organization: None };
            let id = id_of(&named, client)?;
            let target = format!("/v1/sign-in-lockouts/{}", segment(&id));
            client.delete(target)?;
            print_message(&format!("lifted {id}"));
            Ok(())
        },
    }
}
