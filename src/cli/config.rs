//! `keyhouse config`: shows and checks the settings of this host, without an instance.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::cli::exit::{Exit, Failure, print, print_message};
use crate::cli::listing::print_rows;
use crate::cli::serve;
use crate::cli::terminal::cell;
use crate::config::{
    ConfigError, ProcessEnvironment, SettingFault, Settings, UnknownVariable, UsedSetting,
    ValueKind, Written,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show each setting with its value and its origin; takes the flags of serve
    Show(Box<serve::Flags>),
    /// Report all faults of the settings, and unknown variables; takes the flags of serve
    Check(Box<serve::Flags>),
}

const COLUMNS: [&str; 3] = ["setting", "value", "origin"];

pub(super) fn run(
    command: Command,
    environment: &ProcessEnvironment,
    settings: impl FnOnce(Written) -> Result<Settings, ConfigError>,
    json: bool,
) -> Result<(), Failure> {
    match command {
        Command::Show(flags) => {
            let rows = settings(flags.settings.0)?.used.iter().map(shown).collect();
            let row = |item: &Value| COLUMNS.iter().map(|column| cell(item.get(*column))).collect();
            print_rows(rows, &COLUMNS, row, "no settings", json)
        },
        Command::Check(flags) => check(settings(flags.settings.0), environment, json),
    }
}

fn shown(used: &UsedSetting) -> Value {
    let value = used.value.as_deref().map_or(Value::Null, |text| match used.setting.kind {
        ValueKind::Text => text.into(),
        ValueKind::List => used.list().collect::<Vec<_>>().into(),
        ValueKind::Switch | ValueKind::Count => {
            text.parse().unwrap_or_else(|_not_json| text.into())
        },
    });
    json!({"setting": used.setting.key, "value": value, "origin": used.origin.to_string()})
}

fn check(
    outcome: Result<Settings, ConfigError>,
    environment: &ProcessEnvironment,
    json: bool,
) -> Result<(), Failure> {
    if json {
        let fault = |SettingFault { name, origin, detail }: &SettingFault| json!({"name": name, "origin": origin.to_string(), "detail": detail});
        let faults: Vec<_> =
            outcome.as_ref().err().iter().flat_map(|it| &it.0).map(fault).collect();
        let warning = |UnknownVariable { name, meant }| json!({"name": name, "meant": meant});
        let warnings: Vec<_> = environment.unknown().into_iter().map(warning).collect();
        print(&json!({"faults": faults, "unknown_variables": warnings}).to_string())?;
        return outcome.map(drop).map_err(|_printed| Failure::new(Exit::Usage, ""));
    }
    outcome?;
    print_message("the settings have no faults");
    Ok(())
}
