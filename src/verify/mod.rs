//! The check: turns a presented text and the facts of a request into a verdict.
//!
//! A check reads no store and no clock, and never blocks. The only side effect of a check is the
//! draw from the counters of limits and quotas.

mod decide;
mod explain;
mod granted;
mod limits;
mod verdict;

use std::net::IpAddr;

use crate::index::Index;
use crate::index::grant::Grant;
use crate::index::quota::Unreserved;
use crate::model::gate::Acceptance;
use crate::model::key_text::{KeyTextClass, classify};
use crate::model::requirement::Requirement;
use crate::model::secret::Digest;
pub use decide::{decide, preview};
pub use explain::{
    Explanation, ExplanationStep, Granting, Lists, Stage, StepOutcome, explain, explain_absence,
};
pub use granted::with_granted;
pub use limits::CallLimits;
pub use verdict::{Code, Verdict};

/// The inputs of a check, besides the key.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The client's address, if the caller provided it.
    pub ip: Option<IpAddr>,
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
        Self { ip: None, requirement: None, acceptance: Acceptance::default(), cost: 1 }
    }
}

/// Checks a presented text: parses and hashes the text, looks up its grant, and calls `judge`
/// ([`decide`] or a stricter function). Calls `answer` with the verdict and, from [`Code::Revoked`]
/// on, the grant, which `answer` may read but not keep.
///
/// # Errors
///
/// [`Unreserved`]: nothing was drawn, and `answer` was not called. The caller waits for the
/// reservation and checks again.
pub fn check<T>(
    index: &Index,
    presented: &[u8],
    judge: impl FnOnce(&Grant) -> Result<Verdict, Unreserved>,
    answer: impl FnOnce(Verdict, Option<&Grant>) -> T,
) -> Result<T, Unreserved> {
    let Some(digest) = digest_of(index, presented) else {
        return Ok(answer(Verdict::of(Code::Malformed), None));
    };
    index.with_grant(&digest, |grant| match grant {
        None => Ok(answer(Verdict::of(Code::NotFound), None)),
        Some(grant) => Ok(match judge(grant)? {
            // A grant that is hidden from the caller is treated as absent.
            verdict if verdict.code == Code::NotFound => answer(verdict, None),
            verdict => answer(verdict, Some(grant)),
        }),
    })
}

/// The digest that decides about a presented text; `None` for a malformed text.
///
/// A text may be known by its BLAKE3 and by its SHA-256 digest. If one of the two digests is that
/// of a revoked key, or is retired, that digest decides. An instance without keys known by SHA-256
/// computes only BLAKE3.
pub fn digest_of(index: &Index, presented: &[u8]) -> Option<Digest> {
    let (KeyTextClass::Own(digest) | KeyTextClass::Foreign(digest)) = classify(presented) else {
        return None;
    };
    if index.knows_sha256() {
        Some(index.deciding([digest, Digest::by_sha256(presented)]))
    } else {
        Some(digest)
    }
}
