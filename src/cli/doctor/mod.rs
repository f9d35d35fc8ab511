//! `keyhouse doctor`: finds faults of an instance on this host and of the proxies before it.
//!
//! `gather` reads the facts, the rules examine them, and neither changes anything. Facts that could not
//! be read are listed as not checked, and are no findings.

mod backups;
mod examination;
mod facts;
mod files;
mod gather;
mod local_server;
mod probe;
mod process;
mod proxy;
mod rule;
mod server;
mod settings;
#[cfg(test)]
mod tests;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::exit::{Exit, Failure, print, print_message};
use crate::cli::setting_flags::SettingFlags;
use crate::config::{ConfigError, ProcessEnvironment, Settings, Written};
use crate::model::public_url::WebUrl;
pub(super) use examination::GROUPS;
use examination::{FoundFault, findings};

#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct Flags {
    /// URL of an API behind a gate; repeatable
    #[arg(long = "gate-url", value_name = "URL")]
    gates: Vec<WebUrl>,
    #[command(flatten)]
    settings: SettingFlags,
}

const AFTER: &str = "\
Example: keyhouse doctor --gate-url https://api.example.com/orders

Sends requests without a credential to the public URL and to the URLs behind gates. Changes nothing.
Exit code 0 without findings, 1 with findings.";

/// Prints the findings. [`Exit::Failed`] if there are any.
pub(super) fn run(
    flags: Flags,
    settings: impl FnOnce(Written) -> Result<Settings, ConfigError>,
    environment: &ProcessEnvironment,
    json: bool,
) -> Result<(), Failure> {
    let settings = settings(flags.settings.0)?;
    let facts = gather::facts(settings, &flags.gates, environment)?;
    let found = findings(&facts);
    if json {
        let rows: Vec<Value> = found.iter().map(row).collect();
        print(&json!({"findings": rows, "not_checked": facts.not_checked}).to_string())?;
    } else {
        print_findings(&found)?;
        for what in &facts.not_checked {
            print_message(&format!("not checked: {what}"));
        }
    }
    match found.len() {
        0 if json => Ok(()),
        0 => {
            print_message("no findings");
            Ok(())
        },
        _ => Err(Failure::new(Exit::Failed, "")),
    }
}

fn row(finding: &FoundFault) -> Value {
    let rule = finding.rule;
    json!({
        "code": rule.code,
        "severity": rule.severity.name(),
        "meaning": rule.meaning,
        "places": finding.places,
        "remedy": rule.remedy,
    })
}

fn print_findings(found: &[FoundFault]) -> Result<(), Failure> {
    let mut group = "";
    for finding in found {
        if finding.group != group {
            group = finding.group;
            print(group)?;
        }
        let rule = finding.rule;
        print(&format!("  {} {}: {}", rule.severity.name(), rule.code, rule.meaning))?;
        for place in &finding.places {
            print(&format!("    {place}"))?;
        }
        print(&format!("    {}", rule.remedy))?;
    }
    Ok(())
}
