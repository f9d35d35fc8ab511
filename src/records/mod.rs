//! Stored records: their shapes, their row keys and their encoding.
//!
//! A record is one byte for the version of its format, then JSON with short names. Fields may be
//! added with a default. Any other change needs a new version, with a reader for the previous
//! version.
//!
//! Records reject unknown fields. An older program therefore stops at a record with a field that it
//! does not know, instead of ignoring, for example, address rules.

pub mod access;
pub mod backup;
mod codec;
mod error;
pub mod event;
pub mod gate;
pub mod identity;
pub mod key;
mod limits;
pub mod notice;
pub mod people;
pub mod place;
pub mod prepare;
pub mod reservation;
pub mod rights;
mod share;
mod stored;
pub mod taken;
pub(crate) mod text;
pub mod upgrade;
pub mod usage;
pub mod uses;

pub use codec::{Record, Revised, decode, encode, read_row};
pub use error::{PrepareError, RecordError};
pub use stored::{Stored, read};
