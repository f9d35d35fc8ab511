//! `keyhouse compact`: makes the file of a store as small as its content.

use clap::Args;
use serde_json::json;

use crate::backends::{self, Compacted};
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::instance::claim_store;
use crate::config::Settings;
use crate::instance::AssembleError;

#[derive(Debug, Args)]
#[command(after_help = "Example: keyhouse compact")]
pub(super) struct Flags {}

pub(super) fn run(settings: &Settings, json: bool) -> Result<(), Failure> {
    let _claim =
        claim_store(settings).map_err(|failure| failure.advise(Exit::Conflict, "stop it first"))?;
    let Compacted { bytes_before, bytes_after } =
        backends::compact(&settings.storage).map_err(AssembleError::from)?;
    if json {
        let shown = json!({ "bytes_before": bytes_before, "bytes_after": bytes_after });
        return print(&shown.to_string());
    }
    print(&format!("compacted the store from {bytes_before} to {bytes_after} bytes"))
}
