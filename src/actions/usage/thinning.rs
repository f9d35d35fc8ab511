//! Removes old usage: hours are merged into days after 7 days, and days are removed after 90 days.
//!
//! Rows are sorted by day, the oldest first, so that only expired rows are read.

use std::collections::HashSet;

use keyhouse_storage::{At, BATCH_WRITES_MAX, Batch, Range, Row};

use crate::actions::usage::{DAYS_KEPT, HOURS_KEPT_DAYS};
use crate::actions::{ActionError, Actions, put};
use crate::clock::Now;
use crate::model::calendar::{Day, Hour};
use crate::model::id::{KeyId, OrganizationId};
use crate::records::place::StoreKey;
use crate::records::place::UsageOf;
use crate::records::read_row;
use crate::records::usage::{DayRecord, HoursRecord};
use crate::worker::Halt;

/// Number of rows read at a time. Each row is at most two writes.
const ROWS_A_BATCH: usize = BATCH_WRITES_MAX / 2;
/// Pause between batches, so that other work can use the store.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(5);

impl Actions {
    /// Merges expired hours into their days and removes expired days until `halt` is set. Returns
    /// the number of rows. Each batch is atomic. The next run processes the remaining rows.
    ///
    /// # Errors
    /// Those of the store.
    pub fn thin_usage(&self, halt: &Halt) -> Result<usize, ActionError> {
        let thinned = self.each_batch(halt, StoreKey::USAGE_HOURS, HOURS_KEPT_DAYS, |rows| {
            rows.iter().try_fold(Batch::new(), |batch, row| self.thin(batch, row))
        })?;
        let removed = self.each_batch(halt, StoreKey::USAGE_DAYS, DAYS_KEPT, |rows| {
            Ok(rows.iter().fold(Batch::new(), |batch, row| batch.delete(row.key.clone())))
        })?;
        Ok(thinned + removed)
    }

    fn each_batch(
        &self,
        halt: &Halt,
        prefix: &[u8],
        days_kept: u32,
        change: impl Fn(&[Row]) -> Result<Batch, ActionError>,
    ) -> Result<usize, ActionError> {
        let Now { wall, .. } = self.clock.now();
        let first_kept = Hour::of(wall).day().minus(days_kept);
        let range = Range { limit: ROWS_A_BATCH, ..Range::prefix(prefix) };
        let mut changed = 0;
        for page in self.store.pages(&range, At::Latest) {
            let mut page = page?;
            let rows_read = page.rows.len();
            page.rows.retain(|row| day_of(row).is_some_and(|day| day < first_kept));
            if !page.rows.is_empty() && self.commit_upkeep(change(&page.rows)?)?.is_some() {
                changed += page.rows.len();
            }
            let are_all_old = page.rows.len() == rows_read;
            if !page.more || !are_all_old || halt.pause(PAUSE) {
                break;
            }
        }
        Ok(changed)
    }

    /// Merges the hours of a day into its daily row. If the row is written in the meantime, its
    /// batch is rejected, and the next run merges the row.
    fn thin(&self, batch: Batch, row: &Row) -> Result<Batch, ActionError> {
        let StoreKey::UsageHours(day, of) = StoreKey::parse(&row.key)? else { return Ok(batch) };
        let hours = read_row::<HoursRecord>(row)?.record;
        let place = StoreKey::UsageDay(day, of);
        let known = self.read::<DayRecord>(&place)?;
        let batch = batch.unchanged(row.key.clone(), row.revision).delete(row.key.clone());
        let (batch, mut record) = match known {
            Some(held) => (batch.unchanged(place.to_bytes(), held.revision), held.record),
            None => (batch.absent(place.to_bytes()), DayRecord::default()),
        };
        record.add(&hours);
        put(batch, &place, &record)
    }

    /// Removes the rows of purged keys.
    pub(in crate::actions) fn forget_usage(
        &self,
        organization: OrganizationId,
        keys: &HashSet<KeyId>,
    ) -> Result<(), ActionError> {
        let today = Hour::of(self.clock.now().wall).day();
        let mut batch = Batch::new();
        let days = (today.minus(DAYS_KEPT + 1).number()..=today.number()).map(Day::from_number);
        let days: Vec<_> = days.collect();
        for key in keys {
            let of = UsageOf { organization, key: Some(*key) };
            let places = days.iter().flat_map(|day| {
                [StoreKey::UsageHours(*day, of), StoreKey::UsageDay(*day, of)]
                    .map(|it| it.to_bytes())
            });
            for place in places {
                if self.store.get(&place, At::Latest)?.is_some() {
                    batch = batch.delete(place);
                }
            }
            if batch.writes().len() >= ROWS_A_BATCH {
                self.commit_upkeep(std::mem::take(&mut batch))?;
            }
        }
        if !batch.writes().is_empty() {
            self.commit_upkeep(batch)?;
        }
        Ok(())
    }
}

fn day_of(row: &Row) -> Option<Day> {
    let place = StoreKey::parse(&row.key).ok()?;
    if let StoreKey::UsageHours(day, _) | StoreKey::UsageDay(day, _) = place {
        Some(day)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::actions::changes::Target;
    use crate::actions::test_instance::TestInstance;
    use crate::actions::usage::Interval;
    use crate::actions::usage::tests::reported;
    use crate::model::code::Code;

    const DAY: Duration = Duration::from_hours(24);

    fn rows(instance: &TestInstance) -> (usize, usize) {
        (instance.count(StoreKey::USAGE_HOURS), instance.count(StoreKey::USAGE_DAYS))
    }

    fn thin(instance: &TestInstance) -> usize {
        instance.actions.thin_usage(&Halt::default()).unwrap()
    }

    #[test]
    fn hours_become_days_after_seven_and_days_are_gone_after_ninety() {
        let mut instance = TestInstance::new();
        let key = instance.made_key();
        let used = |instance: &TestInstance, interval| {
            let of_key = reported(instance, Some(&key), interval);
            assert_eq!(of_key, reported(instance, None, interval), "it is the only key");
            of_key.iter().map(|(_, calls, _)| *calls).sum::<u64>()
        };
        instance.call(&key, Code::Valid, 3);
        instance.clock.advance(Duration::from_hours(2));
        instance.call(&key, Code::RateLimited, 2);
        instance.write_uses();
        instance.clock.advance(DAY);
        instance.call(&key, Code::Valid, 1);
        instance.restart();
        assert_eq!(rows(&instance), (4, 0));
        instance.clock.advance(DAY * 6);
        assert_eq!((thin(&instance), rows(&instance)), (0, (4, 0)), "seven days are kept");
        instance.clock.advance(DAY);
        assert_eq!(used(&instance, Interval::Day), 6);
        assert_eq!((thin(&instance), rows(&instance)), (2, (2, 2)));
        assert_eq!((thin(&instance), used(&instance, Interval::Day)), (0, 6));
        instance.clock.advance(DAY);
        assert_eq!((thin(&instance), rows(&instance)), (2, (0, 4)));
        assert_eq!((used(&instance, Interval::Day), used(&instance, Interval::Hour)), (6, 0));
        instance.clock.advance(DAY * 81);
        assert_eq!((thin(&instance), rows(&instance)), (0, (0, 4)), "ninety days are kept");
        instance.clock.advance(DAY);
        assert_eq!((thin(&instance), rows(&instance)), (2, (0, 2)));
        instance.clock.advance(DAY);
        assert_eq!((thin(&instance), rows(&instance)), (2, (0, 0)));
    }

    #[test]
    fn many_rows_are_deleted_in_batches_until_a_stop() {
        let instance = TestInstance::new();
        for _ in 0..ROWS_A_BATCH + 5 {
            let key = instance.made_key();
            instance.call(&key, Code::Valid, 1);
        }
        instance.write_uses();
        instance.clock.advance(DAY * 9);
        let halt = Halt::default();
        halt.halt();
        assert_eq!(instance.actions.thin_usage(&halt).unwrap(), ROWS_A_BATCH, "the batch at hand");
        assert_eq!((thin(&instance), rows(&instance)), (6, (0, ROWS_A_BATCH + 6)));
    }

    #[test]
    fn the_use_of_a_forgotten_key_goes_with_it() {
        let instance = TestInstance::new();
        let key = instance.made_key();
        let target = Target { id: key.id, versions: None };
        instance.actions.revoke_key(&instance.owner(), &target, None).unwrap();
        instance.clock.advance(DAY * 80);
        instance.call(&key, Code::Revoked, 1);
        instance.write_uses();
        instance.clock.advance(DAY * 8);
        thin(&instance);
        instance.call(&key, Code::Revoked, 1);
        instance.write_uses();
        assert_eq!(rows(&instance), (2, 2));
        instance.clock.advance(DAY * 2);
        assert_eq!(instance.actions.purge_keys(&Halt::default()).unwrap(), 1);
        assert_eq!(rows(&instance), (1, 1), "what is left is the organization's");
    }
}
