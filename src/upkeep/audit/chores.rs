//! Periodic work of the sealer besides sealing: records retention changes, cuts old events, and
//! writes at least one seal a day.

use std::time::Duration;

use keyhouse_storage::{At, Batch};

use crate::model::id::EventId;
use crate::records::event::{CutRecord, RetentionRecord, SEAL_VERSION};
use crate::records::place::StoreKey;
use crate::records::{encode, read_row};
use crate::upkeep::audit::chain::cut;
use crate::upkeep::audit::own::{CutEvent, retention_event};
use crate::upkeep::audit::retention::{Due, due};
use crate::upkeep::audit::seal::{Chore, Sealer, Sealing};
use crate::upkeep::error::UpkeepError;

/// Interval at which the head is logged and old events are cut.
const CHORES_INTERVAL: Duration = Duration::from_hours(1);
/// Longest time between two seals. The cut removes whole seals, so this span limits how much longer
/// than the retention an event is kept.
const IDLE_MAX: Duration = Duration::from_hours(24);
/// Maximum number of batches of old events cut between two seals.
const CUT_BATCHES_MAX: usize = 16;

impl Sealer {
    /// Writes a changed retention to the log. No event is cut before this change is committed.
    pub(crate) fn settle(&mut self) {
        if self.chore != Chore::Settle || self.feed.is_none() {
            return;
        }
        let outcome = self.note_retention();
        if self.went_well(outcome) {
            self.chore = Chore::Cut;
        }
    }

    fn note_retention(&mut self) -> Result<(), UpkeepError> {
        let key = StoreKey::Retention.to_bytes();
        let row = self.store.get(&key, At::Latest)?;
        let known = row.as_ref().map(read_row::<RetentionRecord>).transpose()?;
        let before = known.as_ref().map(|held| held.record.retention).unwrap_or_default();
        if before == self.retention {
            return Ok(());
        }
        let now = self.clock.now().wall;
        let id = EventId::new(now, &mut self.random);
        let event = retention_event(id, now, before, self.retention);
        let batch = match known {
            Some(held) => Batch::new().unchanged(key.clone(), held.revision),
            None => Batch::new().absent(key.clone()),
        };
        let record = RetentionRecord { retention: self.retention };
        let batch = batch.put(key, encode(&StoreKey::Retention, &record)?);
        tracing::info!(from = %before, to = %self.retention, "audit: the retention was changed");
        self.seal_own(&event, batch)
    }

    /// Writes the missing event of a cut that an earlier version made. The event is written once,
    /// before any other seal, because the check accepts it only under the first seal of this
    /// version.
    pub(crate) fn adopt_cut(&mut self) -> Result<(), UpkeepError> {
        let Some(held) = cut(&*self.store)? else { return Ok(()) };
        let cut = held.record;
        if cut.event.is_some() || self.head.version >= SEAL_VERSION {
            return Ok(());
        }
        let now = self.clock.now().wall;
        let id = EventId::new(now, &mut self.random);
        let (number, hash, floor, at) = (cut.number, cut.hash, cut.floor, cut.at);
        let reported = CutEvent { number, hash, floor, at, retention: None };
        let record = CutRecord { event: Some(id), ..cut };
        let key = StoreKey::Cut.to_bytes();
        let batch = Batch::new().unchanged(key.clone(), held.revision);
        self.seal_own(
            &reported.event(id, now, None),
            batch.put(key, encode(&StoreKey::Cut, &record)?),
        )
    }

    /// Cuts as many expired events as fit in a batch. Returns whether more expired events may
    /// exist.
    pub(crate) fn cut_next(&mut self) -> Result<bool, UpkeepError> {
        let now = self.clock.now().wall;
        let Some(Due { batch, last, events }) = due(&*self.store, now, self.retention)? else {
            return Ok(false);
        };
        let id = EventId::new(now, &mut self.random);
        let (number, hash, floor, at) = (last.number, last.hash, last.floor, now);
        let reported = CutEvent { number, hash, floor, at, retention: Some(self.retention) };
        let record = CutRecord { number, hash, floor, at, event: Some(id) };
        let batch = batch.put(StoreKey::Cut.to_bytes(), encode(&StoreKey::Cut, &record)?);
        self.seal_own(&reported.event(id, now, Some(events)), batch)?;
        tracing::info!(number, %hash, "audit: events up to this seal deleted");
        Ok(true)
    }

    pub(crate) fn do_chores(&mut self) {
        let ticks = self.clock.now().ticks;
        if ticks >= self.chores_at {
            let hour = u64::try_from(CHORES_INTERVAL.as_nanos()).unwrap_or(u64::MAX);
            self.chores_at = ticks.saturating_add(hour);
            if self.chore == Chore::Rest {
                self.chore = Chore::Cut;
            }
            self.log_head();
            self.seal_if_idle();
        }
        for _ in 0..CUT_BATCHES_MAX {
            let is_due = self.chore == Chore::Cut && self.feed.is_some();
            if !is_due || self.halt.pause(Duration::ZERO) {
                return;
            }
            match self.cut_next() {
                Ok(true) => {},
                Ok(false) => self.chore = Chore::Rest,
                Err(error) => {
                    self.chore = Chore::Rest;
                    self.went_well(Err(error));
                    tracing::warn!("audit: could not delete old events; retrying in an hour");
                },
            }
        }
    }

    /// Writes an empty seal if nothing was sealed for a day: see [`IDLE_MAX`].
    fn seal_if_idle(&mut self) {
        let now = self.clock.now().wall;
        let is_idle = self.head.at.is_some_and(|at| now.since(at) >= IDLE_MAX);
        if is_idle && self.feed.is_some() {
            let outcome = self.seal_over(&[], &Sealing { now, taken: 0 }, Batch::new());
            self.went_well(outcome);
        }
    }
}
