//! Keyhouse: API keys for a team, self-hosted, in one binary.
//!
//! As a library it is the same rooms that the binary is made of; see ARCHITECTURE.md for the map.

pub mod actions;
pub mod backends;
pub mod cli;
pub mod clock;
pub mod config;
pub mod http;
pub mod index;
pub mod model;
pub mod records;
pub mod telemetry;
pub mod verify;
