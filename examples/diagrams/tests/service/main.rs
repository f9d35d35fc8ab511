//! The API over a real store, in process: callers are identity headers, as the gate sends them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first failure")]

mod access;
mod accounts;
mod blueprints;
mod exports;
mod fixture;
mod process;
mod snapshot_waits;
mod snapshots;
