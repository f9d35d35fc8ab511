//! Verifies the audit log: the seals form a chain, and each event is under a seal and unchanged.
//!
//! Seals and events never change, so the check reads them page by page. If a cut removes seals
//! during the check, the check starts again.

use std::collections::HashSet;

use keyhouse_storage::{At, Order, Range, Row, Store};

use crate::actions::actor::Actor;
use crate::actions::audit::cut_proof::CutProof;
pub(crate) use crate::actions::audit::fault::Terms;
pub use crate::actions::audit::fault::{Cut, FaultKind, LogFault};
use crate::actions::rows::rows_in_turns;
use crate::actions::turns::ReadTurn;
use crate::actions::{ActionError, Actions, Attempt};
use crate::model::id::EventId;
use crate::model::role::INSTANCE_MANAGE;
use crate::model::secret::Digest;
use crate::records::event::{CutRecord, EventRecord, SEAL_VERSION, SealRecord};
use crate::records::place::StoreKey;
use crate::records::{Revised, read_row};
use crate::upkeep::audit::chain::{AuditHead, SealHasher, cut_row, seal_rows};
use crate::upkeep::error::UpkeepError;

/// Maximum number of reported faults.
pub const FAULTS_MAX: usize = 100;
/// Maximum number of ids of sealed events held in memory. For a log with more events, the check
/// makes several passes.
const IDS_HELD_MAX: u64 = 1_000_000;

/// The result of a completed check.
#[derive(Debug)]
pub struct CheckedLog {
    pub seals: u64,
    pub events: u64,
    /// Number of events that have no seal yet.
    pub unsealed: u64,
    pub head: AuditHead,
    /// The cut of the log, if there is a proved cut.
    pub cut: Option<Cut>,
    /// The faults, at most [`FAULTS_MAX`]. Empty if the log is intact.
    pub faults: Vec<LogFault>,
}

impl Actions {
    /// Checks the audit log of the whole instance. `head` is the saved hash of an earlier seal.
    /// Without `head`, the check cannot detect that the end was removed or that the whole log was
    /// rewritten.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] for actors that are not operators; [`ActionError::Busy`]
    /// while another check runs; the errors of the store.
    pub fn check_audit(
        &self,
        actor: &Actor,
        head: Option<Digest>,
    ) -> Result<CheckedLog, ActionError> {
        actor.require(INSTANCE_MANAGE)?;
        let Ok(_alone) = self.checking.try_lock() else { return Err(ActionError::Busy) };
        let (store, retention) = (&*self.store, self.retention);
        let terms = Terms { head, now: self.clock.now().wall, retention };
        let turn = || Some(self.page_turn(actor));
        let once = || check_once(store, terms, &turn);
        Self::until_done(|| Ok(once()?.map_or(Attempt::Again, Attempt::Done)))
    }
}

/// Takes a turn for one page. `None` if there are no other readers.
pub(crate) type PageTurn<'a> = &'a dyn Fn() -> Option<ReadTurn<'a>>;

/// Checks the log of a store. Returns `None` if the log was cut in the meantime. Other readers take
/// turns between pages. A seal with its events is one page.
pub(crate) fn check_once<'a>(
    store: &'a dyn Store,
    terms: Terms,
    turn: PageTurn<'a>,
) -> Result<Option<CheckedLog>, UpkeepError> {
    let begun = cut_row(store)?;
    let revision = begun.as_ref().map(|row| row.revision);
    let cut = begun.as_ref().map(|row| read_row::<CutRecord>(row).map(|held| held.record));
    // A cut that cannot be parsed is no valid start.
    let is_readable = !matches!(cut, Some(Err(_)));
    let mut check = LogCheck::new((store, turn), cut.and_then(Result::ok), terms);
    if !is_readable {
        check.fault(FaultKind::CutUnproved, None, None);
    }
    check.seals()?;
    check.events()?;
    check.cut();
    let is_same = cut_row(store)?.map(|row| row.revision) == revision;
    Ok(is_same.then(|| check.finish()))
}

struct LogCheck<'a> {
    store: &'a dyn Store,
    turn: PageTurn<'a>,
    /// The chain up to the next seal to check.
    before: AuditHead,
    is_before_known: bool,
    /// The saved head, while the check has not found it.
    wanted: Option<Digest>,
    proof: CutProof,
    listed: u64,
    checked: CheckedLog,
}

impl<'a> LogCheck<'a> {
    fn new(
        (store, turn): (&'a dyn Store, PageTurn<'a>),
        cut: Option<CutRecord>,
        terms: Terms,
    ) -> Self {
        let start = cut.as_ref().map_or_else(AuditHead::none, AuditHead::behind);
        // A program of an earlier version may have written the seals after the cut.
        let before = AuditHead { version: 0, ..start };
        let (head, faults) = (before.clone(), Vec::new());
        let checked = CheckedLog { seals: 0, events: 0, unsealed: 0, head, cut: None, faults };
        // The head of a cut proves nothing, because all later seals may have been replaced.
        let wanted = terms.head.filter(|head| cut.is_some() || *head != before.hash);
        let proof = CutProof::new(cut, terms);
        Self { store, turn, before, is_before_known: true, wanted, proof, listed: 0, checked }
    }

    /// Compares the stored cut with its event.
    fn cut(&mut self) {
        match self.proof.outcome() {
            Ok(cut) => self.checked.cut = cut,
            Err(kind) => self.fault(kind, None, None),
        }
    }

    fn fault(&mut self, kind: FaultKind, seal: Option<u64>, event: Option<EventId>) {
        if self.checked.faults.len() < FAULTS_MAX {
            self.checked.faults.push(LogFault { kind, seal, event });
        }
    }

    fn finish(mut self) -> CheckedLog {
        if self.wanted.is_some() {
            // The fault of an unknown head is listed first. A replaced chain may have no other
            // fault.
            let fault = LogFault { kind: FaultKind::HeadUnknown, seal: None, event: None };
            self.checked.faults.insert(0, fault);
            self.checked.faults.truncate(FAULTS_MAX);
        }
        self.checked.head = self.before;
        self.checked
    }

    /// Checks the chain, seal by seal.
    fn seals(&mut self) -> Result<(), UpkeepError> {
        for row in seal_rows(self.store, Order::Ascending) {
            let row = row?;
            self.checked.seals += 1;
            let _turn = (self.turn)();
            self.seal(&row)?;
        }
        Ok(())
    }

    fn seal(&mut self, row: &Row) -> Result<(), UpkeepError> {
        let expected = self.before.number.saturating_add(1);
        let read = read_row::<SealRecord>(row).ok();
        let known = read.filter(|held| (1..=SEAL_VERSION).contains(&held.record.version));
        let Some(held) = known else {
            let number = match StoreKey::parse(&row.key) {
                Ok(StoreKey::Seal(number)) => number,
                Ok(_) | Err(_) => expected,
            };
            self.fault(FaultKind::SealUnreadable, Some(number), None);
            (self.before.number, self.is_before_known) = (number, false);
            return Ok(());
        };
        let seal = &held.record;
        let follows = seal.previous == self.before.hash && seal.version >= self.before.version;
        if seal.number != expected {
            self.fault(FaultKind::SealRemoved, Some(expected), None);
        } else if self.is_before_known && !follows {
            self.fault(FaultKind::ChainBroken, Some(seal.number), None);
        }
        self.proof.note_seal(seal);
        self.sealed_events(&held)?;
        self.listed = self.listed.saturating_add(u64::try_from(seal.events.len()).unwrap_or(0));
        (self.before, self.is_before_known) = (AuditHead::of(seal), true);
        if self.wanted == Some(seal.hash) {
            self.wanted = None;
        }
        Ok(())
    }

    /// Checks that the events of a seal are unchanged.
    fn sealed_events(&mut self, held: &Revised<SealRecord>) -> Result<(), UpkeepError> {
        let seal = &held.record;
        let mut hasher = SealHasher::new(seal.version, seal.number, seal.previous);
        let (mut suspects, mut is_whole) = (Vec::new(), true);
        for id in &seal.events {
            let key = StoreKey::Event(*id).to_bytes();
            let Some(row) = self.store.get(&key, At::Latest)? else {
                is_whole = false;
                self.fault(FaultKind::EventRemoved, Some(seal.number), Some(*id));
                continue;
            };
            hasher.take(&row);
            self.proof.note_event(*id, &row, seal);
            if is_suspect(*id, &row, held) {
                suspects.push(*id);
            }
        }
        // The hash of a seal cannot be checked if one of its events is missing.
        if is_whole && hasher.finish(seal) == seal.hash {
            return Ok(());
        }
        if is_whole && suspects.is_empty() {
            self.fault(FaultKind::Altered, Some(seal.number), None);
        }
        for id in suspects {
            self.fault(FaultKind::Altered, Some(seal.number), Some(id));
        }
        Ok(())
    }

    /// Searches for events that have no seal or two seals.
    fn events(&mut self) -> Result<(), UpkeepError> {
        let parts = self.listed / IDS_HELD_MAX + 1;
        for part in 0..parts {
            let part = EventPart { part, parts };
            let sealed = self.sealed_of(&part)?;
            self.unsealed_of(&part, &sealed)?;
        }
        Ok(())
    }

    fn sealed_of(&mut self, part: &EventPart) -> Result<HashSet<EventId>, UpkeepError> {
        let (mut sealed, last) = (HashSet::new(), self.before.number);
        for row in seal_rows(self.store, Order::Ascending) {
            let row = row?;
            let _turn = (self.turn)();
            let Ok(held) = read_row::<SealRecord>(&row) else { continue };
            let seal = held.record;
            if seal.number > last {
                break;
            }
            for id in seal.events.into_iter().filter(|id| part.has(*id)) {
                if !sealed.insert(id) {
                    self.fault(FaultKind::SealedTwice, Some(seal.number), Some(id));
                }
            }
        }
        Ok(sealed)
    }

    fn unsealed_of(
        &mut self,
        part: &EventPart,
        sealed: &HashSet<EventId>,
    ) -> Result<(), UpkeepError> {
        for row in rows_in_turns(self.store, &Range::prefix(StoreKey::EVENTS), self.turn) {
            let id = match StoreKey::parse(&row?.key) {
                Ok(StoreKey::Event(id)) => id,
                // The row has the prefix of events, but is not an event.
                Ok(_) | Err(_) if part.part == 0 => {
                    self.fault(FaultKind::EventInserted, None, None);
                    continue;
                },
                Ok(_) | Err(_) => continue,
            };
            if !part.has(id) {
                continue;
            }
            self.checked.events += 1;
            if sealed.contains(&id) {
                continue;
            }
            if id.moment() < self.before.floor {
                self.fault(FaultKind::EventInserted, None, Some(id));
            } else {
                self.checked.unsealed += 1;
            }
        }
        Ok(())
    }
}

/// One part of all events, by the last byte of their ids, which is random.
struct EventPart {
    part: u64,
    parts: u64,
}

impl EventPart {
    fn has(&self, id: EventId) -> bool {
        let [.., last] = *id.bytes();
        u64::from(last) % self.parts == self.part
    }
}

/// Whether an event was changed, if the hash of its seal is wrong: the event was written after the
/// seal, cannot be parsed, or its time differs from the time in its id.
fn is_suspect(id: EventId, row: &Row, seal: &Revised<SealRecord>) -> bool {
    let is_of_its_id = |held: Revised<EventRecord>| held.record.at == id.moment();
    row.revision > seal.revision || !read_row(row).is_ok_and(is_of_its_id)
}
