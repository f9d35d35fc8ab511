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
    pub calls: u64,
    pub refused: u64,
}

pub(super) type Sums = HashMap<KeyId, CallCounts>;

impl Actions {
    /// Returns the calls of each key in a span, or `None` if there are too many rows to read.
    pub(super) fn sums_by_key(
        &self,
        pending: &PendingUsage,
        organization: OrganizationId,
        span: UsageSpan,
    ) -> Result<Option<Sums>, ActionError> {
        let (mut sums, mut rows_left) = (Sums::new(), ROWS_READ_MAX);
        for day in span.days() {
            let mut days = HashMap::new();
            let prefix = StoreKey::usage_hours_of(day, organization);
            let is_read = self.each_key(&prefix, &mut rows_left, |key, row| {
                days.insert(key, read_row::<HoursRecord>(row)?.record);
                Ok(())
            })?;
            let of_day = |(of, at): &(UsageOf, Day)| of.organization == organization && *at == day;
            for key in pending.rows().filter(of_day).filter_map(|(of, _)| of.key) {
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
            calls.read(|hour, counts| {
                if span.takes(hour) {
                    sums.entry(live.key).or_default().add(counts);
                }
            });
        }
        Ok(Some(sums))
    }

    fn add_days(
        &self,
        sums: &mut Sums,
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
    pub(super) fn busiest(&self, actor: &Actor, sums: Sums) -> Result<Vec<KeyUse>, ActionError> {
        let mut sums: Vec<_> = sums.into_iter().filter(|(_, counts)| counts.calls() > 0).collect();
        sums.sort_unstable_by_key(|(key, counts)| (Reverse(counts.calls()), *key));
        let mut busiest = Vec::new();
        for (key, counts) in sums.into_iter().take(CANDIDATES_MAX) {
            if busiest.len() >= BUSIEST_MAX {
                break;
            }
            let place = StoreKey::Key(actor.organization_id(), key);
            let Some(held) = self.read::<KeyRecord>(&place)? else { continue };
            if self.is_concealed_from(actor, &held.record) {
                continue;
            }
            let whole = self.is_whole_for(actor, &held.record);
            let valid = CallCounts::of(Code::Valid, u64::MAX);
            let mut refused = counts;
            refused.take_away(&valid);
            busiest.push(KeyUse {
                key,
                name: whole.then_some(held.record.name),
                calls: counts.calls(),
                refused: refused.calls(),
            });
        }
        Ok(busiest)
    }
}
