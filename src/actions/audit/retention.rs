//! Cuts events that are old, whole seals at a time: what is left is still a chain, whose beginning
//! the cut names.

use keyhouse_storage::{BATCH_WRITES_MAX, Batch, Order, Store};

use crate::actions::audit::chain::{cut, seals};
use crate::actions::audit::{ChainError, EVENTS_KEPT};
use crate::model::moment::Moment;
use crate::records::event::{CutRecord, SealRecord};
use crate::records::place::Place;
use crate::records::{encode, read_row};

/// Most seals that one batch cuts.
const SEALS_MAX: usize = 100;

/// Cuts the oldest seals that are older than [`EVENTS_KEPT`] with all their events, as many as fit a
/// batch; whether there may be more.
pub(super) fn cut_batch(store: &dyn Store, now: Moment) -> Result<bool, ChainError> {
    let limit = now.before(EVENTS_KEPT);
    let page = seals(store, None, Order::Ascending, SEALS_MAX)?;
    let mut batch = Batch::new();
    let mut last = None;
    for row in &page.rows {
        let held = read_row::<SealRecord>(row)?;
        let seal = held.record;
        let is_old = seal.at < limit && seal.events.iter().all(|id| id.moment() < limit);
        // The events, the seal, and the cut.
        let fits = batch.writes().len() + seal.events.len() + 2 <= BATCH_WRITES_MAX;
        if !is_old || !fits {
            break;
        }
        batch = batch.unchanged(row.key.clone(), held.revision).delete(row.key.clone());
        for id in &seal.events {
            batch = batch.delete(Place::Event(*id).to_bytes());
        }
        last = Some(seal);
    }
    let Some(last) = last else { return Ok(false) };
    let before = cut(store)?.map(|held| held.revision);
    let key = Place::Cut.to_bytes();
    let batch = match before {
        Some(revision) => batch.unchanged(key.clone(), revision),
        None => batch.absent(key.clone()),
    };
    let (number, hash, floor) = (last.number, last.hash, last.floor);
    let record = CutRecord { number, hash, floor, at: now };
    store.commit(batch.put(key, encode(&Place::Cut, &record)?))?;
    tracing::info!(number, %hash, "audit: cut behind this seal");
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::secret::Digest;
    use keyhouse_storage::MemoryStore;
    use std::time::Duration;

    #[test]
    fn a_seal_over_nothing_is_kept_as_long_as_any() {
        let store = MemoryStore::new();
        let at = Moment::from_milliseconds(1_800_000_000_000);
        let (previous, hash) = (Digest::of(b""), Digest::of(b"seal"));
        let seal =
            SealRecord { number: 1, at, floor: at, latest: at, events: Vec::new(), previous, hash };
        let place = Place::Seal(1);
        let row = encode(&place, &seal).unwrap();
        store.commit(Batch::new().put(place.to_bytes(), row)).unwrap();
        assert!(!cut_batch(&store, at.after(EVENTS_KEPT)).unwrap());
        assert!(cut_batch(&store, at.after(EVENTS_KEPT + Duration::from_secs(1))).unwrap());
        assert_eq!(cut(&store).unwrap().map(|held| held.record.hash), Some(hash));
    }
}
