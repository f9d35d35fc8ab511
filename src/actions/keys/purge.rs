//! Purges keys that ended long ago, and old usage rows, and closes unused lists of keys, in a thread
//! of its own.
//!
//! The audit log keeps the history of purged keys.

use std::collections::{HashMap, HashSet};
use std::iter::successors;
use std::sync::Arc;
use std::time::Duration;

use keyhouse_storage::{At, Batch, Range};
use serde_json::{Map, json};

use crate::actions::events::AuditEntry;
use crate::actions::keys::rotate::retire;
use crate::actions::{ActionError, Actions, put};
use crate::model::audit_action::AuditAction;
use crate::model::id::{KeyId, OrganizationId};
use crate::model::moment::Moment;
use crate::model::secret::Digest;
use crate::records::key::KeyRecord;
use crate::records::place::StoreKey;
use crate::records::taken::TakenRecord;
use crate::records::{Revised, read_row};
use crate::worker::{Halt, Worker};

/// The time for which an ended key is kept.
pub const ENDED_KEPT: Duration = Duration::from_hours(90 * 24);
/// Maximum number of keys purged in one batch. All rows of this many keys are within the limits of
/// a batch: at most 8 for each key, since only one of its two secrets has three digests.
const KEYS_A_BATCH_MAX: usize = 120;
/// Maximum number of keys with an ancestor that are purged in one run. The next run purges the
/// rest.
const LINKED_MAX: usize = 200_000;
/// Number of keys read at a time. Between reads the thread pauses so that other work can use the
/// store.
const ROWS_A_SCAN: usize = 1_000;
const SCAN_PAUSE: Duration = Duration::from_millis(5);
/// The wait before the first run after a start.
const FIRST_WAIT: Duration = Duration::from_secs(10);
const INTERVAL: Duration = Duration::from_hours(1);

/// Starts the purge thread.
///
/// # Errors
/// If the thread cannot be created.
pub fn start_purge(actions: Arc<Actions>) -> std::io::Result<Worker> {
    Worker::spawn("key-purge", move |halt| {
        let mut wait = FIRST_WAIT;
        while !halt.pause(wait) {
            match actions.purge_keys(halt) {
                Ok(0) => {},
                Ok(keys) => tracing::info!(keys, "deleted keys that ended long ago"),
                Err(error) => {
                    tracing::warn!(%error, "could not delete ended keys; retrying later");
                },
            }
            actions.index.key_lists.close_unused();
            if let Err(error) = actions.thin_usage(halt) {
                tracing::warn!(%error, "could not delete old usage; retrying later");
            }
            wait = INTERVAL;
        }
    })
}

impl Actions {
    /// Purges all keys that ended [`ENDED_KEPT`] ago, until `halt` is set. Returns the number of
    /// purged keys. Each batch is atomic. The next run purges the remaining keys.
    ///
    /// # Errors
    /// Those of the store.
    pub fn purge_keys(&self, halt: &Halt) -> Result<usize, ActionError> {
        let now = self.clock.now().wall;
        let linked = self.link_descendants(now, halt)?;
        let (mut due, mut purged): (Vec<Revised<KeyRecord>>, usize) = (Vec::new(), 0);
        self.walk_keys(halt, |held| {
            let is_linked = held.record.parent().is_none() || linked.contains(&held.record.id);
            if !is_due(&held.record, now) || !is_linked {
                return Ok(());
            }
            let apart =
                |first: &Revised<KeyRecord>| first.record.organization != held.record.organization;
            if due.len() >= KEYS_A_BATCH_MAX || due.first().is_some_and(apart) {
                purged += self.forget(&std::mem::take(&mut due), now)?;
            }
            due.push(held);
            Ok(())
        })?;
        Ok(purged + self.forget(&due, now)?)
    }

    /// Links each descendant of a key to be purged to the descendant's nearest remaining ancestor,
    /// so that revoking that ancestor with its descendants still reaches the descendant. Returns
    /// the keys with an ancestor that may be purged.
    fn link_descendants(&self, now: Moment, halt: &Halt) -> Result<HashSet<KeyId>, ActionError> {
        let mut parents: HashMap<KeyId, KeyId> = HashMap::new();
        self.walk_keys(halt, |held| {
            let due = Some(&held.record).filter(|record| is_due(record, now));
            if let Some(parent) = due.and_then(KeyRecord::parent)
                && parents.len() < LINKED_MAX
            {
                parents.insert(held.record.id, parent);
            }
            Ok(())
        })?;
        let mut linked: HashSet<KeyId> = parents.keys().copied().collect();
        if linked.is_empty() {
            return Ok(linked);
        }
        let is_whole = self.walk_keys(halt, |held| {
            let Some(parent) = held.record.parent() else { return Ok(()) };
            let ancestors = || successors(Some(parent), |id| parents.get(id).copied());
            let kept = ancestors().last().filter(|kept| *kept != parent);
            let Some(kept) = kept.filter(|_kept| !parents.contains_key(&held.record.id)) else {
                return Ok(());
            };
            let place = held.record.place();
            let record = KeyRecord { descends_from: Some(kept), ..held.record };
            let batch = Batch::new().unchanged(place.to_bytes(), held.revision);
            if self.commit_upkeep(put(batch, &place, &record)?)?.is_none() {
                // The key was changed in the meantime, so all its ancestors are kept until the next
                // run.
                for id in ancestors() {
                    linked.remove(&id);
                }
            }
            Ok(())
        })?;
        if !is_whole {
            linked.clear();
        }
        Ok(linked)
    }

    /// Calls `each` for every key until `halt` is set. Returns whether all keys were read.
    fn walk_keys(
        &self,
        halt: &Halt,
        mut each: impl FnMut(Revised<KeyRecord>) -> Result<(), ActionError>,
    ) -> Result<bool, ActionError> {
        let range = Range { limit: ROWS_A_SCAN, ..Range::prefix(StoreKey::KEYS) };
        for page in self.store.pages(&range, At::Latest) {
            let page = page?;
            for row in &page.rows {
                each(read_row(row)?)?;
            }
            if page.more && halt.pause(SCAN_PAUSE) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes keys of one organization with all their rows, and returns their number. If one of
    /// the keys was changed in the meantime, all of them stay until the next run.
    fn forget(&self, due: &[Revised<KeyRecord>], now: Moment) -> Result<usize, ActionError> {
        let Some(first) = due.first() else { return Ok(0) };
        let mut batch = Batch::new();
        for Revised { record, revision } in due {
            let place = record.place().to_bytes();
            // The index applies writes in order. The digest is retired before its key is deleted,
            // since another key may have been imported by the other digest of the same text.
            batch = retire(batch, record.id, &record.secrets)?;
            batch = batch.unchanged(place.clone(), *revision).delete(place);
            batch = batch.delete(StoreKey::Use(record.id).to_bytes());
            batch = batch.delete(StoreKey::Quota(record.id).to_bytes());
            let is_shown = |digest: &Digest| record.secrets.iter().any(|it| it.digest == *digest);
            if let Some(digest) = record.imported.filter(|digest| !is_shown(digest)) {
                batch = put(batch, &StoreKey::Taken(digest), &TakenRecord::retired(record.id))?;
            }
        }
        let batch = self.record(batch, now, audit_entry(first.record.organization, due))?;
        if self.commit_upkeep(batch)?.is_none() {
            return Ok(0);
        }
        let keys = due.iter().map(|held| held.record.id).collect();
        self.forget_usage(first.record.organization, &keys)?;
        Ok(due.len())
    }
}

/// Whether a key ended long enough ago to be purged.
fn is_due(record: &KeyRecord, now: Moment) -> bool {
    record.ended_at(now).is_some_and(|end| end.after(ENDED_KEPT) <= now)
}

fn audit_entry(organization: OrganizationId, due: &[Revised<KeyRecord>]) -> AuditEntry {
    let ids: Vec<_> = due.iter().map(|held| held.record.id.to_string()).collect();
    let mut after = Map::new();
    after.insert("count".to_owned(), due.len().into());
    after.insert("keys".to_owned(), json!(ids));
    AuditEntry {
        actor: None,
        address: None,
        organization: Some(organization),
        action: AuditAction::KEYS_PURGE,
        target: organization.to_string(),
        before: Map::new(),
        after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::changes::Target;
    use crate::actions::keys::{
        ForeignKey, ForeignPast, ForeignSecret, Import, KeyChange, KeyDraft, KeyKind,
    };
    use crate::actions::test_instance::TestInstance;
    use crate::index::CallOrigin;
    use crate::model::code::Code;
    use crate::model::edit::Edit;
    use crate::model::foreign::Algorithm;
    use crate::records::key::Author;

    const DAY: Duration = Duration::from_hours(24);

    fn purge(instance: &TestInstance) -> usize {
        instance.actions.purge_keys(&Halt::default()).unwrap()
    }

    fn target(id: KeyId) -> Target<KeyId> {
        Target { id, versions: None }
    }

    fn foreign(text: &[u8]) -> Import {
        let secret = ForeignSecret {
            field: "digest",
            digest: Digest::by_sha256(text),
            algorithm: Algorithm::Sha256,
            other_digest: None,
            last_part_digest: None,
            hint: "any".to_owned(),
        };
        let key = ForeignKey {
            pointer: "/keys/0".to_owned(),
            secret,
            owner: None,
            organization: None,
            past: ForeignPast::default(),
            draft: KeyDraft::default(),
        };
        Import { keys: vec![key], faults: Vec::new(), applied: false, dry_run: false }
    }

    fn draft(days: u32, instance: &TestInstance) -> KeyDraft {
        KeyDraft {
            expires_at: Some(instance.clock_now().wall.after(DAY * days)),
            ..Default::default()
        }
    }

    #[test]
    fn keys_that_ended_ninety_days_ago_are_forgotten_and_no_others() {
        let instance = TestInstance::new();
        let (actions, owner) = (&instance.actions, instance.owner());
        let make = |draft| actions.create_key(&owner, draft).unwrap();
        let (lasting, _) = make(KeyDraft::default());
        let (revoked, secret) = make(KeyDraft::default());
        let (expiring, _) = make(draft(1, &instance));
        let (extended, _) = make(draft(1, &instance));
        let (both, _) = make(draft(1, &instance));
        let grant = actions.index().grant(&secret.digest()).unwrap();
        actions.index().note_call(
            &grant,
            Code::Valid,
            instance.clock_now().wall,
            CallOrigin::default(),
        );
        actions.revoke_key(&owner, &target(revoked.id), Some("gone")).unwrap();
        actions.rotate_key(&owner, &target(expiring.id), DAY).unwrap();
        instance.clock.advance(DAY * 10);
        actions.revoke_key(&owner, &target(both.id), None).unwrap();
        assert_eq!(purge(&instance), 0);
        let moment = Duration::from_millis(1);
        instance.clock.advance((DAY * 80).saturating_sub(moment));
        assert_eq!(purge(&instance), 0, "a moment too early");
        instance.clock.advance(moment);
        assert_eq!(purge(&instance), 1);
        assert!(actions.key(&owner, revoked.id).is_err());
        assert!(!actions.index().knows(&secret.digest()), "NOT_FOUND");
        let change = KeyChange { expires_at: Edit::Clear, ..KeyChange::default() };
        actions.change_key(&owner, &target(extended.id), &change).unwrap();
        instance.clock.advance(DAY);
        assert_eq!(purge(&instance), 1, "the one that expired");
        assert!(actions.key(&owner, expiring.id).is_err());
        assert!(actions.key(&owner, both.id).is_ok(), "it was revoked 81 days ago");
        instance.clock.advance(DAY * 1_000);
        assert_eq!((purge(&instance), purge(&instance)), (1, 0));
        assert!(actions.key(&owner, lasting.id).is_ok());
        assert!(actions.key(&owner, extended.id).is_ok());
        assert_eq!((instance.count(StoreKey::KEYS), actions.index().len()), (2, 2));
    }

    #[test]
    fn the_audit_keeps_what_was_forgotten() {
        let instance = TestInstance::new();
        let (revoked, _) =
            instance.actions.create_key(&instance.owner(), KeyDraft::default()).unwrap();
        instance.actions.revoke_key(&instance.owner(), &target(revoked.id), None).unwrap();
        instance.clock.advance(ENDED_KEPT);
        assert_eq!(purge(&instance), 1);
        let events = instance.events("keys.purge");
        assert_eq!((events.len(), events[0].actor), (1, None));
        assert_eq!(events[0].after["count"], 1);
        assert_eq!(events[0].after["keys"], json!([revoked.id.to_string()]));
    }

    #[test]
    fn all_that_is_a_keys_goes_with_it_but_that_its_digests_were_taken() {
        let mut instance = TestInstance::new();
        let import = foreign(b"a key of another system");
        let [key] = &instance.actions.import_keys(&instance.local(), &import).unwrap()[..] else {
            panic!("one key")
        };
        let grant = instance.actions.index().grant(&key.secrets[0].digest).unwrap();
        instance.actions.index().note_call(
            &grant,
            Code::Valid,
            instance.clock_now().wall,
            CallOrigin::default(),
        );
        for _ in 0..2 {
            instance.actions.rotate_key(&instance.local(), &target(key.id), DAY).unwrap();
        }
        assert!(!instance.actions.index().knows_sha256());
        instance.actions.revoke_key(&instance.local(), &target(key.id), None).unwrap();
        instance.restart();
        assert_eq!((instance.count(b"use/"), instance.count(b"imported/")), (1, 1));
        assert!(instance.actions.import_keys(&instance.local(), &import).is_err());
        instance.clock.advance(ENDED_KEPT);
        assert_eq!(purge(&instance), 1);
        let rows = (instance.count(b"use/"), instance.count(b"imported/"));
        assert_eq!(rows, (0, 5), "one of the import, two of each secret that was made here");
        assert!(instance.actions.import_keys(&instance.local(), &import).is_err(), "never again");
        instance.restart();
        assert!(
            instance.actions.import_keys(&instance.local(), &import).is_err(),
            "nor after a restart"
        );
    }

    #[test]
    fn many_go_in_batches_that_are_each_whole() {
        let instance = TestInstance::new();
        for _ in 0..=2 * KEYS_A_BATCH_MAX {
            instance.actions.create_key(&instance.owner(), draft(1, &instance)).unwrap();
        }
        instance.clock.advance(DAY + ENDED_KEPT);
        let halt = Halt::default();
        halt.halt();
        assert!(instance.actions.purge_keys(&halt).unwrap() > 0, "the page at hand is done");
        assert_eq!(purge(&instance), 0);
        let count = |event: &crate::records::event::EventRecord| event.after["count"].as_u64();
        let mut counts: Vec<_> = instance.events("keys.purge").iter().filter_map(count).collect();
        counts.sort_unstable();
        assert_eq!(counts, [1, 120, 120]);
        assert_eq!(instance.count(StoreKey::KEYS), 0);
    }

    /// Regression: revoking a key with its descendants did not reach the descendants of a purged
    /// key.
    #[test]
    fn a_purged_key_leaves_its_descendants_to_the_key_that_created_it() {
        let instance = TestInstance::new();
        let lists = ["keyhouse:keys:manage", "keyhouse:keys:read"].join(" ");
        let child_of = |parent: Option<KeyId>, ends: bool| {
            let expires_at = ends.then(|| instance.clock_now().wall.after(DAY));
            let draft = KeyDraft {
                kind: Some(KeyKind::Service),
                permissions: Some(lists.parse().unwrap()),
                expires_at,
                ..KeyDraft::default()
            };
            let (mut key, _secret) = instance.actions.create_key(&instance.local(), draft).unwrap();
            // Ids of one millisecond have no order, and a child's id is later than its parent's.
            instance.clock.advance(Duration::from_millis(1));
            if let Some(parent) = parent {
                key.created_by = Author::Key(parent);
                instance.put(&key.place(), &key);
            }
            key.id
        };
        let root = child_of(None, false);
        // An ended key that created another ended key, and an ended key that a user created.
        let (first, of_user) = (child_of(Some(root), true), child_of(None, true));
        let second = child_of(Some(first), true);
        let (last, orphan) = (child_of(Some(second), false), child_of(Some(of_user), false));
        let count = || instance.actions.count_descendants(&instance.local(), root).unwrap();
        assert_eq!(count(), 3);
        instance.clock.advance(DAY + ENDED_KEPT);
        assert_eq!(purge(&instance), 3);
        assert_eq!(count(), 1, "the last key of the row");
        let (_root, done) = instance
            .actions
            .revoke_with_descendants(&instance.local(), &target(root), None)
            .unwrap();
        assert_eq!(done.revoked, 1);
        let key = |id| instance.actions.key(&instance.local(), id).unwrap();
        assert!(key(last).revoked_at.is_some() && key(orphan).revoked_at.is_none());
        assert_eq!(key(last).created_by, Author::Key(second), "the creator is still listed");
        assert_eq!(purge(&instance), 0);
    }
}
