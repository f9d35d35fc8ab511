//! The audit log: lists and checks its events. `upkeep` seals and cuts the log.

pub mod check;
mod cut_proof;
mod fault;
pub mod list;
mod names;

#[cfg(test)]
mod tampering;

use crate::actions::actor::Actor;
use crate::actions::{ActionError, Actions};
use crate::model::role::AUDIT_READ;
pub use crate::upkeep::audit::AuditHead;
use crate::upkeep::error::UpkeepError;

impl From<UpkeepError> for ActionError {
    fn from(error: UpkeepError) -> Self {
        match error {
            UpkeepError::Read(error) => error.into(),
            UpkeepError::Record(error) => error.into(),
            UpkeepError::Commit(error) => {
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
