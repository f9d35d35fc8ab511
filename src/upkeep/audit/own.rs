//! Events of the audit log about itself: cuts of old events and changes of the retention.
//!
//! Each event is written in one batch with the change that it describes and with a seal over the
//! event alone, so that the store never holds the change without its proof.

use serde_json::{Map, Value};

use crate::model::audit_action::AuditAction;
use crate::model::id::EventId;
use crate::model::moment::Moment;
use crate::model::retention::Retention;
use crate::model::secret::Digest;
use crate::records::event::{CutRecord, EventRecord};

const TARGET: &str = "audit";

/// The fields of a cut's event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CutEvent {
    /// The number of the last removed seal.
    pub(crate) number: u64,
    /// The hash of the last removed seal.
    pub(crate) hash: Digest,
    /// The floor of the last removed seal.
    pub(crate) floor: Moment,
    pub(crate) at: Moment,
    /// The retention at the cut. `None` if the upgrade wrote the event for a cut by an earlier
    /// version.
    pub(crate) retention: Option<Retention>,
}

impl CutEvent {
    /// Whether the event matches the stored cut.
    pub(crate) fn fits(&self, cut: &CutRecord) -> bool {
        (self.number, self.hash, self.floor, self.at) == (cut.number, cut.hash, cut.floor, cut.at)
    }

    /// Parses an event. Returns `None` for an event that this program does not write.
    pub(crate) fn of(event: &EventRecord) -> Option<Self> {
        let text = |name: &str| event.after.get(name).and_then(Value::as_str);
        let is_ours = &*event.action == AuditAction::AUDIT_CUT.name
            && event.target == TARGET
            && event.actor.is_none();
        let retention = match event.after.get("retention") {
            None => None,
            Some(retention) => Some(retention.as_str()?.parse().ok()?),
        };
        let reported = Self {
            number: event.after.get("number")?.as_u64()?,
            hash: text("hash")?.parse().ok()?,
            floor: text("floor")?.parse().ok()?,
            at: text("at")?.parse().ok()?,
            retention,
        };
        is_ours.then_some(reported)
    }

    /// Returns the event of a cut that removed this number of events.
    pub(crate) fn event(&self, id: EventId, now: Moment, events: Option<usize>) -> EventRecord {
        let mut after = Map::new();
        let mut set = |name: &str, value: Value| after.insert(name.to_owned(), value);
        set("number", self.number.into());
        set("hash", self.hash.to_string().into());
        set("floor", self.floor.to_string().into());
        set("at", self.at.to_string().into());
        if let Some(events) = events {
            set("events", events.into());
        }
        if let Some(retention) = self.retention {
            set("retention", retention.to_string().into());
        }
        own(id, now, AuditAction::AUDIT_CUT, Map::new(), after)
    }
}

/// Returns the event of a changed retention.
pub(crate) fn retention_event(
    id: EventId,
    now: Moment,
    from: Retention,
    to: Retention,
) -> EventRecord {
    let field = |retention: Retention| {
        Map::from_iter([("retention".to_owned(), retention.to_string().into())])
    };
    own(id, now, AuditAction::AUDIT_RETENTION, field(from), field(to))
}

/// Returns the previous retention from the event of a changed retention.
pub(crate) fn retention_before(event: &EventRecord) -> Option<Retention> {
    let is_ours = &*event.action == AuditAction::AUDIT_RETENTION.name
        && event.target == TARGET
        && event.actor.is_none();
    let before = event.before.get("retention").filter(|_before| is_ours)?;
    before.as_str()?.parse().ok()
}

fn own(
    id: EventId,
    at: Moment,
    action: AuditAction,
    before: Map<String, Value>,
    after: Map<String, Value>,
) -> EventRecord {
    EventRecord {
        id,
        at,
        actor: None,
        address: None,
        organization: None,
        action: action.name.into(),
        target: TARGET.to_owned(),
        before,
        after,
    }
}
