//! Revoking a key with every key that it created, and that those created.
//!
//! It follows `created_by`: the key itself first, then one batch for each key.

use std::collections::HashSet;
use std::ops::ControlFlow;

use keyhouse_storage::Range;

use crate::actions::actor::Actor;
use crate::actions::keys::Target;
use crate::actions::{ActionError, Actions};
use crate::model::id::KeyId;
use crate::records::Held;
use crate::records::key::{Author, KeyRecord};
use crate::records::place::Place;

/// Most descendants that one request revokes; the next request goes on.
pub const DESCENDANTS_A_REQUEST_MAX: usize = 1_000;
/// Most keys of one descent that are followed.
const FAMILY_MAX: usize = 200_000;
const REASON: &str = "the key that created it was revoked";

/// What became of a key's descendants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descendants {
    /// How many this request revoked.
    pub revoked: usize,
    /// How many are left because the actor may not revoke them.
    pub left: usize,
    /// Whether more are to be revoked by another request.
    pub more: bool,
}

impl Actions {
    /// Revokes a key, then every key that it created, and so on, each in a batch of its own. The key
    /// itself comes first: none of them makes another one once it is revoked. Asked again, it goes
    /// on where it stopped or was broken off.
    ///
    /// # Errors
    /// Those of [`Actions::revoke_key`].
    pub fn revoke_with_descendants(
        &self,
        actor: &Actor,
        target: &Target,
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
            // Those that were made meanwhile are found in another round.
            if open.is_empty() && family.len() == known {
                return Ok((root, Descendants { revoked, left: left.len(), more: false }));
            }
        }
    }

    /// How many keys would be revoked with a key, itself aside; for those who see the key whole.
    ///
    /// # Errors
    /// Those of [`Actions::key`].
    pub fn count_descendants(&self, actor: &Actor, id: KeyId) -> Result<usize, ActionError> {
        let root = self.key(actor, id)?;
        Ok(self.open_descendants(&root, &mut HashSet::from([root.id]))?.len())
    }

    /// The descendants that are not revoked, the oldest first; adds all of them to the family. Ids
    /// grow with time, so that one pass meets a key after the one that created it.
    fn open_descendants(
        &self,
        root: &KeyRecord,
        family: &mut HashSet<KeyId>,
    ) -> Result<Vec<KeyId>, ActionError> {
        let mut open = Vec::new();
        let prefix = Place::keys_of(root.organization);
        self.each_record(&Range::prefix(&prefix), |held: Held<KeyRecord>| {
            let record = held.record;
            let Author::Key(creator) = record.created_by else { return ControlFlow::Continue(()) };
            let mut ancestors = [creator].into_iter().chain(record.parent());
            if ancestors.any(|id| family.contains(&id)) && family.len() < FAMILY_MAX {
                family.insert(record.id);
                if record.revoked_at.is_none() {
                    open.push(record.id);
                }
            }
            ControlFlow::Continue(())
        })?;
        Ok(open)
    }
}
