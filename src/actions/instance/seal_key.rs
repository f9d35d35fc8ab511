//! The rotation of the key that encrypts the seeds of second factors.

use std::sync::TryLockError;

use keyhouse_storage::Batch;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::json;

use crate::actions::actor::Actor;
use crate::actions::events::AuditEntry;
use crate::actions::{ActionError, Actions};
use crate::model::audit_action::AuditAction;
use crate::model::errors;
use crate::model::role::INSTANCE_MANAGE;
use crate::model::seed::SeedKeyId;
use crate::seed_keys::SeedKeyError;
use crate::telemetry::with_sources;
use crate::upkeep::seeds::{Reencrypted, reencrypt};

/// The keys after a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealKeyRotation {
    /// The key that encrypts now.
    pub key: SeedKeyId,
    pub seeds: Reencrypted,
}

impl Actions {
    /// Encrypts all seeds with a new key, and removes the earlier keys from the key file. With
    /// `keep_key`, encrypts them with the first key of the file, which is not written.
    ///
    /// The file has both keys until every seed is encrypted with the new one. After an
    /// interruption, a repeated call finishes the rotation. For operators.
    ///
    /// # Errors
    /// [`ActionError::Conflict`] if the file can't be written.
    pub fn rotate_seal_key(
        &self,
        actor: &Actor,
        keep_key: bool,
    ) -> Result<SealKeyRotation, ActionError> {
        let _one_at_a_time = match self.rotating.try_lock() {
            Ok(held) => held,
            Err(TryLockError::Poisoned(held)) => held.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(ActionError::Busy),
        };
        let mut random = StdRng::from_rng(&mut *self.random());
        let current = self.seed_keys.read().clone();
        let keys = if keep_key {
            current
        } else {
            actor.require(INSTANCE_MANAGE)?;
            let keys = current.with_new_key(&mut random).map_err(|_full| too_many())?;
            // A file that can't be written refuses the rotation before its audit event is written.
            self.seed_keys.replace(current).map_err(|error| refused(&error))?;
            keys
        };
        Self::until_done(|| {
            let decided = self.authorize_holder(actor, INSTANCE_MANAGE)?;
            decided.require_lasting()?;
            let key = keys.current().to_string();
            let (before, after) = (json!({}), json!({ "key": key }));
            let entry = AuditEntry::by(&decided, AuditAction::SEAL_KEY_ROTATE, "seal_key");
            let entry = entry.of_instance().with_change(&before, &after);
            self.commit_change(decided, Batch::new(), entry, ())
        })?;
        if !keep_key {
            self.seed_keys.replace(keys.clone()).map_err(|error| refused(&error))?;
        }
        let seeds = reencrypt(&*self.store, &keys, &mut random)?;
        if !keep_key {
            self.seed_keys.replace(keys.without_earlier()).map_err(|error| refused(&error))?;
        }
        Ok(SealKeyRotation { key: keys.current(), seeds })
    }
}

fn refused(error: &SeedKeyError) -> ActionError {
    tracing::error!(error = with_sources(error), "seal key: file not written");
    let detail = "the seal key file can't be written, see the server log: if the service manager \
        provides the file, put a new key on its first line, restart, then rotate with keep_key";
    ActionError::Conflict { error: errors::SEAL_KEY_READ_ONLY, detail }
}

fn too_many() -> ActionError {
    let detail = "the seal key file has 8 keys: rotate with keep_key, then remove all but the \
        first key and restart";
    ActionError::Conflict { error: errors::TOO_MANY_SEAL_KEYS, detail }
}
