//! Checks of organizations, their domains and gates.

use keyhouse_storage::Row;

use crate::inspection::finding::{Finding, FindingCode, Mend};
use crate::inspection::report::InspectionError;
use crate::inspection::walk::{Lookup, Walk};
use crate::model::id::OrganizationId;
use crate::records::access::{DomainRecord, OrganizationRecord};
use crate::records::encode;
use crate::records::gate::GateRecord;
use crate::records::place::StoreKey;

impl Walk<'_> {
    pub(super) fn organization(
        &mut self,
        place: &StoreKey,
        record: &OrganizationRecord,
    ) -> Result<(), InspectionError> {
        if !self.exists(&StoreKey::Plan(record.plan.clone()))? {
            let detail = "its plan does not exist, so its keys are rejected";
            self.report.add(Finding::new(FindingCode::PlanMissing, place.to_string(), detail));
        }
        for name in &record.domains {
            let row = StoreKey::Domain(name.clone());
            match self.lookup::<DomainRecord>(&row)? {
                Lookup::Found(found) if found.organization == record.id => {},
                Lookup::Found(found) => {
                    // The check of the domain's row finds a row of an organization without it.
                    if matches!(self.assignee(found.organization, name)?, Lookup::Found(())) {
                        let other = found.organization;
                        let detail = format!("the organization {other} has the domain {name} too");
                        self.report.add(Finding::new(
                            FindingCode::DomainShared,
                            place.to_string(),
                            detail,
                        ));
                    }
                },
                Lookup::Undecodable => {},
                Lookup::Missing => {
                    let value = encode(&row, &DomainRecord { organization: record.id })?;
                    let detail = format!("its domain {name} has no row");
                    let finding =
                        Finding::new(FindingCode::DomainRowMissing, place.to_string(), detail);
                    self.missing_row(finding, &row, value);
                },
            }
        }
        Ok(())
    }

    pub(super) fn domain(
        &mut self,
        place: &StoreKey,
        row: &Row,
        name: &str,
        record: &DomainRecord,
    ) -> Result<(), InspectionError> {
        if let Lookup::Missing = self.assignee(record.organization, name)? {
            let detail = format!("the organization {} has no such domain", record.organization);
            let finding = Finding::new(FindingCode::DomainRowOrphan, place.to_string(), detail);
            self.report.add(finding.mended(Some(Mend::remove(row))));
        }
        Ok(())
    }

    /// Whether an organization has a domain.
    fn assignee(
        &self,
        organization: OrganizationId,
        name: &str,
    ) -> Result<Lookup<()>, InspectionError> {
        Ok(match self.lookup::<OrganizationRecord>(&StoreKey::Organization(organization))? {
            Lookup::Found(record) if record.domains.iter().any(|it| **it == *name) => {
                Lookup::Found(())
            },
            Lookup::Found(_) | Lookup::Missing => Lookup::Missing,
            Lookup::Undecodable => Lookup::Undecodable,
        })
    }

    pub(super) fn gate(&mut self, place: &StoreKey, record: &GateRecord) {
        if record.gate().is_err() {
            let detail = "its routes are invalid, so it rejects every request";
            self.report.add(Finding::new(FindingCode::GateInvalid, place.to_string(), detail));
        }
    }
}
