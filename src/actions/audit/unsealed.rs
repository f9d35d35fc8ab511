//! Finds events without a seal, after a start and after the feed has missed commits.

use std::collections::{HashMap, VecDeque};

use keyhouse_storage::{At, Feed, Order, Range, Revision, Store};

use crate::actions::audit::ChainError;
use crate::actions::audit::chain::{AuditHead, Visit, each_seal};
use crate::model::id::EventId;
use crate::model::moment::Moment;
use crate::records::event::SealRecord;
use crate::records::place::StoreKey;
use crate::records::read_row;

/// Maximum number of events whose ids are held in memory and searched together.
const LOOKED_AT_MAX: usize = 100_000;

/// Events that no seal covers yet.
#[derive(Debug)]
pub(super) struct Unsealed {
    /// The events, in commit order.
    pub(super) events: VecDeque<EventId>,
    /// The time from which the store may have more unsealed events that were committed before the
    /// feed began. `None` if it has none.
    pub(super) rest: Option<Moment>,
    /// Returns the commits since the search.
    pub(super) feed: Box<dyn Feed>,
}

impl Unsealed {
    /// Finds the events without a seal after a chain that ends with `head`.
    pub(super) fn find(store: &dyn Store, head: &AuditHead) -> Result<Self, ChainError> {
        let nothing = Range { limit: 0, ..Range::prefix(StoreKey::EVENTS) };
        let begun = store.scan(&nothing, At::Latest)?.revision;
        let feed = store.follow(begun)?;
        let mut found: Vec<(Revision, EventId)> = Vec::new();
        let mut scan = Scan::from(head.floor, begun);
        let rest = loop {
            let mut events = scan.next(store)?;
            remove_sealed(store, &mut events)?;
            found.extend(events.into_iter().map(|(id, revision)| (revision, id)));
            if scan.is_done {
                break None;
            }
            if found.len() >= LOOKED_AT_MAX {
                break Some(scan.reached);
            }
        };
        found.sort_unstable();
        Ok(Self { events: found.into_iter().map(|(_, id)| id).collect(), rest, feed })
    }
}

/// Reads the events from a moment on, page by page.
struct Scan {
    after: Vec<u8>,
    until: Revision,
    reached: Moment,
    is_done: bool,
}

impl Scan {
    fn from(floor: Moment, until: Revision) -> Self {
        // No event has this id, because random bits follow the time in an id.
        let after = StoreKey::Event(EventId::first_of(floor)).to_bytes();
        Self { after, until, reached: floor, is_done: false }
    }

    /// Returns the next events committed up to the revision, each with its own revision.
    fn next(&mut self, store: &dyn Store) -> Result<HashMap<EventId, Revision>, ChainError> {
        let mut events = HashMap::new();
        while !self.is_done && events.len() < LOOKED_AT_MAX {
            let range = Range { after: Some(&self.after), ..Range::prefix(StoreKey::EVENTS) };
            let page = store.scan(&range, At::Latest)?;
            for row in page.rows.iter().filter(|row| row.revision <= self.until) {
                // The check reports rows that are not events.
                if let Ok(StoreKey::Event(id)) = StoreKey::parse(&row.key) {
                    events.insert(id, row.revision);
                    self.reached = id.moment();
                }
            }
            self.is_done = !page.more;
            if let Some(last) = page.rows.last() {
                self.after.clone_from(&last.key);
            }
        }
        Ok(events)
    }
}

/// Removes the events that a seal covers. Reads seals from the newest on, and stops at a seal that
/// can cover none of the events.
fn remove_sealed(
    store: &dyn Store,
    events: &mut HashMap<EventId, Revision>,
) -> Result<(), ChainError> {
    let Some(oldest) = events.keys().min().map(EventId::moment) else { return Ok(()) };
    each_seal(store, Order::Descending, |row| {
        let seal = read_row::<SealRecord>(row)?.record;
        if seal.latest < oldest || events.is_empty() {
            return Ok(Visit::Stop);
        }
        for id in &seal.events {
            events.remove(id);
        }
        Ok(Visit::Next)
    })
}
