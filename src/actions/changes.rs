//! Optimistic changes of one record: insert, update and delete.
//!
//! The caller authorizes the actor, reads the record and applies the rules of its kind.
//! [`Actions::insert`], [`Actions::update`] and [`Actions::delete`] guard the record as it was
//! read, increase its version, write the audit event with the fields that differ, and commit all of
//! it in one batch. The functions do not retry: the caller runs the whole attempt in
//! [`Actions::until_done`] or [`Actions::in_turn`], so every attempt decides again.

use keyhouse_storage::Batch;
use serde_json::{Value, json};

use crate::actions::authority::Authorized;
use crate::actions::events::AuditEntry;
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::model::audit_action::AuditAction;
use crate::model::errors;
use crate::model::id::OrganizationId;
use crate::model::moment::Moment;
use crate::model::text::Likeness;
use crate::records::place::StoreKey;
use crate::records::{Record, Revised};

/// The record that a change applies to.
#[derive(Clone, Debug)]
pub struct Target<I> {
    pub id: I,
    /// The accepted versions (`If-Match`), if the caller sent any.
    pub versions: Option<Vec<u64>>,
}

/// A record that actors change, with a version.
pub(super) trait Resource: Record + Clone + PartialEq {
    fn identity(&self) -> ResourceRef;

    fn version(&mut self) -> &mut u64;

    /// The fields that the audit log shows, without secrets.
    fn audit(&self) -> Value;

    /// Stores the time of a change, if the kind of record has such a field.
    fn note_change(&mut self, _now: Moment) {}
}

/// Where a record is stored, and how audit events refer to it.
pub(super) struct ResourceRef {
    place: StoreKey,
    /// The record's id or name.
    target: String,
    /// The organization whose audit log has the events. `None` for a record of the instance.
    organization: Option<OrganizationId>,
}

impl ResourceRef {
    pub(super) fn new(
        place: StoreKey,
        target: &impl ToString,
        organization: Option<OrganizationId>,
    ) -> Self {
        Self { place, target: target.to_string(), organization }
    }
}

impl<I> Target<I> {
    /// A copy of the stored record, to check and to change.
    ///
    /// # Errors
    /// [`ActionError::VersionConflict`] if the caller accepts only other versions.
    pub(super) fn current<T: Resource>(&self, held: &Revised<T>) -> Result<T, ActionError> {
        let mut record = held.record.clone();
        Actions::check_version(self.versions.as_ref(), *record.version())?;
        Ok(record)
    }
}

impl Actions {
    /// Commits a new record, together with `batch`.
    pub(super) fn insert<T: Resource>(
        &self,
        decided: Authorized,
        action: AuditAction,
        record: T,
        batch: Batch,
    ) -> Result<Attempt<T>, ActionError> {
        let audit_entry = entry(&decided, action, &record).with_change(&json!({}), &record.audit());
        let place = record.identity().place;
        let batch = put(batch.absent(place.to_bytes()), &place, &record)?;
        self.commit_change(decided, batch, audit_entry, record)
    }

    /// Commits a changed record, together with `batch`. If the record does not differ, the function
    /// writes no row, and returns when the index has the record.
    pub(super) fn update<T: Resource>(
        &self,
        decided: Authorized,
        action: AuditAction,
        (held, record): (&Revised<T>, T),
        batch: Batch,
    ) -> Result<Attempt<T>, ActionError> {
        let audit_entry =
            entry(&decided, action, &record).with_change(&held.record.audit(), &record.audit());
        self.update_as(decided, audit_entry, (held, record), batch)
    }

    /// Like `update`, with an audit event that the caller has built.
    pub(super) fn update_as<T: Resource>(
        &self,
        decided: Authorized,
        audit_entry: AuditEntry,
        (held, mut record): (&Revised<T>, T),
        batch: Batch,
    ) -> Result<Attempt<T>, ActionError> {
        if record == held.record {
            // The store holds a concurrent change that the index may not have yet.
            self.await_index(held.revision);
            return Ok(Attempt::Done(record));
        }
        let batch = rewrite(batch, held, &mut record, decided.now)?;
        self.commit_change(decided, batch, audit_entry, record)
    }

    /// Commits the deletion of a record.
    pub(super) fn delete<T: Resource>(
        &self,
        decided: Authorized,
        action: AuditAction,
        held: &Revised<T>,
    ) -> Result<Attempt<()>, ActionError> {
        let place = held.record.identity().place.to_bytes();
        let batch = Batch::new().unchanged(place.clone(), held.revision).delete(place);
        let audit_entry = entry(&decided, action, &held.record).with_removed(held.record.audit());
        self.commit_change(decided, batch, audit_entry, ())
    }
}

/// Adds a changed record to a batch, with its next version and a guard on the row as it was read.
pub(super) fn rewrite<T: Resource>(
    batch: Batch,
    held: &Revised<T>,
    record: &mut T,
    now: Moment,
) -> Result<Batch, ActionError> {
    *record.version() += 1;
    record.note_change(now);
    let place = record.identity().place;
    put(batch.unchanged(place.to_bytes(), held.revision), &place, record)
}

/// Requires that a name resembles none of the `others`. `detail` is the error if the name resembles
/// another.
pub(super) fn require_free_name<'a>(
    mut others: impl Iterator<Item = &'a str>,
    name: &str,
    detail: &'static str,
) -> Result<(), ActionError> {
    let read = Likeness::of(name);
    if others.any(|other| Likeness::of(other).is_alike(&read)) {
        return Err(ActionError::Conflict { error: errors::NAME_TAKEN, detail });
    }
    Ok(())
}

fn entry<T: Resource>(decided: &Authorized, action: AuditAction, record: &T) -> AuditEntry {
    let ResourceRef { target, organization, .. } = record.identity();
    AuditEntry { organization, ..AuditEntry::by(decided, action, target) }
}
