//! The header of a backup: what it is a backup of.

use keyhouse_storage::{At, Order, Range, Revision, Store};
use serde::{Deserialize, Serialize};

use crate::backup::BackupError;
use crate::model::id::InstanceId;
use crate::model::moment::Moment;
use crate::model::secret::Digest;
use crate::records::event::{CutRecord, SealRecord};
use crate::records::identity::instance_id;
use crate::records::place::StoreKey;
use crate::records::prepare::format_of;
use crate::records::{read_row, text};

/// What a backup contains. A later version of the program may add fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupHeader {
    /// The format of the store's records.
    pub store_format: u32,
    /// The version of Keyhouse that wrote the backup.
    pub program: String,
    /// The revision of the store that the rows show.
    pub revision: u64,
    /// The instance. `None` if its store was never opened by a version that gives ids.
    #[serde(with = "text::option")]
    pub instance: Option<InstanceId>,
    /// The newest seal of the audit log.
    pub audit: SealedUpTo,
    #[serde(with = "text")]
    pub created_at: Moment,
}

/// The number and hash of the newest seal of the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedUpTo {
    /// The number of the seal; 0 if there is none.
    pub number: u64,
    #[serde(with = "text")]
    pub hash: Digest,
}

impl BackupHeader {
    /// Describes a store at a revision that it holds.
    pub(super) fn of(
        store: &dyn Store,
        revision: Revision,
        created_at: Moment,
    ) -> Result<Self, BackupError> {
        let at = At::Revision(revision);
        let store_format = format_of(store, at)?.ok_or(BackupError::NothingToBackUp)?;
        Ok(Self {
            store_format,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            revision: revision.0,
            instance: instance_id(store, at)?,
            audit: SealedUpTo::read(store, at)?,
            created_at,
        })
    }
}

impl SealedUpTo {
    /// The newest seal at a revision; without one, the last seal that was cut.
    fn read(store: &dyn Store, at: At) -> Result<Self, BackupError> {
        let newest = Range { limit: 1, order: Order::Descending, ..Range::prefix(StoreKey::SEALS) };
        if let Some(row) = store.scan(&newest, at)?.rows.first() {
            let seal = read_row::<SealRecord>(row)?.record;
            return Ok(Self { number: seal.number, hash: seal.hash });
        }
        let cut = store.get(&StoreKey::Cut.to_bytes(), at)?;
        let cut = cut.as_ref().map(read_row::<CutRecord>).transpose()?;
        Ok(cut.map_or(Self { number: 0, hash: Digest::of(b"") }, |held| Self {
            number: held.record.number,
            hash: held.record.hash,
        }))
    }
}
