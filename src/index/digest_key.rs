//! Digests as keys of an in-memory map.

use std::hash::{Hash, Hasher};

use crate::model::secret::Digest;

/// A digest as a key of the map. Digests of different algorithms differ: see [`Digest::of_sha256`].
///
/// The digest is stored as words, so that its alignment equals that of the grant. The map's key
/// then lies directly before the grant in one allocation, and shares a cache line with the fields
/// that a check reads first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DigestKey(pub(super) [u64; 4]);

impl From<Digest> for DigestKey {
    fn from(digest: Digest) -> Self {
        Self(digest.words())
    }
}

impl Hash for DigestKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [first, ..] = self.0;
        state.write_u64(first);
    }
}

/// Uses part of a digest as its hash. A digest is already uniform, and an attacker cannot choose
/// the map's digests: Keyhouse generates the secrets, or an operator imports them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, i: u64) {
        self.0 = i;
    }
}
