//! Proves the start of the audit log: a sealed event describes the cut, and the cut events were old
//! enough.

use keyhouse_storage::Row;
use memchr::memmem;

use crate::actions::audit::fault::{Cut, FaultKind, Terms};
use crate::model::audit_action::AuditAction;
use crate::model::id::EventId;
use crate::model::moment::Moment;
use crate::model::retention::Retention;
use crate::records::event::{CutRecord, EventRecord, SEAL_VERSION, SealRecord};
use crate::records::read_row;
use crate::upkeep::audit::own::{CutEvent, retention_before};
use std::time::Duration;

/// The longest time by which a cut may be in the future. A start accepts a clock that is at most
/// this far behind.
const AHEAD_MAX: Duration = Duration::from_hours(1);

/// Facts about the cut, collected from the chain seal by seal.
pub(super) struct CutProof {
    cut: Option<CutRecord>,
    terms: Terms,
    /// The time of the first remaining seal.
    first_at: Option<Moment>,
    /// The number of the first seal of this version.
    first_of_version: Option<u64>,
    found: Option<ProofFound>,
    /// The retention at the time of the cut, taken from the first change after it.
    retention_then: Option<Retention>,
}

/// The event of the cut, and the seal that covers it.
struct ProofFound {
    event: EventRecord,
    number: u64,
    at: Moment,
}

impl CutProof {
    pub(super) fn new(cut: Option<CutRecord>, terms: Terms) -> Self {
        let (first_at, first_of_version, found, retention_then) = (None, None, None, None);
        Self { cut, terms, first_at, first_of_version, found, retention_then }
    }

    /// Reads the next seal of the chain, before its events.
    pub(super) fn note_seal(&mut self, seal: &SealRecord) {
        self.first_at = self.first_at.or(Some(seal.at));
        if seal.version == SEAL_VERSION {
            self.first_of_version = self.first_of_version.or(Some(seal.number));
        }
    }

    /// Reads the next event that a seal covers.
    pub(super) fn note_event(&mut self, id: EventId, row: &Row, seal: &SealRecord) {
        let Some(cut) = &self.cut else { return };
        let is_cut = cut.event == Some(id);
        let may_be_change = self.found.is_some()
            && self.retention_then.is_none()
            && memmem::find(&row.value, AuditAction::AUDIT_RETENTION.name.as_bytes()).is_some();
        if !is_cut && !may_be_change {
            return;
        }
        let Ok(held) = read_row::<EventRecord>(row) else { return };
        if is_cut {
            self.found = Some(ProofFound { event: held.record, number: seal.number, at: seal.at });
        } else {
            self.retention_then = retention_before(&held.record);
        }
    }

    /// Returns the cut if it is proved, `None` without a cut, or the fault.
    pub(super) fn outcome(&self) -> Result<Option<Cut>, FaultKind> {
        let Some(cut) = &self.cut else { return Ok(None) };
        let found = self.found.as_ref().ok_or(FaultKind::CutUnproved)?;
        let reported = CutEvent::of(&found.event).filter(|reported| reported.fits(cut));
        let reported = reported.ok_or(FaultKind::CutUnproved)?;
        if found.at > self.terms.now.after(AHEAD_MAX) || cut.at > found.at {
            return Err(FaultKind::CutAhead);
        }
        match reported.retention {
            Some(retention) => self.require_old_enough(cut, found, retention)?,
            // A cut without a retention is accepted only from the upgrade, which writes the first
            // seal of this version.
            None if self.first_of_version == Some(found.number) => {},
            None => return Err(FaultKind::CutUnproved),
        }
        Ok(Some(Cut { number: cut.number, at: cut.at, retention: reported.retention }))
    }

    fn require_old_enough(
        &self,
        cut: &CutRecord,
        found: &ProofFound,
        retention: Retention,
    ) -> Result<(), FaultKind> {
        if (found.event.at, found.at) != (cut.at, cut.at) {
            return Err(FaultKind::CutUnproved);
        }
        let in_force = self.retention_then.unwrap_or(self.terms.retention);
        let limit = cut.at.before(retention.span());
        if retention < in_force || self.first_at.is_none_or(|at| at >= limit) {
            return Err(FaultKind::CutTooEarly);
        }
        Ok(())
    }
}
