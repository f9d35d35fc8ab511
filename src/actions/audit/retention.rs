//! Finds the events that are old enough to be cut, whole seals at a time.
//!
//! The first seal that is left is older than the retention too: its time, which its hash covers, is
//! the proof that what was cut before it was old enough. So an event may be kept longer than the
//! retention, as a rule by a day at most, since the sealer writes a seal at least once a day.

use keyhouse_storage::{BATCH_WRITES_MAX, Batch, Order, Store};

use crate::actions::audit::ChainError;
use crate::actions::audit::chain::{cut, seals};
use crate::model::moment::Moment;
use crate::model::retention::Retention;
use crate::records::event::SealRecord;
use crate::records::place::Place;
use crate::records::read_row;

/// Most seals that one batch cuts, and the one that stays.
const SEALS_MAX: usize = 100;
/// What a cut writes beside what it deletes: the cut, its event, the seal over it.
const OTHER_WRITES: usize = 3;

/// Seals that can be cut.
pub(super) struct Due {
    /// Deletes them and their events, guarded; the cut is still to be written.
    pub(super) batch: Batch,
    /// The last of them.
    pub(super) last: SealRecord,
    /// How many events they cover.
    pub(super) events: usize,
}

/// The oldest seals that are older than the retention, as many as fit a batch; `None`: there are
/// none that can be cut.
pub(super) fn due(
    store: &dyn Store,
    now: Moment,
    retention: Retention,
) -> Result<Option<Due>, ChainError> {
    let limit = now.before(retention.span());
    let page = seals(store, None, Order::Ascending, SEALS_MAX)?;
    let (mut batch, mut last, mut events) = (Batch::new(), None, 0);
    for pair in page.rows.windows(2) {
        let [row, next] = pair else { break };
        let held = read_row::<SealRecord>(row)?;
        let (seal, next) = (held.record, read_row::<SealRecord>(next)?.record);
        let is_old = seal.at < limit && seal.events.iter().all(|id| id.moment() < limit);
        let writes = batch.writes().len() + seal.events.len() + 1 + OTHER_WRITES;
        if !is_old || next.at >= limit || writes > BATCH_WRITES_MAX {
            break;
        }
        batch = batch.unchanged(row.key.clone(), held.revision).delete(row.key.clone());
        for id in &seal.events {
            batch = batch.delete(Place::Event(*id).to_bytes());
        }
        events += seal.events.len();
        last = Some(seal);
    }
    let Some(last) = last else { return Ok(None) };
    let key = Place::Cut.to_bytes();
    let batch = match cut(store)? {
        Some(held) => batch.unchanged(key, held.revision),
        None => batch.absent(key),
    };
    Ok(Some(Due { batch, last, events }))
}
