//! What becomes of the keys of a user who is removed: each is revoked, or handed on with what it
//! granted at that moment as its ceiling, whoever owns it next.

use std::ops::ControlFlow;

use keyhouse_storage::{Batch, Range};

use crate::actions::actor::Actor;
use crate::actions::events::Happening;
use crate::actions::keys::{ListedKeys, shape};
use crate::actions::people::newest_first;
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::model::id::{KeyId, OrganizationId, UserId};
use crate::model::moment::Moment;
use crate::model::permission::{InvalidPermission, Patterns, is_instance, is_own};
use crate::model::role::{KEYS_READ, USERS_MANAGE};
use crate::records::Held;
use crate::records::access::UserRecord;
use crate::records::key::KeyRecord;
use crate::records::people::{Heir, LeavingRecord};
use crate::records::place::Place;

/// All of an operator's permissions.
const INSTANCE: &str = "keyhouse:instance:*";
const OWNER_REMOVED: &str = "the owner was removed";
const HEIR_REMOVED: &str = "the owner was removed, and so was who should have the key";
const NOT_TO_BE_FROZEN: &str = "the owner was removed, and what the key granted has no short name";

impl Actions {
    /// The keys of a user that a removal would touch, the newest first; whole for those who may see
    /// them so.
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
        let prefix = Place::keys_of(organization);
        let after = after.map(|id| Place::Key(organization, id).to_bytes());
        let (mut keys, mut more) = (Vec::new(), false);
        let range = newest_first(&prefix, after.as_deref());
        self.each_record(&range, |held: Held<KeyRecord>| {
            let record = held.record;
            if !ends_with(user, &record) || self.is_concealed_from(actor, &record) {
                return ControlFlow::Continue(());
            }
            if keys.len() == limit {
                more = true;
                return ControlFlow::Break(());
            }
            let whole = self.is_whole_for(actor, &record);
            keys.push((record, whole));
            ControlFlow::Continue(())
        })?;
        let next = keys.last().filter(|_last| more).map(|(record, _)| record.id);
        Ok(ListedKeys { keys, next })
    }

    /// Takes all keys of a removed user a step further, each in a batch of its own. What was done
    /// before is not done again.
    pub(in crate::actions) fn hand_keys_on(
        &self,
        leaving: &LeavingRecord,
    ) -> Result<(), ActionError> {
        let mut ids = Vec::new();
        let prefix = Place::keys_of(leaving.organization);
        self.each_record(&Range::prefix(&prefix), |held: Held<KeyRecord>| {
            if ends_with(leaving.user, &held.record) {
                ids.push(held.record.id);
            }
            ControlFlow::Continue(())
        })?;
        ids.into_iter().try_for_each(|id| self.hand_key_on(leaving, id))
    }

    fn hand_key_on(&self, leaving: &LeavingRecord, id: KeyId) -> Result<(), ActionError> {
        let place = Place::Key(leaving.organization, id);
        Self::until_done(|| {
            let Some(held) = self.read::<KeyRecord>(&place)? else {
                return Ok(Attempt::Done(()));
            };
            if !ends_with(leaving.user, &held.record) {
                return Ok(Attempt::Done(()));
            }
            let now = self.clock.now().wall;
            let mut record = held.record.clone();
            let batch = Batch::new().unchanged(place.to_bytes(), held.revision);
            let (batch, action) = self.succeed(batch, &mut record, leaving, now)?;
            record.version += 1;
            record.updated_at = now;
            let happening = Happening {
                actor: Some(leaving.removed_by),
                address: None,
                organization: Some(leaving.organization),
                action,
                target: id.to_string(),
                before: serde_json::Map::new(),
                after: serde_json::Map::new(),
            };
            let happening = happening.with_change(&shape(&held.record), &shape(&record));
            let batch = self.record(put(batch, &place, &record)?, now, happening)?;
            Ok(self.commit_upkeep(batch)?.map_or(Attempt::Again, |_revision| Attempt::Done(())))
        })
    }

    /// Does to a key what the removal of its owner asks for, and says what that was.
    fn succeed(
        &self,
        batch: Batch,
        record: &mut KeyRecord,
        leaving: &LeavingRecord,
        now: Moment,
    ) -> Result<(Batch, &'static str), ActionError> {
        let (owner, batch) = match leaving.heir {
            Heir::Nobody => return Ok((batch, revoke(record, OWNER_REMOVED, now))),
            Heir::Organization => (None, batch),
            Heir::User(heir) => match self.heir(heir, leaving.organization)? {
                // Their own removal, at the same moment, would miss a key that comes to them now.
                Some(held) => {
                    (Some(heir), batch.unchanged(Place::User(heir).to_bytes(), held.revision))
                },
                None => return Ok((batch, revoke(record, HEIR_REMOVED, now))),
            },
        };
        let Ok(granted) = granted_then(record, leaving) else {
            return Ok((batch, revoke(record, NOT_TO_BE_FROZEN, now)));
        };
        record.owner = owner;
        record.permissions = Some(granted.clone());
        record.ceiling = Some(granted);
        // Who left may still know the secret.
        record.rotation_advised = true;
        Ok((batch, "key.transfer"))
    }

    fn heir(
        &self,
        heir: UserId,
        of: OrganizationId,
    ) -> Result<Option<Held<UserRecord>>, ActionError> {
        let held: Option<Held<UserRecord>> = self.read(&Place::User(heir))?;
        Ok(held.filter(|held| held.record.organization == of))
    }
}

/// Whether a key goes with its owner. Revoked ones have gone already.
fn ends_with(user: UserId, record: &KeyRecord) -> bool {
    record.owner == Some(user) && record.revoked_at.is_none()
}

fn revoke(record: &mut KeyRecord, reason: &str, now: Moment) -> &'static str {
    record.revoked_at = Some(now);
    record.revoked_reason = Some(reason.to_owned());
    "key.revoke"
}

/// What a key granted when its owner was removed: its own list, as far as an earlier ceiling, the
/// owner's role and the organization's ceiling let it.
fn granted_then(
    record: &KeyRecord,
    leaving: &LeavingRecord,
) -> Result<Patterns, InvalidPermission> {
    let listed = record.effective_patterns();
    // What a role says of the instance counts for nothing: that comes from being operator.
    let by_role = listed.within(leaving.holds.as_set()).only(|pattern| !is_instance(pattern));
    let management = by_role.only(is_own);
    let apis = by_role.only(|pattern| !is_own(pattern)).within(leaving.ceiling.as_set());
    let instance: Patterns = if leaving.operator { INSTANCE.parse()? } else { Patterns::default() };
    Patterns::joined(&[apis, management, listed.within(instance.as_set())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::key::Author;
    use crate::records::key::tests::record;

    #[test]
    fn what_is_frozen_is_what_the_key_granted() {
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
            record.ceiling = before.map(|text| text.parse().unwrap());
            let leaving = LeavingRecord {
                user: record.owner.unwrap(),
                organization: record.organization,
                removed_by: Author::Local,
                heir: Heir::Organization,
                holds: holds.parse().unwrap(),
                operator,
                ceiling: ceiling.parse().unwrap(),
            };
            let frozen = granted_then(&record, &leaving).unwrap().to_string();
            assert_eq!(frozen, granted, "{listed:?} {before:?} {holds} {operator} {ceiling}");
        }
    }
}
