//! Background work beside the actions: last uses, quotas, and the seals of the audit log.
//!
//! Each thread is a [`Worker`](crate::worker::Worker). No work here has an actor.

pub mod audit;
pub mod backups;
pub mod commits;
pub mod error;
pub mod last_use;
pub mod quotas;
pub mod seeds;
mod use_rows;
