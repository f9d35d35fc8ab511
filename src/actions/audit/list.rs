//! Lists audit events, the newest first, as far as the actor may see them.
//!
//! Everyone who sees a key whole sees its events: actor, action and time. Addresses and changed values
//! need the permission to read the log, and so do events about teams that the actor does not see.

use std::collections::HashMap;

use keyhouse_storage::{At, Order, Range};
use serde_json::{Map, Value};

use crate::actions::actor::Actor;
use crate::actions::{ActionError, Actions};
use crate::model::id::{EventId, KeyId};
use crate::model::moment::Moment;
use crate::model::role::{AUDIT_READ, INSTANCE_MANAGE};
use crate::records::event::EventRecord;
use crate::records::key::{Author, KeyRecord};
use crate::records::place::Place;
use crate::records::{Held, read_row};

/// Most rows read for one page: a filter that finds little goes on with the next request.
const ROWS_READ_MAX: usize = 20_000;
const ROWS_A_SCAN: usize = 500;
/// The field of a key that holds with which teams it is shared.
const SHARES: &str = "teams";

/// Which events to list.
#[derive(Debug, Default)]
pub struct EventQuery {
    /// Most events wanted, 1 to [`crate::actions::LIST_LIMIT_MAX`].
    pub limit: usize,
    /// The last event of the page before.
    pub after: Option<EventId>,
    /// Only what this one did.
    pub actor: Option<WantedActor>,
    /// Only these.
    pub action: Option<WantedAction>,
    /// Only what was done to the thing of this id.
    pub target: Option<String>,
    /// Only events from this moment on.
    pub since: Option<Moment>,
    /// Only events before this moment.
    pub until: Option<Moment>,
}

/// Whose events to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantedActor {
    /// Where nobody was signed in.
    Nobody,
    /// One.
    Only(Author),
}

/// Which actions to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantedAction {
    /// One.
    Only(String),
    /// All that begin so, such as `key.`.
    Below(String),
}

/// An event, and the name that its actor goes by today, where the one who asks may know it.
#[derive(Debug)]
pub struct ListedEvent {
    /// The event.
    pub record: EventRecord,
    /// The name.
    pub actor_name: Option<String>,
}

/// How much of an event its reader is told.
#[derive(Clone, Copy, Debug)]
enum Sight {
    /// All.
    Whole,
    /// Who did what to the key, and when.
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

/// A page of events.
#[derive(Debug)]
pub struct ListedEvents {
    /// The events.
    pub events: Vec<ListedEvent>,
    /// The last row read, where more may follow.
    pub next: Option<EventId>,
}

impl Actions {
    /// Lists the events of the actor's organization; to operators also those of the instance. Who
    /// may not read the log but sees a key whole is told what was done to that key, when and by
    /// whom: not from which address, not what it changed, and nothing of secret teams.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] without `keyhouse:audit:read`; [`ActionError::NotFound`]
    /// where such a one asks for a key that they may not know of; the store's.
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
        let mut after = start.map(|id| Place::Event(id).to_bytes());
        let (mut events, mut rows_read) = (Vec::new(), 0);
        loop {
            let range = Range {
                prefix: Place::EVENTS,
                after: after.as_deref(),
                limit: ROWS_A_SCAN,
                order: Order::Descending,
            };
            let _turn = self.page_turn(actor);
            let page = self.store.scan(&range, At::Latest)?;
            for row in &page.rows {
                rows_read += 1;
                let event = match read_row::<EventRecord>(row) {
                    Ok(held) => held.record,
                    Err(error) => {
                        // One that somebody altered does not hide all others; the check names it.
                        tracing::error!(%error, "audit: an event does not read");
                        continue;
                    },
                };
                let id = event.id;
                if query.since.is_some_and(|since| id.moment() < since) {
                    return Ok(self.listed(actor, events, None));
                }
                if may_see(&event) && query.wants(&event) && self.tells(sight, actor, &event) {
                    events.push(sight.of(event));
                }
                if events.len() > query.limit {
                    // One more than wanted was found only to know that there is one.
                    events.pop();
                    let next = events.last().map(|event| event.id);
                    return Ok(self.listed(actor, events, next));
                }
                if rows_read >= ROWS_READ_MAX {
                    return Ok(self.listed(actor, events, Some(id)));
                }
            }
            after = page.rows.last().map(|row| row.key.clone());
            if !page.more {
                return Ok(self.listed(actor, events, None));
            }
        }
    }

    fn sight(&self, actor: &Actor, query: &EventQuery) -> Result<Sight, ActionError> {
        let key = query.target.as_deref().and_then(|target| target.parse::<KeyId>().ok());
        match key {
            Some(key) if !actor.has(AUDIT_READ) => self.key(actor, key).map(|_record| Sight::Trail),
            Some(_) | None => actor.require(AUDIT_READ).map(|()| Sight::Whole),
        }
    }

    /// Whether an event is told at all: a trail says nothing of teams that its reader may not know
    /// of, nor of those that are gone, which may have been such.
    fn tells(&self, sight: Sight, actor: &Actor, event: &EventRecord) -> bool {
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

    fn listed(
        &self,
        actor: &Actor,
        events: Vec<EventRecord>,
        next: Option<EventId>,
    ) -> ListedEvents {
        let mut keys = HashMap::new();
        let events = events.into_iter().map(|record| {
            let actor_name = match record.actor {
                Some(Author::User(id)) => {
                    let user = self.index.user(id);
                    let known = user.filter(|user| user.organization == actor.organization_id());
                    known.map(|user| user.name.clone())
                },
                Some(Author::Key(id)) => {
                    keys.entry(id).or_insert_with(|| self.key_name(actor, id)).clone()
                },
                Some(Author::Local) | None => None,
            };
            ListedEvent { record, actor_name }
        });
        ListedEvents { events: events.collect(), next }
    }

    /// The name of a key of the actor's organization, while there is one that they see whole: a
    /// name is not worth an error.
    fn key_name(&self, actor: &Actor, id: KeyId) -> Option<String> {
        let held: Held<KeyRecord> = self.read(&Place::Key(actor.organization_id(), id)).ok()??;
        let known = actor.has(AUDIT_READ) || self.is_whole_for(actor, &held.record);
        known.then_some(held.record.name)
    }
}

/// The shares among the fields of a change.
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
                WantedActor::Nobody => event.actor.is_none(),
                WantedActor::Only(actor) => event.actor == Some(actor),
            })
            && self.target.as_ref().is_none_or(|target| event.target == *target)
    }
}
