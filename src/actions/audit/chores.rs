//! What the sealer does besides sealing: it tells the log of its retention, cuts old events, and sees
//! to it that no day is without a seal.

use std::time::Duration;

use keyhouse_storage::{At, Batch};

use crate::actions::audit::ChainError;
use crate::actions::audit::chain::cut;
use crate::actions::audit::own::{ToldCut, retention_event};
use crate::actions::audit::retention::{Due, due};
use crate::actions::audit::seal::{Sealer, Sealing};
use crate::model::id::EventId;
use crate::records::event::{CutRecord, RetentionRecord, SEAL_VERSION};
use crate::records::place::Place;
use crate::records::{encode, read_row};

/// How often the head is logged and old events are cut.
const CHORES_INTERVAL: Duration = Duration::from_hours(1);
/// How far apart seals are at most: it bounds how much longer than the retention an event is kept.
const IDLE_MAX: Duration = Duration::from_hours(24);
/// Most batches of old events that are cut between two seals.
const CUT_BATCHES_MAX: usize = 16;

/// What is to be done next besides sealing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chore {
    /// The log is to be told of its retention.
    Settle,
    /// Old events are to be cut.
    Cut,
    /// Nothing before the next hour.
    Rest,
}

impl Sealer {
    /// Tells the log of the retention where it was changed. Until that is in, nothing is cut.
    pub(super) fn settle(&mut self) {
        if self.chore != Chore::Settle || self.feed.is_none() {
            return;
        }
        let outcome = self.note_retention();
        if self.went_well(outcome) {
            self.chore = Chore::Cut;
        }
    }

    fn note_retention(&mut self) -> Result<(), ChainError> {
        let key = Place::Retention.to_bytes();
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
        let batch = batch.put(key, encode(&Place::Retention, &record)?);
        tracing::info!(from = %before, to = %self.retention, "audit: the retention was changed");
        self.seal_own(&event, batch)
    }

    /// Stores that were cut by an earlier version have no event for it. One is written, once, before
    /// any other seal: the check takes it from the first seal of this version alone.
    pub(super) fn adopt_cut(&mut self) -> Result<(), ChainError> {
        let Some(held) = cut(&*self.store)? else { return Ok(()) };
        let cut = held.record;
        if cut.event.is_some() || self.head.version >= SEAL_VERSION {
            return Ok(());
        }
        let now = self.clock.now().wall;
        let id = EventId::new(now, &mut self.random);
        let (number, hash, floor, at) = (cut.number, cut.hash, cut.floor, cut.at);
        let told = ToldCut { number, hash, floor, at, retention: None };
        let record = CutRecord { event: Some(id), ..cut };
        let key = Place::Cut.to_bytes();
        let batch = Batch::new().unchanged(key.clone(), held.revision);
        self.seal_own(&told.event(id, now, None), batch.put(key, encode(&Place::Cut, &record)?))
    }

    /// Cuts what is due, as much as fits a batch; returns whether there may be more.
    pub(super) fn cut_next(&mut self) -> Result<bool, ChainError> {
        let now = self.clock.now().wall;
        let Some(Due { batch, last, events }) = due(&*self.store, now, self.retention)? else {
            return Ok(false);
        };
        let id = EventId::new(now, &mut self.random);
        let (number, hash, floor, at) = (last.number, last.hash, last.floor, now);
        let told = ToldCut { number, hash, floor, at, retention: Some(self.retention) };
        let record = CutRecord { number, hash, floor, at, event: Some(id) };
        let batch = batch.put(Place::Cut.to_bytes(), encode(&Place::Cut, &record)?);
        self.seal_own(&told.event(id, now, Some(events)), batch)?;
        tracing::info!(number, %hash, "audit: cut behind this seal");
        Ok(true)
    }

    pub(super) fn do_chores(&mut self) {
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
                    tracing::warn!("audit: old events not cut; trying again in an hour");
                },
            }
        }
    }

    /// Seals nothing where nothing was sealed for a day: see [`IDLE_MAX`].
    fn seal_if_idle(&mut self) {
        let now = self.clock.now().wall;
        let is_idle = self.head.at.is_some_and(|at| now.since(at) >= IDLE_MAX);
        if is_idle && self.feed.is_some() {
            let outcome = self.seal_over(&[], &Sealing { now, taken: 0 }, Batch::new());
            self.went_well(outcome);
        }
    }
}
