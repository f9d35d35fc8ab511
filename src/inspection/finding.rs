//! What an inspection finds: a code, the row, what is wrong, what to do, and how a repair mends it.

use std::fmt;

use keyhouse_storage::{Revision, Row};

use crate::records::place::StoreKey;

/// What is wrong. The names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingCode {
    /// The storage plugin found damage.
    StoreDamaged,
    /// A row whose store key belongs to no record.
    RowUnknown,
    /// A record that does not decode.
    RecordUndecodable,
    /// A row of a key, user or organization that does not exist.
    RowOrphan,
    /// Records of an organization that does not exist.
    OrganizationMissing,
    /// The store has organizations, but no mark of the first one.
    FoundedMissing,
    /// A personal key whose owner is not a user of the key's organization.
    OwnerMissing,
    /// A user with a custom role that does not exist.
    RoleMissing,
    /// An organization with a plan that does not exist.
    PlanMissing,
    /// A key that is shared with a team of another organization.
    ShareForeign,
    /// A user who is a member of a team of another organization.
    TeamForeign,
    /// An address whose user does not have this address.
    EmailRowOrphan,
    /// A user whose address has no row.
    EmailRowMissing,
    /// A user whose address belongs to another user of the organization.
    EmailShared,
    /// A domain whose organization does not have this domain.
    DomainRowOrphan,
    /// An organization one of whose domains has no row.
    DomainRowMissing,
    /// An organization one of whose domains is assigned to another organization.
    DomainShared,
    /// A session that is not in its user's list, so that no sign-out ends it.
    SessionUnlisted,
    /// A list of sessions with a session that does not exist.
    SessionListStale,
    /// An imported key whose digest has no row, so that it can be imported again.
    TakenRowMissing,
    /// An imported key whose digest is bound to another key.
    TakenRowWrong,
    /// A key with the digest of another key.
    DigestShared,
    /// The index does not have exactly the keys of the store.
    IndexDiffers,
    /// A reservation of a quota whose period is empty.
    ReservationInvalid,
    /// A gate whose routes are invalid, so that it rejects every request.
    GateInvalid,
    /// Seeds of second factors are stored, and the seal key file is missing.
    SealKeyMissing,
    /// The seed of a second factor cannot be decrypted.
    SeedUnreadable,
    /// A fault of the audit log.
    AuditLogFault,
}

impl FindingCode {
    /// The name in the output of commands and in audit events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StoreDamaged => "store_damaged",
            Self::RowUnknown => "row_unknown",
            Self::RecordUndecodable => "record_undecodable",
            Self::RowOrphan => "row_orphan",
            Self::OrganizationMissing => "organization_missing",
            Self::FoundedMissing => "founded_missing",
            Self::OwnerMissing => "owner_missing",
            Self::RoleMissing => "role_missing",
            Self::PlanMissing => "plan_missing",
            Self::ShareForeign => "share_foreign",
            Self::TeamForeign => "team_foreign",
            Self::EmailRowOrphan => "email_row_orphan",
            Self::EmailRowMissing => "email_row_missing",
            Self::EmailShared => "email_shared",
            Self::DomainRowOrphan => "domain_row_orphan",
            Self::DomainRowMissing => "domain_row_missing",
            Self::DomainShared => "domain_shared",
            Self::SessionUnlisted => "session_unlisted",
            Self::SessionListStale => "session_list_stale",
            Self::TakenRowMissing => "taken_row_missing",
            Self::TakenRowWrong => "taken_row_wrong",
            Self::DigestShared => "digest_shared",
            Self::IndexDiffers => "index_differs",
            Self::ReservationInvalid => "reservation_invalid",
            Self::GateInvalid => "gate_invalid",
            Self::SealKeyMissing => "seal_key_missing",
            Self::SeedUnreadable => "seed_unreadable",
            Self::AuditLogFault => "audit_log_fault",
        }
    }

    /// What to do about a finding that no repair mends.
    const fn advice(self) -> &'static str {
        match self {
            Self::StoreDamaged
            | Self::RowUnknown
            | Self::RecordUndecodable
            | Self::RowOrphan
            | Self::OrganizationMissing
            | Self::FoundedMissing
            | Self::AuditLogFault => "restore a backup from before the damage: keyhouse restore",
            Self::RoleMissing => "set another role of the user on the page Users, or with the API",
            Self::PlanMissing => "create the plan: keyhouse plan set",
            Self::EmailShared => "change the address of one of them: keyhouse user change-email",
            Self::DomainShared => "set the domains of one of the two organizations with the API",
            Self::TakenRowWrong | Self::DigestShared => {
                "revoke one of the two keys, and create a new one: keyhouse key revoke"
            },
            Self::GateInvalid => "set the routes of the gate again: keyhouse gate set",
            Self::SealKeyMissing | Self::SeedUnreadable => {
                "put the saved seal key file in its place, or reset the second factors: \
                 keyhouse user reset"
            },
            Self::OwnerMissing
            | Self::ShareForeign
            | Self::TeamForeign
            | Self::EmailRowOrphan
            | Self::EmailRowMissing
            | Self::DomainRowOrphan
            | Self::DomainRowMissing
            | Self::SessionUnlisted
            | Self::SessionListStale
            | Self::TakenRowMissing
            | Self::ReservationInvalid
            | Self::IndexDiffers => "report this as a bug of Keyhouse, with this output",
        }
    }
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One fault of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub code: FindingCode,
    /// The row, without addresses and digests.
    pub place: String,
    pub detail: String,
    /// How a repair mends the fault. `None` if no repair does.
    pub mend: Option<Mend>,
}

impl Finding {
    pub(super) fn new(
        code: FindingCode,
        place: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self { code, place: place.into(), detail: detail.into(), mend: None }
    }

    pub(super) fn mended(self, mend: Option<Mend>) -> Self {
        Self { mend, ..self }
    }

    /// What to do, in one line.
    pub fn remedy(&self) -> String {
        match &self.mend {
            Some(mend) => format!("keyhouse repair {}", mend.what),
            None => self.code.advice().to_owned(),
        }
    }
}

/// The change of one row that mends a finding. A mend never grants a right.
#[derive(Clone, PartialEq, Eq)]
pub struct Mend {
    /// What the change does, as the end of the sentence "the repair ...".
    pub what: &'static str,
    pub(super) key: Vec<u8>,
    /// The revision of the row that the inspection read. `None` if there was no row.
    pub(super) revision: Option<Revision>,
    /// The new value. `None` removes the row.
    pub(super) value: Option<Vec<u8>>,
}

impl Mend {
    pub(super) fn remove(row: &Row) -> Self {
        let what = "removes the row";
        Self { what, key: row.key.clone(), revision: Some(row.revision), value: None }
    }

    pub(super) fn replace(row: &Row, value: Vec<u8>, what: &'static str) -> Self {
        Self { what, key: row.key.clone(), revision: Some(row.revision), value: Some(value) }
    }

    pub(super) fn write(place: &StoreKey, value: Vec<u8>) -> Self {
        let what = "writes the missing row";
        Self { what, key: place.to_bytes(), revision: None, value: Some(value) }
    }
}

impl fmt::Debug for Mend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mend").field("what", &self.what).finish_non_exhaustive()
    }
}
