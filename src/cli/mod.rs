//! The command line: what people type, and the only room that prints.

mod audit;
#[cfg(test)]
mod bounds;
mod client;
mod control;
mod exit;
mod gate;
mod import;
pub(crate) mod instance;
mod key;
mod listing;
mod lockout;
mod org;
mod plan;
mod proxies;
mod role;
mod serve;
mod signals;
mod sockets;
mod subscription;
mod team;
mod terminal;
mod usage;
mod user;
mod verify;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Environment, Settings, UnknownVariable, Written};
use exit::{Exit, Failure, say};

/// API keys for a team, self-hosted, in one binary.
#[derive(Debug, Parser)]
#[command(name = "keyhouse", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  keyhouse serve                                start the service, follow the link that it prints
  keyhouse key create --name bot                make a key on the host; its secret goes to stdout
  keyhouse key list                             see the keys
  keyhouse import keys.jsonl --dry-run          see what taking these keys over would do
  keyhouse verify < secret.txt                  ask whether a key is valid

Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 denied, 5 conflict, 6 unreachable.
On the host no credential is needed. From afar set KEYHOUSE_URL and KEYHOUSE_KEY.";

/// Which instance is meant.
#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "help for a terminal")]
struct Place {
    /// Data directory [default: $STATE_DIRECTORY, $XDG_STATE_HOME/keyhouse or ~/.local/state/keyhouse]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Settings [default: keyhouse.toml in the data directory]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service
    Serve(Box<serve::Flags>),
    /// Make, list, show, rename, rotate and revoke keys
    #[command(subcommand)]
    Key(key::Command),
    /// Make, list, show and delete roles
    #[command(subcommand)]
    Role(role::Command),
    /// Make, list, show and delete teams, and say who is in them
    #[command(subcommand)]
    Team(team::Command),
    /// Make, list, show, set, delete and try gates: what a proxy's requests need
    #[command(subcommand)]
    Gate(gate::Command),
    /// Take keys of other systems over
    Import(import::Flags),
    /// See what was done, and prove that the log of it is whole
    #[command(subcommand)]
    Audit(audit::Command),
    /// Invite, list, show, stop, remove and reset users, and end their sessions
    #[command(subcommand)]
    User(user::Command),
    /// See and lift what waits after failed sign-ins
    #[command(subcommand)]
    Lockout(lockout::Command),
    /// Make, list, show, suspend and resume organizations
    #[command(subcommand)]
    Org(org::Command),
    /// List, show and set what plans give
    #[command(subcommand)]
    Plan(plan::Command),
    /// Show and set an organization's subscription
    #[command(subcommand)]
    Subscription(subscription::Command),
    /// See how much keys were used, over time
    Usage(usage::Flags),
    /// Ask whether a key, read from stdin, may do something
    Verify(verify::Flags),
}

/// Runs the program with its arguments and environment, to its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    exit::harden();
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return exit::usage(&error),
    };
    let environment = Environment::of_process().map_err(Failure::from);
    match environment.and_then(|environment| dispatch(cli, &environment)) {
        Ok(()) => Exit::Ok.into(),
        Err(failure) => failure.report(),
    }
}

fn warn_of_unknown(environment: &Environment) {
    for UnknownVariable { name, meant } in environment.unknown() {
        match meant {
            Some(meant) => say(&format!("keyhouse: {name} is ignored: did you mean {meant}?")),
            None => say(&format!("keyhouse: {name} is ignored: keyhouse has no such variable")),
        }
    }
}

fn dispatch(cli: Cli, environment: &Environment) -> Result<(), Failure> {
    warn_of_unknown(environment);
    let (json, place) = (cli.place.json, cli.place);
    let settings = |flags: Written| {
        let flags = Written { data: place.data.clone(), ..flags };
        Settings::new(flags, place.config.as_deref(), environment)
    };
    match cli.command {
        Command::Serve(flags) => {
            let flags = Written::from(*flags);
            serve::run(&settings(flags.clone())?, || settings(flags.clone()))
        },
        Command::Key(command) => {
            key::run(command, &client::Client::new(environment, settings)?, json)
        },
        Command::Role(command) => {
            role::run(command, &client::Client::new(environment, settings)?, json)
        },
        Command::Team(command) => {
            team::run(command, &client::Client::new(environment, settings)?, json)
        },
        Command::Gate(command) => {
            gate::run(&command, &client::Client::new(environment, settings)?, json)
        },
        Command::Import(flags) => {
            import::run(&flags, &client::Client::new(environment, settings)?, json)
        },
        Command::Audit(command) => {
            audit::run(&command, &client::Client::new(environment, settings)?, json)
        },
        Command::User(command) => {
            user::run(command, &client::Client::new(environment, settings)?, json)
        },
        Command::Lockout(command) => {
            lockout::run(&command, &client::Client::new(environment, settings)?, json)
        },
        Command::Org(command) => {
            org::run(command, &client::Client::new(environment, settings)?, json)
        },
        Command::Plan(command) => {
            plan::run(&command, &client::Client::new(environment, settings)?, json)
        },
        Command::Subscription(command) => {
            subscription::run(command, &client::Client::new(environment, settings)?, json)
        },
        Command::Usage(flags) => {
            usage::run(&flags, &client::Client::new(environment, settings)?, json)
        },
        Command::Verify(flags) => {
            verify::run(&flags, &client::Client::new(environment, settings)?, json)
        },
    }
}
