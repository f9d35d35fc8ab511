//! The id of the instance, under which backups, logs and other systems know it.

use keyhouse_storage::{At, Batch, CommitError, Store};
use serde::{Deserialize, Serialize};

use crate::model::id::InstanceId;
use crate::records::codec::{Record, encode, read_row};
use crate::records::error::PrepareError;
use crate::records::place::StoreKey;
use crate::records::text;

/// The row of the instance's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceRecord {
    #[serde(rename = "i", with = "text")]
    pub id: InstanceId,
}

impl Record for InstanceRecord {}

/// The id that a store has at a revision. `None` before the first start of a version that knows it.
pub fn instance_id(store: &dyn Store, at: At) -> Result<Option<InstanceId>, PrepareError> {
    let row = store.get(&StoreKey::Instance.to_bytes(), at)?;
    Ok(row.as_ref().map(read_row::<InstanceRecord>).transpose()?.map(|held| held.record.id))
}

/// Gives a store the id `new` if it has none. Returns the id that the store has afterwards.
pub fn ensure_instance_id(store: &dyn Store, new: InstanceId) -> Result<InstanceId, PrepareError> {
    if let Some(id) = instance_id(store, At::Latest)? {
        return Ok(id);
    }
    let key = StoreKey::Instance.to_bytes();
    let value = encode(&StoreKey::Instance, &InstanceRecord { id: new })?;
    match store.commit(Batch::new().absent(key.clone()).put(key, value)) {
        // Another process of a shared store was faster.
        Err(CommitError::Conflict) => Ok(instance_id(store, At::Latest)?.unwrap_or(new)),
        outcome => Ok(outcome.map(|_revision| new)?),
    }
}

#[cfg(test)]
mod tests {
    use keyhouse_storage::MemoryStore;

    use super::*;

    #[test]
    fn an_instance_keeps_its_first_id() {
        let store = MemoryStore::new();
        let [first, second] = [1, 2].map(|it| InstanceId::from_bytes([it; 16]));
        assert_eq!(instance_id(&store, At::Latest).unwrap(), None);
        assert_eq!(ensure_instance_id(&store, first).unwrap(), first);
        assert_eq!(ensure_instance_id(&store, second).unwrap(), first);
        assert_eq!(instance_id(&store, At::Latest).unwrap(), Some(first));
    }
}
