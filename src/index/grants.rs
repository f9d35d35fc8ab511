//! The grants by the digest of their secret. While a caller has [`Grants`], it can use grants in place,
//! without copying them.

use std::hash::BuildHasherDefault;

use papaya::{HashMapRef, LocalGuard};

use crate::index::digest_key::{DigestHasher, DigestKey};
use crate::index::grant::Grant;
use crate::model::secret::Digest;

type Held<'a> = HashMapRef<'a, DigestKey, Grant, BuildHasherDefault<DigestHasher>, LocalGuard<'a>>;

/// The grants by the digest of their secret. No grant is freed while this exists.
#[derive(Debug)]
pub struct Grants<'a>(Held<'a>);

impl<'a> Grants<'a> {
    pub(super) fn of(held: Held<'a>) -> Self {
        Self(held)
    }

    pub fn get(&self, digest: &Digest) -> Option<&Grant> {
        self.0.get(&DigestKey::from(*digest))
    }
}
