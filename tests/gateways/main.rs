//! Claims about the examples: five real proxies, with the very files of `examples/`, in front of
//! Keyhouse.
//!
//! Only the ports are replaced. A missing program fails the tests; nothing is skipped.

mod attacks;
mod carriers;
mod claims;
mod clients;
mod grpc;
mod page;
mod proxy;
mod readme;
mod shapes;
mod sources;
mod unix_socket;
mod waiting;
mod witness;

#[path = "../server/mod.rs"]
mod server;
