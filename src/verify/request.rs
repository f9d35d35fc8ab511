//! The inputs of a check: the request, and the digest of the presented text.

use std::net::IpAddr;

use crate::index::grant::Grant;
use crate::index::{CallOrigin, Grants, Index};
use crate::model::gate::{Acceptance, GateNumber};
use crate::model::id::OrganizationId;
use crate::model::key_text::{KeyTextClass, classify, has_wrong_checksum, is_credential};
use crate::model::requirement::Requirement;
use crate::model::secret::Digest;
use crate::verify::verdict::Code;

/// The inputs of a check, besides the key.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The client's address, if the caller provided it.
    pub ip: Option<IpAddr>,
    /// The program that presents the key, for the key's last use.
    pub user_agent: Option<&'a str>,
    /// The gate that the call comes through. `None` for a call without a gate.
    pub gate: Option<CallGate<'a>>,
    /// The keys that the asker may see.
    pub scope: Scope,
    /// The permissions that the key needs.
    pub requirement: Option<&'a Requirement>,
    /// The organizations and environments whose keys are accepted.
    pub acceptance: Acceptance<'a>,
    /// Units to draw from limits and quota, 0 to [`crate::model::limit::COST_MAX`].
    pub cost: u32,
}

impl Default for Request<'_> {
    /// Requires only a valid key, at a cost of 1.
    fn default() -> Self {
        Self {
            ip: None,
            user_agent: None,
            gate: None,
            scope: Scope::All,
            requirement: None,
            acceptance: Acceptance::default(),
            cost: 1,
        }
    }
}

impl<'a> Request<'a> {
    /// A request of the key's holder, which requires only a valid key.
    pub fn from_holder(origin: CallOrigin<'a>) -> Self {
        Self { ip: origin.ip, user_agent: origin.user_agent, ..Self::default() }
    }
}

/// The gate that a call comes through.
#[derive(Clone, Copy, Debug)]
pub struct CallGate<'a> {
    pub name: &'a str,
    pub number: GateNumber,
}

/// The keys that the asker of a check may see. Any other key is not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The keys of every organization.
    All,
    /// The keys of one organization.
    Organization(OrganizationId),
}

impl Scope {
    pub(super) fn includes(self, grant: &Grant) -> bool {
        match self {
            Self::All => true,
            Self::Organization(id) => grant.organization.id() == id,
        }
    }
}

/// The grant of a presented text, or the code of its absence.
///
/// The grant is that of the digest that [`digest_of`] returns. Computing the checksum of a text
/// takes a fifth of a check. Unless the instance has keys known by SHA-256, it is computed only for
/// a text that has no key, or that was not checked before.
pub(super) fn find<'a>(
    index: &Index,
    grants: &'a Grants<'_>,
    presented: &[u8],
) -> Result<&'a Grant, Code> {
    if index.knows_sha256() {
        let digest = digest_of(index, presented).ok_or(Code::Malformed)?;
        return grants.get(&digest).ok_or(Code::NotFound);
    }
    if !is_credential(presented) {
        return Err(Code::Malformed);
    }
    let grant = grants.get(&Digest::of(presented));
    if let Some(grant) = grant.filter(|grant| grant.text_is_checked()) {
        return Ok(grant);
    }
    if has_wrong_checksum(presented) {
        return Err(Code::Malformed);
    }
    let grant = grant.ok_or(Code::NotFound)?;
    grant.set_text_checked();
    Ok(grant)
}

/// The digest that decides about a presented text; `None` for a malformed text.
///
/// A text may be known by its BLAKE3, by its SHA-256, and by the SHA-256 of its last part. If one
/// of these digests is that of a revoked key, that digest decides. If one of them is retired, the
/// text is not found. An instance without keys known by SHA-256 computes only BLAKE3, and one
/// without keys known by their last part hashes only whole texts.
pub fn digest_of(index: &Index, presented: &[u8]) -> Option<Digest> {
    let (KeyTextClass::Own(digest) | KeyTextClass::Foreign(digest)) = classify(presented) else {
        return None;
    };
    if !index.knows_sha256() {
        return Some(digest);
    }
    let by_sha256 = Digest::by_sha256(presented);
    let by_part = if index.knows_last_parts() { Digest::by_last_part(presented) } else { None };
    match by_part {
        Some(by_part) => index.deciding(&[digest, by_sha256, by_part]),
        None => index.deciding(&[digest, by_sha256]),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::index::grant::tests::grant_of;
    use crate::index::live::KeyCounters;
    use crate::index::tests::index_of;
    use crate::model::id::Id;
    use crate::model::key_text::{Environment, Prefix, generate};

    /// A key that was imported by its digest may have any text: its text is checked once.
    #[test]
    fn a_text_with_a_wrong_checksum_is_malformed_even_if_its_digest_has_a_key() {
        let made = generate(&Prefix::default(), &Environment::default(), &mut rand::rng());
        let right = made.secret.reveal().to_owned();
        let wrong = right.replacen("kh_live_", "kh_test_", 1);
        for (text, malformed) in [(&*right, false), (&*wrong, true), ("sk_old_1", false)] {
            let grant = grant_of(Arc::new(KeyCounters::new(Id::default())));
            assert!(!grant.text_is_checked());
            let index = index_of(Digest::of(text.as_bytes()), grant);
            for _ in 0..2 {
                let grants = index.grants();
                let found = find(&index, &grants, text.as_bytes()).map(Grant::text_is_checked);
                assert_eq!(
                    found,
                    if malformed { Err(Code::Malformed) } else { Ok(true) },
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn a_text_without_a_key_is_malformed_or_not_found() {
        let made = generate(&Prefix::default(), &Environment::default(), &mut rand::rng());
        let right = made.secret.reveal().to_owned();
        let wrong = right.replacen("kh_live_", "kh_test_", 1);
        let index = Index::new();
        for (text, code) in [
            ("", Code::Malformed),
            ("two words", Code::Malformed),
            (&*wrong, Code::Malformed),
            (&*right, Code::NotFound),
            ("sk_old_1", Code::NotFound),
        ] {
            let grants = index.grants();
            assert_eq!(find(&index, &grants, text.as_bytes()).map(drop), Err(code), "{text}");
        }
    }
}
