//! Finds the keys of an organization with the most calls.

use std::cmp::Reverse;
use std::collections::HashMap;

use keyhouse_storage::{At, Range};

use crate::actions::actor::Actor;
use crate::actions::rows::ROWS_A_PAGE;
use crate::actions::usage::{Interval, UsageSpan, waiting_of};
use crate::actions::{ActionError, Actions};
use crate::index::pending_usage::PendingUsage;
use crate::model::calendar::Day;
use crate::model::code::Code;
use crate::model::id::{KeyId, OrganizationId};
use crate::records::key::KeyRecord;
use crate::records::place::StoreKey;
use crate::records::place::UsageOf;
use crate::records::read_row;
use crate::records::usage::{CallCounts, DayRecord, HoursRecord};

/// Maximum number of keys returned.
pub const BUSIEST_MAX: usize = 20;
/// Maximum number of rows read. If there are more rows, no keys are returned.
const ROWS_READ_MAX: usize = 20_000;
/// Maximum number of candidates, including keys that the actor may not see and purged keys.
const CANDIDATES_MAX: usize = 200;

/// Number of calls of one key.
#[derive(Debug)]
pub struct KeyUse {
    pub key: KeyId,
    /// The name, if the actor sees the whole key.
    pub name: Option<String>,
    pub counts: CallCounts,
}

impl KeyUse {
    pub fn refused(&self) -> u64 {
        refused_of(&self.counts)
    }
}

/// The number of calls that were refused.
pub(super) fn refused_of(counts: &CallCounts) -> u64 {
    let mut refused = *counts;
    refused.take_away(&CallCounts::of(Code::Valid, u64::MAX));
    refused.calls()
}

pub(super) type KeySums = HashMap<KeyId, CallCounts>;

impl Actions {
    /// Returns the calls of each key in a span, or `None` if there are too many rows to read.
    pub(super) fn sums_by_key(
        &self,
        pending: &PendingUsage,
        organization: OrganizationId,
        span: UsageSpan,
    ) -> Result<Option<KeySums>, ActionError> {
        let (mut sums, mut rows_left) = (KeySums::new(), ROWS_READ_MAX);
        // There may be many pending rows, so one pass reads them for all days.
        let mut pending_keys = pending.keys_by_day(organization);
        for day in span.days() {
            let mut days = HashMap::new();
            let prefix = StoreKey::usage_hours_of(day, organization);
            let is_read = self.each_key(&prefix, &mut rows_left, |key, row| {
                days.insert(key, read_row::<HoursRecord>(row)?.record);
                Ok(())
            })?;
            for key in pending_keys.remove(&day).unwrap_or_default() {
                days.entry(key).or_default();
            }
            for (key, stored) in days {
                let of = UsageOf { organization, key: Some(key) };
                let hours = pending.hours(of, day, stored).hours;
                for (_, counts) in hours.iter().filter(|(hour, _)| span.takes(day.hour(**hour))) {
                    sums.entry(key).or_default().add(counts);
                }
            }
            if !is_read || !self.add_days(&mut sums, &mut rows_left, (day, organization), span)? {
                return Ok(None);
            }
        }
        for live in waiting_of(pending, organization) {
            let Some(calls) = live.calls() else { continue };
            calls.read(|hour, _gate, counts| {
                if span.takes(hour) {
                    sums.entry(live.key).or_default().add(counts);
                }
            });
        }
        Ok(Some(sums))
    }

    fn add_days(
        &self,
        sums: &mut KeySums,
        rows_left: &mut usize,
        (day, organization): (Day, OrganizationId),
        span: UsageSpan,
    ) -> Result<bool, ActionError> {
        if span.interval == Interval::Hour {
            return Ok(true);
        }
        self.each_key(&StoreKey::usage_day_of(day, organization), rows_left, |key, row| {
            sums.entry(key).or_default().add(&read_row::<DayRecord>(row)?.record.counts);
            Ok(())
        })
    }

    /// Reads the rows of keys under a prefix. Returns whether all rows were read.
    fn each_key(
        &self,
        prefix: &[u8],
        rows_left: &mut usize,
        mut take: impl FnMut(KeyId, &keyhouse_storage::Row) -> Result<(), ActionError>,
    ) -> Result<bool, ActionError> {
        for row in
            self.store.rows(&Range { limit: ROWS_A_PAGE, ..Range::prefix(prefix) }, At::Latest)
        {
            let row = row?;
            let Some(left) = rows_left.checked_sub(1) else { return Ok(false) };
            *rows_left = left;
            let (StoreKey::UsageHours(_, of) | StoreKey::UsageDay(_, of)) =
                StoreKey::parse(&row.key)?
            else {
                continue;
            };
            if let Some(key) = of.key {
                take(key, &row)?;
            }
        }
        Ok(true)
    }

    /// Returns the keys with the most calls that the actor may see.
    pub(super) fn busiest(
        &self,
        actor: &Actor,
        sums: &KeySums,
    ) -> Result<Vec<KeyUse>, ActionError> {
        self.first_keys(actor, sums, CallCounts::calls)
    }

    /// Returns the keys with the most refused calls that the actor may see.
    pub(super) fn most_refused(
        &self,
        actor: &Actor,
        sums: &KeySums,
    ) -> Result<Vec<KeyUse>, ActionError> {
        self.first_keys(actor, sums, refused_of)
    }

    /// Returns the keys with the highest `rank`, without keys whose rank is 0.
    fn first_keys(
        &self,
        actor: &Actor,
        sums: &KeySums,
        rank: impl Fn(&CallCounts) -> u64,
    ) -> Result<Vec<KeyUse>, ActionError> {
        let mut sums: Vec<_> = sums.iter().filter(|(_, counts)| rank(counts) > 0).collect();
        sums.sort_unstable_by_key(|(key, counts)| (Reverse(rank(counts)), **key));
        let mut busiest = Vec::new();
        for (key, counts) in sums.into_iter().take(CANDIDATES_MAX) {
            if busiest.len() >= BUSIEST_MAX {
                break;
            }
            let place = StoreKey::Key(actor.organization_id(), *key);
            let Some(held) = self.read::<KeyRecord>(&place)? else { continue };
            if self.is_concealed_from(actor, &held.record) {
                continue;
            }
            let whole = self.is_whole_for(actor, &held.record);
            let name = whole.then_some(held.record.name);
            busiest.push(KeyUse { key: *key, name, counts: *counts });
        }
        Ok(busiest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::test_instance::TestInstance;
    use crate::actions::usage::UsageQuery;
    use crate::index::CallOrigin;
    use crate::index::grant::tests::grant_of;
    use crate::index::live::KeyCounters;
    use crate::records::key::KeyRecord;
    use std::sync::Arc;
    use std::time::Duration;

    /// Moves the counts of all waiting keys to pending rows, and writes no row.
    fn take_all(instance: &TestInstance) {
        let index = instance.actions.index();
        let mut pending = index.pending_usage();
        for live in index.take_used(&mut pending, usize::MAX) {
            pending.take_use(&live);
        }
    }

    /// Returns the calls of each key, after a comparison with the buckets of the key, which are
    /// read from the rows of this key only.
    fn calls_of(instance: &TestInstance, keys: &[&KeyRecord], interval: Interval) -> Vec<u64> {
        let actions = &instance.actions;
        let query = UsageQuery { interval, ..UsageQuery::default() };
        let span = UsageSpan::of(&query, instance.clock_now().wall);
        let mut pending = actions.index().pending_usage();
        actions.index().gather_used(&mut pending);
        let organization = keys[0].organization;
        let sums = actions.sums_by_key(&pending, organization, span).unwrap().unwrap();
        assert_eq!(sums.len(), keys.len(), "only the keys of the organization");
        let calls = |key: &&KeyRecord| {
            let mut expected = CallCounts::default();
            for counts in actions.key_calls(&pending, key, span).unwrap().all.values() {
                expected.add(counts);
            }
            assert_eq!(sums[&key.id], expected);
            expected.calls()
        };
        keys.iter().map(calls).collect()
    }

    #[test]
    fn sums_include_stored_pending_and_waiting_calls_of_every_day() {
        let instance = TestInstance::new();
        let [a, b, c] = [(); 3].map(|()| instance.made_key());
        instance.call(&a, Code::Valid, 3);
        instance.write_uses();
        instance.call(&a, Code::Expired, 2);
        instance.call(&b, Code::Valid, 1);
        take_all(&instance);
        instance.clock.advance(Duration::from_hours(24));
        instance.call(&b, Code::Valid, 4);
        instance.call(&c, Code::RateLimited, 5);
        let foreign = grant_of(Arc::new(KeyCounters::new(KeyId::default())));
        let now = instance.clock_now().wall;
        instance.actions.index().note_call(&foreign, Code::Valid, now, CallOrigin::default());
        take_all(&instance);
        instance.clock.advance(Duration::from_hours(23));
        instance.call(&a, Code::Valid, 7);
        assert_eq!(calls_of(&instance, &[&a, &b, &c], Interval::Hour), [7, 4, 5]);
        assert_eq!(calls_of(&instance, &[&a, &b, &c], Interval::Day), [12, 5, 5]);
    }
}
