//! The record of a new organization, and the fields that the audit log shows.

use serde_json::{Value, json};

use crate::actions::changes::{Resource, ResourceRef};
use crate::model::id::OrganizationId;
use crate::model::moment::Moment;
use crate::model::permission::Patterns;
use crate::model::plan::SubscriptionStatus;
use crate::records::access::OrganizationRecord;
use crate::records::place::StoreKey;

/// The record of a new organization. Only the plan differs between new organizations.
pub(in crate::actions) fn new_organization(
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

impl Resource for OrganizationRecord {
    fn identity(&self) -> ResourceRef {
        ResourceRef::new(StoreKey::Organization(self.id), &self.id, Some(self.id))
    }

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn audit(&self) -> Value {
        json!({
            "name": self.name,
            "suspended": self.suspended,
            "permissions": self.ceiling.as_set().texts().collect::<Vec<_>>(),
            "members_create_keys": self.members_create_keys,
            "key_lifetime_days_max": self.key_lifetime_days_max,
            "domains": self.domains,
            "second_factor_required_of": texts(&self.second_factor_required_of),
            "plan": self.plan,
            "status": self.status.to_string(),
            "current_period_end": self.current_period_end.map(|end| end.to_string()),
        })
    }
}

/// The entries of a list as text.
fn texts<T: ToString>(entries: &[T]) -> Vec<String> {
    entries.iter().map(ToString::to_string).collect()
}
