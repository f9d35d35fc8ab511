//! `keyhouse usage`: shows how often keys were used.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::cli::client::{Client, query};
use crate::cli::exit::{Failure, print};
use crate::cli::listing::print_all;

#[derive(Debug, Args)]
#[command(
    after_help = "Example: keyhouse usage key_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f --interval day"
)]
pub(super) struct Flags {
    /// Id of a key [default: all keys of the organization]
    key: Option<String>,
    /// Group calls by hour, kept for 7 days, or by UTC day, kept for 90 days
    #[arg(long, value_name = "I", default_value = "hour")]
    interval: IntervalFlag,
    /// Only calls at or after this time [default: 24 hours ago, or 30 days ago with --interval day]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only calls before this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Organization [default: the first]
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum IntervalFlag {
    Hour,
    Day,
}

pub(super) fn run(flags: &Flags, client: &Client, json: bool) -> Result<(), Failure> {
    let interval = match flags.interval {
        IntervalFlag::Hour => "hour",
        IntervalFlag::Day => "day",
    };
    let parameters = query(&[
        ("key", flags.key.as_deref()),
        ("interval", Some(interval)),
        ("from", flags.from.as_deref()),
        ("to", flags.to.as_deref()),
        ("organization", flags.organization.as_deref()),
    ]);
    let target = format!("/v1/usage{parameters}");
    let usage = client.get(target)?;
    if json {
        return print(&usage.to_string());
    }
    let items = usage.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let items = items.iter().map(line).collect();
    print_all(items, &["start", "calls", "codes"], "no calls in this period", false)
}

/// A row of the table, with codes such as `VALID=12 RATE_LIMITED=3`.
fn line(item: &Value) -> Value {
    let codes = item.get("codes").and_then(Value::as_object);
    let codes = codes.into_iter().flatten().map(|(code, calls)| format!("{code}={calls}"));
    let codes: Vec<_> = codes.collect();
    json!({ "start": item.get("start"), "calls": item.get("calls"), "codes": codes })
}
