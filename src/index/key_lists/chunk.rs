//! A part of a list: up to [`CHUNK_KEYS_MAX`] keys in the order of their ids.
//!
//! The parts of a key are in separate arrays, so that a reader loads only those that it needs.

use crate::index::key_lists::entry::{Entry, EntryFacts, Values};
use crate::model::id::KeyId;

/// The most keys of a chunk. An insertion moves at most this many.
pub(super) const CHUNK_KEYS_MAX: usize = 1_024;
/// Unused bytes of texts are removed from this size on, when they are half of all.
const UNUSED_BYTES_MIN: usize = 4_096;

#[derive(Debug, Default)]
pub(super) struct Chunk {
    ids: Vec<KeyId>,
    facts: Vec<EntryFacts>,
    values: Vec<Values>,
    texts: Vec<u8>,
    /// Bytes of texts that belong to no key.
    unused: usize,
}

/// The keys of a chunk before a place.
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

    /// The least id; `None` if the chunk is empty.
    pub(super) fn first(&self) -> Option<KeyId> {
        self.ids.first().copied()
    }

    /// The place of a key, or the place at which it belongs.
    pub(super) fn find(&self, id: KeyId) -> Result<usize, usize> {
        self.ids.binary_search(&id)
    }

    pub(super) fn insert(&mut self, at: usize, id: KeyId, parts: (EntryFacts, Values, Vec<u8>)) {
        let (facts, values, texts) = parts;
        let values = self.with_texts(values, &texts);
        self.ids.insert(at, id);
        self.facts.insert(at, facts);
        self.values.insert(at, values);
    }

    /// Replaces a key, and returns what it had, with the length of its texts.
    pub(super) fn replace(
        &mut self,
        at: usize,
        parts: (EntryFacts, Values, Vec<u8>),
    ) -> Option<(EntryFacts, usize)> {
        let (facts, values, texts) = parts;
        let values = self.with_texts(values, &texts);
        let former = std::mem::replace(self.values.get_mut(at)?, values);
        self.leave(&former);
        Some((std::mem::replace(self.facts.get_mut(at)?, facts), former.texts_length()))
    }

    /// Removes a key, and returns what it had, with the length of its texts.
    pub(super) fn remove(&mut self, at: usize) -> (EntryFacts, usize) {
        self.ids.remove(at);
        let former = self.values.remove(at);
        self.leave(&former);
        let facts = self.facts.remove(at);
        if self.ids.len() < self.ids.capacity() / 4 {
            self.shrink();
        }
        (facts, former.texts_length())
    }

    /// Cuts off the upper half.
    pub(super) fn split(&mut self) -> Self {
        let half = self.len() / 2;
        let mut upper = Self {
            ids: self.ids.split_off(half),
            facts: self.facts.split_off(half),
            values: self.values.split_off(half),
            texts: self.texts.clone(),
            unused: 0,
        };
        self.pack();
        upper.pack();
        upper
    }

    /// Returns the memory that the chunk does not use.
    pub(super) fn shrink(&mut self) {
        self.pack();
        self.ids.shrink_to_fit();
        self.facts.shrink_to_fit();
        self.values.shrink_to_fit();
    }

    /// The keys with a lesser id than `below`.
    pub(super) fn before(&self, below: Option<KeyId>) -> ChunkPart<'_> {
        let end = below.map_or(self.len(), |below| match self.find(below) {
            Ok(at) | Err(at) => at,
        });
        ChunkPart { chunk: self, end }
    }

    fn with_texts(&mut self, mut values: Values, texts: &[u8]) -> Values {
        values.start = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.texts.extend_from_slice(texts);
        values
    }

    /// Gives up the texts of a key.
    fn leave(&mut self, former: &Values) {
        self.unused += former.texts_length();
        if self.unused >= UNUSED_BYTES_MIN && self.unused >= self.texts.len() / 2 {
            self.pack();
        }
    }

    /// Removes the texts that belong to no key.
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
    /// The least id of these keys; `None` if there are none.
    pub fn first(self) -> Option<KeyId> {
        self.chunk.first().filter(|_first| self.end > 0)
    }

    /// The keys, the newest first.
    pub fn entries(self) -> impl Iterator<Item = Entry<'a>> {
        let Chunk { ids, facts, values, texts, .. } = self.chunk;
        let keys = ids.iter().zip(facts).zip(values).take(self.end).rev();
        keys.map(|((id, facts), values)| Entry { id: *id, facts, values, texts: values.of(texts) })
    }

    /// The number of keys before the place.
    pub fn len(self) -> usize {
        self.end
    }

    pub fn is_empty(self) -> bool {
        self.end == 0
    }

    /// The number of keys that are not revoked.
    pub fn not_revoked(self) -> usize {
        self.chunk.facts.iter().take(self.end).filter(|facts| !facts.is_revoked()).count()
    }
}
