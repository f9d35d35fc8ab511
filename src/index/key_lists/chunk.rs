//! A chunk of a list: up to [`CHUNK_KEYS_MAX`] keys in the order of their ids.
//!
//! Ids, facts, values and texts are in separate arrays: a reader that counts keys by status reads only
//! the facts from memory, 16 bytes a key.

use crate::index::key_lists::entry::{Entry, EntryFacts, Values};
use crate::model::id::KeyId;

/// Maximum number of keys in a chunk. An insertion moves at most this many keys.
pub(super) const CHUNK_KEYS_MAX: usize = 1_024;
/// The texts are packed when at least this many bytes, and at least half of all bytes, are unused.
const UNUSED_BYTES_MIN: usize = 4_096;

#[derive(Debug, Default)]
pub(super) struct Chunk {
    ids: Vec<KeyId>,
    facts: Vec<EntryFacts>,
    values: Vec<Values>,
    /// The texts of all keys. [`Values`] has the place of each key's texts.
    texts: Vec<u8>,
    /// Number of bytes in `texts` that belong to no key.
    unused: usize,
    revoked: usize,
}

/// The first `end` keys of a chunk: those with the lowest ids.
#[derive(Clone, Copy, Debug)]
pub struct ChunkPart<'a> {
    chunk: &'a Chunk,
    end: usize,
}

impl Chunk {
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The lowest id; `None` if the chunk is empty.
    pub(super) fn first(&self) -> Option<KeyId> {
        self.ids.first().copied()
    }

    /// The place of a key, or as an error the place at which the key must be inserted.
    pub(super) fn find(&self, id: KeyId) -> Result<usize, usize> {
        self.ids.binary_search(&id)
    }

    pub(super) fn insert(&mut self, at: usize, id: KeyId, parts: (EntryFacts, Values, Vec<u8>)) {
        let (facts, values, texts) = parts;
        let values = self.with_texts(values, &texts);
        self.revoked += usize::from(facts.is_revoked());
        self.ids.insert(at, id);
        self.facts.insert(at, facts);
        self.values.insert(at, values);
    }

    /// Replaces a key. Returns its former facts and the former length of its texts.
    pub(super) fn replace(
        &mut self,
        at: usize,
        parts: (EntryFacts, Values, Vec<u8>),
    ) -> Option<(EntryFacts, usize)> {
        let (facts, values, texts) = parts;
        let values = self.with_texts(values, &texts);
        let former = std::mem::replace(self.values.get_mut(at)?, values);
        self.leave(&former);
        let is_revoked = facts.is_revoked();
        let former_facts = std::mem::replace(self.facts.get_mut(at)?, facts);
        self.revoked += usize::from(is_revoked);
        self.revoked -= usize::from(former_facts.is_revoked());
        Some((former_facts, former.texts_length()))
    }

    /// Removes a key. Returns its facts and the length of its texts.
    pub(super) fn remove(&mut self, at: usize) -> (EntryFacts, usize) {
        self.ids.remove(at);
        let former = self.values.remove(at);
        self.leave(&former);
        let facts = self.facts.remove(at);
        self.revoked -= usize::from(facts.is_revoked());
        if self.ids.len() < self.ids.capacity() / 4 {
            self.shrink();
        }
        (facts, former.texts_length())
    }

    /// Removes the upper half of the keys, and returns it as another chunk.
    pub(super) fn split(&mut self) -> Self {
        let half = self.len() / 2;
        let facts = self.facts.split_off(half);
        let revoked = revoked_in(&facts);
        let mut upper = Self {
            ids: self.ids.split_off(half),
            facts,
            values: self.values.split_off(half),
            texts: self.texts.clone(),
            unused: 0,
            revoked,
        };
        self.revoked -= revoked;
        self.pack();
        upper.pack();
        upper
    }

    /// Frees the memory that the chunk does not use.
    pub(super) fn shrink(&mut self) {
        self.pack();
        self.ids.shrink_to_fit();
        self.facts.shrink_to_fit();
        self.values.shrink_to_fit();
    }

    /// The keys with an id lower than `below`; all keys without `below`.
    pub(super) fn before(&self, below: Option<KeyId>) -> ChunkPart<'_> {
        let end = below.map_or(self.len(), |below| match self.find(below) {
            Ok(at) | Err(at) => at,
        });
        ChunkPart { chunk: self, end }
    }

    /// Adds the texts of a key, and notes their place in its values.
    fn with_texts(&mut self, mut values: Values, texts: &[u8]) -> Values {
        values.start = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.texts.extend_from_slice(texts);
        values
    }

    /// Counts the texts of a former key as unused, and packs the texts if too many bytes are unused.
    fn leave(&mut self, former: &Values) {
        self.unused += former.texts_length();
        if self.unused >= UNUSED_BYTES_MIN && self.unused >= self.texts.len() / 2 {
            self.pack();
        }
    }

    /// Removes all unused bytes from the texts.
    fn pack(&mut self) {
        let length = self.values.iter().map(Values::texts_length).sum();
        let mut packed = Vec::with_capacity(length);
        for values in &mut self.values {
            let start = u32::try_from(packed.len()).unwrap_or(u32::MAX);
            packed.extend_from_slice(values.of(&self.texts));
            values.start = start;
        }
        (self.texts, self.unused) = (packed, 0);
    }
}

impl<'a> ChunkPart<'a> {
    /// The lowest id of these keys; `None` if there are none.
    pub fn first(self) -> Option<KeyId> {
        self.chunk.first().filter(|_first| self.end > 0)
    }

    /// The keys, the newest first.
    pub fn entries(self) -> impl DoubleEndedIterator<Item = Entry<'a>> {
        let Chunk { ids, facts, values, texts, .. } = self.chunk;
        let keys = ids.iter().zip(facts).zip(values).take(self.end).rev();
        keys.map(|((id, facts), values)| Entry { id: *id, facts, values, texts: values.of(texts) })
    }

    pub fn len(self) -> usize {
        self.end
    }

    pub fn is_empty(self) -> bool {
        self.end == 0
    }

    /// The number of keys that are not revoked. O(1) for a whole chunk.
    pub fn not_revoked(self) -> usize {
        let Chunk { facts, revoked, .. } = self.chunk;
        let revoked = match facts.get(..self.end) {
            Some(some) if some.len() < facts.len() => revoked_in(some),
            Some(_) | None => *revoked,
        };
        self.end - revoked
    }
}

fn revoked_in(facts: &[EntryFacts]) -> usize {
    facts.iter().filter(|facts| facts.is_revoked()).count()
}
