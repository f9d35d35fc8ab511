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
        let mut family = HashSet::from([root.id]);
        loop {
            let known = family.len();
            let open = self.open_descendants(&root, &mut family)?;
            if family.len() == known {
                return Ok(open.len());
            }
        }
    }

    /// Returns the descendants that are not revoked, the oldest first, and adds all descendants to
    /// the family, in one pass in the order of ids. An imported key may have an earlier id than its
    /// creator. Such a key is found by the next pass, so callers repeat the pass until the family
    /// stays the same.
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
            let has_room = family.len() < FAMILY_MAX || family.contains(&record.id);
            if ancestors.any(|id| family.contains(&id)) && has_room {
                family.insert(record.id);
                if record.revoked_at.is_none() {
                    open.push(record.id);
                }
            }
        }
        Ok(open)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::actions::keys::{ForeignKey, ForeignPast, ForeignSecret, Import, KeyDraft, KeyKind};
    use crate::actions::test_instance::TestInstance;
    use crate::model::foreign::Algorithm;
    use crate::model::moment::Moment;
    use crate::model::secret::Digest;

    fn back_dated() -> Import {
        let secret = ForeignSecret {
            field: "digest",
            digest: Digest::by_sha256(b"old"),
            algorithm: Algorithm::Sha256,
            other_digest: None,
            last_part_digest: None,
            hint: "any".to_owned(),
        };
        let created_at = Some(Moment::from_milliseconds(1_000));
        let key = ForeignKey {
            pointer: "/keys/0".to_owned(),
            secret,
            owner: None,
            organization: None,
            past: ForeignPast { created_at, ..ForeignPast::default() },
            draft: KeyDraft::default(),
        };
        Import { keys: vec![key], faults: Vec::new(), applied: false, dry_run: false }
    }

    /// Regression: the id of an imported key may be earlier than its creator's, and the key was not
    /// counted.
    #[test]
    fn an_imported_key_with_an_earlier_id_than_its_creator_is_a_descendant() {
        let instance = TestInstance::new();
        let (actions, local) = (&instance.actions, instance.local());
        let created_by = |mut key: KeyRecord, creator: KeyId| {
            key.created_by = Author::Key(creator);
            instance.put(&key.place(), &key);
            key.id
        };
        let make = || {
            let draft = KeyDraft { kind: Some(KeyKind::Service), ..KeyDraft::default() };
            instance.clock.advance(Duration::from_millis(1));
            actions.create_key(&local, draft).unwrap().0
        };
        let root = make();
        let importer = created_by(make(), root.id);
        let imported = actions.import_keys(&local, &back_dated()).unwrap().remove(0);
        let imported = created_by(imported, importer);
        assert!(imported < root.id);
        assert_eq!(actions.count_descendants(&local, root.id).unwrap(), 2);
        let target = Target { id: root.id, versions: None };
        let (_root, done) = actions.revoke_with_descendants(&local, &target, None).unwrap();
        assert_eq!(done, Descendants { revoked: 2, left: 0, more: false });
    }
}
