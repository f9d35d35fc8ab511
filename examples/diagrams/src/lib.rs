//! An example service behind Keyhouse: architecture diagrams as data, rendered remotely.
//!
//! The service checks no keys. A proxy sends each request to a gate of Keyhouse for a decision, and forwards the
//! identity headers of the gate: the user or the service key, the organization and the teams. The service decides from
//! these headers and the access lists of an object what the caller may do with it.

mod access;
mod accounts;
mod answer;
mod application;
mod blueprints;
mod body;
mod budget;
mod caller;
mod cloud;
mod diagram;
mod exports;
mod impatient;
mod inventory;
pub mod layout;
mod places;
mod pool;
mod profile;
mod query;
mod refusal;
pub mod render;
mod scans;
mod server;
mod snapshots;
mod store;

pub use answer::{Answer, Request};
pub use application::{Application, Scanner, Settings, Sources};
pub use budget::prices::{Prices, PricesError};
pub use cloud::{
    AwsCredentials, CloudSettings, CloudTimes, Endpoint, EndpointError, ScanError, scan,
};
pub use inventory::{Inventory, Network, Resource, SecurityGroup, Subnet, Tags};
pub use server::serve;
pub use store::records::CloudPlace;
pub use store::{Store, StoreError};
