//! Lists the keys that the actor may see, filtered and sorted, page by page.
//!
//! A list in memory ([`crate::index::key_lists`]) finds the keys of a page and counts all keys that
//! match. The records of the page come from the store.

use std::sync::Arc;

use crate::actions::actor::Actor;
use crate::actions::keys::KeyKind;
use crate::actions::keys::order::{KeyPlace, Position, Sort};
use crate::actions::keys::query::{Query, Wanted};
use crate::actions::keys::selection::Selection;
use crate::actions::rows::{newest_first, rows_in_turns};
use crate::actions::{ActionError, Actions};
use crate::index::key_lists::{ChunkPart, EntryDraft, KeyEntries, KeyList};
use crate::model::id::KeyId;
use crate::model::role::{INSTANCE_IMPORT, KEYS_READ};
use crate::records::key::KeyRecord;
use crate::records::place::StoreKey;
use crate::records::read_row;

/// While a list is not read to its end, counting stops at this number.
pub const COUNTED_MAX: usize = 10_000;
/// Number of keys that are read from the store at a time. Counting reads at most this many more
/// than it needs.
const PART_KEYS: usize = 4_096;
/// Number of chunks of a list that are looked at in one turn: 65,536 keys.
const CHUNKS_A_TURN: usize = 64;

/// Keys of a list that has the newest first.
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
    /// Whether there are more keys, which were not counted.
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
    /// [`ActionError::StorageUnavailable`]; [`ActionError::PermissionRequired`] for a key whose
    /// list names no permission to manage keys.
    pub fn list_keys(&self, actor: &Actor, query: &Query) -> Result<KeyPage, ActionError> {
        let Some(mut selection) = Selection::new(self, actor, query)? else {
            return Ok(KeyPage::default());
        };
        let list = self.index.key_lists.of(actor.organization_id());
        // Every list may have grown since the last request, by the changes of the index's writer.
        self.index.key_lists.make_room(&list);
        let mut found = Found::new(query);
        loop {
            let left = {
                let _turn = self.page_turn(actor);
                found.look_at(&list.read(), &mut selection)
            };
            match left {
                Left::Keys => {},
                Left::Nothing => break,
                Left::Unread(_) if found.is_enough() => break,
                Left::Unread(below) => {
                    self.read_part(actor, &list, below)?;
                    self.index.key_lists.make_room(&list);
                },
            }
        }
        self.page_of(actor, found, &selection)
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
            limit,
            sort: Sort::NEWEST_FIRST,
            after: after.map(Position::newest_first),
            counted: false,
            search: None,
            status: Wanted::Current,
            kind: Some(KeyKind::Service),
            owner: None,
            team: None,
            unused: false,
            expires_before: None,
        };
        let page = self.list_keys(actor, &query)?;
        Ok(ListedKeys { keys: page.keys, next: page.next.map(|next| next.id()) })
    }

    /// Reads the keys before `below` from the store into a list, at most [`PART_KEYS`].
    fn read_part(&self, actor: &Actor, list: &KeyList, below: KeyId) -> Result<(), ActionError> {
        let Some(part) = list.unread_part(below) else { return Ok(()) };
        let organization = actor.organization_id();
        let prefix = StoreKey::keys_of(organization);
        let after = StoreKey::Key(organization, part.below).to_bytes();
        let range = newest_first(&prefix, Some(&after));
        let mut keys = Vec::new();
        for row in rows_in_turns(&*self.store, &range, || self.page_turn(actor)) {
            let record = read_row::<KeyRecord>(&row?)?.record;
            let newest = record.secrets.first();
            let live = newest.and_then(|secret| {
                self.index.with_grant(&secret.digest, |grant| Some(Arc::clone(&grant?.live)))
            });
            keys.push(EntryDraft::new(&record, live));
            if keys.len() >= PART_KEYS {
                part.add(keys, Some(record.id));
                return Ok(());
            }
        }
        part.add(keys, None);
        Ok(())
    }

    /// Reads the records of a page.
    fn page_of(
        &self,
        actor: &Actor,
        found: Found<'_>,
        selection: &Selection<'_>,
    ) -> Result<KeyPage, ActionError> {
        let _turn = self.page_turn(actor);
        let (total, limit) = (found.total(), found.query.limit);
        let mut best = found.best;
        let more = best.len() > limit;
        best.truncate(limit);
        let mut keys = Vec::with_capacity(best.len());
        for position in &best {
            let place = StoreKey::Key(actor.organization_id(), position.id());
            // The key may have been changed or removed since the list was read.
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
    /// The first keys after the position of the query: one more than requested, only to find out
    /// whether more keys follow.
    best: Vec<Position>,
    counted: usize,
    /// Whether there are more keys, which were not counted.
    is_cut: bool,
    /// The keys from this one on were looked at.
    below: Option<KeyId>,
}

/// What a query has not looked at yet.
enum Left {
    Keys,
    /// The keys before this one, which the list does not have yet.
    Unread(KeyId),
    Nothing,
}

impl<'a> Found<'a> {
    fn new(query: &'a Query) -> Self {
        let mut below = None;
        if !query.counted && query.sort == Sort::NEWEST_FIRST {
            below = query.after.as_ref().map(Position::id);
        }
        Self { query, best: Vec::new(), counted: 0, is_cut: false, below }
    }

    /// Looks at the next keys.
    fn look_at(&mut self, keys: &KeyEntries, selection: &mut Selection<'_>) -> Left {
        if self.is_complete() {
            return Left::Nothing;
        }
        let mut parts = keys.before(self.below);
        for part in parts.by_ref().take(CHUNKS_A_TURN) {
            match selection.count(part).filter(|_keys| self.only_counts(part)) {
                Some(keys) => self.counted += keys,
                None => self.offer(part.entries().filter_map(|entry| {
                    let whole = selection.listed(keys.common(), entry)?;
                    Some(KeyPlace::new(entry, whole, self.query.sort))
                })),
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

    /// Counts keys, and keeps those that belong to the page.
    fn offer<'k>(&mut self, places: impl Iterator<Item = KeyPlace<'k>>) {
        let kept = self.query.limit + 1;
        let after = self.query.after.as_ref().map(Position::place);
        let last = self.best.get(self.query.limit).map(Position::place);
        let (mut counted, mut better) = (0, Vec::new());
        for place in places {
            counted += 1;
            if after.is_none_or(|after| place.compare(&after).is_gt())
                && last.is_none_or(|last| place.compare(&last).is_lt())
            {
                better.push(place);
            }
        }
        self.counted += counted;
        if better.len() > kept {
            better.select_nth_unstable_by(self.query.limit, KeyPlace::compare);
            better.truncate(kept);
        }
        if !better.is_empty() {
            self.best.extend(better.into_iter().map(Position::from));
            self.best.sort_unstable_by(|one, other| one.place().compare(&other.place()));
            self.best.truncate(kept);
        }
    }

    /// Whether none of these keys belongs to the page.
    fn only_counts(&self, part: ChunkPart<'_>) -> bool {
        let is_before = |after: &Position| part.first().is_some_and(|first| first >= after.id());
        self.query.sort == Sort::NEWEST_FIRST
            && (self.is_full() || self.query.after.as_ref().is_some_and(is_before))
    }

    fn is_full(&self) -> bool {
        self.best.len() > self.query.limit
    }

    /// Whether keys that the list does not have yet are not needed: older keys follow those of the
    /// page, and enough keys were counted.
    fn is_enough(&mut self) -> bool {
        let is_counted = !self.query.counted || self.counted > COUNTED_MAX;
        self.is_cut = self.query.sort == Sort::NEWEST_FIRST && self.is_full() && is_counted;
        self.is_cut
    }

    fn is_complete(&self) -> bool {
        !self.query.counted && self.query.sort == Sort::NEWEST_FIRST && self.is_full()
    }

    fn total(&self) -> KeyTotal {
        let keys = if self.is_cut { COUNTED_MAX } else { self.counted };
        KeyTotal { keys, is_exceeded: self.is_cut }
    }
}
