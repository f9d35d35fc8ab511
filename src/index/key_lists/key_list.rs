//! The list of one organization's keys, which requests read while the index's writer changes it.
//!
//! The writer never waits for a reader: a change that finds the list in use waits in a queue, and the
//! next change or reader applies it. A reader therefore has every change that the writer made before.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{
    Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError,
};

use crate::index::key_lists::entry::EntryDraft;
use crate::index::key_lists::keys::{KeyEntries, ListChange};
use crate::model::id::KeyId;

/// The most changes that wait for a reader. A list with more is closed.
pub const CHANGES_WAITING_MAX: usize = 65_536;
/// The most changes that one step of the index's writer applies.
const CHANGES_A_STEP: usize = 64;

#[derive(Debug, Default)]
pub struct KeyList {
    keys: RwLock<KeyEntries>,
    waiting: Mutex<VecDeque<ListChange>>,
    /// Held by the request that reads the next part from the store.
    reading: Mutex<()>,
    /// The number of keys in the list, and their memory in bytes.
    len: AtomicUsize,
    bytes: AtomicUsize,
    /// The number of its last use among all uses of lists.
    pub(super) last_use: AtomicU64,
    /// Whether the list was used since unused lists were last closed.
    pub(super) is_used: AtomicBool,
}

/// A part of a list that its holder reads from the store. Changes of its keys are noted meanwhile.
#[derive(Debug)]
pub struct UnreadPart<'a> {
    list: &'a KeyList,
    _reading: MutexGuard<'a, ()>,
    /// The part begins before this key.
    pub below: KeyId,
}

impl KeyList {
    /// The keys, with every change that the index has. The list stays as it is while a reader has
    /// this, so a reader should not have it for more than some milliseconds, nor wait meanwhile.
    pub fn read(&self) -> RwLockReadGuard<'_, KeyEntries> {
        if !self.waiting().is_empty() {
            drop(self.current());
        }
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The part of the list before `below`, which the caller then reads from the store. `None` if
    /// another request has read it. Blocks while another request reads a part.
    pub fn unread_part(&self, below: KeyId) -> Option<UnreadPart<'_>> {
        let reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keys = self.current();
        if keys.unread_below() != Some(below) {
            return None;
        }
        keys.begin_part();
        Some(UnreadPart { list: self, _reading: reading, below })
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Adds a change of the index's writer. Returns false if too many changes wait.
    pub(super) fn push(&self, change: ListChange) -> bool {
        let mut waiting = self.waiting();
        waiting.push_back(change);
        let mut keys = match self.keys.try_write() {
            Ok(keys) => keys,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return waiting.len() <= CHANGES_WAITING_MAX,
        };
        let count = waiting.len().min(CHANGES_A_STEP);
        for change in waiting.drain(..count) {
            keys.apply(change);
        }
        self.measure(&keys);
        true
    }

    /// The keys with every change, for a change.
    fn current(&self) -> RwLockWriteGuard<'_, KeyEntries> {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        // The writer adds changes behind those that are taken here, and applies none meanwhile.
        let waiting = std::mem::take(&mut *self.waiting());
        for change in waiting {
            keys.apply(change);
        }
        self.measure(&keys);
        keys
    }

    fn measure(&self, keys: &KeyEntries) {
        self.len.store(keys.len(), Ordering::Relaxed);
        self.bytes.store(keys.bytes(), Ordering::Relaxed);
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<ListChange>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnreadPart<'_> {
    /// Adds the keys of the part, the newest first. All keys from `from` on were read; `None` if
    /// these are all keys.
    pub fn add(self, keys: Vec<EntryDraft>, from: Option<KeyId>) {
        let mut list = self.list.current();
        list.add_part(keys, from);
        self.list.measure(&list);
    }
}

impl Drop for UnreadPart<'_> {
    fn drop(&mut self) {
        self.list.current().end_part();
    }
}
