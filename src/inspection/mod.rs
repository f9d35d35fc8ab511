//! Inspects a store, and repairs what can be mended. Prints nothing.
//!
//! An inspection reads every row: it must decode, belong to its place, and refer to records that
//! exist. It verifies the audit log, and compares the store with the index that a server would
//! build. The caller guarantees that no other process or thread writes the store meanwhile.
//!
//! Memory: the index, as a server has it; the ids of all keys and teams, at most 50 bytes each; at
//! most [`FINDINGS_MAX`] findings; the store keys of missing rows. Other references are looked up in
//! the store.
//!
//! These are no faults: a share or a membership of a removed team (ids are never reused), the
//! digest of a purged key, a reservation above a quota that was lowered later.

mod finding;
mod keys;
mod missing_rows;
mod organizations;
mod repair;
mod report;
mod store_check;
mod undecodable;
mod users;
mod walk;

pub use finding::{Finding, FindingCode, Mend};
pub use repair::{RepairError, Repaired, RowChange, repair};
pub use report::{FINDINGS_MAX, InspectionError, SeedKeysFound, StoreReport, Surroundings};
pub use store_check::inspect;

#[cfg(test)]
mod tests;
