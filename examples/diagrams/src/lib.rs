//! An example service behind Keyhouse: architecture diagrams as data, rendered remotely.
//!
//! The service checks no key. A proxy asks a gate of Keyhouse about each request, and passes on the gate's identity
//! headers: who calls, for which organization, in which teams. What a caller may do with an object is decided here,
//! from these headers and the object's access lists.

mod access;
mod accounts;
mod answer;
mod application;
mod blueprints;
mod body;
mod budget;
mod caller;
mod diagram;
mod exports;
mod places;
mod pool;
mod profile;
mod query;
mod refusal;
pub mod render;
mod server;
mod store;

pub use answer::{Answer, Request};
pub use application::{Application, Settings, Sources};
pub use budget::prices::{Prices, PricesError};
pub use server::serve;
pub use store::{Store, StoreError};
