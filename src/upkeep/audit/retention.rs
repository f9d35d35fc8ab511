//! Finds events that are old enough to be cut, whole seals at a time.
//!
//! The first remaining seal is also older than the retention. The hash of this seal covers its
//! time, which proves that all events cut before it were old enough. An event is therefore kept
//! longer than the retention, usually by at most a day, because the sealer writes at least one seal
//! a day.

use keyhouse_storage::{BATCH_WRITES_MAX, Batch, Order, Store};

use crate::model::moment::Moment;
use crate::model::retention::Retention;
use crate::records::event::SealRecord;
use crate::records::place::StoreKey;
use crate::records::read_row;
use crate::upkeep::audit::chain::{cut, seals};
use crate::upkeep::error::UpkeepError;

/// Maximum number of seals that are read for one batch, including the first seal that remains.
const SEALS_MAX: usize = 100;
/// Writes of a cut besides the deletions: the cut, its event, and the seal over it.
const OTHER_WRITES: usize = 3;

/// Seals that can be cut.
pub(crate) struct Due {
    /// Deletes the seals and their events under guards. The caller adds the record of the cut.
    pub(crate) batch: Batch,
    pub(crate) last: SealRecord,
    /// Number of events that the seals cover.
    pub(crate) events: usize,
}

/// Returns as many of the oldest seals as are older than the retention and fit in a batch, or
/// `None` if no seal can be cut.
pub(crate) fn due(
    store: &dyn Store,
    now: Moment,
    retention: Retention,
) -> Result<Option<Due>, UpkeepError> {
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
            batch = batch.delete(StoreKey::Event(*id).to_bytes());
        }
        events += seal.events.len();
        last = Some(seal);
    }
    let Some(last) = last else { return Ok(None) };
    let key = StoreKey::Cut.to_bytes();
    let batch = match cut(store)? {
        Some(held) => batch.unchanged(key, held.revision),
        None => batch.absent(key),
    };
    Ok(Some(Due { batch, last, events }))
}
