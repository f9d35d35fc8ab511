//! The record of the reserved use of a quota.
//!
//! The record has a row of its own, so that a call does not change the key's record.

use serde::{Deserialize, Serialize};

use crate::model::moment::Moment;
use crate::records::codec::Record;
use crate::records::text;

/// Upper bound of the quota use in a period. While the process runs, the use is at most this value;
/// after a clean stop, the use is exactly this value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReservationRecord {
    #[serde(rename = "b", with = "text::moment")]
    pub begins: Moment,
    /// The first moment after the period.
    #[serde(rename = "x", with = "text::moment")]
    pub ends: Moment,
    #[serde(rename = "r")]
    pub reserved: u64,
}

impl Record for ReservationRecord {}
