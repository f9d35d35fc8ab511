//! How much keys were used: calls by what they came to, by hour for 7 days, by day for 90.
//!
//! What is not written yet is told too, each call once: see [`crate::index::tally`].

mod busiest;
pub(super) mod rows;
mod thinning;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use keyhouse_storage::{At, Range};

use crate::actions::actor::Actor;
use crate::actions::keys::require_window;
use crate::actions::{ActionError, Actions};
use crate::index::live::Live;
use crate::index::tally::Tally;
use crate::model::calendar::{Day, Hour};
use crate::model::id::{KeyId, OrganizationId};
use crate::model::moment::Moment;
use crate::model::role::{KEYS_MANAGE, KEYS_READ, USAGE_READ};
use crate::records::key::KeyRecord;
use crate::records::place::Place;
use crate::records::read_row;
use crate::records::usage::{Counts, DayRecord, HoursRecord, UsageOf};
use crate::records::uses::{AddressRecord, UseRecord, merge_addresses};
pub use busiest::{BUSIEST_MAX, KeyUse};

/// For how many days hours are kept.
pub const HOURS_KEPT_DAYS: u32 = 7;
/// For how many days days are kept.
pub const DAYS_KEPT: u32 = 90;
/// How many hours are told unless asked otherwise.
const HOURS_DEFAULT: u32 = 24;
/// How many days are told unless asked otherwise.
const DAYS_DEFAULT: u32 = 30;
/// Most keys looked through for those that are to be left out of a sum.
const KEYS_READ_MAX: usize = 20_000;
const ROWS_A_SCAN: usize = 500;

/// By what calls are summed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interval {
    /// By hours.
    #[default]
    Hour,
    /// By days of UTC.
    Day,
}

/// Which use to tell.
#[derive(Clone, Copy, Debug, Default)]
pub struct UsageQuery {
    /// Of this key; without it, of all keys of the organization.
    pub key: Option<KeyId>,
    /// By hours or days.
    pub interval: Interval,
    /// From this moment's hour or day on.
    pub from: Option<Moment>,
    /// Before this moment, up to the end of its hour or day.
    pub to: Option<Moment>,
}

/// How much was used.
#[derive(Debug)]
pub struct Usage {
    /// By hours or days.
    pub interval: Interval,
    /// The first hour or day asked for that is kept.
    pub from: Moment,
    /// The end of the last one.
    pub to: Moment,
    /// The hours or days in which there were calls, by their first moment.
    pub buckets: BTreeMap<Hour, Counts>,
    /// Of a key that is seen whole: where it was used from of late, the latest first.
    pub addresses: Option<Vec<AddressRecord>>,
    /// Of all keys: which were used most; none where there are too many to look through.
    pub busiest: Option<Vec<KeyUse>>,
}

/// What is told, in whole hours or days.
#[derive(Clone, Copy, Debug)]
struct Span {
    interval: Interval,
    from: Hour,
    /// The first hour beyond.
    until: Hour,
}

impl Span {
    fn of(query: &UsageQuery, now: Moment) -> Self {
        let (interval, now) = (query.interval, Hour::of(now));
        let bucket = |hour| interval.bucket(hour);
        let last =
            query.to.map_or(now, |to| Hour::of(to.before(std::time::Duration::from_millis(1))));
        let until = interval.next(bucket(last.min(now)));
        let (usual, kept) = match interval {
            Interval::Hour => (until.minus(HOURS_DEFAULT), now.minus(HOURS_KEPT_DAYS * 24)),
            Interval::Day => (until.minus(DAYS_DEFAULT * 24), now.day().minus(DAYS_KEPT).hour(0)),
        };
        let from = query.from.map_or(usual, |from| bucket(Hour::of(from)));
        Self { interval, from: from.max(kept).min(until), until }
    }

    fn takes(self, hour: Hour) -> bool {
        (self.from..self.until).contains(&hour)
    }

    fn days(self) -> impl Iterator<Item = Day> {
        let days = self.from.day().number()..self.until.plus(23).day().number();
        days.map(Day::from_number)
    }
}

impl Interval {
    /// The first hour of an hour's bucket.
    fn bucket(self, hour: Hour) -> Hour {
        match self {
            Self::Hour => hour,
            Self::Day => hour.day().hour(0),
        }
    }

    fn next(self, bucket: Hour) -> Hour {
        match self {
            Self::Hour => bucket.plus(1),
            Self::Day => bucket.plus(24),
        }
    }
}

impl Actions {
    /// Tells how much a key was used, to whoever sees all of the key or holds
    /// `keyhouse:usage:read`; or how much all keys of the organization were that are there for the
    /// actor, which takes that permission.
    ///
    /// # Errors
    /// [`ActionError::NotFound`] for a key that is not there for the actor;
    /// [`ActionError::PermissionRequired`]; the store's.
    pub fn usage(&self, actor: &Actor, query: &UsageQuery) -> Result<Usage, ActionError> {
        let span = Span::of(query, self.clock.now().wall);
        let mut usage = Usage {
            interval: span.interval,
            from: span.from.begins(),
            to: span.until.begins(),
            buckets: BTreeMap::new(),
            addresses: None,
            busiest: None,
        };
        if let Some(id) = query.key {
            let (record, whole) = self.key_for_usage(actor, id)?;
            usage.buckets = self.key_buckets(&self.index.tally(), &record, span)?;
            if whole {
                usage.addresses = Some(self.addresses(&record)?);
            }
        } else {
            actor.require(USAGE_READ)?;
            let organization = actor.organization_id();
            let concealed = self.concealed_keys(actor)?;
            let mut tally = self.index.tally();
            self.index.gather_used(&mut tally);
            let waiting = waiting_of(&tally, organization);
            let of = UsageOf { organization, key: None };
            usage.buckets = self.buckets(&tally, of, &waiting, span)?;
            for record in &concealed {
                for (bucket, counts) in self.key_buckets(&tally, record, span)? {
                    usage.buckets.entry(bucket).or_default().take_away(&counts);
                }
            }
            let sums = self.sums_by_key(&tally, organization, span)?;
            drop(tally);
            usage.busiest = sums.map(|sums| self.busiest(actor, sums)).transpose()?;
        }
        usage.buckets.retain(|_, counts| counts.calls() > 0);
        Ok(usage)
    }

    /// A key whose use the actor may be told, and whether they see all of it.
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

    /// The keys of the organization that are not there for the actor.
    fn concealed_keys(&self, actor: &Actor) -> Result<Vec<KeyRecord>, ActionError> {
        if actor.has(KEYS_READ) || actor.has(KEYS_MANAGE) {
            return Ok(Vec::new());
        }
        let prefix = Place::keys_of(actor.organization_id());
        let (mut concealed, mut rows_read) = (Vec::new(), 0);
        let mut after: Option<Vec<u8>> = None;
        loop {
            let range =
                Range { after: after.as_deref(), limit: ROWS_A_SCAN, ..Range::prefix(&prefix) };
            let page = self.store.scan(&range, At::Latest)?;
            for row in &page.rows {
                let record = read_row::<KeyRecord>(row)?.record;
                if self.is_concealed_from(actor, &record) {
                    concealed.push(record);
                }
            }
            rows_read += page.rows.len();
            after = page.rows.last().map(|row| row.key.clone());
            if !page.more {
                return Ok(concealed);
            }
            if rows_read >= KEYS_READ_MAX {
                // With so many keys, only one who sees all of them is told a sum.
                return Err(ActionError::PermissionRequired(KEYS_READ.to_owned()));
            }
        }
    }

    fn key_buckets(
        &self,
        tally: &Tally,
        record: &KeyRecord,
        span: Span,
    ) -> Result<BTreeMap<Hour, Counts>, ActionError> {
        let of = UsageOf { organization: record.organization, key: Some(record.id) };
        self.buckets(tally, of, self.live_of(record).as_slice(), span)
    }

    /// The calls of a span: stored, owed, and those that wait with these keys.
    fn buckets(
        &self,
        tally: &Tally,
        of: UsageOf,
        waiting: &[Arc<Live>],
        span: Span,
    ) -> Result<BTreeMap<Hour, Counts>, ActionError> {
        let mut buckets: BTreeMap<Hour, Counts> = BTreeMap::new();
        let mut add = |hour: Hour, counts: &Counts| {
            if span.takes(hour) {
                buckets.entry(span.interval.bucket(hour)).or_default().add(counts);
            }
        };
        for day in span.days() {
            let stored = self.read::<HoursRecord>(&Place::UsageHours(day, of))?;
            let stored = stored.map(|held| held.record).unwrap_or_default();
            for (hour, counts) in tally.hours(of, day, stored).hours {
                add(day.hour(hour), &counts);
            }
            if span.interval == Interval::Day
                && let Some(held) = self.read::<DayRecord>(&Place::UsageDay(day, of))?
            {
                add(day.hour(0), &held.record.counts);
            }
        }
        for calls in waiting.iter().filter_map(|live| live.calls()) {
            calls.tell(&mut add);
        }
        Ok(buckets)
    }

    /// Where a key was used from, as the store has it and as it is now.
    fn addresses(&self, record: &KeyRecord) -> Result<Vec<AddressRecord>, ActionError> {
        let stored = self.read::<UseRecord>(&Place::Use(record.id))?;
        let mut addresses = stored.map(|held| held.record.addresses).unwrap_or_default();
        if let Some(live) = self.live_of(record)
            && let Some(calls) = live.calls()
        {
            merge_addresses(&mut addresses, &calls.recent().addresses);
        }
        Ok(addresses)
    }

    fn live_of(&self, record: &KeyRecord) -> Option<Arc<Live>> {
        let secret = record.secrets.first()?;
        self.index.with_grant(&secret.digest, |grant| Some(Arc::clone(&grant?.live)))
    }
}

/// The keys of an organization that wait, each once.
fn waiting_of(tally: &Tally, organization: OrganizationId) -> Vec<Arc<Live>> {
    let mut seen = HashSet::new();
    let theirs = |live: &&Arc<Live>| {
        live.calls().is_some_and(|calls| calls.organization == organization)
            && seen.insert(Arc::as_ptr(live))
    };
    tally.waiting().filter(theirs).map(Arc::clone).collect()
}
