//! Keyhouse: API keys for a team, self-hosted, in one binary.
//!
//! To check keys in process, without a server, open the store with [`Keyhouse`]. [`Keyhouse`] is
//! the only stable API. The modules are public only for the tests and benchmarks of the binary.
//! ARCHITECTURE.md describes them.

pub mod actions;
pub mod backends;
pub mod backup;
pub mod cli;
pub mod clock;
pub mod config;
mod embed;
pub mod http;
pub mod index;
pub mod inspection;
pub mod instance;
pub(crate) mod manifest;
pub mod model;
mod origins;
pub mod records;
pub mod seed_keys;
pub mod telemetry;
pub mod upkeep;
pub mod verify;
pub mod worker;

pub use embed::{Check, InstanceError, Keyhouse, Undecided, Verdict};
pub use verify::Code;
