//! Revokes or transfers the keys of a user who is removed.
//!
//! The maximum of a transferred key is what the key granted at the moment of the removal. The
//! maximum applies to every later owner.

use keyhouse_storage::{Batch, Range};

use crate::actions::actor::Actor;
use crate::actions::changes::rewrite;
use crate::actions::events::AuditEntry;
use crate::actions::keys::ListedKeys;
use crate::actions::keys::draft::shape;
use crate::actions::rows::newest_first;
use crate::actions::{ActionError, Actions, Attempt};
use crate::model::audit_action::AuditAction;
use crate::model::id::{KeyId, OrganizationId, UserId};
use crate::model::intersection::intersection;
use crate::model::moment::Moment;
use crate::model::permission::Patterns;
use crate::model::role::{KEYS_READ, USERS_MANAGE};
use crate::records::Revised;
use crate::records::access::UserRecord;
use crate::records::key::{KeyRecord, MAXIMA_MAX};
use crate::records::people::{KeyDisposition, RemovalRecord};
use crate::records::place::StoreKey;

const OWNER_REMOVED: &str = "the owner was removed";
const NEW_OWNER_REMOVED: &str = "the owner was removed, and the new owner was removed too";
const TOO_MANY_MAXIMA: &str = "the owner was removed, and the key has reached the maximum number \
    of transfers";

impl Actions {
    /// Lists the keys of a user that a removal would affect, the newest first. Shows a key whole
    /// only to an actor that may see the whole key.
    ///
    /// # Errors
    /// [`ActionError::NotFound`], [`ActionError::PermissionRequired`].
    pub fn keys_of_user(
        &self,
        actor: &Actor,
        user: UserId,
        limit: usize,
        after: Option<KeyId>,
    ) -> Result<ListedKeys, ActionError> {
        if !actor.has(KEYS_READ) {
            actor.require(USERS_MANAGE)?;
        }
        let organization = self.find_user(actor, user)?.record.organization;
        let prefix = StoreKey::keys_of(organization);
        let after = after.map(|id| StoreKey::Key(organization, id).to_bytes());
        let (mut keys, mut more) = (Vec::new(), false);
        let range = newest_first(&prefix, after.as_deref());
        for held in self.records::<KeyRecord>(&range) {
            let record = held?.record;
            if !ends_with(user, &record) || self.is_concealed_from(actor, &record) {
                continue;
            }
            if keys.len() == limit {
                more = true;
                break;
            }
            let whole = self.is_whole_for(actor, &record);
            keys.push((record, whole));
        }
        let next = keys.last().filter(|_last| more).map(|(record, _)| record.id);
        Ok(ListedKeys { keys, next })
    }

    /// Continues the removal of a user's keys, each in a batch of its own. Skips the steps that are
    /// already done.
    pub(in crate::actions) fn hand_keys_on(
        &self,
        removal: &RemovalRecord,
    ) -> Result<(), ActionError> {
        let mut ids = Vec::new();
        let prefix = StoreKey::keys_of(removal.organization);
        for held in self.records::<KeyRecord>(&Range::prefix(&prefix)) {
            let record = held?.record;
            if ends_with(removal.user, &record) {
                ids.push(record.id);
            }
        }
        ids.into_iter().try_for_each(|id| self.transfer_key(removal, id))
    }

    fn transfer_key(&self, removal: &RemovalRecord, id: KeyId) -> Result<(), ActionError> {
        let place = StoreKey::Key(removal.organization, id);
        Self::until_done(|| {
            let Some(held) = self.read::<KeyRecord>(&place)? else {
                return Ok(Attempt::Done(()));
            };
            if !ends_with(removal.user, &held.record) {
                return Ok(Attempt::Done(()));
            }
            let now = self.clock.now().wall;
            let mut record = held.record.clone();
            let (batch, action) = self.succeed(Batch::new(), &mut record, removal, now)?;
            let batch = rewrite(batch, &held, &mut record, now)?;
            let audit_entry = AuditEntry {
                actor: Some(removal.removed_by),
                address: None,
                organization: Some(removal.organization),
                action,
                target: id.to_string(),
                before: serde_json::Map::new(),
                after: serde_json::Map::new(),
            };
            let audit_entry = audit_entry.with_change(&shape(&held.record), &shape(&record));
            let batch = self.record(batch, now, audit_entry)?;
            Ok(self.commit_upkeep(batch)?.map_or(Attempt::Again, |_revision| Attempt::Done(())))
        })
    }

    /// Revokes or transfers one key according to the removal, and returns which of the two was
    /// done.
    fn succeed(
        &self,
        batch: Batch,
        record: &mut KeyRecord,
        removal: &RemovalRecord,
        now: Moment,
    ) -> Result<(Batch, AuditAction), ActionError> {
        let (owner, batch) = match removal.disposition {
            KeyDisposition::Revoke => return Ok((batch, revoke(record, OWNER_REMOVED, now))),
            KeyDisposition::Organization => (None, batch),
            KeyDisposition::User(new_owner) => {
                match self.new_owner(new_owner, removal.organization)? {
                    // The new owner is guarded, since a concurrent removal of the new owner would
                    // miss this key.
                    Some(held) => (
                        Some(new_owner),
                        batch.unchanged(StoreKey::User(new_owner).to_bytes(), held.revision),
                    ),
                    None => return Ok((batch, revoke(record, NEW_OWNER_REMOVED, now))),
                }
            },
        };
        let Some(frozen) = Frozen::of(record, removal) else {
            return Ok((batch, revoke(record, TOO_MANY_MAXIMA, now)));
        };
        record.owner = owner;
        record.permissions = Some(frozen.list);
        record.maxima = frozen.maxima;
        // The former owner may still know the secret.
        record.rotation_advised = true;
        Ok((batch, AuditAction::KEY_TRANSFER))
    }

    fn new_owner(
        &self,
        user: UserId,
        of: OrganizationId,
    ) -> Result<Option<Revised<UserRecord>>, ActionError> {
        let held: Option<Revised<UserRecord>> = self.read(&StoreKey::User(user))?;
        Ok(held.filter(|held| held.record.organization == of))
    }
}

/// Whether a key ends with its owner. A revoked key has already ended.
fn ends_with(user: UserId, record: &KeyRecord) -> bool {
    record.owner == Some(user) && record.revoked_at.is_none()
}

fn revoke(record: &mut KeyRecord, reason: &str, now: Moment) -> AuditAction {
    record.revoked_at = Some(now);
    record.revoked_reason = Some(reason.to_owned());
    AuditAction::KEY_REVOKE
}

/// The list of a transferred key, and the lists of its maximum.
struct Frozen {
    list: Patterns,
    maxima: Vec<Patterns>,
}

impl Frozen {
    /// Returns the permissions that a key granted when its owner was removed: its own list, limited
    /// by an earlier maximum, the owner's role and the organization's maximum.
    ///
    /// If one short list grants exactly these permissions, it becomes both list and maximum. If
    /// not, all lists that limit the permissions are stored separately, since their intersection
    /// can be far longer. Returns `None` if this takes more than [`MAXIMA_MAX`] lists.
    fn of(record: &KeyRecord, removal: &RemovalRecord) -> Option<Self> {
        let list = record.patterns();
        let mut bounds = record.maxima.clone();
        bounds.push(Patterns::of_holder(removal.holds.as_set(), removal.operator));
        bounds.push(Patterns::of_organization(removal.ceiling.as_set()));
        if let Some(granted) = intersection(list.as_set(), bounds.iter().map(Patterns::as_set)) {
            return Some(Self { maxima: vec![granted.clone()], list: granted });
        }
        let mut maxima = vec![list.clone()];
        for bound in bounds {
            let is_wide = list.as_set().texts().all(|pattern| bound.as_set().covers(pattern));
            if !is_wide && !maxima.contains(&bound) {
                maxima.push(bound);
            }
        }
        (maxima.len() <= MAXIMA_MAX).then_some(Self { list, maxima })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::permission::{Permission, tests as patterns};
    use crate::records::key::Author;
    use crate::records::key::tests::record;
    use proptest::prelude::*;

    fn removal(record: &KeyRecord, holds: &str, operator: bool, ceiling: &str) -> RemovalRecord {
        RemovalRecord {
            user: record.owner.unwrap_or_default(),
            organization: record.organization,
            removed_by: Author::Local,
            disposition: KeyDisposition::Organization,
            holds: holds.parse().unwrap(),
            operator,
            ceiling: ceiling.parse().unwrap(),
        }
    }

    #[test]
    fn frozen_permissions_equal_those_that_the_key_granted() {
        for (listed, before, holds, operator, ceiling, granted) in [
            (Some("diagrams:read"), None, "*", false, "*", "diagrams:read"),
            (None, None, "*", false, "*", "*"),
            (None, None, "diagrams:*", false, "*", "diagrams:*"),
            (None, None, "*", false, "diagrams:*", "diagrams:*"),
            (Some("*"), Some("files:read"), "*", false, "*", "files:read"),
            (Some("a:read b:read"), None, "a:*", false, "*:read", "a:read"),
            (Some("a:read"), None, "", false, "*", ""),
            (Some("keyhouse:keys:read"), None, "* keyhouse:*", false, "a:*", "keyhouse:keys:read"),
            (Some("keyhouse:keys:read"), None, "*", true, "*", ""),
            (Some("keyhouse:instance:verify"), None, "* keyhouse:*", false, "*", ""),
            (Some("keyhouse:instance:verify"), None, "keyhouse:instance:verify", false, "*", ""),
            (Some("keyhouse:instance:verify"), None, "", true, "", "keyhouse:instance:verify"),
        ] {
            let mut record = record();
            record.permissions = listed.map(|text| text.parse().unwrap());
            record.maxima = before.map(|text| text.parse().unwrap()).into_iter().collect();
            let frozen = Frozen::of(&record, &removal(&record, holds, operator, ceiling)).unwrap();
            assert_eq!(
                frozen.list.to_string(),
                granted,
                "{listed:?} {before:?} {holds} {operator} {ceiling}"
            );
            assert_eq!(frozen.maxima, [frozen.list]);
        }
    }

    /// A list of 96 patterns that overlap those of another such list.
    fn crossing(name: &str) -> String {
        let pattern = |at: usize| {
            let mut segments = vec!["*".to_owned(); 8];
            segments[at % 8] = format!("{name}{}", at / 8);
            segments.join(":")
        };
        (0..96).map(pattern).collect::<Vec<_>>().join(" ")
    }

    /// Regression: a transferred key with a list of 96 overlapping patterns was stored with 4,128
    /// patterns.
    #[test]
    fn lists_that_cross_are_kept_side_by_side_within_a_bound() {
        let mut record = record();
        record.permissions = Some(crossing("l").parse().unwrap());
        let mut wanted = ["l0".to_owned(), "x".to_owned()].to_vec();
        wanted.resize(8, "x".to_owned());
        for transfer in 1..MAXIMA_MAX {
            let name = ["", "a", "b", "c", "d", "e", "f", "g"][transfer];
            let removal = removal(&record, &crossing(name), false, "*");
            let frozen = Frozen::of(&record, &removal).unwrap();
            assert_eq!(frozen.maxima.len(), transfer + 1);
            assert!(frozen.maxima.iter().all(|list| list.as_set().count() <= 98));
            (record.permissions, record.maxima) = (Some(frozen.list), frozen.maxima);
            // A second transfer with the same role adds no list.
            assert_eq!(Frozen::of(&record, &removal).unwrap().maxima, record.maxima);
            let granted = |wanted: &[String]| {
                record.maxima.iter().all(|list| list.as_set().grants(&wanted.join(":")))
            };
            assert!(!granted(&wanted), "not yet what this role asks for");
            wanted[transfer] = format!("{name}0");
            assert!(granted(&wanted), "{wanted:?}");
        }
        assert!(Frozen::of(&record, &removal(&record, &crossing("h"), false, "*")).is_none());
    }

    proptest! {
        /// The stored lists grant exactly the permissions that all lists granted before.
        #[test]
        fn frozen_permissions_grant_what_all_lists_granted(
            lists in proptest::collection::vec(patterns::patterns(), 3..=5),
            operator: bool,
            wanted in patterns::permission(),
        ) {
            // No permission has this name, and the pattern `keyhouse:instance:*` does not match it.
            prop_assume!(wanted.as_str() != "keyhouse:instance");
            let mut record = record();
            record.permissions = Some(lists[0].clone());
            for pair in lists[1..].windows(2) {
                let mut removal = removal(&record, "", operator, "");
                (removal.holds, removal.ceiling) = (pair[0].clone(), pair[1].clone());
                let before = granted(&record, &wanted) && granted_by(&removal, &wanted);
                let frozen = Frozen::of(&record, &removal).unwrap();
                (record.permissions, record.maxima) = (Some(frozen.list), frozen.maxima);
                prop_assert_eq!(granted(&record, &wanted), before);
            }
        }
    }

    fn granted(record: &KeyRecord, wanted: &Permission) -> bool {
        let list = record.patterns();
        let mut all = record.maxima.iter().chain([&list]);
        all.all(|list| list.as_set().grants(wanted.as_str()))
    }

    /// What the owner's role and the organization's maximum granted, computed without [`Frozen`].
    fn granted_by(removal: &RemovalRecord, wanted: &Permission) -> bool {
        use crate::model::permission::{is_instance, is_own};
        let wanted = wanted.as_str();
        if is_instance(wanted) {
            return removal.operator;
        }
        removal.holds.as_set().grants(wanted)
            && (is_own(wanted) || removal.ceiling.as_set().grants(wanted))
    }
}
