//! `keyhouse upgrade`: brings the store of an earlier version to the format of this program.
//!
//! `serve` and every command that opens the store also upgrade it. This command previews the upgrade,
//! or upgrades without starting the server.

use clap::Args;
use keyhouse_storage::{At, Range, Store};
use serde_json::json;

use crate::backends;
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::instance::{claim_store, close, open};
use crate::config::Settings;
use crate::instance::AssembleError;
use crate::records::prepare::{PendingUpgrade, pending};
use crate::records::upgrade::{STORE_FORMAT, UpgradeStep};

#[derive(Debug, Args)]
#[command(
    after_help = "Before an upgrade, the store is written to a backup in the data directory. To go back, restore\nthis backup and start the earlier version.\n\nExample: keyhouse upgrade --dry-run"
)]
pub(super) struct Flags {
    /// Print the steps of the upgrade without changing the store
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(flags: &Flags, settings: &Settings, json: bool) -> Result<(), Failure> {
    let _claim =
        claim_store(settings).map_err(|failure| failure.advise(Exit::Conflict, "stop it first"))?;
    if flags.dry_run {
        let store = backends::open(&settings.storage).map_err(AssembleError::from)?;
        let shown = preview(&*store, json);
        let closed = store.close();
        shown?;
        return closed.map_err(|error| Failure::new(Exit::Failed, error.to_string()));
    }
    // Opening upgrades the store, and prints the upgrade.
    let instance = open(settings)?;
    let upgraded = instance.upgraded().cloned();
    close(instance)?;
    match upgraded {
        Some(upgraded) if json => print(
            &json!({"from": upgraded.from, "to": STORE_FORMAT, "backup": upgraded.backup})
                .to_string(),
        ),
        Some(_) => Ok(()),
        None => nothing(json),
    }
}

fn preview(store: &dyn Store, json: bool) -> Result<(), Failure> {
    let Some(upgrade) = pending(store).map_err(AssembleError::from)? else { return nothing(json) };
    let steps = counted(store, upgrade)?;
    if json {
        let steps: Vec<_> = steps
            .iter()
            .map(|(step, rows)| json!({"format": step.format, "title": step.title, "rows": rows}))
            .collect();
        let shown = json!({"from": upgrade.from, "to": STORE_FORMAT, "steps": steps});
        return print(&shown.to_string());
    }
    print(&format!("format {} -> {STORE_FORMAT}", upgrade.from))?;
    for (step, rows) in steps {
        print(&format!("  {}: {} ({rows} records)", step.format, step.title))?;
    }
    Ok(())
}

/// The steps of an upgrade, each with the number of records that it reads.
fn counted(
    store: &dyn Store,
    upgrade: PendingUpgrade,
) -> Result<Vec<(&'static UpgradeStep, usize)>, Failure> {
    let count = |step: &'static UpgradeStep| {
        let mut rows = 0;
        for page in store.pages(&Range::prefix(step.rows), At::Latest) {
            rows += page.map_err(|error| Failure::new(Exit::Failed, error.to_string()))?.rows.len();
        }
        Ok((step, rows))
    };
    upgrade.steps().map(count).collect()
}

fn nothing(json: bool) -> Result<(), Failure> {
    if json {
        let shown = json!({"from": STORE_FORMAT, "to": STORE_FORMAT, "steps": []});
        return print(&shown.to_string());
    }
    print(&format!("the store has format {STORE_FORMAT}: nothing to upgrade"))
}
