//! A key's limits as they are stored.

use serde::{Deserialize, Serialize};

use crate::model::limit::{Period, Quota, RateLimit, Zone};
use crate::records::text;

/// A rate limit as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimitRecord {
    /// Its name.
    #[serde(rename = "n")]
    pub name: Box<str>,
    /// Calls in a window.
    #[serde(rename = "l")]
    pub limit: u32,
    /// The window.
    #[serde(rename = "w")]
    pub window_seconds: u32,
}

/// A quota as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaRecord {
    /// Calls in a period.
    #[serde(rename = "l")]
    pub limit: u64,
    /// The period.
    #[serde(rename = "p", with = "text")]
    pub period: Period,
    /// Where days begin.
    #[serde(rename = "z", with = "text")]
    pub zone: Zone,
}

impl From<&RateLimitRecord> for RateLimit {
    fn from(record: &RateLimitRecord) -> Self {
        Self {
            name: record.name.clone(),
            limit: record.limit,
            window_seconds: record.window_seconds,
        }
    }
}

impl From<&QuotaRecord> for Quota {
    fn from(record: &QuotaRecord) -> Self {
        Self { limit: record.limit, period: record.period, zone: record.zone.clone() }
    }
}

impl From<&Quota> for QuotaRecord {
    fn from(quota: &Quota) -> Self {
        Self { limit: quota.limit, period: quota.period, zone: quota.zone.clone() }
    }
}
