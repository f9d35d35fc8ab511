//! The record of how far a quota's use is reserved. It lies apart, so that a use changes no key.

use serde::{Deserialize, Serialize};

use crate::model::moment::Moment;
use crate::records::{Record, text};

/// How much of a period may have been used: as long as its process runs it was at most that; after
/// a clean stop it was exactly that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReservationRecord {
    /// The period's first moment.
    #[serde(rename = "b", with = "text::moment")]
    pub begins: Moment,
    /// The first moment beyond.
    #[serde(rename = "x", with = "text::moment")]
    pub ends: Moment,
    /// Calls.
    #[serde(rename = "r")]
    pub reserved: u64,
}

impl Record for ReservationRecord {}
