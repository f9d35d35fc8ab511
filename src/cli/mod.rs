//! The command line: arguments, dispatch and exit codes. No other module prints.

mod api_request;
mod apply;
mod arguments;
mod audit;
mod backup;
#[cfg(test)]
mod bounds;
mod check;
mod client;
mod compact;
mod config;
mod control;
mod docs;
mod doctor;
mod events;
mod exit;
mod export;
mod first_owner;
mod gate;
mod given_sockets;
mod healthcheck;
mod import;
mod instance;
mod key;
mod listening;
mod listing;
mod lockout;
mod org;
mod plan;
mod proxies;
mod rekey;
mod remote;
mod repair;
mod restore;
mod role;
mod schema;
mod serve;
mod setting_flags;
mod signals;
mod sockets;
mod starting;
mod subscription;
mod takeover;
mod team;
mod terminal;
mod upgrade;
mod usage;
mod user;
mod verify;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{ProcessEnvironment, Settings, UnknownVariable, Written};
use exit::{Exit, Failure, print_message};

/// API keys for a team, self-hosted, in one binary.
#[derive(Debug, Parser)]
#[command(name = "keyhouse", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    place: InstanceArguments,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  keyhouse serve                          Start the server and print the setup link
  keyhouse key create --name bot          Create a key and print its secret
  keyhouse key list                       List keys
  keyhouse import keys.jsonl --dry-run    Preview an import
  keyhouse verify < secret.txt            Check whether a key is valid

Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 denied, 5 conflict, 6 unreachable.

On the server's host, commands need no credential. To use a remote server, set KEYHOUSE_URL and
KEYHOUSE_KEY.";

const GLOBAL: &str = "Global options";

#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "terminals show the help without Markdown")]
struct InstanceArguments {
    /// Data directory [default: $STATE_DIRECTORY, $XDG_STATE_HOME/keyhouse or ~/.local/state/keyhouse]
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "DIR")]
    data: Option<String>,
    /// Settings file [default: keyhouse.toml in the data directory]
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print output as JSON
    #[arg(long, global = true, help_heading = GLOBAL)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(Box<serve::Flags>),
    /// Show and check the settings
    #[command(subcommand)]
    Config(config::Command),
    /// Ask the server on this host whether it is ready
    Healthcheck,
    /// Find faults of the instance on this host and of its proxies
    Doctor(Box<doctor::Flags>),
    /// Manage keys
    #[command(subcommand)]
    Key(key::Command),
    /// Manage roles
    #[command(subcommand)]
    Role(role::Command),
    /// Manage teams and their members
    #[command(subcommand)]
    Team(team::Command),
    /// Manage and test gates
    #[command(subcommand)]
    Gate(gate::Command),
    /// Make the instance match configuration files
    Apply(apply::Flags),
    /// Write the instance as a configuration file
    Export(export::Flags),
    /// Print the JSON Schema of configuration files
    #[command(after_help = "Example: keyhouse schema > keyhouse-apply.schema.json")]
    Schema,
    /// Import keys from another system
    Import(import::Flags),
    /// List audit events and check the audit log
    #[command(subcommand)]
    Audit(audit::Command),
    /// Manage users and their sessions
    #[command(subcommand)]
    User(user::Command),
    /// List and lift sign-in lockouts
    #[command(subcommand)]
    Lockout(lockout::Command),
    /// Manage organizations
    #[command(subcommand)]
    Org(org::Command),
    /// Manage plans
    #[command(subcommand)]
    Plan(plan::Command),
    /// Manage subscriptions
    #[command(subcommand)]
    Subscription(subscription::Command),
    /// Back up the whole instance to a file
    Backup(backup::Flags),
    /// Make a store from a backup, or show what a backup contains
    Restore(restore::Flags),
    #[command(flatten)]
    Store(StoreCommand),
    /// Show how often keys were used
    Usage(usage::Flags),
    /// Encrypt the seeds of second factors with a new key
    Rekey(rekey::Flags),
    /// Check a key that is read from stdin
    Verify(verify::Flags),
    /// Write the reference pages of the documentation, completions or manual pages
    #[command(hide = true)]
    Docs(docs::Flags),
}

/// Commands that work on the store of this host while no server runs.
#[derive(Debug, Subcommand)]
enum StoreCommand {
    /// Upgrade the store of an earlier version
    Upgrade(upgrade::Flags),
    /// Check that the store, or a backup, is complete and consistent
    Check(check::Flags),
    /// Mend the findings of a check
    Repair(repair::Flags),
    /// Make the store's file as small as its content
    Compact(compact::Flags),
}

/// Runs the command of `arguments` and returns its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    exit::harden();
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match arguments::parse(&arguments) {
        Ok(cli) => cli,
        Err(error) => return exit::usage(&error),
    };
    let environment = ProcessEnvironment::of_process().map_err(Failure::from);
    match environment.and_then(|environment| dispatch(cli, &environment)) {
        Ok(()) => Exit::Ok.into(),
        Err(failure) => failure.report(&arguments),
    }
}

fn warn_of_unknown(environment: &ProcessEnvironment) {
    for UnknownVariable { name, meant } in environment.unknown() {
        let advice = match meant {
            Some(meant) => format!("did you mean {meant}?"),
            None => "unknown variable".to_owned(),
        };
        print_message(&format!("keyhouse: {name} is ignored: {advice}"));
    }
}

fn dispatch(cli: Cli, environment: &ProcessEnvironment) -> Result<(), Failure> {
    warn_of_unknown(environment);
    let (json, place) = (cli.place.json, cli.place);
    let settings = |flags: Written| {
        let directory = place.data.iter().map(|directory| ("data", directory.clone()));
        Settings::new(
            flags.over(Written::of_flags(directory)),
            place.config.as_deref(),
            environment,
        )
    };
    let connect = || client::Client::new(environment, settings);
    match cli.command {
        Command::Serve(flags) => serve::run(&flags, environment, settings),
        Command::Healthcheck => healthcheck::run(&settings(Written::default())?, json),
        Command::Doctor(flags) => doctor::run(*flags, settings, environment, json),
        Command::Config(command) => config::run(command, environment, settings, json),
        Command::Key(command) => key::run(command, &connect()?, json),
        Command::Role(command) => role::run(command, &connect()?, json),
        Command::Team(command) => team::run(command, &connect()?, json),
        Command::Gate(command) => gate::run(&command, &connect()?, json),
        Command::Apply(flags) => apply::run(&flags, &connect()?, json),
        Command::Export(flags) => export::run(&flags, &connect()?, json),
        Command::Schema => schema::run(),
        Command::Import(flags) => import::run(&flags, &connect()?, json),
        Command::Audit(command) => audit::run(&command, &connect()?, json),
        Command::User(command) => user::run(command, &connect()?, json),
        Command::Lockout(command) => lockout::run(&command, &connect()?, json),
        Command::Org(command) => org::run(command, &connect()?, json),
        Command::Plan(command) => plan::run(&command, &connect()?, json),
        Command::Subscription(command) => subscription::run(command, &connect()?, json),
        Command::Rekey(flags) => rekey::run(&flags, &connect()?, json),
        Command::Backup(flags) => backup::run(&flags, &connect()?, json),
        Command::Restore(flags) => {
            let settings = || {
                require_no_remote(environment)?;
                Ok(settings(Written::default())?)
            };
            restore::run(&flags, settings, json)
        },
        Command::Store(command) => {
            if !command.reads_only_a_file() {
                require_no_remote(environment)?;
            }
            run_on_store(&command, &settings(Written::default())?, json)
        },
        Command::Usage(flags) => usage::run(&flags, &connect()?, json),
        Command::Verify(flags) => verify::run(&flags, &connect()?, json),
        Command::Docs(flags) => docs::run(&flags),
    }
}

/// Rejects a command on the store of this host while `KEYHOUSE_URL` names another instance: the user may
/// mean that instance.
fn require_no_remote(environment: &ProcessEnvironment) -> Result<(), Failure> {
    if environment.get("KEYHOUSE_URL").is_none() {
        return Ok(());
    }
    let message = "this command works on the store of this host, but KEYHOUSE_URL is set: run it on \
                   the server's host, without KEYHOUSE_URL";
    Err(Failure::new(Exit::Usage, message))
}

impl StoreCommand {
    fn reads_only_a_file(&self) -> bool {
        matches!(self, Self::Check(flags) if flags.file.is_some())
    }
}

fn run_on_store(command: &StoreCommand, settings: &Settings, json: bool) -> Result<(), Failure> {
    match command {
        StoreCommand::Upgrade(flags) => upgrade::run(flags, settings, json),
        StoreCommand::Check(flags) => check::run(flags, settings, json),
        StoreCommand::Repair(flags) => repair::run(flags, settings, json),
        StoreCommand::Compact(_) => compact::run(settings, json),
    }
}
