//! `keyhouse export`: writes an instance as a configuration file.

use clap::{Args, ValueEnum};

use crate::cli::apply::fetch::InstanceReader;
use crate::cli::client::Client;
use crate::cli::exit::{Failure, print_message, print_table};
use crate::manifest::{ExportFormat, export};

#[derive(Debug, Args)]
#[command(
    after_help = "Keys are exported by digest, users by email address and role. Personal keys and the \
                        audit log are not exported. Use a backup to move everything.\n\n\
                        Example: keyhouse export > keyhouse-apply.toml"
)]
pub(super) struct Flags {
    /// Format of the file
    #[arg(long, value_name = "FORMAT", default_value = "toml")]
    format: WrittenFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum WrittenFormat {
    Toml,
    Json,
}

pub(super) fn run(flags: &Flags, client: &Client, json: bool) -> Result<(), Failure> {
    let fetched = client.hold(|send| {
        let reader = InstanceReader { send, is_local: client.is_local() };
        reader.fetch(None)
    })?;
    for label in fetched.current.left_out() {
        print_message(&format!(
            "left out: key {label:?} has expired, or a transfer has limited it"
        ));
    }
    let format = match flags.format {
        WrittenFormat::Toml if !json => ExportFormat::Toml,
        WrittenFormat::Toml | WrittenFormat::Json => ExportFormat::Json,
    };
    let text = export(&fetched.current, format);
    print_table(text.trim_end())
}
