//! The fields of an organization that the audit log shows.

use serde_json::{Value, json};

use crate::actions::changes::{Resource, ResourceRef};
use crate::records::access::OrganizationRecord;
use crate::records::place::StoreKey;

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
