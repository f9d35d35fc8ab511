//! Events of the audit log about itself: a cut of old events, and a change of the retention.
//!
//! Each is written in one batch with what it tells of and with a seal of its own over it, so that
//! neither is ever in the store without proof.

use serde_json::{Map, Value};

use crate::model::id::EventId;
use crate::model::moment::Moment;
use crate::model::retention::Retention;
use crate::model::secret::Digest;
use crate::records::event::{CutRecord, EventRecord};

/// The action of a cut.
pub(super) const CUT: &str = "audit.cut";
/// The action of a changed retention.
pub(super) const RETENTION: &str = "audit.retention";
/// The target of both.
const TARGET: &str = "audit";

/// What an event says of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ToldCut {
    /// The last seal that is gone.
    pub(super) number: u64,
    /// Its hash.
    pub(super) hash: Digest,
    /// Its floor.
    pub(super) floor: Moment,
    /// When it was cut.
    pub(super) at: Moment,
    /// Under which retention; none for a cut by a version that wrote no event, which the upgrade
    /// to this version took over.
    pub(super) retention: Option<Retention>,
}

impl ToldCut {
    /// Whether an event says this of the cut that is stored.
    pub(super) fn fits(&self, cut: &CutRecord) -> bool {
        (self.number, self.hash, self.floor, self.at) == (cut.number, cut.hash, cut.floor, cut.at)
    }

    /// Reads what an event says; `None` for one that the program does not write.
    pub(super) fn of(event: &EventRecord) -> Option<Self> {
        let text = |name: &str| event.after.get(name).and_then(Value::as_str);
        let is_ours = &*event.action == CUT && event.target == TARGET && event.actor.is_none();
        let retention = match event.after.get("retention") {
            None => None,
            Some(retention) => Some(retention.as_str()?.parse().ok()?),
        };
        let told = Self {
            number: event.after.get("number")?.as_u64()?,
            hash: text("hash")?.parse().ok()?,
            floor: text("floor")?.parse().ok()?,
            at: text("at")?.parse().ok()?,
            retention,
        };
        is_ours.then_some(told)
    }

    /// The event that says it, of so many events that are gone.
    pub(super) fn event(&self, id: EventId, now: Moment, events: Option<usize>) -> EventRecord {
        let mut after = Map::new();
        let mut say = |name: &str, value: Value| after.insert(name.to_owned(), value);
        say("number", self.number.into());
        say("hash", self.hash.to_string().into());
        say("floor", self.floor.to_string().into());
        say("at", self.at.to_string().into());
        if let Some(events) = events {
            say("events", events.into());
        }
        if let Some(retention) = self.retention {
            say("retention", retention.to_string().into());
        }
        own(id, now, CUT, Map::new(), after)
    }
}

/// The event of a changed retention.
pub(super) fn retention_event(
    id: EventId,
    now: Moment,
    from: Retention,
    to: Retention,
) -> EventRecord {
    let field = |retention: Retention| {
        Map::from_iter([("retention".to_owned(), retention.to_string().into())])
    };
    own(id, now, RETENTION, field(from), field(to))
}

/// The retention before a change that an event tells of.
pub(super) fn retention_before(event: &EventRecord) -> Option<Retention> {
    let is_ours = &*event.action == RETENTION && event.target == TARGET && event.actor.is_none();
    let before = event.before.get("retention").filter(|_before| is_ours)?;
    before.as_str()?.parse().ok()
}

fn own(
    id: EventId,
    at: Moment,
    action: &str,
    before: Map<String, Value>,
    after: Map<String, Value>,
) -> EventRecord {
    EventRecord {
        id,
        at,
        actor: None,
        address: None,
        organization: None,
        action: action.into(),
        target: TARGET.to_owned(),
        before,
        after,
    }
}
