//! Lists the audit events that the actor may see, the newest first.
//!
//! An actor that sees a key whole sees the actor, action and time of the key's events. The
//! permission to read the log is required for addresses and changed values, and for events about
//! teams that the actor does not see.

use serde_json::{Map, Value};

use crate::actions::actor::Actor;
use crate::actions::audit::names::{EventNames, EventNeedle};
use crate::actions::rows::{newest_first, rows_in_turns};
use crate::actions::{ActionError, Actions};
use crate::model::id::{EventId, KeyId};
use crate::model::moment::Moment;
use crate::model::role::{AUDIT_READ, INSTANCE_MANAGE};
use crate::records::event::EventRecord;
use crate::records::key::Author;
use crate::records::place::StoreKey;
use crate::records::read_row;

/// Maximum number of rows read for one page. If a filter has few matches, the next request
/// continues the search.
const ROWS_READ_MAX: usize = 20_000;
/// The field of a key that holds its shares with teams.
const SHARES: &str = "teams";

/// Filters of an event list.
#[derive(Debug, Default)]
pub struct EventQuery {
    /// Maximum number of events to return, 1 to [`crate::actions::LIST_LIMIT_MAX`].
    pub limit: usize,
    /// The last event of the previous page.
    pub after: Option<EventId>,
    /// Lists only events of this actor.
    pub actor: Option<WantedActor>,
    /// Lists only events with these actions.
    pub action: Option<WantedAction>,
    /// Lists only events on the target with this id.
    pub target: Option<String>,
    /// Lists only events from this moment on.
    pub since: Option<Moment>,
    /// Lists only events before this moment.
    pub until: Option<Moment>,
    /// Lists only events that contain this text in the name or id of the actor or of the target, or
    /// in the address.
    pub search: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantedActor {
    /// Events without a signed-in actor.
    Unauthenticated,
    Only(Author),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantedAction {
    Only(String),
    /// All actions with this prefix, such as `key.`.
    Below(String),
}

/// An event, and the names of its actor and its object as far as the reader may see them.
#[derive(Debug)]
pub struct ListedEvent {
    pub record: EventRecord,
    pub actor_name: Option<String>,
    pub target_name: Option<String>,
}

/// The part of an event that the reader sees.
#[derive(Clone, Copy, Debug)]
enum Sight {
    Whole,
    /// Actor, action and time of changes to a key.
    Trail,
}

impl Sight {
    fn of(self, event: EventRecord) -> EventRecord {
        match self {
            Self::Whole => event,
            Self::Trail => {
                let (before, after) = (Map::new(), Map::new());
                EventRecord { address: None, before, after, ..event }
            },
        }
    }
}

#[derive(Debug)]
pub struct ListedEvents {
    pub events: Vec<ListedEvent>,
    /// The id of the last row read, if more events may follow.
    pub next: Option<EventId>,
}

impl Actions {
    /// Lists the events of the actor's organization. Operators also see the events of the instance.
    ///
    /// An actor that may not read the log but sees a key whole sees action, time and actor of the
    /// changes to that key. For such an actor, the list hides the address, the changed values, and
    /// everything about secret teams.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] without `keyhouse:audit:read`; [`ActionError::NotFound`]
    /// if an actor without this permission requests a key that they may not see; the errors of the
    /// store.
    pub fn list_events(
        &self,
        actor: &Actor,
        query: &EventQuery,
    ) -> Result<ListedEvents, ActionError> {
        let sight = self.sight(actor, query)?;
        let organization = Some(actor.organization_id());
        let sees_instance = actor.has(INSTANCE_MANAGE);
        let may_see = |event: &EventRecord| {
            event.organization == organization || (sees_instance && event.organization.is_none())
        };
        let until = query.until.map(EventId::first_of);
        let start = match (query.after, until) {
            (Some(after), Some(until)) => Some(after.min(until)),
            (after, until) => after.or(until),
        };
        let after = start.map(|id| StoreKey::Event(id).to_bytes());
        let range = newest_first(StoreKey::EVENTS, after.as_deref());
        let (mut events, mut rows_read) = (Vec::new(), 0);
        let mut names = EventNames::new(self, actor);
        let mut search = query.search.as_deref().map(EventNeedle::new);
        for row in rows_in_turns(&*self.store, &range, || self.page_turn(actor)) {
            rows_read += 1;
            let event = match read_row::<EventRecord>(&row?) {
                Ok(held) => held.record,
                Err(error) => {
                    // An altered event is skipped, so that the others are still listed. The check
                    // reports the altered event.
                    tracing::error!(%error, "audit: could not decode an event");
                    continue;
                },
            };
            let id = event.id;
            if query.since.is_some_and(|since| id.moment() < since) {
                break;
            }
            if may_see(&event) && query.wants(&event) && self.is_listed(sight, actor, &event) {
                let event = sight.of(event);
                if search.as_mut().is_none_or(|needle| names.contain(needle, &event)) {
                    events.push(event);
                }
            }
            if events.len() > query.limit {
                // One event more than requested was read, only to find out whether more events
                // follow.
                events.pop();
                let next = events.last().map(|event| event.id);
                return Ok(listed(&mut names, events, next));
            }
            if rows_read >= ROWS_READ_MAX {
                return Ok(listed(&mut names, events, Some(id)));
            }
        }
        Ok(listed(&mut names, events, None))
    }

    fn sight(&self, actor: &Actor, query: &EventQuery) -> Result<Sight, ActionError> {
        let key = query.target.as_deref().and_then(|target| target.parse::<KeyId>().ok());
        match key {
            Some(key) if !actor.has(AUDIT_READ) => self.key(actor, key).map(|_record| Sight::Trail),
            Some(_) | None => actor.require(AUDIT_READ).map(|()| Sight::Whole),
        }
    }

    /// Whether the event is listed. The limited view excludes events about teams that the reader
    /// may not see, and about removed teams, which may have been secret.
    fn is_listed(&self, sight: Sight, actor: &Actor, event: &EventRecord) -> bool {
        let is_known = |share: &&Value| {
            let team = share.get(0).and_then(Value::as_str).and_then(|team| team.parse().ok());
            team.is_some_and(|team| self.known_team(actor, team).is_some())
        };
        match sight {
            Sight::Whole => true,
            Sight::Trail => {
                let (before, after) = (shares(&event.before), shares(&event.after));
                let ended = before.iter().filter(|share| !after.contains(share));
                let begun = after.iter().filter(|share| !before.contains(share));
                !is_about_shares_alone(event) || ended.chain(begun).any(|share| is_known(&share))
            },
        }
    }
}

fn listed(
    names: &mut EventNames<'_>,
    events: Vec<EventRecord>,
    next: Option<EventId>,
) -> ListedEvents {
    let events = events.into_iter().map(|record| {
        let (actor_name, target_name) = (names.of_actor(&record), names.of_target(&record));
        ListedEvent { record, actor_name, target_name }
    });
    ListedEvents { events: events.collect(), next }
}

/// Returns the shares among the changed fields.
fn shares(fields: &Map<String, Value>) -> &[Value] {
    fields.get(SHARES).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn is_about_shares_alone(event: &EventRecord) -> bool {
    let mut changed = event.before.keys().chain(event.after.keys()).peekable();
    changed.peek().is_some() && changed.all(|field| field == SHARES)
}

impl EventQuery {
    fn wants(&self, event: &EventRecord) -> bool {
        let by_action = self.action.as_ref().is_none_or(|wanted| match wanted {
            WantedAction::Only(name) => *event.action == **name,
            WantedAction::Below(start) => event.action.starts_with(start.as_str()),
        });
        by_action
            && self.actor.is_none_or(|wanted| match wanted {
                WantedActor::Unauthenticated => event.actor.is_none(),
                WantedActor::Only(actor) => event.actor == Some(actor),
            })
            && self.target.as_ref().is_none_or(|target| event.target == *target)
    }
}
