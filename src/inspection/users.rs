//! Checks of users, and of the rows that belong to one: addresses, sessions and second factors.

use keyhouse_storage::Row;

use crate::inspection::finding::{Finding, FindingCode, Mend};
use crate::inspection::report::{InspectionError, SeedKeysFound};
use crate::inspection::walk::{Lookup, Walk};
use crate::model::id::{OrganizationId, TeamId, UserId};
use crate::model::role::Role;
use crate::model::secret::Digest;
use crate::records::access::{EmailRecord, SessionRecord, SessionsRecord, UserRecord};
use crate::records::encode;
use crate::records::people::TotpRecord;
use crate::records::place::StoreKey;

impl Walk<'_> {
    pub(super) fn user(
        &mut self,
        place: &StoreKey,
        row: &Row,
        record: &UserRecord,
    ) -> Result<(), InspectionError> {
        self.require_organization(record.organization);
        if let Role::Custom(role) = record.role
            && !self.exists(&StoreKey::Role(record.organization, role))?
        {
            let detail = format!("its role {role} does not exist, so the user has no permission");
            self.report.add(Finding::new(FindingCode::RoleMissing, place.to_string(), detail));
        }
        self.address(place, record)?;
        let mut kept = record.clone();
        kept.teams.retain(|team| !self.is_foreign(*team, record.organization));
        if kept.teams.len() < record.teams.len() {
            kept.version = record.version.saturating_add(1);
            let mend = Mend::replace(row, encode(place, &kept)?, "ends these memberships");
            let detail = "is a member of a team of another organization";
            let finding = Finding::new(FindingCode::TeamForeign, place.to_string(), detail);
            self.report.add(finding.mended(Some(mend)));
        }
        Ok(())
    }

    /// Whether a team exists in another organization. A team that was removed is not foreign.
    pub(super) fn is_foreign(&self, team: TeamId, organization: OrganizationId) -> bool {
        self.teams.get(&team).is_some_and(|of| *of != organization)
    }

    /// Checks that the address of a user leads to the user. The check of the address's row finds a
    /// row that leads to a wrong user.
    fn address(&mut self, place: &StoreKey, record: &UserRecord) -> Result<(), InspectionError> {
        let row = StoreKey::Email(record.email.clone(), record.organization);
        match self.lookup::<EmailRecord>(&row)? {
            Lookup::Found(found) if found.user == record.id => {},
            Lookup::Found(found) => {
                let (email, organization) = (&record.email, record.organization);
                if matches!(self.holder(found.user, email, organization)?, Lookup::Found(())) {
                    let detail = format!("the user {} has the same address", found.user);
                    self.report.add(Finding::new(
                        FindingCode::EmailShared,
                        place.to_string(),
                        detail,
                    ));
                }
            },
            Lookup::Undecodable => {},
            Lookup::Missing => {
                let value = encode(&row, &EmailRecord { user: record.id })?;
                let detail = "its address has no row, so the user cannot sign in";
                let finding = Finding::new(FindingCode::EmailRowMissing, place.to_string(), detail);
                self.missing_row(finding, &row, value);
            },
        }
        Ok(())
    }

    pub(super) fn email(
        &mut self,
        place: &StoreKey,
        row: &Row,
        (email, organization): (&str, OrganizationId),
        record: &EmailRecord,
    ) -> Result<(), InspectionError> {
        if let Lookup::Missing = self.holder(record.user, email, organization)? {
            let detail = format!("the user {} of {organization} has no such address", record.user);
            let finding = Finding::new(FindingCode::EmailRowOrphan, place.to_string(), detail);
            self.report.add(finding.mended(Some(Mend::remove(row))));
        }
        Ok(())
    }

    /// Whether a user has an address in an organization.
    fn holder(
        &self,
        user: UserId,
        email: &str,
        organization: OrganizationId,
    ) -> Result<Lookup<()>, InspectionError> {
        Ok(match self.lookup::<UserRecord>(&StoreKey::User(user))? {
            Lookup::Found(user) if user.email == email && user.organization == organization => {
                Lookup::Found(())
            },
            Lookup::Found(_) | Lookup::Missing => Lookup::Missing,
            Lookup::Undecodable => Lookup::Undecodable,
        })
    }

    /// Requires that the user of a row exists. Returns whether it does.
    pub(super) fn require_user(
        &mut self,
        place: &StoreKey,
        row: &Row,
        user: UserId,
    ) -> Result<bool, InspectionError> {
        let is_known = self.exists(&StoreKey::User(user))?;
        if !is_known {
            self.orphan(place, row, "its user does not exist");
        }
        Ok(is_known)
    }

    pub(super) fn totp(
        &mut self,
        place: &StoreKey,
        row: &Row,
        user: UserId,
        record: &TotpRecord,
    ) -> Result<(), InspectionError> {
        if !self.require_user(place, row, user)? {
            return Ok(());
        }
        match self.surroundings.seed_keys {
            SeedKeysFound::NotChecked => {},
            SeedKeysFound::Missing => {
                if !self.is_seal_key_missed {
                    let detail = "second factors are stored, and the seal key file does not exist";
                    self.report.add(Finding::new(FindingCode::SealKeyMissing, "seal key", detail));
                }
                self.is_seal_key_missed = true;
            },
            SeedKeysFound::Keys(keys) => {
                if let Err(error) = keys.decrypt(user, &record.seed) {
                    let detail = error.to_string();
                    self.report.add(Finding::new(
                        FindingCode::SeedUnreadable,
                        place.to_string(),
                        detail,
                    ));
                }
            },
        }
        Ok(())
    }

    pub(super) fn session(
        &mut self,
        place: &StoreKey,
        row: &Row,
        digest: Digest,
        record: &SessionRecord,
    ) -> Result<(), InspectionError> {
        if !self.require_user(place, row, record.user)? {
            return Ok(());
        }
        let list = self.lookup::<SessionsRecord>(&StoreKey::Sessions(record.user))?;
        let is_listed = match list {
            Lookup::Found(list) => list.digests.contains(&digest),
            Lookup::Undecodable => true,
            Lookup::Missing => false,
        };
        if !is_listed {
            let detail = format!("is not in the list of the user {}", record.user);
            let finding = Finding::new(FindingCode::SessionUnlisted, place.to_string(), detail);
            self.report.add(finding.mended(Some(Mend::remove(row))));
        }
        Ok(())
    }

    pub(super) fn sessions(
        &mut self,
        place: &StoreKey,
        row: &Row,
        user: UserId,
        mut record: SessionsRecord,
    ) -> Result<(), InspectionError> {
        // The removal of a user without sessions leaves an empty list.
        if record.digests.is_empty() || !self.require_user(place, row, user)? {
            return Ok(());
        }
        let listed = record.digests.len();
        let mut kept = Vec::new();
        for digest in record.digests {
            match self.lookup::<SessionRecord>(&StoreKey::Session(digest))? {
                Lookup::Found(session) if session.user != user => {},
                Lookup::Found(_) | Lookup::Undecodable => kept.push(digest),
                Lookup::Missing => {},
            }
        }
        record.digests = kept;
        if record.digests.len() < listed {
            let detail = "names a session that does not exist, or that belongs to another user";
            let mend = Mend::replace(row, encode(place, &record)?, "removes these entries");
            let finding = Finding::new(FindingCode::SessionListStale, place.to_string(), detail);
            self.report.add(finding.mended(Some(mend)));
        }
        Ok(())
    }
}
