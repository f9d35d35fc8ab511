//! Builds audit events and adds them to the batch of the change that they describe.

use std::net::IpAddr;

use keyhouse_storage::Batch;
use serde_json::{Map, Value};

use crate::actions::{ActionError, Actions, put};
use crate::model::audit_action::AuditAction;
use crate::model::id::{EventId, OrganizationId, UserId};
use crate::model::moment::Moment;
use crate::records::event::EventRecord;
use crate::records::key::Author;
use crate::records::place::StoreKey;

/// A change to record in the audit log, without secrets.
#[derive(Debug)]
pub(super) struct AuditEntry {
    pub(super) actor: Option<Author>,
    pub(super) address: Option<IpAddr>,
    pub(super) organization: Option<OrganizationId>,
    pub(super) action: AuditAction,
    pub(super) target: String,
    pub(super) before: Map<String, Value>,
    pub(super) after: Map<String, Value>,
}

impl AuditEntry {
    /// The audit event of a user who changed their own access.
    pub(super) fn by_user(
        action: AuditAction,
        user: UserId,
        organization: Option<OrganizationId>,
        address: Option<IpAddr>,
    ) -> Self {
        Self {
            actor: Some(Author::User(user)),
            address,
            organization,
            action,
            target: user.to_string(),
            before: Map::new(),
            after: Map::new(),
        }
    }

    /// Sets the organization, where it is not the one of the actor.
    pub(super) fn inside(mut self, organization: OrganizationId) -> Self {
        self.organization = Some(organization);
        self
    }

    /// Removes the organization: the change is one of the instance.
    pub(super) fn of_instance(mut self) -> Self {
        self.organization = None;
        self
    }

    /// Keeps the fields that differ between two shapes.
    pub(super) fn with_change(mut self, before: &Value, after: &Value) -> Self {
        let (Some(old), Some(new)) = (before.as_object(), after.as_object()) else { return self };
        for (name, value) in new {
            if old.get(name) != Some(value) {
                self.before.insert(name.clone(), old.get(name).cloned().unwrap_or_default());
                self.after.insert(name.clone(), value.clone());
            }
        }
        self
    }

    /// Keeps all fields of a record that is removed.
    pub(super) fn with_removed(mut self, before: Value) -> Self {
        if let Value::Object(fields) = before {
            self.before = fields;
        }
        self
    }
}

impl Actions {
    /// Adds an event to the batch of its change, so that both are committed or neither.
    pub(super) fn record(
        &self,
        batch: Batch,
        now: Moment,
        audit_entry: AuditEntry,
    ) -> Result<Batch, ActionError> {
        let id = EventId::new(now, &mut *self.random());
        let event = EventRecord {
            id,
            at: now,
            actor: audit_entry.actor,
            address: audit_entry.address,
            organization: audit_entry.organization,
            action: audit_entry.action.name.into(),
            target: audit_entry.target,
            before: audit_entry.before,
            after: audit_entry.after,
        };
        put(batch, &StoreKey::Event(id), &event)
    }
}
