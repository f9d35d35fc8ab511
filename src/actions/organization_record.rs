//! The record of an organization: as it begins, and what of it the audit log names.

use serde_json::{Value, json};

use crate::model::id::OrganizationId;
use crate::model::moment::Moment;
use crate::model::permission::Patterns;
use crate::model::plan::SubscriptionStatus;
use crate::records::access::OrganizationRecord;

/// The record of a new organization, as every one begins but for its plan.
pub(super) fn new_organization(
    id: OrganizationId,
    name: String,
    plan: &str,
    now: Moment,
) -> OrganizationRecord {
    OrganizationRecord {
        id,
        name,
        suspended: false,
        ceiling: Patterns::everything(),
        members_create_keys: true,
        key_lifetime_days_max: None,
        domains: Vec::new(),
        second_factor_required_of: Vec::new(),
        plan: plan.into(),
        status: SubscriptionStatus::Active,
        current_period_end: None,
        created_at: now,
        version: 1,
    }
}

/// What of a record the audit log names.
pub(super) fn shape(record: &OrganizationRecord) -> Value {
    json!({
        "name": record.name,
        "suspended": record.suspended,
        "permissions": record.ceiling.as_set().texts().collect::<Vec<_>>(),
        "members_create_keys": record.members_create_keys,
        "key_lifetime_days_max": record.key_lifetime_days_max,
        "domains": record.domains,
        "second_factor_required_of": texts(&record.second_factor_required_of),
        "plan": record.plan,
        "status": record.status.to_string(),
        "current_period_end": record.current_period_end.map(|end| end.to_string()),
    })
}

/// What is in a list, as text.
fn texts<T: ToString>(entries: &[T]) -> Vec<String> {
    entries.iter().map(ToString::to_string).collect()
}
