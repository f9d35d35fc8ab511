//! The domain rules: permissions, key text, roles, plans, moments.
//!
//! No code in this module reads a clock, a store or a socket, or generates randomness: callers pass
//! these values in. No code here depends on JSON or HTTP.

pub mod audit_action;
pub mod calendar;
pub mod catalogue;
pub mod code;
pub mod credential;
pub mod domain;
pub mod edit;
pub mod errors;
pub mod export;
pub mod fault;
pub mod foreign;
pub mod gate;
pub mod id;
pub mod intersection;
pub mod key_text;
pub mod limit;
pub mod locale;
pub mod moment;
pub mod name;
mod named;
pub mod network;
pub mod pace;
pub mod password;
pub mod permission;
pub mod plan;
pub mod public_url;
pub mod requirement;
pub mod retention;
pub mod role;
pub mod route;
pub mod second_factor;
pub mod secret;
pub mod seed;
pub mod segments;
pub mod session_times;
pub mod text;
pub mod totp;
