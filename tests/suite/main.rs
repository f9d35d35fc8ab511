//! The product as a black box: the real binary over real sockets, one file per resource.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first thing that is not as it must be"
)]
#![expect(
    clippy::cognitive_complexity,
    clippy::too_many_lines,
    clippy::type_complexity,
    reason = "a table of cases is one thing, and each assertion counts as a branch"
)]

mod addresses;
mod admission;
mod ask;
mod audit;
mod batch;
mod bounded_key;
mod bounds;
mod catalogue;
mod chain;
mod challenges;
mod changes;
mod check_listen;
mod cli;
mod cli_gate;
mod cli_rights;
mod cli_user;
mod clock;
mod compression;
mod credentials;
mod crossing;
mod crowds;
mod environment;
mod escalation;
mod events;
mod explain;
mod foreign_texts;
mod forward_auth;
mod gate_credentials;
mod gate_paths;
mod gates;
mod health;
mod holder;
mod import;
mod importers;
mod input;
mod instance;
mod introspect;
mod invitations;
mod key_bounds;
mod keys;
mod limits;
mod lists;
mod lockouts;
mod logs;
mod me;
mod metrics;
mod openapi;
mod organizations;
mod pace;
mod page;
mod people;
mod plans;
mod policy;
mod public_name;
mod quota;
mod removal;
mod request_ids;
mod required_factor;
mod resets;
mod revocation;
mod roles;
mod rotation;
mod run_script;
mod seeds;
#[path = "../server/mod.rs"]
mod server;
mod session;
mod sessions;
mod setup;
mod shape;
mod sharing;
mod signin;
mod start;
mod supervised;
mod teams;
mod test_server;
mod text;
mod totp;
mod unix_sockets;
mod unreachable;
mod usage;
mod user_sessions;
mod users;
mod verify;
mod whoami;
