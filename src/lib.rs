//! Keyhouse: API keys for a team, self-hosted, in one binary.

pub mod actions;
pub mod clock;
pub mod http;
pub mod index;
pub mod model;
pub mod records;
pub mod verify;
