//! Finds events without a seal, after a start and after the feed has missed commits.

use std::collections::{HashMap, VecDeque};

use keyhouse_storage::{At, Feed, Order, Pages, Range, Revision, Store};

use crate::model::id::EventId;
use crate::model::moment::Moment;
use crate::records::event::SealRecord;
use crate::records::place::StoreKey;
use crate::records::read_row;
use crate::upkeep::audit::chain::{AuditHead, seal_rows};
use crate::upkeep::error::UpkeepError;

/// Maximum number of events whose ids are held in memory and searched together.
const LOOKED_AT_MAX: usize = 100_000;

/// Events that no seal covers yet.
#[derive(Debug)]
pub(crate) struct Unsealed {
    /// The events, in commit order.
    pub(crate) events: VecDeque<EventId>,
    /// The time from which the store may have more unsealed events that were committed before the
    /// feed began. `None` if it has none.
    pub(crate) rest: Option<Moment>,
    /// Returns the commits since the search.
    pub(crate) feed: Box<dyn Feed>,
}

impl Unsealed {
    /// Finds the events without a seal after a chain that ends with `head`.
    pub(crate) fn find(store: &dyn Store, head: &AuditHead) -> Result<Self, UpkeepError> {
        let nothing = Range { limit: 0, ..Range::prefix(StoreKey::EVENTS) };
        let begun = store.scan(&nothing, At::Latest)?.revision;
        let feed = store.follow(begun)?;
        let mut found: Vec<(Revision, EventId)> = Vec::new();
        // No event has this id, because random bits follow the time in an id.
        let after = StoreKey::Event(EventId::first_of(head.floor)).to_bytes();
        let range = Range { after: Some(&after), ..Range::prefix(StoreKey::EVENTS) };
        let pages = store.pages(&range, At::Latest);
        let mut scan = Scan { pages, until: begun, reached: head.floor };
        let rest = loop {
            let mut events = scan.next()?;
            remove_sealed(store, &mut events)?;
            found.extend(events.into_iter().map(|(id, revision)| (revision, id)));
            if scan.pages.is_done() {
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
struct Scan<'a> {
    pages: Pages<'a>,
    until: Revision,
    reached: Moment,
}

impl Scan<'_> {
    /// Returns the next events committed up to the revision, each with its own revision.
    fn next(&mut self) -> Result<HashMap<EventId, Revision>, UpkeepError> {
        let mut events = HashMap::new();
        while events.len() < LOOKED_AT_MAX
            && let Some(page) = self.pages.next()
        {
            for row in page?.rows.iter().filter(|row| row.revision <= self.until) {
                // The check reports rows that are not events.
                if let Ok(StoreKey::Event(id)) = StoreKey::parse(&row.key) {
                    events.insert(id, row.revision);
                    self.reached = id.moment();
                }
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
) -> Result<(), UpkeepError> {
    let Some(oldest) = events.keys().min().map(EventId::moment) else { return Ok(()) };
    for row in seal_rows(store, Order::Descending) {
        let seal = read_row::<SealRecord>(&row?)?.record;
        if seal.latest < oldest || events.is_empty() {
            break;
        }
        for id in &seal.events {
            events.remove(id);
        }
    }
    Ok(())
}
