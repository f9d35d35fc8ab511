//! Faults of the audit log, and the inputs of a check.

use crate::model::id::EventId;
use crate::model::moment::Moment;
use crate::model::retention::Retention;
use crate::model::secret::Digest;

/// Kinds of faults in the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// A seal is missing, between others or before the first stored seal.
    SealRemoved,
    /// A seal does not continue the chain from the previous seal.
    ChainBroken,
    /// A seal cannot be parsed.
    SealUnreadable,
    /// An event, or the seal over it, was changed after it was sealed.
    Altered,
    /// An event that a seal covers is missing.
    EventRemoved,
    /// An event has no seal, and is too old to still wait for its seal.
    EventInserted,
    /// Two seals, or one seal twice, cover an event.
    SealedTwice,
    /// The saved head is not in this chain: the chain was cut short or replaced, or the head is
    /// older than the stored log.
    HeadUnknown,
    /// No sealed event confirms the start of the log.
    CutUnproved,
    /// The cut removed events that were younger than the retention.
    CutTooEarly,
    /// The time of the cut is in the future.
    CutAhead,
}

impl FaultKind {
    /// The stable name in the API.
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

/// One fault of the audit log, with its position if known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogFault {
    pub kind: FaultKind,
    /// The seal with the fault.
    pub seal: Option<u64>,
    /// The event with the fault.
    pub event: Option<EventId>,
}

/// The newest cut of old events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Number of the last removed seal.
    pub number: u64,
    pub at: Moment,
    /// The retention at the time of the cut. `None` for a cut by an earlier version.
    pub retention: Option<Retention>,
}

/// The inputs of a check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// A head that was saved earlier.
    pub(crate) head: Option<Digest>,
    pub(crate) now: Moment,
    /// The retention that is in force now.
    pub(crate) retention: Retention,
}
