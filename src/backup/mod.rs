//! Backups: one file with every row of a store at one revision, and the way back into a store.
//!
//! A backup is read page by page at a held revision ([`BackupStream`]), while checks and changes go
//! on, with any storage plugin and with bounded memory. Its reader ([`BackupReader`]) refuses every
//! file that is not exactly what was written. Both know nothing of HTTP, settings or actors.
//!
//! The file begins with the line `keyhouse-backup 1`, whose number is the version of the file's
//! format. Frames follow, each with the same five parts; numbers are big-endian:
//!
//! | part | bytes |
//! |---|---|
//! | length of the content | 4 |
//! | kind: 1 header, 2 rows, 3 end | 1 |
//! | content | length |
//! | BLAKE3 of the frame: of [`frame::DOMAIN`], the frame's number from 0 in 8 bytes, and the parts above | 32 |
//!
//! The first frame is the header, JSON ([`BackupHeader`]). Frames of rows contain one zstd frame
//! (RFC 8878), with one row after the other in byte order of the keys: length of the key in 2 bytes,
//! key, length of the value in 4 bytes, value. The last frame is the end, JSON: the number of rows,
//! and BLAKE3 of all bytes of the file before this frame. Nothing follows. A file without its end is
//! refused, so a backup that broke off never looks complete.
//!
//! With recipients, the whole file is encrypted by age (age-encryption.org/v1).
//!
//! A backup has no signature: a person who can replace the file can write another valid one. The audit
//! head that the header names, compared with a copy kept elsewhere, proves what a backup contains.

mod encryption;
mod error;
mod file;
mod frame;
mod header;
mod reader;
mod restore;
mod schedule;
mod writer;

pub use encryption::{Identities, InvalidIdentities, InvalidRecipient, RECIPIENTS_MAX, Recipients};
pub use error::BackupError;
pub use file::{BackupFile, Existing, PARTIAL_SUFFIX, back_up_to};
pub use header::{BackupHeader, SealedUpTo};
pub use reader::{BackupReader, BackupRow, BackupSummary};
pub use restore::{RestoreError, RestoredRows, restore_into};
pub use schedule::{
    BackupSchedule, EVERY_MIN, KEEP_MAX, is_broken_off, scheduled_moment, scheduled_name,
};
pub use writer::{BackupStream, STREAM_TIME_MAX};

#[cfg(test)]
mod tests;
