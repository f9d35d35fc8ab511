//! Backups under load equal the state of their revision, and a killed restore leaves the old store or the
//! new one.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first thing that is not as it must be"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a test waits for another process, and `./test` names the form of a run"
)]

mod kills;
#[path = "../server/mod.rs"]
mod server;
mod states;

#[expect(clippy::print_stderr, reason = "the numbers are worth a line in the log of a run")]
fn report(line: &str) {
    eprintln!("{line}");
}
