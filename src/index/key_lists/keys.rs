//! The keys of one list, in the order of their ids, as far as they were read from the store.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::index::key_lists::chunk::{CHUNK_KEYS_MAX, Chunk, ChunkPart};
use crate::index::key_lists::entry::{EntryDraft, EntryFacts, Values};
use crate::index::key_lists::slots::Slots;
use crate::model::id::{KeyId, TeamId, UserId};

/// The memory of a key without its texts, and what it needs of the values in common.
pub(super) const KEY_BYTES: usize = 96;

/// A change of a list, in the order of the feed.
#[derive(Debug)]
pub(super) enum ListChange {
    Put(Box<EntryDraft>),
    Remove(KeyId),
}

/// The keys of a list.
#[derive(Debug)]
pub struct KeyEntries {
    /// The oldest chunk first. No chunk is empty.
    chunks: VecDeque<Chunk>,
    common: Common,
    /// The number of keys that the list has.
    len: usize,
    /// The memory of keys and texts, in bytes.
    bytes: usize,
    /// The list has all keys from this id on, and none before it. `None` if the list has all keys.
    unread_below: Option<KeyId>,
    /// While a part is read from the store: the newest state of unread keys that changed since the
    /// reading began. `None` is a key that was removed.
    changed: Option<HashMap<KeyId, Option<Box<EntryDraft>>>>,
}

/// The values that keys of a list have in common.
#[derive(Debug, Default)]
pub struct Common {
    pub owners: Slots<UserId>,
    pub sharings: Slots<Arc<[TeamId]>>,
    /// Lists of permissions, in their search form.
    pub permissions: Slots<Arc<[u8]>>,
}

impl Default for KeyEntries {
    /// No key was read yet.
    fn default() -> Self {
        Self {
            chunks: VecDeque::new(),
            common: Common::default(),
            len: 0,
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

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The keys before `below`, chunk by chunk, the newest first.
    pub fn before(&self, below: Option<KeyId>) -> impl Iterator<Item = ChunkPart<'_>> {
        let end = below.map_or(self.chunks.len(), |below| {
            self.chunks.partition_point(|chunk| chunk.first().is_some_and(|first| first < below))
        });
        self.chunks.range(..end).rev().map(move |chunk| chunk.before(below))
    }

    /// The keys before this id were not read from the store yet. `None` if all keys were read.
    pub fn unread_below(&self) -> Option<KeyId> {
        self.unread_below
    }

    pub(super) fn apply(&mut self, change: ListChange) {
        let id = match &change {
            ListChange::Put(draft) => draft.id,
            ListChange::Remove(id) => *id,
        };
        if self.unread_below.is_some_and(|unread| id < unread) {
            // A later page of the store has the change, unless it is being read now.
            if let Some(changed) = &mut self.changed {
                let state = match change {
                    ListChange::Put(draft) => Some(draft),
                    ListChange::Remove(_) => None,
                };
                changed.insert(id, state);
            }
            return;
        }
        match change {
            ListChange::Put(draft) => self.put(*draft),
            ListChange::Remove(id) => self.remove(id),
        }
    }

    /// Begins to note changes of unread keys, before a part is read.
    pub(super) fn begin_part(&mut self) {
        self.changed = Some(HashMap::new());
    }

    pub(super) fn end_part(&mut self) {
        self.changed = None;
    }

    /// Adds keys that were read from the store, the newest first: all keys before
    /// [`KeyEntries::unread_below`] and from `from` on. `None` if these are all keys.
    pub(super) fn add_part(&mut self, mut part: Vec<EntryDraft>, from: Option<KeyId>) {
        let changed = self.changed.take().unwrap_or_default();
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
            self.len += chunk.len();
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
            self.len += 1;
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
        self.len += 1;
        if chunk.len() < CHUNK_KEYS_MAX {
            return chunk.insert(place, id, parts);
        }
        // New keys are the newest ones, so the last chunk stays full.
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
        self.len -= 1;
        self.release(former);
    }

    /// The number of the chunk to which an id belongs.
    fn chunk_of(&self, id: KeyId) -> usize {
        let is_before = |chunk: &Chunk| chunk.first().is_some_and(|first| first <= id);
        self.chunks.partition_point(is_before).saturating_sub(1)
    }

    fn parts(&mut self, draft: EntryDraft) -> (KeyId, (EntryFacts, Values, Vec<u8>)) {
        let list_bytes = draft.permissions.as_ref().map_or(0, |list| list.len());
        let (permissions, is_new) = self.common.permissions.take(draft.permissions);
        let facts = EntryFacts {
            owner: self.common.owners.take(draft.owner).0,
            sharing: self.common.sharings.take(draft.teams).0,
            permissions,
            flags: draft.flags,
        };
        self.bytes += KEY_BYTES + draft.texts.len() + if is_new { list_bytes } else { 0 };
        (draft.id, (facts, draft.values, draft.texts))
    }

    fn release(&mut self, (former, texts): (EntryFacts, usize)) {
        self.common.owners.release(former.owner);
        self.common.sharings.release(former.sharing);
        let list = self.common.permissions.release(former.permissions);
        self.bytes -= KEY_BYTES + texts + list.map_or(0, |list| list.len());
    }
}
