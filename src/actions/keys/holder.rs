//! What the holder of a secret may do with its key, whoever they are: end it.
//!
//! It accepts a secret that works or that overlaps during a rotation, never one that has ended: that
//! one may have been rotated away because it leaked.

use std::net::IpAddr;

use keyhouse_storage::Batch;

use crate::actions::events::Happening;
use crate::actions::keys::draft::shape;
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::model::id::{KeyId, OrganizationId};
use crate::model::secret::Digest;
use crate::records::Held;
use crate::records::key::{Author, KeyRecord};
use crate::records::place::Place;

/// Why a key was revoked that nobody manages away.
const REASON: &str = "revoked by its holder";

/// A key, as its holder shows it.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// Whose key it is.
    pub organization: OrganizationId,
    /// The key.
    pub key: KeyId,
    /// The digest of the secret shown.
    pub digest: Digest,
}

/// What came of a holder's wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HolderRevoked {
    /// The key is revoked.
    Done,
    /// The secret shown has ended in a rotation, perhaps because it leaked: whoever still has it has
    /// no say in what came after it.
    SecretEnded,
}

impl Actions {
    /// Revokes a key for whoever shows one of its secrets, whatever state it and its organization
    /// are in. Revoking it again changes nothing.
    ///
    /// # Errors
    /// [`ActionError::NotFound`] where the key has no such secret any more; the store's.
    pub fn revoke_by_holder(
        &self,
        shown: Shown,
        address: Option<IpAddr>,
    ) -> Result<HolderRevoked, ActionError> {
        let place = Place::Key(shown.organization, shown.key);
        Self::until_done(|| {
            let now = self.clock.now().wall;
            let held: Option<Held<KeyRecord>> = self.read(&place)?;
            let held = held.ok_or(ActionError::NotFound("key"))?;
            let secret = held.record.secrets.iter().find(|secret| secret.digest == shown.digest);
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
            record.version += 1;
            record.updated_at = now;
            let batch = Batch::new().unchanged(place.to_bytes(), held.revision);
            let happening = Happening {
                actor: Some(Author::Key(record.id)),
                address,
                organization: Some(record.organization),
                action: "key.revoke",
                target: record.id.to_string(),
                before: serde_json::Map::new(),
                after: serde_json::Map::new(),
            };
            let happening = happening.with_change(&shape(&held.record), &shape(&record));
            let batch = self.record(put(batch, &place, &record)?, now, happening)?;
            let done = Attempt::Done(HolderRevoked::Done);
            Ok(self.commit_upkeep(batch)?.map_or(Attempt::Again, |_revision| done))
        })
    }
}
