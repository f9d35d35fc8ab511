//! The record of a new organization, and the fields that the audit log shows.

use serde_json::{Value, json};

use crate::model::id::OrganizationId;
use crate::model::moment::Moment;
use crate::model::permission::Patterns;
use crate::model::plan::SubscriptionStatus;
use crate::records::access::OrganizationRecord;

/// The record of a new organization. Only the plan differs between new organizations.
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

/// The fields of a record that the audit log shows.
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

/// The entries of a list as text.
fn texts<T: ToString>(entries: &[T]) -> Vec<String> {
    entries.iter().map(ToString::to_string).collect()
}
