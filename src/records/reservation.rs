//! The record of the reserved use of a quota.
//!
//! It has a row of its own, so that a use does not change the key.

use serde::{Deserialize, Serialize};

use crate::model::moment::Moment;
use crate::records::{Record, text};

/// Upper limit of the use in a period. While the process runs, the use is at most this value; after
/// a clean stop it is exactly this value.
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
