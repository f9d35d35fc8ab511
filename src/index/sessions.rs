//! The stored sessions and their users, so that a request's user is known without reading the
//! store.
//!
//! A session in this list may have ended: only the stored record shows whether it is valid. A user
//! has at most 20 sessions.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;

use papaya::HashMap;

use crate::index::digest_key::{DigestHasher, DigestKey};
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

    /// All known sessions. A scan compares these sessions with the store.
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
