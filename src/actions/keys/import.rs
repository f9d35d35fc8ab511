//! Imports keys of other systems, by digest or by text: all keys in one batch, or none.
//!
//! An importer may know the texts of the keys, so an import grants nothing beyond the importer's
//! permissions: the importer must hold everything that each key lists. Keys with management
//! permissions are imported only into the importer's own organization. Only an actor that manages
//! keys imports such keys for another user.

use std::collections::{BTreeMap, HashMap, HashSet};

use keyhouse_storage::{Batch, Revision};
use serde_json::json;

use crate::actions::actor::Actor;
use crate::actions::authority::Authorized;
use crate::actions::events::AuditEntry;
use crate::actions::keys::KeyDraft;
use crate::actions::keys::bounds::{check_lifetime, check_times, require_access};
use crate::actions::keys::draft::new_record;
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::model::audit_action::AuditAction;
use crate::model::fault::{Fault, FaultCode};
use crate::model::foreign::Algorithm;
use crate::model::id::{KeyId, OrganizationId, UserId};
use crate::model::moment::Moment;
use crate::model::name;
use crate::model::permission::is_own;
use crate::model::role::{INSTANCE_IMPORT, KEYS_MANAGE};
use crate::model::secret::Digest;
use crate::records::Revised;
use crate::records::access::UserRecord;
use crate::records::key::{DisabledBy, KeyRecord, SecretRecord};
use crate::records::place::StoreKey;
use crate::records::taken::TakenRecord;
use crate::records::uses::UseRecord;

/// Maximum number of keys in one import. As many keys, each with a guard on its digest, fit in one
/// batch; of keys with a last use, which is a row of its own, two thirds as many.
pub const IMPORT_KEYS_MAX: usize = 500;
/// The earliest time of a key's creation and use. Ids have no earlier time.
const EPOCH: Moment = Moment::from_milliseconds(0);

#[derive(Debug)]
pub struct Import {
    pub keys: Vec<ForeignKey>,
    /// Faults that the caller has already found. The import reports them together with its own
    /// faults. If there is any fault, no key is imported.
    pub faults: Vec<Fault>,
    /// Whether the keys come from a configuration file.
    pub applied: bool,
    /// Whether only to report what the import would do.
    pub dry_run: bool,
}

/// A key of another system.
#[derive(Debug)]
pub struct ForeignKey {
    /// Position in the client's request, for faults.
    pub pointer: String,
    /// The digest by which the key is identified.
    pub secret: ForeignSecret,
    /// The owner. Without an owner, the key is a service key.
    pub owner: Option<OwnerName>,
    /// The organization; `None` for the actor's organization.
    pub organization: Option<OrganizationId>,
    pub past: ForeignPast,
    /// All other fields. The kind follows from the owner.
    pub draft: KeyDraft,
}

/// What happened to a key in the other system.
#[derive(Clone, Copy, Debug, Default)]
pub struct ForeignPast {
    pub created_at: Option<Moment>,
    pub last_used_at: Option<Moment>,
    /// Whether the key is disabled. Only a key manager can enable it here.
    pub disabled: bool,
}

/// The digest by which a key of another system is identified.
#[derive(Debug)]
pub struct ForeignSecret {
    /// Name of the request field, for faults.
    pub field: &'static str,
    pub digest: Digest,
    /// The algorithm of the digest.
    pub algorithm: Algorithm,
    /// The digest of the same text by the other algorithm, if the text is known.
    pub other_digest: Option<Digest>,
    /// The digest of the same text by its last part, if the text is known and has parts.
    pub last_part_digest: Option<Digest>,
    /// The part of the text that may be shown.
    pub hint: String,
}

/// Identifies a user in an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerName {
    Id(UserId),
    /// An email address in normalized form.
    Email(String),
}

/// State of one import attempt.
#[derive(Default)]
struct Findings {
    records: Vec<KeyRecord>,
    /// The last uses of keys that were used in the other system.
    uses: Vec<(KeyId, Moment)>,
    faults: Vec<Fault>,
    /// The owners, with the revisions at which they were read.
    owners: HashMap<UserId, Revision>,
    digests: HashSet<Digest>,
    /// Whether the import applies configuration files.
    applied: bool,
    reads_taken: bool,
}

impl Actions {
    /// Imports keys of other systems: all of them, in one batch with one event, or none. Returns
    /// their records. A dry run returns the records that the import would write.
    ///
    /// # Errors
    /// [`ActionError::Invalid`] with all faults, each at its key;
    /// [`ActionError::PermissionRequired`] for an actor that may not import, or that does not hold
    /// all permissions of each key; [`ActionError::SubscriptionRequired`] and
    /// [`ActionError::LimitReached`] as for key creation; [`ActionError::ProofRequired`], except for
    /// a dry run.
    pub fn import_keys(
        &self,
        actor: &Actor,
        import: &Import,
    ) -> Result<Vec<KeyRecord>, ActionError> {
        let mut is_repeated = false;
        self.in_turn(|| {
            let now = self.clock.now().wall;
            let decided = self.authorize_holder(actor, INSTANCE_IMPORT)?;
            // The importer may know the texts, so an import is worth as much as a new secret.
            let proof = decided.require_proof();
            // A guard of the batch finds a main digest that is taken. Only an attempt that reports
            // faults, that commits nothing, or that follows a conflict reads which digests these are.
            let commits = !import.dry_run && proof.is_ok();
            let reads_taken = !commits || std::mem::replace(&mut is_repeated, true);
            let mut findings = self.findings(&decided.actor, import, now, reads_taken)?;
            if !findings.faults.is_empty() && !reads_taken {
                findings = self.findings(&decided.actor, import, now, true)?;
            }
            if !findings.faults.is_empty() {
                return Err(ActionError::Invalid(findings.faults));
            }
            for record in &findings.records {
                require_no_more(&decided.actor, record)?;
                decided.require_within(record)?;
            }
            let batch = match self.import_batch(&findings) {
                // A key with a taken digest is no new key, so it reaches no limit.
                Err(ActionError::LimitReached { .. }) if !reads_taken => return Ok(Attempt::Again),
                batch => batch?,
            };
            let audit_entry = audit_entry(&decided, &findings.records);
            let Some(change) = self.complete_change(decided, batch, audit_entry)? else {
                return Ok(Attempt::Again);
            };
            if !change.fits() {
                let detail = "too many keys for one request: send fewer keys";
                let fault = Fault::new("/keys", FaultCode::TOO_LARGE, detail);
                return Err(ActionError::Invalid(vec![fault]));
            }
            if import.dry_run {
                return Ok(Attempt::Done(findings.records));
            }
            proof?;
            let committed = self.commit_complete(change)?;
            Ok(committed.map_or(Attempt::Again, |_revision| Attempt::Done(findings.records)))
        })
    }

    /// Checks all keys of an import. `reads_taken`: whether to read from the store which main digests
    /// keys have or had.
    fn findings(
        &self,
        actor: &Actor,
        import: &Import,
        now: Moment,
        reads_taken: bool,
    ) -> Result<Findings, ActionError> {
        let mut findings = Findings {
            faults: import.faults.clone(),
            applied: import.applied,
            reads_taken,
            ..Findings::default()
        };
        for key in &import.keys {
            self.look_at(actor, key, now, &mut findings)?;
        }
        Ok(findings)
    }

    /// Returns the record of an imported key, or adds its faults to the list.
    fn look_at(
        &self,
        actor: &Actor,
        key: &ForeignKey,
        now: Moment,
        findings: &mut Findings,
    ) -> Result<(), ActionError> {
        let fault = |field: &str, code, detail| {
            Fault::new(format!("{}/{field}", key.pointer), code, detail)
        };
        let organization = key.organization.unwrap_or_else(|| actor.organization_id());
        let Some(facts) = self.index.organization(organization) else {
            findings.faults.push(fault(
                "organization",
                FaultCode::NOT_FOUND,
                "organization not found",
            ));
            return Ok(());
        };
        // Configuration files also describe an organization whose subscription has ended. Its keys are
        // rejected by every check.
        if !findings.applied {
            require_access(&facts, now)?;
        }
        let mut owner = None;
        if let Some(name) = &key.owner {
            match self.owner_in(organization, name)? {
                Some(held) => {
                    owner = Some(held.record.id);
                    findings.owners.insert(held.record.id, held.revision);
                },
                None => findings.faults.push(fault(
                    "owner",
                    FaultCode::NOT_FOUND,
                    "user not found in the organization",
                )),
            }
        }
        for wrong in [
            check_times(key.draft.not_before, key.draft.expires_at, now),
            check_lifetime(&facts, now, key.draft.expires_at),
        ] {
            if let Err(ActionError::Invalid(faults)) = wrong {
                findings.faults.extend(faults.into_iter().map(|fault| Fault {
                    pointer: format!("{}{}", key.pointer, fault.pointer),
                    ..fault
                }));
            }
        }
        for (field, time) in
            [("created_at", key.past.created_at), ("last_used_at", key.past.last_used_at)]
        {
            if time.is_some_and(|time| time > now || time < EPOCH) {
                findings.faults.push(fault(
                    field,
                    FaultCode::OUT_OF_RANGE,
                    "must be between 1970 and now",
                ));
            }
        }
        if !findings.digests.insert(key.secret.digest)
            || self.is_taken(&key.secret, findings.reads_taken)?
        {
            let detail =
                "is already the digest of a key in this instance, or occurs twice in this request";
            findings.faults.push(fault(key.secret.field, FaultCode::DIGEST_TAKEN, detail));
        }
        let mut record = self.foreign_record(actor, key, (organization, owner), now);
        record.applied = findings.applied;
        findings.uses.extend(key.past.last_used_at.map(|at| (record.id, at)));
        findings.records.push(record);
        Ok(())
    }

    fn foreign_record(
        &self,
        actor: &Actor,
        key: &ForeignKey,
        (organization, owner): (OrganizationId, Option<UserId>),
        now: Moment,
    ) -> KeyRecord {
        let mut random = self.random();
        let name = key.draft.name.clone().unwrap_or_else(|| name::propose(&mut *random));
        // Ids are in the order of creation, as are lists of keys.
        let created_at = key.past.created_at.unwrap_or(now);
        let id = KeyId::new(created_at, &mut *random);
        let mut record = new_record(id, organization, name, key.draft.clone(), created_at);
        record.updated_at = now;
        record.disabled = key.past.disabled.then_some(DisabledBy::Manager);
        record.owner = owner;
        record.created_by = actor.author();
        record.imported = Some(key.secret.digest);
        record.secrets = vec![SecretRecord {
            digest: key.secret.digest,
            algorithm: key.secret.algorithm,
            hint: key.secret.hint.clone(),
            created_at,
            ends_at: None,
            other_digest: key.secret.other_digest,
            last_part_digest: key.secret.last_part_digest,
            former_owner: false,
        }];
        record
    }

    fn owner_in(
        &self,
        organization: OrganizationId,
        name: &OwnerName,
    ) -> Result<Option<Revised<UserRecord>>, ActionError> {
        let held: Option<Revised<UserRecord>> = match name {
            OwnerName::Id(id) => self.read(&StoreKey::User(*id))?,
            OwnerName::Email(email) => self.user_of(organization, email)?,
        };
        Ok(held.filter(|held| held.record.organization == organization))
    }

    /// Whether a key of the instance has or had one of these digests. Reads the main digest from the
    /// store only if `reads_taken`, since the batch has a guard on it.
    fn is_taken(&self, secret: &ForeignSecret, reads_taken: bool) -> Result<bool, ActionError> {
        let others = [secret.other_digest, secret.last_part_digest].into_iter().flatten();
        let digests = others.map(|digest| (digest, true));
        for (digest, is_read) in digests.chain([(secret.digest, reads_taken)]) {
            let place = StoreKey::Taken(digest);
            if self.index.knows(&digest) || (is_read && self.read::<TakenRecord>(&place)?.is_some())
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn import_batch(&self, findings: &Findings) -> Result<Batch, ActionError> {
        let mut batch = Batch::new();
        for (owner, revision) in &findings.owners {
            batch = batch.unchanged(StoreKey::User(*owner).to_bytes(), *revision);
        }
        for record in &findings.records {
            // A guard on the digest is enough: a new id has 74 random bits, and the number of
            // guards in a batch is limited.
            if let Some(digest) = record.imported {
                let place = StoreKey::Taken(digest);
                let guarded = batch.absent(place.to_bytes());
                batch = put(guarded, &place, &TakenRecord::of(record.id))?;
            }
            batch = put(batch, &record.place(), record)?;
        }
        for (key, at) in &findings.uses {
            batch = put(batch, &StoreKey::Use(*key), &UseRecord::at(*at))?;
        }
        for (organization, owners) in by_organization(&findings.records) {
            batch = self.within_limits(batch, organization, &owners)?;
        }
        Ok(batch)
    }
}

/// Groups the owners of these keys by organization.
fn by_organization(records: &[KeyRecord]) -> BTreeMap<OrganizationId, Vec<Option<UserId>>> {
    let mut owners: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for record in records {
        owners.entry(record.organization).or_default().push(record.owner);
    }
    owners
}

/// One event for the whole import, with the number of keys and their ids. The event belongs to the
/// organization of the keys, if all keys are in one organization.
fn audit_entry(decided: &Authorized, records: &[KeyRecord]) -> AuditEntry {
    let mut organizations = by_organization(records).into_keys();
    let organization = match (organizations.next(), organizations.next()) {
        (Some(only), None) => only,
        _ => decided.actor.organization_id(),
    };
    let ids: Vec<_> = records.iter().map(|record| record.id.to_string()).collect();
    let after = json!({ "count": records.len(), "keys": ids });
    AuditEntry::by(decided, AuditAction::KEYS_IMPORT, organization)
        .inside(organization)
        .with_change(&json!({}), &after)
}

/// Requires that the actor holds all that a key grants. In another organization, no actor holds
/// management permissions. A key with management permissions that belongs to another user acts with
/// that user's rights, so only an actor that manages keys may import it.
fn require_no_more(actor: &Actor, record: &KeyRecord) -> Result<(), ActionError> {
    if actor.is_local() {
        return Ok(());
    }
    let patterns = record.patterns();
    actor.require_all(patterns.as_set())?;
    let Some(management) = patterns.as_set().texts().find(|pattern| is_own(pattern)) else {
        return Ok(());
    };
    if record.organization != actor.organization_id() {
        return Err(ActionError::PermissionRequired(management.to_owned()));
    }
    if record.owner.is_some() && record.owner != actor.user_id() {
        actor.require(KEYS_MANAGE)?;
    }
    Ok(())
}
