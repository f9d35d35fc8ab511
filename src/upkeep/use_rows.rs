//! Converts live usage to rows: last uses, calls by outcome per key and per organization, and the mark of
//! an organization's first call through a gate.
//!
//! A row is always written whole, never incremented, so that a repeated write has no effect. Rows
//! whose write failed or has an unknown outcome stay pending for the next attempt.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use keyhouse_storage::{At, BATCH_BYTES_MAX, BATCH_WRITES_MAX, Batch, Pending, Store};

use crate::index::Index;
use crate::index::live::KeyCounters;
use crate::index::uses::LastUse;
use crate::model::calendar::Day;
use crate::model::id::{KeyId, OrganizationId};
use crate::records::gate::GateCallRecord;
use crate::records::place::StoreKey;
use crate::records::place::UsageOf;
use crate::records::uses::{AddressRecord, SecretUseRecord, UseRecord, merge_addresses};
use crate::records::{Record, encode, read_row};
use crate::upkeep::error::UpkeepError;

/// A key whose usage is due to be written.
#[derive(Debug)]
pub(super) struct DueUse {
    /// The key's last use, if it was ever used.
    pub(super) last: Option<LastUse>,
    pub(super) live: Arc<KeyCounters>,
}

/// Writes the rows of one flush.
pub(super) struct UseRows<'a> {
    index: &'a Index,
    store: &'a dyn Store,
    parcel: Parcel,
    submitted: Vec<(Pending, Vec<UseRow>)>,
    failed: HashSet<KeyId>,
}

/// The rows of one batch.
#[derive(Default)]
struct Parcel {
    batch: Batch,
    bytes: usize,
    rows: Vec<UseRow>,
}

/// The content of a row.
#[derive(Clone, Copy)]
enum UseRow {
    LastUse(KeyId),
    Usage(UsageOf, Day),
    GateCall(OrganizationId),
}

impl<'a> UseRows<'a> {
    pub(super) fn new(index: &'a Index, store: &'a dyn Store) -> Self {
        let (parcel, submitted, failed) = (Parcel::default(), Vec::new(), HashSet::new());
        Self { index, store, parcel, submitted, failed }
    }

    /// Writes the rows of these keys, and of all organizations with unwritten usage. Returns the
    /// keys whose write failed or has an unknown outcome.
    pub(super) fn write(mut self, due: &[DueUse]) -> HashSet<KeyId> {
        for DueUse { last, live } in due {
            if let Some(last) = last
                && let Err(error) = self.add_last_use(live, last)
            {
                self.fail(UseRow::LastUse(live.key), &error);
            }
        }
        let keys: HashSet<_> = due.iter().map(|due| due.live.key).collect();
        let is_due = |(of, _): &(UsageOf, Day)| of.key.is_none_or(|key| keys.contains(&key));
        let rows: Vec<_> = self.index.pending_usage().rows().filter(is_due).collect();
        for (of, day) in rows.iter().copied() {
            if let Err(error) = self.add_usage(of, day) {
                self.fail(UseRow::Usage(of, day), &error);
            }
        }
        let called: BTreeSet<_> = rows.iter().map(|(of, _)| of.organization).collect();
        for organization in called {
            if let Err(error) = self.add_gate_call(organization) {
                self.fail(UseRow::GateCall(organization), &error);
            }
        }
        self.finish()
    }

    fn add_last_use(&mut self, live: &KeyCounters, last: &LastUse) -> Result<(), UpkeepError> {
        let place = StoreKey::Use(live.key);
        let agent = |last: &LastUse| last.agent_name().map(Into::into);
        let secrets = live.secret_uses().into_iter().map(|(digest, last)| SecretUseRecord {
            digest,
            at: last.at,
            ip: last.ip,
            user_agent: agent(&last),
        });
        let record = UseRecord {
            at: last.at,
            ip: last.ip,
            user_agent: agent(last),
            secrets: secrets.collect(),
            addresses: self.addresses(live)?,
        };
        self.add(&place, &record, UseRow::LastUse(live.key))
    }

    /// Returns the recent addresses of a key, from this process and from the store.
    fn addresses(&self, live: &KeyCounters) -> Result<Vec<AddressRecord>, UpkeepError> {
        let calls = live.calls();
        if let Some(calls) = calls {
            let recent = calls.recent();
            if recent.is_merged {
                return Ok(recent.addresses.clone());
            }
        }
        let stored = self.read::<UseRecord>(&StoreKey::Use(live.key))?;
        let stored = stored.map(|record| record.addresses).unwrap_or_default();
        let Some(calls) = calls else { return Ok(stored) };
        let mut recent = calls.recent();
        merge_addresses(&mut recent.addresses, &stored);
        recent.is_merged = true;
        Ok(recent.addresses.clone())
    }

    fn add_usage(&mut self, of: UsageOf, day: Day) -> Result<(), UpkeepError> {
        let place = StoreKey::UsageHours(day, of);
        let read = || self.read(&place).map(Option::unwrap_or_default);
        let record = self.index.pending_usage().row_to_write(of, day, read)?;
        self.add(&place, &record, UseRow::Usage(of, day))
    }

    /// Adds the mark of an organization's first call through a gate, unless the store has it.
    fn add_gate_call(&mut self, organization: OrganizationId) -> Result<(), UpkeepError> {
        let shared = self.index.shared_organization(organization);
        let Some(shared) = shared.filter(|shared| shared.owes_gate_call()) else { return Ok(()) };
        let place = StoreKey::GateCall(organization);
        if self.read::<GateCallRecord>(&place)?.is_some() {
            shared.set_gate_call_stored();
            return Ok(());
        }
        self.add(&place, &GateCallRecord {}, UseRow::GateCall(organization))
    }

    fn read<T: Record>(&self, place: &StoreKey) -> Result<Option<T>, UpkeepError> {
        let row = self.store.get(&place.to_bytes(), At::Latest)?;
        Ok(row.as_ref().map(read_row).transpose()?.map(|held| held.record))
    }

    fn add<T: Record>(
        &mut self,
        place: &StoreKey,
        record: &T,
        row: UseRow,
    ) -> Result<(), UpkeepError> {
        let (key, value) = (place.to_bytes(), encode(place, record)?);
        let bytes = key.len() + value.len();
        let parcel = &mut self.parcel;
        if parcel.rows.len() >= BATCH_WRITES_MAX || parcel.bytes + bytes > BATCH_BYTES_MAX {
            self.submit();
        }
        let parcel = &mut self.parcel;
        parcel.batch = std::mem::take(&mut parcel.batch).put(key, value);
        parcel.bytes += bytes;
        parcel.rows.push(row);
        Ok(())
    }

    fn submit(&mut self) {
        let Parcel { batch, rows, .. } = std::mem::take(&mut self.parcel);
        if !rows.is_empty() {
            self.submitted.push((self.store.submit(batch), rows));
        }
    }

    /// Waits for all batches. All batches are submitted before the first wait, so that they share a
    /// commit.
    fn finish(mut self) -> HashSet<KeyId> {
        self.submit();
        for (pending, rows) in std::mem::take(&mut self.submitted) {
            let outcome = pending.wait();
            if let Err(error) = &outcome {
                tracing::warn!(%error, rows = rows.len(), "could not write uses; retrying");
            }
            let mut pending = self.index.pending_usage();
            for row in rows {
                match (row, &outcome) {
                    (UseRow::Usage(of, day), Ok(_)) => pending.confirm(of, day),
                    (UseRow::LastUse(_), Ok(_)) => {},
                    (UseRow::GateCall(id), Ok(_)) => self.index.set_gate_call_stored(id),
                    (_, Err(_)) => self.failed.extend(row.key()),
                }
            }
        }
        self.failed
    }

    fn fail(&mut self, row: UseRow, error: &UpkeepError) {
        tracing::warn!(%error, "could not write a use; retrying");
        self.failed.extend(row.key());
    }
}

impl UseRow {
    fn key(self) -> Option<KeyId> {
        match self {
            Self::LastUse(key) => Some(key),
            Self::Usage(of, _) => of.key,
            Self::GateCall(_) => None,
        }
    }
}
