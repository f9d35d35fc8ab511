//! What a repair does with a record that does not decode.
//!
//! The record is moved to the report of the repair, so that the instance starts again. Each case
//! ends rights or keeps them equal:
//!
//! - Without its record, a key, user, role, plan or organization has no rights.
//! - A quota counts as used up, because its use is unknown.
//! - A digest stays bound, to the key that has or had it, or to none.
//! - The format, the mark of the first organization, a second factor and the audit log stay: without
//!   them, an instance would be more open than before, or could not prove its log.

use keyhouse_storage::Row;

use crate::inspection::finding::{Finding, FindingCode, Mend};
use crate::inspection::report::InspectionError;
use crate::inspection::walk::{Lookup, Unbound, Walk};
use crate::model::id::{KeyId, OrganizationId};
use crate::model::limit::{Period, QUOTA_CALLS_MAX, Quota, Span, Zone};
use crate::records::access::{OrganizationRecord, PlanRecord};
use crate::records::encode;
use crate::records::key::KeyRecord;
use crate::records::place::StoreKey;
use crate::records::reservation::ReservationRecord;
use crate::records::taken::TakenRecord;

const MOVE_OUT: &str = "moves the row to its report";
const USE_UP: &str = "counts the whole quota of the period as used";

impl Walk<'_> {
    /// The change that removes a record that does not decode. `None` if no repair removes it.
    pub(super) fn mend_of_undecodable(
        &self,
        place: &StoreKey,
        row: &Row,
    ) -> Result<Option<Mend>, InspectionError> {
        let moved_out = Some(Mend { what: MOVE_OUT, ..Mend::remove(row) });
        Ok(match place {
            StoreKey::Format
            | StoreKey::Instance
            | StoreKey::Founded
            | StoreKey::Totp(_)
            | StoreKey::Event(_)
            | StoreKey::Seal(_)
            | StoreKey::Cut
            | StoreKey::Retention
            | StoreKey::Taken(_) => None,
            StoreKey::Quota(key) => self.used_up(row, self.quota_of(*key)?)?.or(moved_out),
            StoreKey::PlanQuota(id) => self.used_up(row, self.plan_quota_of(*id)?)?.or(moved_out),
            StoreKey::Organization(_)
            | StoreKey::User(_)
            | StoreKey::Email(..)
            | StoreKey::Domain(_)
            | StoreKey::Plan(_)
            | StoreKey::Gate(_)
            | StoreKey::Key(..)
            | StoreKey::Use(_)
            | StoreKey::UsageHours(..)
            | StoreKey::UsageDay(..)
            | StoreKey::Role(..)
            | StoreKey::Team(..)
            | StoreKey::Permission(_)
            | StoreKey::Invitation(_)
            | StoreKey::Reset(_)
            | StoreKey::KeysMade(_)
            | StoreKey::GateCall(_)
            | StoreKey::People
            | StoreKey::Removal(_)
            | StoreKey::Session(_)
            | StoreKey::Sessions(_)
            | StoreKey::Setup
            | StoreKey::DeviceKey
            | StoreKey::Exported
            | StoreKey::LastBackup => moved_out,
        })
    }

    /// The change that counts a quota as used up in its current period. `None` without a quota.
    pub(super) fn used_up(
        &self,
        row: &Row,
        quota: Option<Quota>,
    ) -> Result<Option<Mend>, InspectionError> {
        let Some(quota) = quota else { return Ok(None) };
        let Span { begins, ends } = quota.span(self.surroundings.now);
        let record = ReservationRecord { begins, ends, reserved: quota.limit };
        let value = encode(&StoreKey::parse(&row.key)?, &record)?;
        Ok(Some(Mend::replace(row, value, USE_UP)))
    }

    pub(super) fn quota_of(&self, key: KeyId) -> Result<Option<Quota>, InspectionError> {
        let Some(organization) = self.keys.get(&key) else { return Ok(None) };
        Ok(match self.lookup::<KeyRecord>(&StoreKey::Key(*organization, key))? {
            Lookup::Found(record) => record.quota.as_ref().map(Quota::from),
            Lookup::Undecodable | Lookup::Missing => None,
        })
    }

    pub(super) fn plan_quota_of(
        &self,
        organization: OrganizationId,
    ) -> Result<Option<Quota>, InspectionError> {
        let place = StoreKey::Organization(organization);
        let Lookup::Found(record) = self.lookup::<OrganizationRecord>(&place)? else {
            return Ok(None);
        };
        let limit = match self.lookup::<PlanRecord>(&StoreKey::Plan(record.plan))? {
            Lookup::Found(plan) => plan.requests_per_month,
            // The plan that is created in its place can have any limit.
            Lookup::Undecodable | Lookup::Missing => Some(QUOTA_CALLS_MAX),
        };
        Ok(limit.map(|limit| Quota { limit, period: Period::Month, zone: Zone::utc() }))
    }

    /// Adds the findings of the digests whose binding does not decode.
    pub(super) fn bind(&mut self) -> Result<(), InspectionError> {
        let mut unbound: Vec<_> = std::mem::take(&mut self.unbound).into_iter().collect();
        unbound.sort_by(|(_, one), (_, other)| one.row.key.cmp(&other.row.key));
        for (digest, Unbound { row, detail, record }) in unbound {
            let place = StoreKey::Taken(digest);
            let (record, what) = match record {
                Some(record) => (record, "binds the digest to its key"),
                None => (
                    TakenRecord::retired(KeyId::default()),
                    "keeps the digest from being imported again",
                ),
            };
            let mend = Mend::replace(&row, encode(&place, &record)?, what);
            let finding = Finding::new(FindingCode::RecordUndecodable, place.to_string(), detail);
            self.report.add(finding.mended(Some(mend)));
        }
        Ok(())
    }
}
