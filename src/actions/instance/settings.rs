//! Changes of an organization's settings and of its email domains.

use keyhouse_storage::Batch;

use crate::actions::instance::organizations::OrganizationChange;
use crate::actions::{ActionError, Actions, put};
use crate::model::edit::Edit;
use crate::model::errors;
use crate::model::fault::{Fault, FaultCode};
use crate::model::permission::Patterns;
use crate::model::second_factor::RequiredOf;
use crate::records::Revised;
use crate::records::access::{DomainRecord, OrganizationRecord};
use crate::records::place::StoreKey;

impl Actions {
    /// Applies a change to the organization's record.
    ///
    /// # Errors
    /// [`ActionError::Invalid`] for a role that the organization does not have.
    pub(in crate::actions) fn apply(
        &self,
        record: &mut OrganizationRecord,
        change: &OrganizationChange,
    ) -> Result<(), ActionError> {
        if let Some(name) = &change.name {
            record.name.clone_from(name);
        }
        record.members_create_keys =
            change.members_create_keys.unwrap_or(record.members_create_keys);
        change.key_lifetime_days_max.apply(&mut record.key_lifetime_days_max);
        if let Some(entries) = &change.second_factor_required_of {
            record.second_factor_required_of = self.known_entries(record, entries)?;
        }
        if let Some(domains) = &change.domains {
            record.domains.clone_from(domains);
            record.domains.sort_unstable();
            record.domains.dedup();
        }
        record.suspended = change.suspended.unwrap_or(record.suspended);
        match &change.permissions {
            Edit::Keep => {},
            Edit::Clear => record.ceiling = Patterns::everything(),
            Edit::Set(ceiling) => record.ceiling.clone_from(ceiling),
        }
        Ok(())
    }

    /// The entries of a list without duplicates. Rejects roles that the organization does not have.
    fn known_entries(
        &self,
        organization: &OrganizationRecord,
        entries: &[RequiredOf],
    ) -> Result<Vec<RequiredOf>, ActionError> {
        let (mut kept, mut faults) = (Vec::new(), Vec::new());
        for (at, entry) in entries.iter().enumerate() {
            let is_there = match entry {
                RequiredOf::Operators => true,
                RequiredOf::Role(role) => self.held_role(organization.id, *role).is_ok(),
            };
            if !is_there {
                let pointer = format!("/second_factor_required_of/{at}");
                let detail = "must be a role of the organization, or operator";
                faults.push(Fault::new(pointer, FaultCode::UNKNOWN_ROLE, detail));
            } else if !kept.contains(entry) {
                kept.push(*entry);
            }
        }
        if faults.is_empty() { Ok(kept) } else { Err(ActionError::Invalid(faults)) }
    }

    /// Adds the assignment and release of domains to a batch with the organization's record.
    ///
    /// # Errors
    /// [`ActionError::Conflict`] for a domain that belongs to another organization.
    pub(in crate::actions) fn move_domains(
        &self,
        mut batch: Batch,
        before: &OrganizationRecord,
        after: &OrganizationRecord,
    ) -> Result<Batch, ActionError> {
        for domain in before.domains.iter().filter(|domain| !after.domains.contains(domain)) {
            batch = batch.delete(StoreKey::Domain(domain.clone()).to_bytes());
        }
        for domain in after.domains.iter().filter(|domain| !before.domains.contains(domain)) {
            let place = StoreKey::Domain(domain.clone());
            let known: Option<Revised<DomainRecord>> = self.read(&place)?;
            if known.is_some() {
                return Err(ActionError::Conflict {
                    error: errors::DOMAIN_TAKEN,
                    detail: "a domain is assigned to another organization: remove the domain there first",
                });
            }
            let record = DomainRecord { organization: after.id };
            batch = put(batch.absent(place.to_bytes()), &place, &record)?;
        }
        Ok(batch)
    }
}
