//! Keyhouse: API keys for a team, self-hosted, in one binary.
//!
//! A program that wants its keys checked without a server in between opens the store itself:
//! [`Keyhouse`]. The rest are the rooms that the binary is made of, public for its tests and benches
//! and no promise; see ARCHITECTURE.md for the map.

pub mod actions;
pub mod backends;
pub mod cli;
pub mod clock;
pub mod config;
mod embed;
pub mod http;
pub mod index;
pub mod model;
pub mod records;
pub mod telemetry;
pub mod verify;

pub use embed::{Check, InstanceError, Keyhouse, Undecided, Verdict};
pub use verify::Code;
