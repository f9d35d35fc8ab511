//! Lookups of organizations, including the first organization of the instance.

use std::sync::Arc;

use crate::index::Index;
use crate::index::facts::{OrganizationFacts, UserFacts};
use crate::index::shared_organization::SharedOrganization;
use crate::model::id::OrganizationId;

impl Index {
    /// The facts of an organization.
    pub fn organization(&self, id: OrganizationId) -> Option<Arc<OrganizationFacts>> {
        self.organizations.pin().get(&id).map(|shared| shared.load_full())
    }

    /// The handle to an organization's facts, which all of its keys share.
    pub fn shared_organization(&self, id: OrganizationId) -> Option<Arc<SharedOrganization>> {
        self.organizations.pin().get(&id).map(Arc::clone)
    }

    /// Notes that the store has the mark of an organization's first call through a gate.
    pub fn set_gate_call_stored(&self, id: OrganizationId) {
        if let Some(shared) = self.organizations.pin().get(&id) {
            shared.set_gate_call_stored();
        }
    }

    /// The first organization, which the bootstrap created. The operators belong to the first
    /// organization.
    pub fn founding_organization(&self) -> Option<OrganizationId> {
        self.founded.get().copied()
    }

    /// The facts of the first organization.
    pub fn first_organization(&self) -> Option<Arc<OrganizationFacts>> {
        self.founding_organization().and_then(|id| self.organization(id))
    }

    /// Whether an organization exists. Without an organization, no user can sign in.
    pub fn has_organizations(&self) -> bool {
        !self.organizations.is_empty()
    }

    /// The ids of all organizations, oldest first.
    pub fn organization_ids(&self) -> Vec<OrganizationId> {
        let mut ids: Vec<_> = self.organizations.pin().keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// The users of an organization, oldest first.
    pub fn users_of(&self, organization: OrganizationId) -> Vec<Arc<UserFacts>> {
        let users = self.users.pin();
        let facts = users.values().map(|shared| shared.facts());
        let mut users: Vec<_> = facts.filter(|facts| facts.organization == organization).collect();
        users.sort_unstable_by_key(|facts| facts.id);
        users
    }
}
