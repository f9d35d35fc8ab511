//! The arguments of commands: their parsing, and their names in place of the pointers of the API.
//!
//! The API reports a wrong field as `/expires_in` and a wrong parameter as `?sort`. A command names its
//! flag instead. The id of an argument is the name of the field or parameter that it becomes.

use std::any::TypeId;
use std::ffi::OsString;
use std::str::FromStr;

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, Command, CommandFactory as _, FromArgMatches as _, Id};

use crate::cli::Cli;

/// Parses the arguments of a process.
pub(super) fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let mut command = command();
    let mut matches = command.try_get_matches_from_mut(arguments)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// The command line. It rejects an empty positional argument, which is often the value of a variable
/// that is not set.
fn command() -> Command {
    without_empty(Cli::command())
}

fn without_empty(command: Command) -> Command {
    let is_text = |it: &&Arg| it.get_value_parser().type_id() == TypeId::of::<String>();
    let texts: Vec<Id> =
        command.get_positionals().filter(is_text).map(|it| it.get_id().clone()).collect();
    let parser = NonEmptyStringValueParser::new;
    let command = texts.into_iter().fold(command, |command, id| {
        command.mut_arg(id, |argument| argument.value_parser(parser()))
    });
    command.mut_subcommands(without_empty)
}

/// Reads a whole number. The error is part of the message of an invalid value.
pub(super) fn whole_number<T: FromStr>(text: &str) -> Result<T, &'static str> {
    text.parse().map_err(|_source| "must be a whole number")
}

/// The argument of a command that became the field or parameter of this pointer, with the part of its
/// value: `--permission, value 2`. `None` if no argument became it.
pub(super) fn name_of(command: &Command, pointer: &str) -> Option<String> {
    let mut segments = pointer.strip_prefix(['?', '/'])?.split('/');
    let field = segments.next()?;
    let argument = command.get_arguments().find(|it| it.get_id() == field)?;
    let mut name = shown(argument);
    for segment in segments.filter(|segment| argument.get_long() != Some(segment)) {
        let part = segment.parse::<usize>().map_or_else(
            |_no_number| segment.to_owned(),
            |at| format!("value {}", at.saturating_add(1)),
        );
        name.extend([", ", &part]);
    }
    Some(name)
}

/// The command that the arguments select.
pub(super) fn selected(arguments: &[OsString]) -> Option<Command> {
    let mut command = command();
    let matches = command.clone().try_get_matches_from(arguments).ok()?;
    command.build();
    let mut below = &matches;
    while let Some((name, more)) = below.subcommand() {
        command = command.find_subcommand(name)?.clone();
        below = more;
    }
    Some(command)
}

fn shown(argument: &Arg) -> String {
    argument.get_long().map_or_else(|| argument.to_string(), |long| format!("--{long}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(line: &str, pointer: &str) -> Option<String> {
        let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        name_of(&selected(&arguments)?, pointer)
    }

    #[test]
    fn a_pointer_becomes_the_argument_that_it_came_from() {
        let create = "keyhouse key create --permission a:b --allow ::1/128";
        for (line, pointer, expected) in [
            (create, "/expires_in", Some("--expires-in")),
            (create, "/permissions/1", Some("--permission, value 2")),
            (create, "/ip_rules/allow/0", Some("--allow, value 1")),
            (create, "?organization", Some("--organization")),
            (create, "/kind", None),
            ("keyhouse key rename key_1 x", "/name", Some("<NAME>")),
            ("keyhouse key list --sort x", "?sort", Some("--sort")),
            ("keyhouse plan set free --limit keys=x", "/limits/keys", Some("--limit, keys")),
            ("keyhouse gate set a --route /a", "/routes/0/cost", Some("--route, value 1, cost")),
            ("keyhouse org create A --owner b", "/owner_email", Some("--owner")),
            ("keyhouse key list", "sort", None),
        ] {
            assert_eq!(name(line, pointer).as_deref(), expected, "{line} {pointer}");
        }
    }
}
