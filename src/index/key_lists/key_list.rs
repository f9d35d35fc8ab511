//! The list of one organization's keys, which requests read while the index's writer changes it.
//!
//! The writer never waits for a request. If a request uses the list, the change waits in a queue. The
//! next change or the next request applies it, so each request sees every change that the writer made
//! before.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError,
};

use crate::index::key_lists::entry::EntryDraft;
use crate::index::key_lists::keys::{CHANGES_WAITING_MAX, KeyEntries, ListChange};
use crate::model::id::KeyId;

/// Maximum number of waiting changes that the index's writer applies at once.
const CHANGES_A_STEP: usize = 64;

#[derive(Debug, Default)]
pub struct KeyList {
    keys: RwLock<KeyEntries>,
    waiting: Mutex<VecDeque<ListChange>>,
    /// Held by the request that reads the next part from the store.
    reading: Mutex<()>,
    /// The memory of the list, in bytes.
    bytes: AtomicUsize,
    /// The memory of all lists, in bytes. Includes closed lists that a request still uses.
    all_bytes: Arc<AtomicUsize>,
    /// The number of the list's last use. All uses of all lists are numbered in their order.
    pub(super) last_use: AtomicU64,
    /// Whether a request has used the list since [`super::KeyLists::close_unused`] was last called.
    pub(super) is_used: AtomicBool,
}

/// A part of a list that its holder reads from the store. Meanwhile the list notes changes of unread
/// keys.
#[derive(Debug)]
pub struct UnreadPart<'a> {
    list: &'a KeyList,
    _reading: MutexGuard<'a, ()>,
    /// The part begins with the newest key that has a lower id than this.
    pub below: KeyId,
}

impl KeyList {
    /// A list without keys, whose memory is added to `all_bytes`.
    pub(super) fn new(all_bytes: Arc<AtomicUsize>) -> Self {
        let (keys, waiting, reading) = Default::default();
        let (bytes, last_use, is_used) = Default::default();
        Self { keys, waiting, reading, bytes, all_bytes, last_use, is_used }
    }

    /// The keys, with every change that the index has. Changes wait while the caller has the result, so
    /// the caller should drop it within milliseconds, and wait for nothing meanwhile.
    pub fn read(&self) -> RwLockReadGuard<'_, KeyEntries> {
        if !self.waiting().is_empty() {
            drop(self.current());
        }
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The part that begins below this key, for the caller to read from the store. `None` if another
    /// request has read the part. Blocks while another request reads a part.
    pub fn unread_part(&self, below: KeyId) -> Option<UnreadPart<'_>> {
        let reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keys = self.current();
        if keys.unread_below() != Some(below) {
            return None;
        }
        keys.begin_part();
        Some(UnreadPart { list: self, _reading: reading, below })
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether the index's writer must add a change of this key; see [`KeyEntries::needs`]. True if a
    /// request changes the list at this moment.
    pub(super) fn needs(&self, id: KeyId) -> bool {
        match self.keys.try_read() {
            Ok(keys) => keys.needs(id),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().needs(id),
            Err(TryLockError::WouldBlock) => true,
        }
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

    /// The keys with every change, to be changed by the caller.
    fn current(&self) -> RwLockWriteGuard<'_, KeyEntries> {
        let mut keys = self.keys_mut();
        // Changes stay in their order: until this function returns, the index's writer finds the keys in
        // use, and only adds changes to the queue.
        let waiting = std::mem::take(&mut *self.waiting());
        for change in waiting {
            keys.apply(change);
        }
        self.measure(&keys);
        keys
    }

    pub(super) fn keys_mut(&self) -> RwLockWriteGuard<'_, KeyEntries> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the memory of the list. The caller holds the write lock, so that no other call changes
    /// `bytes` meanwhile.
    fn measure(&self, keys: &KeyEntries) {
        let bytes = keys.bytes();
        let before = self.bytes.swap(bytes, Ordering::Relaxed);
        if bytes >= before {
            self.all_bytes.fetch_add(bytes - before, Ordering::Relaxed);
        } else {
            self.all_bytes.fetch_sub(before - bytes, Ordering::Relaxed);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<ListChange>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for KeyList {
    fn drop(&mut self) {
        self.all_bytes.fetch_sub(self.bytes(), Ordering::Relaxed);
    }
}

impl UnreadPart<'_> {
    /// Adds the keys of the part: all keys below [`UnreadPart::below`], from `from` on. Without `from`,
    /// all of them. If too many keys have changed meanwhile, nothing is added, and the next request
    /// reads the part again.
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
