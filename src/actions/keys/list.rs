//! Lists the keys that the actor may see, filtered and sorted, page by page.
//!
//! The organization's list in memory ([`crate::index::key_lists`]) has the ids of the keys of a page, in
//! the order of the query, and the number of all keys that match. The records of the page are read from
//! the store.

use std::sync::Arc;

use keyhouse_storage::{At, Range};

use crate::actions::actor::Actor;
use crate::actions::keys::KeyKind;
use crate::actions::keys::order::{KeyPlace, Position, Sort};
use crate::actions::keys::query::Query;
use crate::actions::keys::selection::Selection;
use crate::actions::rows::{ROWS_A_PAGE, newest_first};
use crate::actions::{ActionError, Actions};
use crate::index::key_lists::{ChunkPart, EntryDraft, KeyEntries, KeyList};
use crate::model::id::KeyId;
use crate::model::role::{INSTANCE_IMPORT, KEYS_READ};
use crate::records::key::KeyRecord;
use crate::records::place::StoreKey;
use crate::records::read_row;

/// A request counts no more keys than this if the rest of the list was not read from the store.
pub const COUNTED_MAX: usize = 10_000;
/// Number of chunks of a list that a request examines in one turn: at most 65,536 keys.
const CHUNKS_A_TURN: usize = 64;

/// A page of keys, the newest first.
#[derive(Debug)]
pub struct ListedKeys {
    /// The keys, each with a flag that is true if the actor sees the whole key.
    pub keys: Vec<(KeyRecord, bool)>,
    /// The id of the last key, if more keys may follow.
    pub next: Option<KeyId>,
}

/// A page of keys in the order of its query.
#[derive(Debug, Default)]
pub struct KeyPage {
    /// The keys, each with a flag that is true if the actor sees the whole key.
    pub keys: Vec<(KeyRecord, bool)>,
    /// The position of the last key, if more keys may follow.
    pub next: Option<Position>,
    pub total: KeyTotal,
}

/// The number of keys on all pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyTotal {
    pub keys: usize,
    /// Whether there are more keys than `keys`. They were not counted.
    pub is_exceeded: bool,
}

impl Actions {
    /// Lists the keys of the actor's organization.
    ///
    /// The actor sees a key whole if it is the actor's own, is shared with one of their teams, or
    /// if they hold `keyhouse:keys:read`. The actor sees only that any other key exists, and
    /// filters on hidden fields never match such a key. Keys that are shared only with secret teams
    /// are not listed for users outside those teams.
    ///
    /// # Errors
    /// [`ActionError::StorageUnavailable`]; [`ActionError::PermissionRequired`] for a key without a
    /// permission on keys.
    pub fn list_keys(&self, actor: &Actor, query: &Query) -> Result<KeyPage, ActionError> {
        let Some(mut selection) = Selection::new(self, actor, query)? else {
            return Ok(KeyPage::default());
        };
        let list = self.index.key_lists.of(actor.organization_id());
        // The changes of the index's writer may have added keys to any list since the last request.
        self.index.key_lists.make_room(&list);
        let mut found = Found::new(query);
        let is_cut = loop {
            let left = {
                let _turn = self.page_turn(actor);
                found.look_at(&list.read(), &mut selection)
            };
            match left {
                Left::Keys => {},
                Left::Nothing => break false,
                Left::Unread(_) if found.is_enough() => break true,
                Left::Unread(below) => {
                    self.read_part(actor, &list, below)?;
                    self.index.key_lists.make_room(&list);
                },
            }
        };
        let total = found.total(is_cut);
        self.page_of(actor, found, total, &selection)
    }

    /// Lists the service keys of the actor's organization, for an export: without revoked keys, the
    /// newest first.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] for an actor that may not import keys and read all keys.
    pub fn list_service_keys(
        &self,
        actor: &Actor,
        limit: usize,
        after: Option<KeyId>,
    ) -> Result<ListedKeys, ActionError> {
        actor.require(INSTANCE_IMPORT)?;
        actor.require(KEYS_READ)?;
        let query = Query {
            after: after.map(Position::newest_first),
            counted: false,
            kind: Some(KeyKind::Service),
            ..Query::of(limit, Sort::NEWEST_FIRST)
        };
        let page = self.list_keys(actor, &query)?;
        Ok(ListedKeys { keys: page.keys, next: page.next.map(|next| next.id()) })
    }

    /// Reads the next part of a list from the store: the keys below `below`, at most [`ROWS_A_PAGE`].
    fn read_part(&self, actor: &Actor, list: &KeyList, below: KeyId) -> Result<(), ActionError> {
        let Some(part) = list.unread_part(below) else { return Ok(()) };
        let organization = actor.organization_id();
        let prefix = StoreKey::keys_of(organization);
        let after = StoreKey::Key(organization, part.below).to_bytes();
        let range = Range { limit: ROWS_A_PAGE, ..newest_first(&prefix, Some(&after)) };
        let turn = self.page_turn(actor);
        let page = self.store.scan(&range, At::Latest)?;
        let mut keys = Vec::with_capacity(page.rows.len());
        let mut last = None;
        for row in &page.rows {
            let record = read_row::<KeyRecord>(row)?.record;
            let newest = record.secrets.first();
            let live = newest.and_then(|secret| {
                self.index.with_grant(&secret.digest, |grant| Some(Arc::clone(&grant?.live)))
            });
            keys.push(EntryDraft::new(&record, live));
            last = Some(record.id);
        }
        // No other reader should wait for this turn while this one waits for the readers of the list.
        drop(turn);
        part.add(keys, last.filter(|_last| page.more));
        Ok(())
    }

    /// Reads the records of a page.
    fn page_of(
        &self,
        actor: &Actor,
        found: Found<'_>,
        total: KeyTotal,
        selection: &Selection<'_>,
    ) -> Result<KeyPage, ActionError> {
        let _turn = self.page_turn(actor);
        let limit = found.query.limit;
        let mut best = found.best;
        let more = best.len() > limit;
        best.truncate(limit);
        let mut keys = Vec::with_capacity(best.len());
        for position in &best {
            let place = StoreKey::Key(actor.organization_id(), position.id());
            // The key may have changed or been removed since the list was read.
            let Some(held) = self.read::<KeyRecord>(&place)? else { continue };
            if let Some(whole) = selection.is_still_listed(&held.record) {
                keys.push((held.record, whole));
            }
        }
        let next = best.pop().filter(|_last| more);
        Ok(KeyPage { keys, next, total })
    }
}

/// The keys that a query has found so far.
struct Found<'a> {
    query: &'a Query,
    /// The keys of the page in their order, and one more key, which shows that another page follows.
    best: Vec<Position>,
    /// Number of keys that match.
    counted: usize,
    /// The next keys to be examined have lower ids than this. `None` before the first keys.
    below: Option<KeyId>,
}

/// The keys that a query has not examined yet.
enum Left {
    /// The list has more keys.
    Keys,
    /// The keys with lower ids than this, which are not in the list: they must be read from the store.
    Unread(KeyId),
    Nothing,
}

impl<'a> Found<'a> {
    fn new(query: &'a Query) -> Self {
        let mut below = None;
        if !query.counted && query.sort == Sort::NEWEST_FIRST {
            below = query.after.as_ref().map(Position::id);
        }
        Self { query, best: Vec::new(), counted: 0, below }
    }

    /// Examines the keys of the next chunks.
    fn look_at(&mut self, keys: &KeyEntries, selection: &mut Selection<'_>) -> Left {
        if self.is_complete() {
            return Left::Nothing;
        }
        let mut parts = keys.before(self.below);
        for part in parts.by_ref().take(CHUNKS_A_TURN) {
            if let Some(keys) = selection.count(part).filter(|_keys| self.only_counts(part)) {
                self.counted += keys;
            } else {
                let sort = self.query.sort;
                let places = part.entries().filter_map(|entry| {
                    let whole = selection.listed(keys.common(), entry)?;
                    Some(KeyPlace::new(entry, whole, sort))
                });
                // Oldest first: the keys of the page come before the others, which are dropped at once.
                if sort == Sort::OLDEST_FIRST {
                    self.offer(places.rev());
                } else {
                    self.offer(places);
                }
            }
            self.below = part.first().or(self.below);
        }
        if parts.next().is_some() {
            return Left::Keys;
        }
        let unread = keys.unread_below();
        self.below = unread;
        unread.map_or(Left::Nothing, Left::Unread)
    }

    /// Counts keys, and adds those that belong to the page.
    fn offer<'k>(&mut self, places: impl Iterator<Item = KeyPlace<'k>>) {
        let kept = self.query.limit + 1;
        let after = self.query.after.as_ref().map(Position::place);
        let mut last = self.best.get(self.query.limit).map(Position::place);
        let (mut counted, mut better) = (0, Vec::new());
        for place in places {
            counted += 1;
            if after.is_none_or(|after| place.compare(&after).is_gt())
                && last.is_none_or(|last| place.compare(&last).is_lt())
            {
                better.push(place);
                // If the list is in the opposite of the requested order, every key belongs before all
                // earlier ones.
                if better.len() == 2 * kept {
                    last = Some(first_of(&mut better, kept));
                }
            }
        }
        self.counted += counted;
        if better.len() > kept {
            first_of(&mut better, kept);
        }
        if !better.is_empty() {
            self.best.extend(better.into_iter().map(Position::from));
            self.best.sort_unstable_by(|one, other| one.place().compare(&other.place()));
            self.best.truncate(kept);
        }
    }

    /// Whether none of these keys belongs to the page, so that they are only counted.
    fn only_counts(&self, part: ChunkPart<'_>) -> bool {
        let is_before = |after: &Position| part.first().is_some_and(|first| first >= after.id());
        self.query.sort == Sort::NEWEST_FIRST
            && (self.is_full() || self.query.after.as_ref().is_some_and(is_before))
    }

    fn is_full(&self) -> bool {
        self.best.len() > self.query.limit
    }

    /// Whether the query needs no keys that are not in the list. These keys are older than all keys of
    /// the list. A page of the newest keys is complete without them, and counting stops at
    /// [`COUNTED_MAX`].
    fn is_enough(&self) -> bool {
        let is_counted = !self.query.counted || self.counted > COUNTED_MAX;
        self.query.sort == Sort::NEWEST_FIRST && self.is_full() && is_counted
    }

    fn is_complete(&self) -> bool {
        !self.query.counted && self.query.sort == Sort::NEWEST_FIRST && self.is_full()
    }

    /// `is_cut`: whether the query ended before it examined all keys.
    fn total(&self, is_cut: bool) -> KeyTotal {
        let keys = if is_cut { COUNTED_MAX } else { self.counted };
        KeyTotal { keys, is_exceeded: is_cut }
    }
}

/// Keeps the first `kept` places of more, in any order, and returns the last of them.
fn first_of<'k>(places: &mut Vec<KeyPlace<'k>>, kept: usize) -> KeyPlace<'k> {
    let last = *places.select_nth_unstable_by(kept - 1, KeyPlace::compare).1;
    places.truncate(kept);
    last
}
