//! Lists of an organization's keys in memory, for `GET /v1/keys`: it sorts, filters, searches and counts
//! keys without reading all records from the store.
//!
//! The first request of an organization opens its list. Requests read the list from the store in parts,
//! the newest keys first, until they have the keys that they need. From then on, the index's writer
//! applies each change to the list. A list is closed when no request has used it for one to two hours,
//! when lists that were used later need its memory, and when the index is rebuilt. The next request
//! opens it again.
//!
//! `actions` decides which keys of a list an actor may see. No check reads a list.

mod chunk;
mod entry;
mod key_list;
mod keys;
mod slots;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::index::live::KeyCounters;
use crate::model::id::{KeyId, OrganizationId};
use crate::records::key::KeyRecord;
pub use chunk::ChunkPart;
pub use entry::{Entry, EntryDraft, KeyProfile};
pub use key_list::{KeyList, UnreadPart};
use keys::ListChange;
pub use keys::{CHANGES_WAITING_MAX, Common, KeyEntries};
pub use slots::{SlotMemo, Slots};

/// Maximum memory of all open lists together. A single list may need more. Two million keys with texts of
/// 32 bytes need this much.
pub const LISTS_BYTES_MAX: usize = 256 << 20;
/// A list counts as at least this much memory.
const LIST_BYTES_MIN: usize = 4_096;

/// The open lists of all organizations.
#[derive(Debug, Default)]
pub struct KeyLists {
    open: RwLock<HashMap<OrganizationId, Arc<KeyList>>>,
    /// The memory of all lists, in bytes, which the lists keep current.
    bytes: Arc<AtomicUsize>,
    /// The number of uses of all lists.
    uses: AtomicU64,
}

impl KeyLists {
    /// The list of an organization. Opens the list if it is not open.
    pub fn of(&self, organization: OrganizationId) -> Arc<KeyList> {
        let list = self.known(organization).unwrap_or_else(|| {
            let new = || Arc::new(KeyList::new(Arc::clone(&self.bytes)));
            Arc::clone(self.opened_mut().entry(organization).or_insert_with(new))
        });
        list.last_use.store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        list.is_used.store(true, Ordering::Relaxed);
        list
    }

    /// If all lists together need more than [`LISTS_BYTES_MAX`], closes those that were used the longest
    /// ago, until an eighth of the maximum is free. Never closes `grown`, even if it alone needs more.
    ///
    /// A list counts as at most three quarters of the maximum. Otherwise one list that needs more than
    /// the maximum would be closed by each request of another organization.
    pub fn make_room(&self, grown: &Arc<KeyList>) {
        self.make_room_of(grown, LISTS_BYTES_MAX);
    }

    fn make_room_of(&self, grown: &Arc<KeyList>, bytes_max: usize) {
        let share = bytes_max - bytes_max / 4;
        let weight = |list: &Arc<KeyList>| list.bytes().min(share).max(LIST_BYTES_MIN);
        let opened = self.opened();
        // No sum of the weights is greater than this. It makes the usual call independent of the number
        // of lists.
        let bytes = self.bytes.load(Ordering::Relaxed) + opened.len() * LIST_BYTES_MIN;
        if bytes <= bytes_max || opened.values().map(weight).sum::<usize>() <= bytes_max {
            return;
        }
        drop(opened);
        let mut closed = Vec::new();
        let mut open = self.opened_mut();
        let mut by_use: Vec<_> = open
            .iter()
            .filter(|(_, list)| !Arc::ptr_eq(list, grown))
            .map(|(id, list)| (list.last_use.load(Ordering::Relaxed), *id))
            .collect();
        by_use.sort_unstable();
        let mut bytes: usize = open.values().map(weight).sum();
        for (_, id) in by_use {
            if bytes <= bytes_max - bytes_max / 8 {
                break;
            }
            if let Some(list) = open.remove(&id) {
                // The list may have grown since the sum was computed.
                bytes = bytes.saturating_sub(weight(&list));
                closed.push(list);
            }
        }
        drop(open);
        // The memory of the lists is freed after the lock.
        drop(closed);
    }

    /// Closes each list that no request has used since the last call.
    pub fn close_unused(&self) {
        let mut closed = Vec::new();
        self.opened_mut().retain(|_, list| {
            let is_used = list.is_used.swap(false, Ordering::Relaxed);
            if !is_used {
                closed.push(Arc::clone(list));
            }
            is_used
        });
    }

    /// The number of open lists, and the number of all their keys.
    #[cfg(test)]
    pub(crate) fn size(&self) -> (usize, usize) {
        let open = self.opened();
        (open.len(), open.values().map(|list| list.len()).sum())
    }

    /// Adds or changes a key.
    pub(super) fn put(&self, record: &KeyRecord, live: &Arc<KeyCounters>) {
        if let Some(list) = self.known(record.organization).filter(|list| list.needs(record.id)) {
            let draft = EntryDraft::new(record, Some(Arc::clone(live)));
            self.push(record.organization, &list, ListChange::Put(Box::new(draft)));
        }
    }

    pub(super) fn remove(&self, organization: OrganizationId, id: KeyId) {
        if let Some(list) = self.known(organization).filter(|list| list.needs(id)) {
            self.push(organization, &list, ListChange::Remove(id));
        }
    }

    /// Closes all lists before the index is rebuilt, because the feed may have missed changes.
    pub(super) fn close_all(&self) {
        let closed = std::mem::take(&mut *self.opened_mut());
        drop(closed);
    }

    /// Adds a change to a list. Closes the list if too many changes wait.
    fn push(&self, organization: OrganizationId, list: &Arc<KeyList>, change: ListChange) {
        if !list.push(change) {
            let mut open = self.opened_mut();
            if open.get(&organization).is_some_and(|open| Arc::ptr_eq(open, list)) {
                open.remove(&organization);
            }
        }
    }

    fn known(&self, organization: OrganizationId) -> Option<Arc<KeyList>> {
        self.opened().get(&organization).map(Arc::clone)
    }

    fn opened(&self) -> RwLockReadGuard<'_, HashMap<OrganizationId, Arc<KeyList>>> {
        self.open.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened_mut(&self) -> RwLockWriteGuard<'_, HashMap<OrganizationId, Arc<KeyList>>> {
        self.open.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
