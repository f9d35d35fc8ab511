//! The product as a black box: the real binary over real sockets. A file or folder has the name of the
//! API path, the command or the part of the server that it tests.
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

mod apply;
mod ask;
mod audit;
mod cli;
mod concurrent_changes;
mod deadlines;
mod doctor;
mod environment;
mod escalation;
mod forward_auth;
mod gates;
mod health;
mod http;
mod instance;
mod introspect;
mod invitations;
mod keys;
mod links;
mod me;
mod metrics;
mod openapi;
mod organizations;
mod original_policies;
mod overview;
mod page;
mod people;
mod permissions;
mod plans;
mod policy;
mod roles;
mod seal_key;
mod serve;
#[path = "../server/mod.rs"]
mod server;
mod session;
mod sessions;
mod setup;
mod shape;
mod sign_in_lockouts;
mod sub_path;
mod teams;
mod test_server;
mod usage;
mod users;
mod verify;
mod whoami;
