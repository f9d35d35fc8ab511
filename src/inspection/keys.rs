//! Checks of keys, and of the rows that belong to one: bindings of digests, quotas and usage.

use std::collections::HashSet;

use keyhouse_storage::Row;

use crate::index::Index;
use crate::inspection::finding::{Finding, FindingCode, Mend};
use crate::inspection::report::InspectionError;
use crate::inspection::walk::{Lookup, Walk};
use crate::model::id::{KeyId, OrganizationId};
use crate::model::secret::Digest;
use crate::records::access::UserRecord;
use crate::records::encode;
use crate::records::key::KeyRecord;
use crate::records::place::{StoreKey, UsageOf};
use crate::records::reservation::ReservationRecord;
use crate::records::taken::TakenRecord;

/// The reason of a key that a repair revokes.
const REVOKED_REASON: &str = "the owner of the key does not exist";

impl Walk<'_> {
    pub(super) fn key(
        &mut self,
        place: &StoreKey,
        row: &Row,
        record: &KeyRecord,
        index: Option<&Index>,
    ) -> Result<(), InspectionError> {
        self.require_organization(record.organization);
        if let Some(detail) = self.owner_fault(record)? {
            let now = self.surroundings.now;
            let revoked = KeyRecord {
                revoked_at: Some(now),
                revoked_reason: Some(REVOKED_REASON.to_owned()),
                updated_at: now,
                version: record.version.saturating_add(1),
                ..record.clone()
            };
            let mend = Mend::replace(row, encode(place, &revoked)?, "revokes the key");
            let finding = Finding::new(FindingCode::OwnerMissing, place.to_string(), detail);
            self.report.add(finding.mended(Some(mend)));
        }
        self.shares(place, row, record)?;
        self.binding(place, record)?;
        let digests: HashSet<Digest> = record.secrets.iter().map(|it| it.digest).collect();
        for digest in digests.iter().copied().chain(record.imported) {
            if let Some(unbound) = self.unbound.get_mut(&digest) {
                unbound.record = Some(binding_of(record, digest));
            }
        }
        if let Some(index) = index {
            self.digests(place, record.id, &digests, index);
        }
        Ok(())
    }

    /// Why the owner of a key cannot be its owner. A revoked key keeps the owner that it had.
    fn owner_fault(&self, record: &KeyRecord) -> Result<Option<String>, InspectionError> {
        let Some(owner) = record.owner.filter(|_owner| record.revoked_at.is_none()) else {
            return Ok(None);
        };
        Ok(match self.lookup::<UserRecord>(&StoreKey::User(owner))? {
            Lookup::Found(user) if user.organization == record.organization => None,
            Lookup::Found(_) => Some(format!("its owner {owner} is in another organization")),
            Lookup::Undecodable => None,
            // The user is being removed, and the next start revokes or transfers the key.
            Lookup::Missing if self.exists(&StoreKey::Removal(owner))? => None,
            Lookup::Missing => Some(format!("its owner {owner} does not exist")),
        })
    }

    fn shares(
        &mut self,
        place: &StoreKey,
        row: &Row,
        record: &KeyRecord,
    ) -> Result<(), InspectionError> {
        let mut kept = record.clone();
        kept.teams.retain(|share| !self.is_foreign(share.team, record.organization));
        if kept.teams.len() == record.teams.len() {
            return Ok(());
        }
        kept.version = record.version.saturating_add(1);
        let mend = Mend::replace(row, encode(place, &kept)?, "removes these shares");
        let detail = "is shared with a team of another organization";
        let finding = Finding::new(FindingCode::ShareForeign, place.to_string(), detail);
        self.report.add(finding.mended(Some(mend)));
        Ok(())
    }

    /// Checks that the digest of an imported key is bound to it.
    fn binding(&mut self, place: &StoreKey, record: &KeyRecord) -> Result<(), InspectionError> {
        let Some(digest) = record.imported else { return Ok(()) };
        let row = StoreKey::Taken(digest);
        match self.lookup::<TakenRecord>(&row)? {
            Lookup::Found(bound) if bound.key == record.id => {},
            Lookup::Found(bound) => {
                let detail = format!("its digest is bound to the key {}", bound.key);
                self.report.add(Finding::new(
                    FindingCode::TakenRowWrong,
                    place.to_string(),
                    detail,
                ));
            },
            Lookup::Undecodable => {},
            Lookup::Missing => {
                let mend = Mend::write(&row, encode(&row, &binding_of(record, digest))?);
                let detail = "its digest is not bound to it, and could be imported again";
                let finding = Finding::new(FindingCode::TakenRowMissing, place.to_string(), detail);
                self.report.add(finding.mended(Some(mend)));
            },
        }
        Ok(())
    }

    /// Compares the digests of a key with the index.
    fn digests(&mut self, place: &StoreKey, key: KeyId, digests: &HashSet<Digest>, index: &Index) {
        for digest in digests {
            match index.with_grant(digest, |grant| grant.map(|grant| grant.live.key)) {
                Some(found) if found == key => self.indexed += 1,
                Some(other) => {
                    let detail = format!("the key {other} has the same digest");
                    self.report.add(Finding::new(
                        FindingCode::DigestShared,
                        place.to_string(),
                        detail,
                    ));
                },
                None => {
                    let detail = "the index does not have a digest of the key";
                    self.report.add(Finding::new(
                        FindingCode::IndexDiffers,
                        place.to_string(),
                        detail,
                    ));
                },
            }
        }
    }

    /// Requires that the key of a row exists.
    pub(super) fn of_key(&mut self, place: &StoreKey, row: &Row, key: KeyId) -> bool {
        let is_known = self.keys.contains_key(&key);
        if !is_known {
            self.orphan(place, row, "its key does not exist");
        }
        is_known
    }

    pub(super) fn usage(&mut self, place: &StoreKey, row: &Row, of: UsageOf) {
        match of.key {
            Some(key) if self.keys.get(&key) == Some(&of.organization) => {},
            Some(_) => self.orphan(place, row, "its key does not exist"),
            None => self.of_organization(place, row, of.organization),
        }
    }

    pub(super) fn reservation(
        &mut self,
        place: &StoreKey,
        row: &Row,
        key: KeyId,
        record: &ReservationRecord,
    ) -> Result<(), InspectionError> {
        if self.of_key(place, row, key) && record.begins >= record.ends {
            let mend = self.used_up(row, self.quota_of(key)?)?;
            self.invalid_reservation(place, row, mend);
        }
        Ok(())
    }

    pub(super) fn plan_reservation(
        &mut self,
        place: &StoreKey,
        row: &Row,
        organization: OrganizationId,
        record: &ReservationRecord,
    ) -> Result<(), InspectionError> {
        self.of_organization(place, row, organization);
        if record.begins >= record.ends {
            let mend = self.used_up(row, self.plan_quota_of(organization)?)?;
            self.invalid_reservation(place, row, mend);
        }
        Ok(())
    }

    fn invalid_reservation(&mut self, place: &StoreKey, row: &Row, mend: Option<Mend>) {
        let detail = "its period ends before it begins";
        let finding = Finding::new(FindingCode::ReservationInvalid, place.to_string(), detail);
        self.report.add(finding.mended(mend.or_else(|| Some(Mend::remove(row)))));
    }
}

/// The binding of a digest to the key that has or had it. A digest that no secret of the key has was
/// rotated out. It stays retired, so that no other digest of its text is valid again.
fn binding_of(key: &KeyRecord, digest: Digest) -> TakenRecord {
    if key.secrets.iter().any(|secret| secret.digest == digest) {
        TakenRecord::of(key.id)
    } else {
        TakenRecord::retired(key.id)
    }
}
