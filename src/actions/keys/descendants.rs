//! Revokes a key with all its descendants: the keys that it created, the keys that these keys
//! created, and so on.
//!
//! Descent follows `created_by`. The key itself is revoked first, then each descendant in a batch
//! of its own.

use std::collections::HashSet;

use keyhouse_storage::Range;

use crate::actions::actor::Actor;
use crate::actions::changes::Target;
use crate::actions::{ActionError, Actions};
use crate::model::id::KeyId;
use crate::records::key::{Author, KeyRecord};
use crate::records::place::StoreKey;

/// Maximum number of descendants that one request revokes. The next request continues.
pub const DESCENDANTS_A_REQUEST_MAX: usize = 1_000;
/// Maximum number of descendants of one key that are followed.
const FAMILY_MAX: usize = 200_000;
const REASON: &str = "the key that created this key was revoked";

/// Result of revoking a key's descendants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descendants {
    pub revoked: usize,
    /// Descendants that were not revoked because the actor may not revoke them.
    pub left: usize,
    /// Whether another request is needed to revoke the rest.
    pub more: bool,
}

impl Actions {
    /// Revokes a key, then every key that it created, and so on, each in a batch of its own.
    ///
    /// The key itself is revoked first, because a revoked key creates no other key. A repeated
    /// request continues where the last request stopped or was interrupted.
    ///
    /// # Errors
    /// The errors of [`Actions::revoke_key`].
    pub fn revoke_with_descendants(
        &self,
        actor: &Actor,
        target: &Target<KeyId>,
        reason: Option<&str>,
    ) -> Result<(KeyRecord, Descendants), ActionError> {
        let root = self.revoke_key(actor, target, reason)?;
        let (mut family, mut left) = (HashSet::from([root.id]), HashSet::new());
        let mut revoked = 0;
        loop {
            let known = family.len();
            let mut open = self.open_descendants(&root, &mut family)?;
            open.retain(|id| !left.contains(id));
            for id in open.iter().copied() {
                if revoked >= DESCENDANTS_A_REQUEST_MAX {
                    return Ok((root, Descendants { revoked, left: left.len(), more: true }));
                }
                match self.revoke_key(actor, &Target { id, versions: None }, Some(REASON)) {
                    Ok(_revoked) => revoked += 1,
                    Err(ActionError::PermissionRequired(_) | ActionError::NotFound(_)) => {
                        left.insert(id);
                    },
                    Err(error) => return Err(error),
                }
            }
            // The loop makes another pass if new descendants appeared in the meantime.
            if open.is_empty() && family.len() == known {
                return Ok((root, Descendants { revoked, left: left.len(), more: false }));
            }
        }
    }

    /// Counts the keys that would be revoked with a key, without the key itself. Requires an actor
    /// that sees the whole key.
    ///
    /// # Errors
    /// The errors of [`Actions::key`].
    pub fn count_descendants(&self, actor: &Actor, id: KeyId) -> Result<usize, ActionError> {
        let root = self.key(actor, id)?;
        Ok(self.open_descendants(&root, &mut HashSet::from([root.id]))?.len())
    }

    /// Returns the descendants that are not revoked, the oldest first, and adds all descendants to
    /// the family. Ids grow with time, so a single pass reads each key after its creator.
    fn open_descendants(
        &self,
        root: &KeyRecord,
        family: &mut HashSet<KeyId>,
    ) -> Result<Vec<KeyId>, ActionError> {
        let mut open = Vec::new();
        let prefix = StoreKey::keys_of(root.organization);
        for held in self.records::<KeyRecord>(&Range::prefix(&prefix)) {
            let record = held?.record;
            let Author::Key(creator) = record.created_by else { continue };
            let mut ancestors = [creator].into_iter().chain(record.parent());
            if ancestors.any(|id| family.contains(&id)) && family.len() < FAMILY_MAX {
                family.insert(record.id);
                if record.revoked_at.is_none() {
                    open.push(record.id);
                }
            }
        }
        Ok(open)
    }
}
