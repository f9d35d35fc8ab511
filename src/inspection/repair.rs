//! Mends the findings of an inspection, in atomic batches, until an inspection finds nothing that
//! can be mended.
//!
//! Each mend changes one row and holds on its own, so a repair that ends early leaves a store that
//! the next repair continues. Every batch has its own audit event. A mend can uncover findings, such
//! as the rows of a key that was moved out, so the store is inspected after each pass.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io;
use std::sync::Arc;

use keyhouse_storage::{
    At, BATCH_BYTES_MAX, BATCH_WRITES_MAX, Batch, CommitError, ReadError, Store,
};
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};

use crate::inspection::finding::{Finding, FindingCode, Mend};
use crate::inspection::report::{InspectionError, StoreReport, Surroundings};
use crate::inspection::store_check::inspect;
use crate::model::audit_action::AuditAction;
use crate::model::id::EventId;
use crate::model::moment::Moment;
use crate::records::event::EventRecord;
use crate::records::identity::instance_id;
use crate::records::key::Author;
use crate::records::place::StoreKey;
use crate::records::{PrepareError, RecordError, encode};
use crate::upkeep::audit::latest_moment;

/// Maximum number of changes in one batch, which also has an event.
const CHANGES_MAX: usize = BATCH_WRITES_MAX - 1;
/// The size of the changed rows at which a batch is full, in bytes. The rest is for guards and the
/// event.
const BATCH_BYTES_FULL: usize = BATCH_BYTES_MAX / 4;
/// Maximum number of rows that an event names.
const PLACES_MAX: usize = 100;

/// One change of a repair.
#[derive(Clone, PartialEq, Eq)]
pub struct RowChange {
    pub finding: Finding,
    /// The store key of the changed row.
    pub key: Vec<u8>,
    /// The value before the change. `None` if the row was missing.
    pub before: Option<Vec<u8>>,
}

impl fmt::Debug for RowChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowChange").field("finding", &self.finding).finish_non_exhaustive()
    }
}

/// The result of a repair.
#[derive(Debug, Default)]
pub struct Repaired {
    /// The number of changes by the name of their finding.
    pub changes: BTreeMap<&'static str, u64>,
    /// The inspection after the last change.
    pub left: StoreReport,
}

/// Why a repair ended early. The batches before are committed, and a further repair continues.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    #[error(transparent)]
    Inspection(#[from] InspectionError),
    #[error("could not write the report of the repair")]
    Keep(#[source] io::Error),
    #[error("could not read the store")]
    Read(#[from] ReadError),
    #[error("could not write the store")]
    Commit(#[from] CommitError),
    #[error("could not read the id of the instance")]
    Instance(#[from] PrepareError),
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// Repairs a store that no other process or thread writes. `keep` receives the changes of each batch
/// before its commit; an error of `keep` ends the repair. Blocks until the store is mended.
///
/// # Errors
/// [`RepairError`].
pub fn repair(
    store: &Arc<dyn Store>,
    surroundings: Surroundings<'_>,
    random: &mut StdRng,
    keep: &mut dyn FnMut(&[RowChange]) -> io::Result<()>,
) -> Result<Repaired, RepairError> {
    let newest = latest_moment(&**store)?.unwrap_or(Moment::BEGINNING);
    let at = surroundings.now.max(newest);
    let mut repaired = Repaired::default();
    let mut mended_before = Vec::new();
    loop {
        let report = inspect(store, surroundings)?;
        let mendable: Vec<Finding> =
            report.findings.iter().filter(|finding| finding.mend.is_some()).cloned().collect();
        let of_mend = |it: &Finding| it.mend.as_ref().map(|mend| (it.code, mend.key.clone()));
        let mended: Vec<_> = mendable.iter().filter_map(of_mend).collect();
        // A pass whose mends had no effect is not repeated.
        if mendable.is_empty() || mended == mended_before {
            repaired.left = report;
            return Ok(repaired);
        }
        mended_before = mended;
        let mut pass = Pass { store: &**store, at, random, keep };
        for batch in batches(mendable) {
            for code in pass.commit(batch)? {
                *repaired.changes.entry(code.name()).or_default() += 1;
            }
        }
    }
}

/// Findings with the mends of one batch.
type MendBatch = Vec<(Finding, Mend)>;

/// Groups mends into batches. A second mend of the same row is left to the next pass.
fn batches(findings: Vec<Finding>) -> Vec<MendBatch> {
    let (mut batches, mut batch, mut bytes) = (Vec::new(), MendBatch::new(), 0);
    let mut changed = HashSet::new();
    for finding in findings {
        let Some(mend) = finding.mend.clone() else { continue };
        if !changed.insert(mend.key.clone()) {
            continue;
        }
        let size = 2 * mend.key.len() + mend.value.as_ref().map_or(0, Vec::len);
        let is_full = batch.len() >= CHANGES_MAX || bytes + size > BATCH_BYTES_FULL;
        if is_full && !batch.is_empty() {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        bytes += size;
        batch.push((finding, mend));
    }
    batches.push(batch);
    batches
}

struct Pass<'a> {
    store: &'a dyn Store,
    /// The time of the events: not before the newest event. The search for events without a seal
    /// does not find an event of an earlier time.
    at: Moment,
    random: &'a mut StdRng,
    keep: &'a mut dyn FnMut(&[RowChange]) -> io::Result<()>,
}

impl Pass<'_> {
    /// Commits the mends of one batch with their event.
    fn commit(&mut self, mends: MendBatch) -> Result<Vec<FindingCode>, RepairError> {
        let (mut batch, mut changes) = (Batch::new(), Vec::new());
        for (finding, Mend { key, revision, value, .. }) in mends {
            batch = match revision {
                Some(revision) => batch.unchanged(key.clone(), revision),
                None => batch.absent(key.clone()),
            };
            batch = match value {
                Some(value) => batch.put(key.clone(), value),
                None => batch.delete(key.clone()),
            };
            let before = self.store.get(&key, At::Latest)?.map(|row| row.value);
            changes.push(RowChange { finding, key, before });
        }
        (self.keep)(&changes).map_err(RepairError::Keep)?;
        let event = self.event(&changes)?;
        let place = StoreKey::Event(event.id);
        self.store.commit(batch.put(place.to_bytes(), encode(&place, &event)?))?;
        Ok(changes.iter().map(|change| change.finding.code).collect())
    }

    fn event(&mut self, changes: &[RowChange]) -> Result<EventRecord, RepairError> {
        let mut counts: Map<String, Value> = Map::new();
        for change in changes {
            let count = counts.entry(change.finding.code.name()).or_insert(json!(0));
            *count = json!(count.as_u64().unwrap_or_default() + 1);
        }
        let places = changes.iter().take(PLACES_MAX).map(|change| change.finding.place.as_str());
        let mut after = Map::new();
        after.insert("changes".to_owned(), changes.len().into());
        after.insert("findings".to_owned(), counts.into());
        after.insert("places".to_owned(), places.collect::<Vec<_>>().into());
        let target = instance_id(self.store, At::Latest)?;
        Ok(EventRecord {
            id: EventId::new(self.at, self.random),
            at: self.at,
            actor: Some(Author::Local),
            address: None,
            organization: None,
            action: AuditAction::INSTANCE_REPAIR.name.into(),
            target: target.map(|id| id.to_string()).unwrap_or_default(),
            before: Map::new(),
            after,
        })
    }
}
