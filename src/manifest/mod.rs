//! Configuration files: the objects that they declare, and the changes that make an instance match.
//!
//! A file has the fields of the API, read by the API's own readers, so both accept the same values.
//! Objects name each other by name. The changes are requests of the API, so each has its normal
//! authorisation and its own audit event. This room sends nothing and reads no file.

mod checks;
mod compare;
mod current;
mod declared;
mod difference;
mod export;
mod known;
mod names;
mod new_keys;
mod order;
mod reading;
mod requests;
mod schema;
mod source;

pub(crate) use compare::{ApplyPlan, PlanOptions, compare};
pub(crate) use current::{Current, InstanceViews, OrganizationViews};
pub(crate) use declared::Declared;
pub(crate) use difference::lines_of;
pub(crate) use export::{ExportFormat, export};
pub(crate) use names::{ObjectKind, Titled};
pub(crate) use requests::{ChangeKind, PlannedChange};
pub(crate) use schema::{field_rows, json_schema};
pub(crate) use source::{FILE_BYTES_MAX, FileFault, SourceFormat, SourceText};
