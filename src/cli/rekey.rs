//! `keyhouse rekey`: rotates the key that encrypts the seeds of second factors.

use clap::Args;
use serde_json::json;

use crate::cli::client::Client;
use crate::cli::exit::Failure;
use crate::cli::listing::{fields_of, print_one};
use crate::http::views::SealKeyRotationView;

#[derive(Debug, Args)]
#[command(
    after_help = "Codes of authenticator apps stay valid. Keep a copy of the new file apart from backups."
)]
pub(super) struct Flags {
    /// Encrypt with the first key of the seal key file, instead of a new key
    #[arg(long)]
    keep_key: bool,
}

const FIELDS: [&str; 3] = fields_of::<SealKeyRotationView, 3>(["key", "seeds", "unreadable"]);

pub(super) fn run(flags: &Flags, client: &Client, json: bool) -> Result<(), Failure> {
    let done = client.post("/v1/seal-key/rotate", json!({ "keep_key": flags.keep_key }))?;
    print_one(&done, &FIELDS, json)
}
