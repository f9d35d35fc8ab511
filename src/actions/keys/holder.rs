//! Lets the holder of a secret revoke its key without signing in.
//!
//! Accepts every current secret of the key, including the old secret during the overlap of a
//! rotation. Rejects a secret that has ended, because it may have been rotated out after a leak.

use std::net::IpAddr;

use keyhouse_storage::Batch;

use crate::actions::changes::rewrite;
use crate::actions::events::AuditEntry;
use crate::actions::keys::draft::shape;
use crate::actions::{ActionError, Actions, Attempt};
use crate::model::audit_action::AuditAction;
use crate::model::id::{KeyId, OrganizationId};
use crate::model::secret::Digest;
use crate::records::Revised;
use crate::records::key::{Author, KeyRecord};
use crate::records::place::StoreKey;

/// Revocation reason that is stored when the holder of a secret revokes the key.
const REASON: &str = "revoked by its holder";

/// A key that was identified by a secret.
#[derive(Clone, Copy, Debug)]
pub struct PresentedKey {
    pub organization: OrganizationId,
    pub key: KeyId,
    /// The digest of the presented secret.
    pub digest: Digest,
}

/// Result of a revocation by the holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HolderRevoked {
    Done,
    /// The presented secret was rotated out, perhaps because it leaked. The holder of an ended
    /// secret may not revoke the key.
    SecretEnded,
}

impl Actions {
    /// Revokes a key for the holder of one of its secrets, regardless of the status of the key and
    /// its organization. Revoking a key again changes nothing.
    ///
    /// # Errors
    /// [`ActionError::NotFound`] if the key no longer has this secret; the errors of the store.
    pub fn revoke_by_holder(
        &self,
        presented: PresentedKey,
        address: Option<IpAddr>,
    ) -> Result<HolderRevoked, ActionError> {
        let place = StoreKey::Key(presented.organization, presented.key);
        Self::until_done(|| {
            let now = self.clock.now().wall;
            let held: Option<Revised<KeyRecord>> = self.read(&place)?;
            let held = held.ok_or(ActionError::NotFound("key"))?;
            let secret =
                held.record.secrets.iter().find(|secret| secret.digest == presented.digest);
            let secret = secret.ok_or(ActionError::NotFound("key"))?;
            if secret.ends_at.is_some_and(|end| end <= now) {
                return Ok(Attempt::Done(HolderRevoked::SecretEnded));
            }
            if held.record.revoked_at.is_some() {
                self.await_index(held.revision);
                return Ok(Attempt::Done(HolderRevoked::Done));
            }
            let mut record = held.record.clone();
            record.revoked_at = Some(now);
            record.revoked_reason = Some(REASON.to_owned());
            let batch = rewrite(Batch::new(), &held, &mut record, now)?;
            let audit_entry = AuditEntry {
                actor: Some(Author::Key(record.id)),
                address,
                organization: Some(record.organization),
                action: AuditAction::KEY_REVOKE,
                target: record.id.to_string(),
                before: serde_json::Map::new(),
                after: serde_json::Map::new(),
            };
            let audit_entry = audit_entry.with_change(&shape(&held.record), &shape(&record));
            let batch = self.record(batch, now, audit_entry)?;
            let done = Attempt::Done(HolderRevoked::Done);
            Ok(self.commit_upkeep(batch)?.map_or(Attempt::Again, |_revision| done))
        })
    }
}
