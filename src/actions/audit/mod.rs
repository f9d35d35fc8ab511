//! The audit log: seals, lists, checks and cuts events.
//!
//! Actions ([`crate::actions`]) write their events in their own batches and never wait for a seal.
//! Only the thread of [`seal`] extends the chain, after the commit.

mod chain;
pub mod check;
mod chores;
mod cut_proof;
pub mod export;
mod fault;
pub mod list;
mod own;
mod retention;
pub mod seal;
mod unsealed;

#[cfg(test)]
mod tampering;

use std::time::Duration;

use keyhouse_storage::{At, Order, Range, ReadError, Store};

use crate::actions::actor::Actor;
use crate::actions::{ActionError, Actions};
use crate::model::moment::Moment;
use crate::model::role::AUDIT_READ;
use crate::records::place::StoreKey;
pub use chain::AuditHead;
use chain::ChainError;

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
        Err(ChainError::Read(error)) => return Err(error),
        Err(error @ (ChainError::Record(_) | ChainError::Commit(_))) => {
            tracing::error!(%error, "audit: could not decode the end of the chain");
            None
        },
    };
    Ok(event.max(chain))
}

impl From<ChainError> for ActionError {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Read(error) => error.into(),
            ChainError::Record(error) => error.into(),
            ChainError::Commit(error) => {
                tracing::error!(%error, "audit: could not commit");
                Self::StorageUnavailable
            },
        }
    }
}

impl Actions {
    /// Returns the end of the chain of seals. With a saved copy of this head, an auditor can later
    /// prove that the log before it is unchanged.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] without `keyhouse:audit:read`; the errors of the store.
    pub fn audit_head(&self, actor: &Actor) -> Result<AuditHead, ActionError> {
        actor.require(AUDIT_READ)?;
        Ok(AuditHead::read(&*self.store)?)
    }
}
