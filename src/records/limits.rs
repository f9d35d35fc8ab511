//! The stored form of a key's rate limits and quota.

use serde::{Deserialize, Serialize};

use crate::model::limit::{Period, Quota, RateLimit, Zone};
use crate::records::text;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimitRecord {
    #[serde(rename = "n")]
    pub name: Box<str>,
    /// Number of calls per window.
    #[serde(rename = "l")]
    pub limit: u32,
    #[serde(rename = "w")]
    pub window_seconds: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaRecord {
    /// Number of calls per period.
    #[serde(rename = "l")]
    pub limit: u64,
    #[serde(rename = "p", with = "text")]
    pub period: Period,
    /// Time zone in which days begin.
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
