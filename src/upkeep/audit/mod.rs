//! Seals, cuts and exports the audit log.
//!
//! Changes write their events in their own batches and never wait for a seal. Only the thread of
//! [`seal`] extends the chain, after the commit.

pub(crate) mod chain;
pub(crate) mod chores;
pub mod export;
pub(crate) mod own;
pub mod restored;
mod retention;
pub mod seal;
mod unsealed;

use std::time::Duration;

use keyhouse_storage::{At, Order, Range, ReadError, Store};

use crate::model::moment::Moment;
use crate::records::place::StoreKey;
use crate::upkeep::error::UpkeepError;
pub use chain::AuditHead;

/// Maximum number of events under one seal. A cut deletes these events and the seal in one batch.
pub const SEAL_EVENTS_MAX: usize = 1_000;

/// Upper limit of the time from the creation of an event's id until every feed has returned its
/// commit. An event that is older and not committed will never be committed.
pub const COMMIT_TIME_MAX: Duration = Duration::from_mins(10);

/// Returns the latest moment in the audit log: that of the youngest event, or, if all events were
/// cut, that of the last seal or of the cut. Rows that cannot be parsed are skipped; the check
/// reports them.
///
/// # Errors
/// The errors of the store.
pub fn latest_moment(store: &dyn Store) -> Result<Option<Moment>, ReadError> {
    let range = Range { limit: 1, order: Order::Descending, ..Range::prefix(StoreKey::EVENTS) };
    let page = store.scan(&range, At::Latest)?;
    let event = page.rows.first().and_then(|row| match StoreKey::parse(&row.key) {
        Ok(StoreKey::Event(id)) => Some(id.moment()),
        Ok(_) | Err(_) => None,
    });
    let chain = match AuditHead::read(store) {
        Ok(head) => head.at,
        Err(UpkeepError::Read(error)) => return Err(error),
        Err(error @ (UpkeepError::Record(_) | UpkeepError::Commit(_))) => {
            tracing::error!(%error, "audit: could not decode the end of the chain");
            None
        },
    };
    Ok(event.max(chain))
}
