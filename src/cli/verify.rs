//! `keyhouse verify`: checks a key.
//!
//! The command reads the key from stdin, never from an argument, since other users of the host can
//! read arguments.

use std::io::{BufRead as _, Read as _};

use clap::Args;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::cli::arguments::whole_number;
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure, decoded, print};

const INPUT_BYTES_MAX: u64 = 4_096;

#[derive(Debug, Args)]
#[command(after_help = "Example: keyhouse verify --permission diagrams:read < secret.txt\n\n\
                        Exit code 0 if the key is valid, 4 if it is not. The call is counted.")]
pub(super) struct Flags {
    /// Permission that the key needs; repeatable, or one requirement such as "a:b AND (c:d OR e:f)"
    #[arg(long = "permission", value_name = "P")]
    permissions: Vec<String>,
    /// IP address of the client
    #[arg(long, value_name = "A")]
    ip: Option<String>,
    /// Units to take from rate limits and quota [default: 1]
    #[arg(long, value_name = "N", value_parser = whole_number::<u32>)]
    cost: Option<u32>,
    /// Read the key from stdin
    #[arg(long, value_name = "-", value_parser = ["-"], default_value = "-")]
    key: String,
}

pub(super) fn run(flags: &Flags, client: &Client, json: bool) -> Result<(), Failure> {
    let mut body = Map::new();
    body.insert("key".to_owned(), key_from_stdin()?.as_str().into());
    match flags.permissions.as_slice() {
        [] => {},
        [one] => drop(body.insert("permissions".to_owned(), one.as_str().into())),
        many => drop(body.insert("permissions".to_owned(), many.into())),
    }
    if let Some(ip) = &flags.ip {
        body.insert("ip".to_owned(), ip.as_str().into());
    }
    if let Some(cost) = flags.cost {
        body.insert("cost".to_owned(), cost.into());
    }
    let verdict = client.post("/v1/verify", Value::Object(body))?;
    let valid = verdict.get("valid").and_then(Value::as_bool).unwrap_or(false);
    if json {
        print(&verdict.to_string())?;
    } else {
        let key = verdict.get("key").and_then(|key| key.get("id")).and_then(Value::as_str);
        let code = verdict.get("code").and_then(Value::as_str).unwrap_or("UNKNOWN");
        print([code, key.unwrap_or_default()].join(" ").trim_end())?;
    }
    if valid { Ok(()) } else { Err(Failure::new(Exit::Denied, "")) }
}

/// Reads a key from the first line of stdin.
pub(super) fn key_from_stdin() -> Result<Zeroizing<String>, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    std::io::stdin()
        .lock()
        .take(INPUT_BYTES_MAX)
        .read_until(b'\n', &mut bytes)
        .map_err(|error| Failure::io("read the key from stdin", &error))?;
    let line = decoded(&bytes, "stdin")?.trim_end_matches(['\r', '\n']);
    Ok(Zeroizing::new(line.to_owned()))
}
