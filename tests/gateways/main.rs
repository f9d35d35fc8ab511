//! Tests of the examples: five real proxies in front of Keyhouse, and a service behind it, with the files of
//! `examples/`.
//!
//! The tests replace only the ports. A missing program fails the tests; nothing is skipped.

mod attacks;
mod carriers;
mod claims;
mod clients;
mod deployments;
mod diagrams;
mod grpc;
mod page;
mod proxy;
mod readme;
mod shapes;
mod sources;
mod sub_path;
mod unix_socket;
mod waiting;
mod witness;

#[path = "../server/mod.rs"]
mod server;
