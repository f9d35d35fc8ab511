//! Keyhouse.
pub mod http;
