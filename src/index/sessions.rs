//! The sessions of the store and their users, known from a request's head alone, without reading
//! the store.
//!
//! It does not know whether a session is still valid: the store's record decides that. A user has
//! at most 20 sessions.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;

use papaya::HashMap;

use crate::index::{DigestHasher, DigestKey};
use crate::model::id::UserId;
use crate::model::secret::Digest;

/// The sessions of one instance.
#[derive(Debug, Default)]
pub(super) struct Sessions(HashMap<DigestKey, UserId, BuildHasherDefault<DigestHasher>>);

impl Sessions {
    pub(super) fn user(&self, digest: &Digest) -> Option<UserId> {
        self.0.pin().get(&DigestKey::from(*digest)).copied()
    }

    pub(super) fn put(&self, digest: Digest, user: UserId) {
        self.0.pin().insert(digest.into(), user);
    }

    pub(super) fn remove(&self, digest: Digest) {
        self.0.pin().remove(&DigestKey::from(digest));
    }

    /// All known sessions, to find out which of them a scan did not find.
    pub(super) fn all(&self) -> HashSet<DigestKey> {
        self.0.pin().keys().copied().collect()
    }

    pub(super) fn forget(&self, gone: impl IntoIterator<Item = DigestKey>) {
        let sessions = self.0.pin();
        for key in gone {
            sessions.remove(&key);
        }
    }
}
