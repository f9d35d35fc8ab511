//! Proves the audit log: that the seals are a chain, and that each event is in one, as it was.
//!
//! Seals and events never change, so they are read as they come; where old ones are cut meanwhile,
//! the check begins anew.

use std::collections::HashSet;

use keyhouse_storage::{At, Order, Range, Row, Store};

use crate::actions::actor::Actor;
use crate::actions::audit::ChainError;
use crate::actions::audit::chain::{Head, SealHasher, Visit, cut_row, each_seal};
use crate::actions::audit::cut_proof::CutProof;
use crate::actions::turns::Turn;
use crate::actions::{ActionError, Actions, Attempt};
use crate::model::id::EventId;
use crate::model::moment::Moment;
use crate::model::retention::Retention;
use crate::model::role::INSTANCE_MANAGE;
use crate::model::secret::Digest;
use crate::records::event::{CutRecord, EventRecord, SEAL_VERSION, SealRecord};
use crate::records::place::Place;
use crate::records::{Held, read_row};

/// Most faults that are told.
pub const FAULTS_MAX: usize = 100;
/// Most ids of sealed events that are held in memory; when there are more, the log is gone over
/// several times.
const IDS_HELD_MAX: u64 = 1_000_000;

/// What is wrong with the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// A seal is not there, between others or before the first that is.
    SealRemoved,
    /// A seal does not follow from the one before it.
    ChainBroken,
    /// A seal does not read.
    SealUnreadable,
    /// An event, or the seal over it, is not as it was when it was sealed.
    Altered,
    /// An event that a seal covers is not there.
    EventRemoved,
    /// An event is in no seal, and older than any that may still wait for one.
    EventInserted,
    /// An event is in two seals, or twice in one.
    SealedTwice,
    /// The head that was written down is none of this chain's: it was cut short, or replaced, or
    /// the head is older than what is kept.
    HeadUnknown,
    /// Where the log begins is not what a sealed event says of a cut.
    CutUnproved,
    /// What was cut was younger than the retention.
    CutTooEarly,
    /// The cut is to have been made in the future.
    CutAhead,
}

impl FaultKind {
    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::SealRemoved => "seal_removed",
            Self::ChainBroken => "chain_broken",
            Self::SealUnreadable => "seal_unreadable",
            Self::Altered => "altered",
            Self::EventRemoved => "event_removed",
            Self::EventInserted => "event_inserted",
            Self::SealedTwice => "sealed_twice",
            Self::HeadUnknown => "head_unknown",
            Self::CutUnproved => "cut_unproved",
            Self::CutTooEarly => "cut_too_early",
            Self::CutAhead => "cut_ahead",
        }
    }
}

/// One fault of the audit log, as far as it can be told where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogFault {
    /// What is wrong.
    pub kind: FaultKind,
    /// With which seal.
    pub seal: Option<u64>,
    /// With which event.
    pub event: Option<EventId>,
}

/// What a check found.
#[derive(Debug)]
pub struct Checked {
    /// How many seals are there.
    pub seals: u64,
    /// How many events are there.
    pub events: u64,
    /// How many of them still wait for their seal.
    pub unsealed: u64,
    /// The end of the chain.
    pub head: Head,
    /// Where the log was cut, if it was and that is proved.
    pub cut: Option<Cut>,
    /// What is wrong: nothing, where the log is as it was; at most [`FAULTS_MAX`].
    pub faults: Vec<LogFault>,
}

/// The newest cut of old events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The last seal that is gone.
    pub number: u64,
    /// When it was cut.
    pub at: Moment,
    /// How long events were kept then; none for a cut that an earlier version made.
    pub retention: Option<Retention>,
}

/// What a check goes by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// A head that was written down.
    pub(super) head: Option<Digest>,
    /// The time.
    pub(super) now: Moment,
    /// How long events are kept today.
    pub(super) retention: Retention,
}

impl Actions {
    /// Checks the audit log of the whole instance. `head` is the hash of a seal that was written
    /// down before: without it nobody can tell that the end was cut off, or that all was rewritten.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] for all but operators; [`ActionError::Busy`] while
    /// another check runs; the store's.
    pub fn check_audit(&self, actor: &Actor, head: Option<Digest>) -> Result<Checked, ActionError> {
        actor.require(INSTANCE_MANAGE)?;
        let Ok(_alone) = self.checking.try_lock() else { return Err(ActionError::Busy) };
        let (store, retention) = (&*self.store, self.retention);
        let terms = Terms { head, now: self.clock.now().wall, retention };
        let turn = || Some(self.page_turn(actor));
        let once = || check_once(store, terms, &turn);
        Self::until_done(|| Ok(once()?.map_or(Attempt::Again, Attempt::Done)))
    }
}

/// A turn for one page, given back on drop; none where nobody else reads.
pub(super) type PageTurn<'a> = &'a dyn Fn() -> Option<Turn<'a>>;

/// Checks the log of a store; `None` where it was cut meanwhile. It gives way to other readers
/// between pages: a seal with its events is one.
pub(super) fn check_once<'a>(
    store: &'a dyn Store,
    terms: Terms,
    turn: PageTurn<'a>,
) -> Result<Option<Checked>, ChainError> {
    let begun = cut_row(store)?;
    let revision = begun.as_ref().map(|row| row.revision);
    let cut = begun.as_ref().map(|row| read_row::<CutRecord>(row).map(|held| held.record));
    // One that does not read is no beginning.
    let is_readable = !matches!(cut, Some(Err(_)));
    let mut check = Check::new((store, turn), cut.and_then(Result::ok), terms);
    if !is_readable {
        check.fault(FaultKind::CutUnproved, None, None);
    }
    check.seals()?;
    check.events()?;
    check.cut();
    let is_same = cut_row(store)?.map(|row| row.revision) == revision;
    Ok(is_same.then(|| check.finish()))
}

struct Check<'a> {
    store: &'a dyn Store,
    turn: PageTurn<'a>,
    /// The seal before the next one.
    before: Head,
    /// Whether its hash is known.
    is_before_known: bool,
    /// The head that was written down, until it is found.
    wanted: Option<Digest>,
    proof: CutProof,
    listed: u64,
    checked: Checked,
}

impl<'a> Check<'a> {
    fn new(
        (store, turn): (&'a dyn Store, PageTurn<'a>),
        cut: Option<CutRecord>,
        terms: Terms,
    ) -> Self {
        let start = cut.as_ref().map_or_else(Head::none, Head::behind);
        // What is left behind a cut may be of an earlier version than the cut.
        let before = Head { version: 0, ..start };
        let (head, faults) = (before.clone(), Vec::new());
        let checked = Checked { seals: 0, events: 0, unsealed: 0, head, cut: None, faults };
        // The head of a cut proves nothing: all behind it may have been replaced.
        let wanted = terms.head.filter(|head| cut.is_some() || *head != before.hash);
        let proof = CutProof::new(cut, terms);
        Self { store, turn, before, is_before_known: true, wanted, proof, listed: 0, checked }
    }

    /// Compares where the log begins with what its events say of it.
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

    fn finish(mut self) -> Checked {
        if self.wanted.is_some() {
            // It comes first: where the chain was replaced, nothing else need be wrong.
            let fault = LogFault { kind: FaultKind::HeadUnknown, seal: None, event: None };
            self.checked.faults.insert(0, fault);
            self.checked.faults.truncate(FAULTS_MAX);
        }
        self.checked.head = self.before;
        self.checked
    }

    /// Goes along the chain.
    fn seals(&mut self) -> Result<(), ChainError> {
        each_seal(self.store, Order::Ascending, |row| {
            self.checked.seals += 1;
            let _turn = (self.turn)();
            self.seal(row)?;
            Ok(Visit::Next)
        })
    }

    fn seal(&mut self, row: &Row) -> Result<(), ChainError> {
        let expected = self.before.number.saturating_add(1);
        let read = read_row::<SealRecord>(row).ok();
        let known = read.filter(|held| (1..=SEAL_VERSION).contains(&held.record.version));
        let Some(held) = known else {
            let number = match Place::parse(&row.key) {
                Ok(Place::Seal(number)) => number,
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
        (self.before, self.is_before_known) = (Head::of(seal), true);
        if self.wanted == Some(seal.hash) {
            self.wanted = None;
        }
        Ok(())
    }

    /// Compares the events of a seal with what was sealed.
    fn sealed_events(&mut self, held: &Held<SealRecord>) -> Result<(), ChainError> {
        let seal = &held.record;
        let mut hasher = SealHasher::new(seal.version, seal.number, seal.previous);
        let (mut suspects, mut is_whole) = (Vec::new(), true);
        for id in &seal.events {
            let key = Place::Event(*id).to_bytes();
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
        // Without all events nobody can tell whether the seal fits the others.
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

    /// Looks for events that are in no seal, or in two.
    fn events(&mut self) -> Result<(), ChainError> {
        let parts = self.listed / IDS_HELD_MAX + 1;
        for part in 0..parts {
            let part = Part { part, parts };
            let sealed = self.sealed_of(&part)?;
            self.unsealed_of(&part, &sealed)?;
        }
        Ok(())
    }

    fn sealed_of(&mut self, part: &Part) -> Result<HashSet<EventId>, ChainError> {
        let (mut sealed, last) = (HashSet::new(), self.before.number);
        each_seal(self.store, Order::Ascending, |row| {
            let _turn = (self.turn)();
            let Ok(held) = read_row::<SealRecord>(row) else { return Ok(Visit::Next) };
            let seal = held.record;
            if seal.number > last {
                return Ok(Visit::Stop);
            }
            for id in seal.events.into_iter().filter(|id| part.has(*id)) {
                if !sealed.insert(id) {
                    self.fault(FaultKind::SealedTwice, Some(seal.number), Some(id));
                }
            }
            Ok(Visit::Next)
        })?;
        Ok(sealed)
    }

    fn unsealed_of(&mut self, part: &Part, sealed: &HashSet<EventId>) -> Result<(), ChainError> {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let range = Range { after: after.as_deref(), ..Range::prefix(Place::EVENTS) };
            let _turn = (self.turn)();
            let page = self.store.scan(&range, At::Latest)?;
            for row in &page.rows {
                let id = match Place::parse(&row.key) {
                    Ok(Place::Event(id)) => id,
                    // In our place, and not ours.
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
            after = page.rows.last().map(|row| row.key.clone());
            if !page.more {
                return Ok(());
            }
        }
    }
}

/// A part of all events, by the last byte of their ids, which is random.
struct Part {
    part: u64,
    parts: u64,
}

impl Part {
    fn has(&self, id: EventId) -> bool {
        let [.., last] = *id.bytes();
        u64::from(last) % self.parts == self.part
    }
}

/// Whether an event of a seal that does not fit shows by itself that it was altered: it was written
/// after its seal, does not read, or is not of the moment that its id tells.
fn is_suspect(id: EventId, row: &Row, seal: &Held<SealRecord>) -> bool {
    let is_of_its_id = |held: Held<EventRecord>| held.record.at == id.moment();
    row.revision > seal.revision || !read_row(row).is_ok_and(is_of_its_id)
}
