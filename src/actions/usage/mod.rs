//! Key usage: calls by outcome and by gate, by hour for 7 days and by day for 90 days.
//!
//! Calls are counted by gate for each key and for each organization. A key and an organization have one
//! row a day with all of their gates, so a gate adds bytes to rows and no row. Calls that were counted by
//! a version without counts by gate look like calls without a gate.
//!
//! Usage that is not written yet is included, and each call is counted once: see
//! [`crate::index::pending_usage`].

mod buckets;
mod busiest;
mod of_keys;
mod span;
mod thinning;

use std::collections::HashSet;
use std::sync::Arc;

use keyhouse_storage::Range;

use crate::actions::actor::Actor;
use crate::actions::keys::require_window;
use crate::actions::rows::rows_in_turns;
use crate::actions::{ActionError, Actions};
use crate::index::live::KeyCounters;
use crate::index::pending_usage::PendingUsage;
use crate::index::refused_calls::RefusedCall;
use crate::model::id::{KeyId, OrganizationId};
use crate::model::moment::Moment;
use crate::model::role::{KEYS_MANAGE, KEYS_READ, USAGE_READ};
use crate::records::key::KeyRecord;
use crate::records::place::StoreKey;
use crate::records::place::UsageOf;
use crate::records::read_row;
use crate::records::usage::{DayRecord, HoursRecord};
use crate::records::uses::{AddressRecord, UseRecord, merge_addresses};
use buckets::SpanCalls;
pub use buckets::{Buckets, GATES_LISTED_MAX, GateUse};
pub use busiest::{BUSIEST_MAX, KeyUse};
pub use of_keys::{KeyHours, RecentCalls};
use span::UsageSpan;
pub use span::{DAYS_KEPT, HOURS_KEPT_DAYS, Interval, UsageQuery};

/// Maximum number of keys that are read to leave hidden keys out of a sum.
const KEYS_READ_MAX: usize = 20_000;

/// Result of a usage query.
#[derive(Debug)]
pub struct Usage {
    pub interval: Interval,
    /// The first requested hour or day whose usage is kept.
    pub from: Moment,
    /// The end of the last hour or day.
    pub to: Moment,
    /// The hours or days with calls, by their first moment.
    pub buckets: Buckets,
    /// Of these, the calls through gates: at most [`GATES_LISTED_MAX`] gates that the actor sees, and
    /// the sum of others.
    pub gates: Vec<GateUse>,
    /// For a key that the actor sees whole: its recent addresses, the latest first.
    pub addresses: Option<Vec<AddressRecord>>,
    /// For all keys: the keys with the most calls. `None` if there are too many rows to read.
    pub busiest: Option<Vec<KeyUse>>,
    /// Likewise, the keys with the most refused calls.
    pub most_refused: Option<Vec<KeyUse>>,
}

impl Actions {
    /// Returns the usage of a key, or of all keys of the organization that the actor may see.
    ///
    /// The usage of a key requires an actor that sees the whole key or holds `keyhouse:usage:read`.
    /// The usage of all keys requires this permission.
    ///
    /// # Errors
    /// [`ActionError::NotFound`] for a key that the actor may not see;
    /// [`ActionError::PermissionRequired`]; the errors of the store.
    pub fn usage(&self, actor: &Actor, query: &UsageQuery) -> Result<Usage, ActionError> {
        let span = UsageSpan::of(query, self.clock.now().wall);
        let mut usage = Usage {
            interval: span.interval,
            from: span.from.begins(),
            to: span.until.begins(),
            buckets: Buckets::new(),
            gates: Vec::new(),
            addresses: None,
            busiest: None,
            most_refused: None,
        };
        let calls = if let Some(id) = query.key {
            let (record, whole) = self.key_for_usage(actor, id)?;
            // The turn is taken before the lock, so that pending usage is not locked during the
            // wait.
            let _turn = self.page_turn(actor);
            let calls = self.key_calls(&self.index.pending_usage(), &record, span)?;
            if whole {
                usage.addresses = Some(self.addresses(&record)?);
            }
            calls
        } else {
            actor.require(USAGE_READ)?;
            let organization = actor.organization_id();
            let concealed = self.concealed_keys(actor)?;
            let _turn = self.page_turn(actor);
            let mut pending = self.index.pending_usage();
            self.index.gather_used(&mut pending);
            let waiting = waiting_of(&pending, organization);
            let of = UsageOf { organization, key: None };
            let mut calls = self.span_calls(&pending, of, &waiting, span)?;
            for record in &concealed {
                calls.take_away(&self.key_calls(&pending, record, span)?);
            }
            let sums = self.sums_by_key(&pending, organization, span)?;
            drop(pending);
            if let Some(sums) = sums {
                usage.busiest = Some(self.busiest(actor, &sums)?);
                usage.most_refused = Some(self.most_refused(actor, &sums)?);
            }
            calls
        };
        (usage.buckets, usage.gates) = calls.into_parts(|gate| actor.sees_gate(gate));
        Ok(usage)
    }

    /// Returns the newest refused calls of a key that the actor sees whole, the newest first. Refused calls
    /// are kept in memory only, from the start of the process on.
    ///
    /// # Errors
    /// The errors of [`Actions::key`].
    pub fn refused_calls(&self, actor: &Actor, id: KeyId) -> Result<Vec<RefusedCall>, ActionError> {
        let record = self.key(actor, id)?;
        Ok(self.index.refused_calls().of(record.id))
    }

    /// Returns a key whose usage the actor may see, and whether the actor sees the whole key.
    fn key_for_usage(&self, actor: &Actor, id: KeyId) -> Result<(KeyRecord, bool), ActionError> {
        if !actor.has(USAGE_READ) {
            require_window(actor)?;
        }
        let record = self.find_key(actor, id)?.record;
        let whole = self.is_whole_for(actor, &record);
        if !whole {
            actor.require(USAGE_READ)?;
        }
        Ok((record, whole))
    }

    /// Returns the keys of the organization that are hidden from the actor.
    fn concealed_keys(&self, actor: &Actor) -> Result<Vec<KeyRecord>, ActionError> {
        if actor.has(KEYS_READ) || actor.has(KEYS_MANAGE) {
            return Ok(Vec::new());
        }
        let prefix = StoreKey::keys_of(actor.organization_id());
        let (mut concealed, range) = (Vec::new(), Range::prefix(&prefix));
        let rows = rows_in_turns(&*self.store, &range, || self.page_turn(actor));
        for (rows_read, row) in rows.enumerate() {
            if rows_read >= KEYS_READ_MAX {
                // With more keys than [`KEYS_READ_MAX`], only an actor that sees all keys receives
                // a sum.
                return Err(ActionError::PermissionRequired(KEYS_READ.to_owned()));
            }
            let record = read_row::<KeyRecord>(&row?)?.record;
            if self.is_concealed_from(actor, &record) {
                concealed.push(record);
            }
        }
        Ok(concealed)
    }

    fn key_calls(
        &self,
        pending: &PendingUsage,
        record: &KeyRecord,
        span: UsageSpan,
    ) -> Result<SpanCalls, ActionError> {
        let of = UsageOf { organization: record.organization, key: Some(record.id) };
        self.span_calls(pending, of, self.live_of(record).as_slice(), span)
    }

    /// Returns the calls of a span: stored, not yet written, and waiting in these keys.
    fn span_calls(
        &self,
        pending: &PendingUsage,
        of: UsageOf,
        waiting: &[Arc<KeyCounters>],
        span: UsageSpan,
    ) -> Result<SpanCalls, ActionError> {
        let mut calls = SpanCalls::new(span);
        for day in span.days() {
            let stored = self.read::<HoursRecord>(&StoreKey::UsageHours(day, of))?;
            let stored = stored.map(|held| held.record).unwrap_or_default();
            let row = pending.hours(of, day, stored);
            for (hour, counts) in row.hours {
                calls.add(day.hour(hour), &counts);
            }
            for (gate, hours) in row.gates {
                for (hour, counts) in hours {
                    calls.add_of_gate(&gate, day.hour(hour), &counts);
                }
            }
            if span.interval == Interval::Day
                && let Some(held) = self.read::<DayRecord>(&StoreKey::UsageDay(day, of))?
            {
                calls.add(day.hour(0), &held.record.counts);
                for (gate, counts) in held.record.gates {
                    calls.add_of_gate(&gate, day.hour(0), &counts);
                }
            }
        }
        for live in waiting.iter().filter_map(|live| live.calls()) {
            live.read(|hour, gate, counts| {
                calls.add(hour, counts);
                if let Some(gate) = pending.gates().name(gate) {
                    calls.add_of_gate(&gate, hour, counts);
                }
            });
        }
        Ok(calls)
    }

    /// Returns the addresses of a key from the store and from live state.
    fn addresses(&self, record: &KeyRecord) -> Result<Vec<AddressRecord>, ActionError> {
        let stored = self.read::<UseRecord>(&StoreKey::Use(record.id))?;
        let mut addresses = stored.map(|held| held.record.addresses).unwrap_or_default();
        if let Some(live) = self.live_of(record)
            && let Some(calls) = live.calls()
        {
            merge_addresses(&mut addresses, &calls.recent().addresses);
        }
        Ok(addresses)
    }

    fn live_of(&self, record: &KeyRecord) -> Option<Arc<KeyCounters>> {
        let secret = record.secrets.first()?;
        self.index.with_grant(&secret.digest, |grant| Some(Arc::clone(&grant?.live)))
    }
}

/// Returns the waiting keys of an organization, each once.
fn waiting_of(pending: &PendingUsage, organization: OrganizationId) -> Vec<Arc<KeyCounters>> {
    let mut seen = HashSet::new();
    let theirs = |live: &&Arc<KeyCounters>| {
        live.calls().is_some_and(|calls| calls.organization == organization)
            && seen.insert(Arc::as_ptr(live))
    };
    pending.waiting().filter(theirs).map(Arc::clone).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::actions::test_instance::TestInstance;
    use crate::index::CallOrigin;
    use crate::model::calendar::Hour;
    use crate::model::code::Code;
    use crate::records::usage::CallCounts;

    /// Returns the text of a moment without its year, up to a position.
    fn text(moment: Moment, until: usize) -> String {
        moment.to_string().get(5..until).unwrap().to_owned()
    }

    fn usage_of(instance: &TestInstance, query: UsageQuery) -> Usage {
        instance.actions.usage(&instance.owner(), &query).unwrap()
    }

    fn of(key: &KeyRecord, interval: Interval) -> UsageQuery {
        UsageQuery { key: Some(key.id), interval, ..UsageQuery::default() }
    }

    /// Returns, for a key or for all keys, the start, the calls and the valid calls of each bucket.
    pub(in crate::actions) fn reported(
        instance: &TestInstance,
        key: Option<&KeyRecord>,
        interval: Interval,
    ) -> Vec<(String, u64, u64)> {
        let key = key.map(|key| key.id);
        let usage = usage_of(instance, UsageQuery { key, interval, ..UsageQuery::default() });
        let printed = |(bucket, counts): (&Hour, &CallCounts)| {
            let mut refused = *counts;
            refused.take_away(&CallCounts::of(Code::Valid, u64::MAX));
            let calls = counts.calls();
            (text(bucket.begins(), 13), calls, calls - refused.calls())
        };
        usage.buckets.iter().map(printed).collect()
    }

    fn bucket(begins: &str, calls: u64, valid: u64) -> (String, u64, u64) {
        (begins.to_owned(), calls, valid)
    }

    #[test]
    fn every_call_is_reported_immediately_and_only_once() {
        let mut instance = TestInstance::new();
        let (key, other) = (instance.made_key(), instance.made_key());
        let check = |instance: &TestInstance, calls, valid, all| {
            assert_eq!(
                reported(instance, Some(&key), Interval::Hour),
                [bucket("01-15T08", calls, valid)]
            );
            assert_eq!(
                reported(instance, Some(&key), Interval::Day),
                [bucket("01-15T00", calls, valid)]
            );
            let (sum, valid) = (calls + all, valid + all);
            assert_eq!(reported(instance, None, Interval::Hour), [bucket("01-15T08", sum, valid)]);
        };
        instance.call(&key, Code::Valid, 3);
        instance.call(&key, Code::RateLimited, 2);
        check(&instance, 5, 3, 0);
        instance.write_uses();
        check(&instance, 5, 3, 0);
        instance.call(&other, Code::Valid, 4);
        instance.call(&key, Code::Expired, 1);
        check(&instance, 6, 3, 4);
        instance.restart();
        check(&instance, 6, 3, 4);
        instance.call(&key, Code::Valid, 1);
        check(&instance, 7, 4, 4);
        instance.write_uses();
        instance.call(&key, Code::Valid, 9);
        instance.crash();
        check(&instance, 7, 4, 4);
        let busiest = usage_of(&instance, UsageQuery::default()).busiest.unwrap();
        let busiest: Vec<_> =
            busiest.iter().map(|it| (it.key, it.counts.calls(), it.refused())).collect();
        assert_eq!(busiest, [(key.id, 7, 3), (other.id, 4, 0)]);
        assert_eq!(
            (instance.count(StoreKey::USAGE_HOURS), instance.count(StoreKey::USAGE_DAYS)),
            (3, 0)
        );
    }

    #[test]
    fn hours_and_days_begin_in_utc() {
        let instance = TestInstance::new();
        let key = instance.made_key();
        for step in 0..3 {
            instance.call(&key, Code::Valid, 1 + step);
            if step == 1 {
                instance.write_uses();
            }
            instance.clock.advance(Duration::from_millis(8 * 3_600_000 - 1));
        }
        let by_hour = |query: UsageQuery| {
            let usage = usage_of(&instance, query);
            let texts = usage.buckets.keys().map(|hour| text(hour.begins(), 13));
            (texts.collect::<Vec<_>>(), text(usage.from, 16), text(usage.to, 16))
        };
        let whole = of(&key, Interval::Hour);
        let expected = ["01-15T08", "01-15T15", "01-15T23"].map(str::to_owned).to_vec();
        let span = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        let (found, from, to) = by_hour(whole);
        assert_eq!((found, (from, to)), (expected.clone(), span("01-15T08:00", "01-16T08:00")));
        assert_eq!(reported(&instance, Some(&key), Interval::Day), [bucket("01-15T00", 6, 6)]);
        let at = |text: &str| Some(text.parse().unwrap());
        let part = UsageQuery {
            from: at("2027-01-15T15:59:00Z"),
            to: at("2027-01-15T23:00:00Z"),
            ..whole
        };
        let (found, from, to) = by_hour(part);
        assert_eq!(
            (found, (from, to)),
            (expected[1..2].to_vec(), span("01-15T15:00", "01-15T23:00"))
        );
        let early = UsageQuery { from: at("2020-01-01T00:00:00Z"), to: None, ..whole };
        assert_eq!(by_hour(early).1, "01-09T07:00", "no further back than hours are kept");
        let gone = UsageQuery { to: at("2020-01-01T00:00:00Z"), ..early };
        assert_eq!(by_hour(gone).0, Vec::<String>::new());
    }

    #[test]
    fn the_ten_latest_addresses_survive_restarts() {
        let mut instance = TestInstance::new();
        let key = instance.made_key();
        let call = |instance: &TestInstance, last: u8, code| {
            instance.clock.advance(Duration::from_secs(2));
            let grant = instance.actions.index().grant(&key.secrets[0].digest).unwrap();
            let origin = CallOrigin {
                ip: Some([192, 0, 2, last].into()),
                user_agent: None,
                ..CallOrigin::default()
            };
            instance.actions.index().note_call(&grant, code, instance.clock_now().wall, origin);
        };
        let reported = |instance: &TestInstance| {
            let addresses = usage_of(instance, of(&key, Interval::Hour)).addresses.unwrap();
            assert!(addresses.is_sorted_by_key(|it| std::cmp::Reverse(it.at)));
            addresses.iter().map(|it| it.ip.to_string()).collect::<Vec<_>>()
        };
        (1..=8).for_each(|last| call(&instance, last, Code::Valid));
        call(&instance, 99, Code::IpNotAllowed);
        call(&instance, 3, Code::Valid);
        assert_eq!(reported(&instance)[..3], ["192.0.2.3", "192.0.2.8", "192.0.2.7"]);
        assert_eq!(reported(&instance).len(), 8, "only those of valid calls");
        instance.restart();
        (9..=12).for_each(|last| call(&instance, last, Code::Valid));
        let expected = ["12", "11", "10", "9", "3", "8", "7", "6", "5", "4"];
        assert_eq!(reported(&instance), expected.map(|last| format!("192.0.2.{last}")));
        instance.restart();
        assert_eq!(reported(&instance), expected.map(|last| format!("192.0.2.{last}")));
    }
}
