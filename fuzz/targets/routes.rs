//! Fuzzes the routes of a gate: `cargo +nightly fuzz run routes -- -dict=fuzz/routes.dict`.
#![no_main]

use keyhouse::model::route::{
    Ambiguities, Ambiguity, RouteQuery, PathPattern, RawPath, Route, RouteTable, raw_path,
};
use libfuzzer_sys::fuzz_target;

#[path = "../oracle.rs"]
mod oracle;

fuzz_target!(|target: &str| oracle::check(target));
