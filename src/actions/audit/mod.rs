//! The audit log: its events are sealed into a chain, listed, checked, and cut once they are old.
//!
//! Events are written by the actions that they tell of ([`crate::actions`]), in their batches, and
//! never wait for a seal: the chain is made behind them, by [`seal`]'s thread alone.

mod chain;
pub mod check;
mod chores;
mod cut_proof;
pub mod export;
pub mod list;
mod own;
mod retention;
pub mod seal;
mod unsealed;

#[cfg(test)]
mod tampering;

use std::time::Duration;

use keyhouse_storage::{At, CommitError, Order, Range, ReadError, Store};

use crate::actions::actor::Actor;
use crate::actions::{ActionError, Actions};
use crate::model::moment::Moment;
use crate::model::role::AUDIT_READ;
use crate::records::RecordError;
use crate::records::place::Place;
pub use chain::Head;

/// Most events under one seal: with the seal itself they fit a batch, when they are cut.
pub const SEAL_EVENTS_MAX: usize = 1_000;
/// Longer than any commit takes, from the making of its event's id until every feed has shown it:
/// what is older and was not committed never will be.
pub const COMMIT_TIME_MAX: Duration = Duration::from_mins(10);

/// Why the chain could not be read or made longer.
#[derive(Debug, thiserror::Error)]
enum ChainError {
    #[error("could not read the store")]
    Read(#[from] ReadError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("could not commit")]
    Commit(#[from] CommitError),
}

/// The latest moment that the audit log tells of: of its youngest event or, since events are cut
/// once they are old, of its last seal or its cut. What does not read tells nothing; the check names
/// it.
///
/// # Errors
/// The store's.
pub fn latest_moment(store: &dyn Store) -> Result<Option<Moment>, ReadError> {
    let range = Range { limit: 1, order: Order::Descending, ..Range::prefix(Place::EVENTS) };
    let page = store.scan(&range, At::Latest)?;
    let event = page.rows.first().and_then(|row| match Place::parse(&row.key) {
        Ok(Place::Event(id)) => Some(id.moment()),
        Ok(_) | Err(_) => None,
    });
    let chain = match Head::read(store) {
        Ok(head) => head.at,
        Err(ChainError::Read(error)) => return Err(error),
        Err(error @ (ChainError::Record(_) | ChainError::Commit(_))) => {
            tracing::error!(%error, "audit: the end of the chain does not read");
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
    /// The end of the chain of seals: written down elsewhere, it proves later that nothing before it
    /// was changed.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] without `keyhouse:audit:read`; the store's.
    pub fn audit_head(&self, actor: &Actor) -> Result<Head, ActionError> {
        actor.require(AUDIT_READ)?;
        Ok(Head::read(&*self.store)?)
    }
}
