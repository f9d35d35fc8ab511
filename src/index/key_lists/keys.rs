//! The keys of one list, in the order of their ids: the newest keys of the organization, from the oldest
//! key on that was read from the store.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::index::key_lists::chunk::{CHUNK_KEYS_MAX, Chunk, ChunkPart};
use crate::index::key_lists::entry::{EntryDraft, EntryFacts, KeyProfile, Values};
use crate::index::key_lists::slots::Slots;
use crate::model::id::{KeyId, TeamId, UserId};

/// The memory of a key without its texts: 80 bytes of its own, and 16 bytes for its share of the
/// values that keys have in common.
pub(super) const KEY_BYTES: usize = 96;
/// Maximum number of changes that wait while a request reads a list, and of changed keys while a request
/// reads a part from the store. With more waiting changes, the list is closed. With more changed keys,
/// the part is read again.
pub const CHANGES_WAITING_MAX: usize = 65_536;

/// A change of one key, as the feed has it.
#[derive(Debug)]
pub(super) enum ListChange {
    Put(Box<EntryDraft>),
    Remove(KeyId),
}

impl ListChange {
    pub(super) fn id(&self) -> KeyId {
        match self {
            Self::Put(draft) => draft.id,
            Self::Remove(id) => *id,
        }
    }
}

/// The keys of a list.
#[derive(Debug)]
pub struct KeyEntries {
    /// The oldest chunk first. No chunk is empty.
    chunks: VecDeque<Chunk>,
    common: Common,
    /// The memory of keys, texts, and different profiles and sets of teams, in bytes.
    bytes: usize,
    /// The list has every key from this id on, and no key with a lower id. `None` if the list has all
    /// keys.
    unread_below: Option<KeyId>,
    /// While a request reads a part from the store: the newest state of each unread key that has changed
    /// since then, or `None` for a removed key. `None` if no request reads a part, or if more than
    /// [`CHANGES_WAITING_MAX`] keys have changed.
    changed: Option<HashMap<KeyId, Option<Box<EntryDraft>>>>,
}

/// The values that keys of a list have in common, each stored once.
#[derive(Debug, Default)]
pub struct Common {
    pub owners: Slots<UserId>,
    /// The sets of teams that keys are shared with.
    pub sharings: Slots<Arc<[TeamId]>>,
    pub profiles: Slots<Arc<KeyProfile>>,
}

impl Default for KeyEntries {
    /// No key was read yet.
    fn default() -> Self {
        Self {
            chunks: VecDeque::new(),
            common: Common::default(),
            bytes: 0,
            unread_below: Some(KeyId::from_bytes([0xff; 16])),
            changed: None,
        }
    }
}

impl KeyEntries {
    pub fn common(&self) -> &Common {
        &self.common
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.chunks.iter().map(Chunk::len).sum()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The keys with an id lower than `below`, chunk by chunk, the newest chunk first.
    pub fn before(&self, below: Option<KeyId>) -> impl Iterator<Item = ChunkPart<'_>> {
        let end = below.map_or(self.chunks.len(), |below| {
            self.chunks.partition_point(|chunk| chunk.first().is_some_and(|first| first < below))
        });
        self.chunks.range(..end).rev().map(move |chunk| chunk.before(below))
    }

    /// Keys with an id lower than this were not read from the store. `None` if all keys were read.
    pub fn unread_below(&self) -> Option<KeyId> {
        self.unread_below
    }

    /// Whether a change of this key must be applied. A change of an unread key while no request reads a
    /// part need not: the part that is read later has the change, since the store had it before the feed.
    pub(super) fn needs(&self, id: KeyId) -> bool {
        !self.is_unread(id) || self.changed.is_some()
    }

    fn is_unread(&self, id: KeyId) -> bool {
        self.unread_below.is_some_and(|unread| id < unread)
    }

    pub(super) fn apply(&mut self, change: ListChange) {
        let is_unread = self.is_unread(change.id());
        match change {
            ListChange::Put(draft) if is_unread => self.note(draft.id, Some(draft)),
            ListChange::Remove(id) if is_unread => self.note(id, None),
            ListChange::Put(draft) => self.put(*draft),
            ListChange::Remove(id) => self.remove(id),
        }
    }

    /// Notes the newest state of an unread key while a request reads a part, which may have an older
    /// state of the key.
    fn note(&mut self, id: KeyId, state: Option<Box<EntryDraft>>) {
        let Some(changed) = &mut self.changed else { return };
        changed.insert(id, state);
        if changed.len() > CHANGES_WAITING_MAX {
            self.changed = None;
        }
    }

    /// Notes changes of unread keys from now on. Call this before a part is read from the store.
    pub(super) fn begin_part(&mut self) {
        self.changed = Some(HashMap::new());
    }

    pub(super) fn end_part(&mut self) {
        self.changed = None;
    }

    /// Adds the keys of a part: all keys of the store with an id lower than
    /// [`KeyEntries::unread_below`], from `from` on. Without `from`, all of them. Adds nothing if too
    /// many keys have changed since [`KeyEntries::begin_part`]: the part must be read again.
    pub(super) fn add_part(&mut self, mut part: Vec<EntryDraft>, from: Option<KeyId>) {
        let Some(changed) = self.changed.take() else { return };
        let is_in_part = |id: KeyId| from.is_none_or(|from| id >= from);
        part.retain(|draft| !changed.contains_key(&draft.id));
        let newer = changed.into_values().flatten().map(|draft| *draft);
        part.extend(newer.filter(|draft| is_in_part(draft.id)));
        part.sort_unstable_by_key(|draft| Reverse(draft.id));
        self.unread_below = from;
        let mut left = part.into_iter();
        loop {
            let newest: Vec<EntryDraft> = left.by_ref().take(CHUNK_KEYS_MAX).collect();
            if newest.is_empty() {
                return;
            }
            let mut chunk = Chunk::default();
            for draft in newest.into_iter().rev() {
                let (id, parts) = self.parts(draft);
                chunk.insert(chunk.len(), id, parts);
            }
            chunk.shrink();
            self.chunks.push_front(chunk);
        }
    }

    fn put(&mut self, draft: EntryDraft) {
        let (id, parts) = self.parts(draft);
        let at = self.chunk_of(id);
        let is_last = at + 1 >= self.chunks.len();
        let Some(chunk) = self.chunks.get_mut(at) else {
            let mut chunk = Chunk::default();
            chunk.insert(0, id, parts);
            return self.chunks.push_back(chunk);
        };
        let place = match chunk.find(id) {
            Ok(place) => {
                if let Some(former) = chunk.replace(place, parts) {
                    self.release(former);
                }
                return;
            },
            Err(place) => place,
        };
        if chunk.len() < CHUNK_KEYS_MAX {
            return chunk.insert(place, id, parts);
        }
        // A new key usually has the highest id. It begins a new chunk, so that the last chunk stays full.
        let mut upper =
            if is_last && place == chunk.len() { Chunk::default() } else { chunk.split() };
        match place.checked_sub(chunk.len()) {
            Some(place) => upper.insert(place, id, parts),
            None => chunk.insert(place, id, parts),
        }
        self.chunks.insert(at + 1, upper);
    }

    fn remove(&mut self, id: KeyId) {
        let at = self.chunk_of(id);
        let Some(chunk) = self.chunks.get_mut(at) else { return };
        let Ok(place) = chunk.find(id) else { return };
        let former = chunk.remove(place);
        if chunk.is_empty() {
            self.chunks.remove(at);
        }
        self.release(former);
    }

    /// The position of the chunk that has or would have an id.
    fn chunk_of(&self, id: KeyId) -> usize {
        let is_before = |chunk: &Chunk| chunk.first().is_some_and(|first| first <= id);
        self.chunks.partition_point(is_before).saturating_sub(1)
    }

    /// The parts of a key for its chunk. Its values in common are counted as used by one more key.
    fn parts(&mut self, draft: EntryDraft) -> (KeyId, (EntryFacts, Values, Vec<u8>)) {
        let profile_bytes = draft.profile.bytes();
        let teams_bytes = draft.teams.as_deref().map_or(0, size_of_val);
        let (profile, is_new_profile) = self.common.profiles.take(Some(draft.profile));
        let (sharing, are_new_teams) = self.common.sharings.take(draft.teams);
        let (owner, _) = self.common.owners.take(draft.owner);
        let facts = EntryFacts { owner, sharing, profile, flags: draft.flags };
        self.bytes += KEY_BYTES + draft.texts.len();
        self.bytes += if is_new_profile { profile_bytes } else { 0 };
        self.bytes += if are_new_teams { teams_bytes } else { 0 };
        (draft.id, (facts, draft.values, draft.texts))
    }

    /// Subtracts a former key from the memory and from the values in common.
    fn release(&mut self, (former, texts): (EntryFacts, usize)) {
        self.common.owners.release(former.owner);
        let teams = self.common.sharings.release(former.sharing);
        let profile = self.common.profiles.release(former.profile);
        let common =
            teams.as_deref().map_or(0, size_of_val) + profile.map_or(0, |profile| profile.bytes());
        self.bytes -= KEY_BYTES + texts + common;
    }
}
