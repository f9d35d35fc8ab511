//! What an inspection needs to know, what it reports, and why it fails.

use keyhouse_storage::ReadError;

use crate::index::follow::FollowError;
use crate::inspection::finding::Finding;
use crate::model::moment::Moment;
use crate::model::retention::Retention;
use crate::model::seed::SeedKeys;
use crate::records::upgrade::STORE_FORMAT;
use crate::records::{PrepareError, RecordError};
use crate::upkeep::error::UpkeepError;

/// Maximum number of findings that a report lists, and that one pass of a repair mends.
pub const FINDINGS_MAX: usize = 10_000;

/// The facts outside the store that an inspection needs.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    pub now: Moment,
    /// The retention of audit events that is set now.
    pub retention: Retention,
    pub seed_keys: SeedKeysFound<'a>,
}

/// Whether the seal key file was read.
#[derive(Clone, Copy, Debug)]
pub enum SeedKeysFound<'a> {
    /// The seeds of second factors are not checked.
    NotChecked,
    Missing,
    Keys(&'a SeedKeys),
}

/// The result of an inspection.
#[derive(Clone, Debug, Default)]
pub struct StoreReport {
    /// All rows of the store, also those of the audit log.
    pub rows: u64,
    /// The number of keys, with revoked and expired keys.
    pub keys: u64,
    /// The findings in the order of the rows, at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// The number of findings that are not listed.
    pub unlisted: u64,
}

impl StoreReport {
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    pub(super) fn add(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.unlisted += 1;
        }
    }
}

/// Why a store could not be inspected.
#[derive(Debug, thiserror::Error)]
pub enum InspectionError {
    #[error("could not read the store")]
    Read(#[from] ReadError),
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    #[error(
        "the store has format {from}, this program inspects format {STORE_FORMAT}: run `keyhouse \
         upgrade` first"
    )]
    Format { from: u32 },
    #[error("could not check the audit log")]
    AuditLog(#[source] UpkeepError),
    #[error("could not build the index")]
    Index(#[source] FollowError),
    #[error("could not encode a record")]
    Encode(#[from] RecordError),
}
