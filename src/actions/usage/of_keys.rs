//! The calls of several keys in each of the last 24 hours. A list of keys shows them beside each key.

use crate::actions::actor::Actor;
use crate::actions::keys::require_window;
use crate::actions::usage::busiest::refused_of;
use crate::actions::usage::{UsageQuery, UsageSpan};
use crate::actions::{ActionError, Actions, LIST_LIMIT_MAX};
use crate::model::id::KeyId;
use crate::model::moment::Moment;
use crate::model::role::USAGE_READ;
use crate::records::usage::CallCounts;

/// The number of hours returned.
const HOURS: usize = 24;

/// The calls of several keys.
#[derive(Debug)]
pub struct RecentCalls {
    /// The start of the first hour.
    pub from: Moment,
    /// The end of the last hour.
    pub to: Moment,
    /// The keys with calls whose usage the actor may see, in the order of the request.
    pub keys: Vec<KeyHours>,
}

/// The calls of one key, for each hour.
#[derive(Debug, PartialEq, Eq)]
pub struct KeyHours {
    pub key: KeyId,
    pub calls: [u64; HOURS],
    pub refused: [u64; HOURS],
}

impl Actions {
    /// Returns the calls of the given keys in the last 24 hours. Leaves out keys without calls, and keys
    /// whose usage the actor may not see. Reads only the first [`LIST_LIMIT_MAX`] keys.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] for a key without a permission on keys; the errors of the store.
    pub fn recent_calls(&self, actor: &Actor, ids: &[KeyId]) -> Result<RecentCalls, ActionError> {
        if !actor.has(USAGE_READ) {
            require_window(actor)?;
        }
        let span = UsageSpan::of(&UsageQuery::default(), self.clock.now().wall);
        let mut keys = Vec::new();
        for id in ids.iter().take(LIST_LIMIT_MAX) {
            // A turn and a lock for each key, so that other readers and the flusher wait for one key at most.
            let _turn = self.page_turn(actor);
            let record = match self.key_for_usage(actor, *id) {
                Ok((record, _whole)) => record,
                Err(ActionError::NotFound(_) | ActionError::PermissionRequired(_)) => continue,
                Err(error) => return Err(error),
            };
            let recent = self.key_calls(&self.index.pending_usage(), &record, span)?;
            let mut hours = KeyHours { key: *id, calls: [0; HOURS], refused: [0; HOURS] };
            for (hour, counts) in recent.all {
                let at = usize::try_from(hour.number() - span.from.number()).unwrap_or(HOURS);
                hours.add(at, counts);
            }
            if hours.calls.iter().any(|calls| *calls > 0) {
                keys.push(hours);
            }
        }
        Ok(RecentCalls { from: span.from.begins(), to: span.until.begins(), keys })
    }
}

impl KeyHours {
    fn add(&mut self, at: usize, counts: CallCounts) {
        if let (Some(calls), Some(refused)) = (self.calls.get_mut(at), self.refused.get_mut(at)) {
            (*calls, *refused) = (counts.calls(), refused_of(&counts));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::actions::test_instance::TestInstance;
    use crate::model::code::Code;

    #[test]
    fn recent_calls_are_by_key_and_hour() {
        let instance = TestInstance::new();
        let (key, unused, other) = (instance.made_key(), instance.made_key(), instance.made_key());
        instance.call(&key, Code::Valid, 3);
        instance.write_uses();
        instance.clock.advance(Duration::from_hours(2));
        instance.call(&key, Code::Valid, 1);
        instance.call(&key, Code::Expired, 2);
        instance.call(&other, Code::Valid, 5);
        let asked = [other.id, unused.id, key.id];
        let recent = instance.actions.recent_calls(&instance.owner(), &asked).unwrap();
        let ids: Vec<_> = recent.keys.iter().map(|one| one.key).collect();
        assert_eq!(ids, [other.id, key.id], "unused keys are left out");
        let hours = recent.keys.last().unwrap();
        assert_eq!((&hours.calls[21..], &hours.refused[21..]), (&[3, 0, 3][..], &[0, 0, 2][..]));
        assert_eq!(hours.calls[..21], [0; 21]);
        instance.clock.advance(Duration::from_hours(22));
        let recent = instance.actions.recent_calls(&instance.owner(), &[key.id]).unwrap();
        assert_eq!(recent.keys[0].calls[..2], [0, 3], "the first calls are older than 24 hours");
    }

    #[test]
    fn at_most_one_page_of_keys_is_read() {
        let instance = TestInstance::new();
        let key = instance.made_key();
        instance.call(&key, Code::Valid, 1);
        let mut asked = vec![KeyId::default(); LIST_LIMIT_MAX];
        asked.push(key.id);
        let recent = instance.actions.recent_calls(&instance.owner(), &asked).unwrap();
        assert!(recent.keys.is_empty());
        let recent = instance.actions.recent_calls(&instance.owner(), &asked[1..]).unwrap();
        assert_eq!(recent.keys.len(), 1);
    }
}
