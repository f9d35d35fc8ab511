//! The flags of the settings, from the table of settings.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::config::{LIST_SEPARATOR, SETTINGS, Setting, ValueKind, Written};

/// The settings that are written as flags. The data directory is not among them, since every command
/// has its flag.
#[derive(Clone, Debug, Default)]
pub(super) struct SettingFlags(pub(super) Written);

fn own_flags() -> impl Iterator<Item = (&'static Setting, String, &'static str)> {
    let flagged =
        |setting: &'static Setting| Some((setting, setting.flag_name()?, setting.placeholder?));
    SETTINGS.iter().filter_map(flagged).filter(|(setting, _, _)| setting.key != "data")
}

impl Args for SettingFlags {
    fn augment_args(cmd: Command) -> Command {
        own_flags().fold(cmd, |command, (setting, long, placeholder)| {
            let default = setting.default_words();
            let help = if default.is_empty() {
                setting.meaning.to_owned()
            } else {
                format!("{} [default: {default}]", setting.meaning)
            };
            let flag = Arg::new(setting.key).long(long).help(help);
            command.arg(match setting.kind {
                ValueKind::Switch => flag.action(ArgAction::SetTrue),
                ValueKind::List => flag.action(ArgAction::Append).value_name(placeholder),
                ValueKind::Text | ValueKind::Count => {
                    flag.action(ArgAction::Set).value_name(placeholder)
                },
            })
        })
    }

    fn augment_args_for_update(cmd: Command) -> Command {
        Self::augment_args(cmd)
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let written = own_flags().filter_map(|(setting, _, _)| {
            let key = setting.key;
            let is_written = matches.value_source(key) == Some(ValueSource::CommandLine);
            is_written.then(|| match setting.kind {
                ValueKind::Switch => (key, matches.get_flag(key).to_string()),
                ValueKind::List | ValueKind::Text | ValueKind::Count => {
                    let texts = matches.get_many::<String>(key).unwrap_or_default();
                    let texts: Vec<_> = texts.map(String::as_str).collect();
                    (key, texts.join(&LIST_SEPARATOR.to_string()))
                },
            })
        });
        Ok(Self(Written::of_flags(written)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
