//! Reads all rows of a store in order, decodes each, and hands it to the checks of its kind.

use std::collections::{BTreeMap, HashMap, HashSet};

use keyhouse_storage::{At, Range, ReadError, Row, Store};

use crate::index::Index;
use crate::inspection::finding::{Finding, FindingCode, Mend};
use crate::inspection::report::{FINDINGS_MAX, InspectionError, StoreReport, Surroundings};
use crate::model::id::{KeyId, OrganizationId, TeamId};
use crate::model::secret::Digest;
use crate::records::access::{
    DomainRecord, EmailRecord, FoundedRecord, KeysMadeRecord, PlanRecord, SessionRecord,
    SessionsRecord, SetupRecord,
};
use crate::records::backup::LastBackupRecord;
use crate::records::event::{EventRecord, ExportRecord, RetentionRecord};
use crate::records::gate::{GateCallRecord, GateRecord};
use crate::records::identity::InstanceRecord;
use crate::records::people::{
    DeviceKeyRecord, InvitationRecord, PeopleRecord, RemovalRecord, ResetRecord, TotpRecord,
};
use crate::records::place::StoreKey;
use crate::records::reservation::ReservationRecord;
use crate::records::rights::{PermissionRecord, RoleRecord, TeamRecord};
use crate::records::taken::TakenRecord;
use crate::records::usage::{DayRecord, HoursRecord};
use crate::records::uses::UseRecord;
use crate::records::{Record, RecordError, read_row};

/// The state of one walk over all rows.
pub(super) struct Walk<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) surroundings: Surroundings<'a>,
    pub(super) report: StoreReport,
    /// The organizations that have a row.
    organizations: HashSet<OrganizationId>,
    /// The teams that have a row, with their organization.
    pub(super) teams: HashMap<TeamId, OrganizationId>,
    /// The keys that were read so far. Rows that refer to keys come after all keys.
    pub(super) keys: HashMap<KeyId, OrganizationId>,
    /// The number of secrets that the index has.
    pub(super) indexed: usize,
    /// The rows of digests that do not decode, at most [`FINDINGS_MAX`]. They become findings when
    /// all keys are read, which come later.
    pub(super) unbound: HashMap<Digest, Unbound>,
    /// The number of records that claim a missing row, by its store key.
    pub(super) claims: HashMap<Vec<u8>, usize>,
    /// The number of records of organizations that do not exist.
    strays: BTreeMap<OrganizationId, u64>,
    pub(super) is_seal_key_missed: bool,
    has_founded: bool,
}

/// A row that binds a digest and does not decode.
pub(super) struct Unbound {
    pub(super) row: Row,
    pub(super) detail: String,
    /// The binding to the key that has or had the digest.
    pub(super) record: Option<TakenRecord>,
}

/// What a lookup of a referenced record found.
pub(super) enum Lookup<T> {
    Found(T),
    /// The record does not decode, which is a finding of its own.
    Undecodable,
    Missing,
}

impl<'a> Walk<'a> {
    pub(super) fn new(store: &'a dyn Store, surroundings: Surroundings<'a>) -> Self {
        Self {
            store,
            surroundings,
            report: StoreReport::default(),
            organizations: HashSet::new(),
            teams: HashMap::new(),
            keys: HashMap::new(),
            indexed: 0,
            unbound: HashMap::new(),
            claims: HashMap::new(),
            strays: BTreeMap::new(),
            is_seal_key_missed: false,
            has_founded: false,
        }
    }

    /// Reads all rows. `index` is the index of the same store, if it could be built.
    pub(super) fn rows(&mut self, index: Option<&Index>) -> Result<(), InspectionError> {
        self.note_ids()?;
        for row in self.store.rows(&Range::prefix(b""), At::Latest) {
            self.report.rows += 1;
            self.row(&row?, index)?;
        }
        self.bind()?;
        self.leave_shared_rows();
        for (organization, records) in std::mem::take(&mut self.strays) {
            let place = StoreKey::Organization(organization);
            let detail = format!("the organization does not exist, and {records} records name it");
            self.report.add(Finding::new(
                FindingCode::OrganizationMissing,
                place.to_string(),
                detail,
            ));
        }
        if !self.has_founded && !self.organizations.is_empty() {
            let detail = "the mark of the first organization is missing: a start would offer to \
                          create it again";
            self.report.add(Finding::new(
                FindingCode::FoundedMissing,
                StoreKey::Founded.to_string(),
                detail,
            ));
        }
        if let Some(index) = index
            && index.len() != self.indexed
        {
            let (store, index) = (self.indexed, index.len());
            let detail = format!("the store has {store} secrets, the index has {index}");
            self.report.add(Finding::new(FindingCode::IndexDiffers, "index", detail));
        }
        Ok(())
    }

    /// Reads the ids to which rows before them refer.
    fn note_ids(&mut self) -> Result<(), ReadError> {
        for prefix in [StoreKey::ORGANIZATIONS, StoreKey::TEAMS] {
            for row in self.store.rows(&Range::prefix(prefix), At::Latest) {
                match StoreKey::parse(&row?.key) {
                    Ok(StoreKey::Organization(id)) => {
                        self.organizations.insert(id);
                    },
                    Ok(StoreKey::Team(organization, id)) => {
                        self.teams.insert(id, organization);
                    },
                    Ok(_) | Err(_) => {},
                }
            }
        }
        Ok(())
    }

    #[expect(
        clippy::too_many_lines,
        clippy::cognitive_complexity,
        reason = "one arm for each kind of record"
    )]
    fn row(&mut self, row: &Row, index: Option<&Index>) -> Result<(), InspectionError> {
        let Ok(place) = StoreKey::parse(&row.key) else {
            self.unknown_row(row);
            return Ok(());
        };
        match &place {
            // The format was read before, and the audit log is checked as a whole.
            StoreKey::Format | StoreKey::Seal(_) | StoreKey::Cut => {},
            StoreKey::Instance => self.only_decode::<InstanceRecord>(&place, row)?,
            StoreKey::Setup => self.only_decode::<SetupRecord>(&place, row)?,
            StoreKey::DeviceKey => self.only_decode::<DeviceKeyRecord>(&place, row)?,
            StoreKey::Permission(_) => self.only_decode::<PermissionRecord>(&place, row)?,
            StoreKey::People => self.only_decode::<PeopleRecord>(&place, row)?,
            StoreKey::Event(_) => self.only_decode::<EventRecord>(&place, row)?,
            StoreKey::Retention => self.only_decode::<RetentionRecord>(&place, row)?,
            StoreKey::Exported => self.only_decode::<ExportRecord>(&place, row)?,
            StoreKey::LastBackup => self.only_decode::<LastBackupRecord>(&place, row)?,
            StoreKey::Plan(_) => self.only_decode::<PlanRecord>(&place, row)?,
            StoreKey::Founded => {
                self.has_founded = true;
                if let Some(record) = self.record::<FoundedRecord>(&place, row)? {
                    self.require_organization(record.organization);
                }
            },
            StoreKey::Gate(_) => {
                if let Some(record) = self.record::<GateRecord>(&place, row)? {
                    self.gate(&place, &record);
                }
            },
            StoreKey::Organization(_) => {
                if let Some(record) = self.record(&place, row)? {
                    self.organization(&place, &record)?;
                }
            },
            StoreKey::Domain(name) => {
                if let Some(record) = self.record::<DomainRecord>(&place, row)? {
                    self.domain(&place, row, name, &record)?;
                }
            },
            StoreKey::Role(organization, _) => {
                self.only_decode::<RoleRecord>(&place, row)?;
                self.require_organization(*organization);
            },
            StoreKey::Team(organization, _) => {
                self.only_decode::<TeamRecord>(&place, row)?;
                self.require_organization(*organization);
            },
            StoreKey::User(_) => {
                if let Some(record) = self.record(&place, row)? {
                    self.user(&place, row, &record)?;
                }
            },
            StoreKey::Email(email, organization) => {
                if let Some(record) = self.record::<EmailRecord>(&place, row)? {
                    self.email(&place, row, (email, *organization), &record)?;
                }
            },
            StoreKey::Totp(user) => {
                if let Some(record) = self.record::<TotpRecord>(&place, row)? {
                    self.totp(&place, row, *user, &record)?;
                }
            },
            StoreKey::Reset(user) => {
                if self.record::<ResetRecord>(&place, row)?.is_some() {
                    self.require_user(&place, row, *user)?;
                }
            },
            StoreKey::Session(digest) => {
                if let Some(record) = self.record::<SessionRecord>(&place, row)? {
                    self.session(&place, row, *digest, &record)?;
                }
            },
            StoreKey::Sessions(user) => {
                if let Some(record) = self.record::<SessionsRecord>(&place, row)? {
                    self.sessions(&place, row, *user, record)?;
                }
            },
            StoreKey::Invitation(_) => {
                if let Some(record) = self.record::<InvitationRecord>(&place, row)? {
                    self.of_organization(&place, row, record.organization);
                }
            },
            StoreKey::Removal(_) => {
                if let Some(record) = self.record::<RemovalRecord>(&place, row)? {
                    self.of_organization(&place, row, record.organization);
                }
            },
            StoreKey::KeysMade(organization) => {
                if self.record::<KeysMadeRecord>(&place, row)?.is_some() {
                    self.of_organization(&place, row, *organization);
                }
            },
            StoreKey::GateCall(organization) => {
                if self.record::<GateCallRecord>(&place, row)?.is_some() {
                    self.of_organization(&place, row, *organization);
                }
            },
            StoreKey::PlanQuota(organization) => {
                if let Some(record) = self.record::<ReservationRecord>(&place, row)? {
                    self.plan_reservation(&place, row, *organization, &record)?;
                }
            },
            StoreKey::Key(organization, id) => {
                self.keys.insert(*id, *organization);
                self.report.keys += 1;
                if let Some(record) = self.record(&place, row)? {
                    self.key(&place, row, &record, index)?;
                } else {
                    self.require_organization(*organization);
                }
            },
            StoreKey::Taken(digest) => self.taken(row, *digest),
            StoreKey::Use(key) => {
                if self.record::<UseRecord>(&place, row)?.is_some() {
                    self.of_key(&place, row, *key);
                }
            },
            StoreKey::Quota(key) => {
                if let Some(record) = self.record::<ReservationRecord>(&place, row)? {
                    self.reservation(&place, row, *key, &record)?;
                }
            },
            StoreKey::UsageHours(_, of) => {
                if self.record::<HoursRecord>(&place, row)?.is_some() {
                    self.usage(&place, row, *of);
                }
            },
            StoreKey::UsageDay(_, of) => {
                if self.record::<DayRecord>(&place, row)?.is_some() {
                    self.usage(&place, row, *of);
                }
            },
        }
        Ok(())
    }

    /// A row of no record. The audit log's check finds those below its own prefixes.
    fn unknown_row(&mut self, row: &Row) {
        if [StoreKey::EVENTS, StoreKey::SEALS].iter().any(|prefix| row.key.starts_with(prefix)) {
            return;
        }
        let shown = row.key.split(|byte| *byte == b'/').next().unwrap_or_default();
        let place = format!("{}/..", shown.escape_ascii());
        let detail = format!("a store key of {} bytes that belongs to no record", row.key.len());
        let finding = Finding::new(FindingCode::RowUnknown, place, detail);
        self.report.add(finding.mended(Some(Mend::remove(row))));
    }

    /// The record of a row. A record that does not decode is a finding.
    fn record<T: Record>(
        &mut self,
        place: &StoreKey,
        row: &Row,
    ) -> Result<Option<T>, InspectionError> {
        match read_row::<T>(row) {
            Ok(held) => Ok(Some(held.record)),
            Err(error) => {
                self.undecodable(place, row, &error)?;
                Ok(None)
            },
        }
    }

    fn only_decode<T: Record>(
        &mut self,
        place: &StoreKey,
        row: &Row,
    ) -> Result<(), InspectionError> {
        self.record::<T>(place, row).map(drop)
    }

    fn taken(&mut self, row: &Row, digest: Digest) {
        let Err(error) = read_row::<TakenRecord>(row) else { return };
        if self.unbound.len() < FINDINGS_MAX {
            let (row, detail) = (row.clone(), detail_of(&error));
            self.unbound.insert(digest, Unbound { row, detail, record: None });
        } else {
            self.report.unlisted += 1;
        }
    }

    fn undecodable(
        &mut self,
        place: &StoreKey,
        row: &Row,
        error: &RecordError,
    ) -> Result<(), InspectionError> {
        let mend = self.mend_of_undecodable(place, row)?;
        let finding =
            Finding::new(FindingCode::RecordUndecodable, place.to_string(), detail_of(error));
        self.report.add(finding.mended(mend));
        Ok(())
    }

    pub(super) fn lookup<T: Record>(&self, place: &StoreKey) -> Result<Lookup<T>, ReadError> {
        let Some(row) = self.store.get(&place.to_bytes(), At::Latest)? else {
            return Ok(Lookup::Missing);
        };
        Ok(read_row(&row).map_or(Lookup::Undecodable, |held| Lookup::Found(held.record)))
    }

    pub(super) fn exists(&self, place: &StoreKey) -> Result<bool, ReadError> {
        Ok(self.store.get(&place.to_bytes(), At::Latest)?.is_some())
    }

    /// Counts a record of an organization that does not exist. Returns whether it exists.
    pub(super) fn require_organization(&mut self, id: OrganizationId) -> bool {
        let is_known = self.organizations.contains(&id);
        if !is_known {
            *self.strays.entry(id).or_default() += 1;
        }
        is_known
    }

    /// Requires that the organization of a row exists that only counts or announces something.
    pub(super) fn of_organization(&mut self, place: &StoreKey, row: &Row, id: OrganizationId) {
        if !self.organizations.contains(&id) {
            self.orphan(place, row, "its organization does not exist");
        }
    }

    pub(super) fn orphan(&mut self, place: &StoreKey, row: &Row, detail: &str) {
        let finding = Finding::new(FindingCode::RowOrphan, place.to_string(), detail);
        self.report.add(finding.mended(Some(Mend::remove(row))));
    }
}

/// What is wrong with a record, without its values.
fn detail_of(error: &RecordError) -> String {
    match error {
        RecordError::Version { version, .. } => {
            format!("has format {version}, which this program does not read")
        },
        RecordError::Shape { source, .. } => {
            format!("does not decode: {:?} error at column {}", source.classify(), source.column())
        },
        RecordError::Place { .. } => "belongs to no record".to_owned(),
    }
}
