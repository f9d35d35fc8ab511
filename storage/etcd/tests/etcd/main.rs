//! The store with real members of etcd, which the tests start on loopback.
//!
//! `traps` has a test for each trap of etcd that the design avoids.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed step ends the test"
)]

mod access;
mod cluster;
mod conformance;
mod nodes;
mod outcomes;
mod raw;
mod traps;
