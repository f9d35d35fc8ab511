//! Lists of an organization's keys in memory, which sort and search them.
//!
//! A list is opened by the first request that needs it. It is read from the store, the newest keys
//! first, as far as requests need it, and from then on follows the index's writer. A list is closed
//! when no request has used it for an hour, when more recently used lists need its memory, and when
//! the index is rebuilt. The next request opens it again.
//!
//! A list decides nothing: `actions` knows which keys an actor may see. No check uses a list.

mod chunk;
mod entry;
mod key_list;
mod keys;
mod slots;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::index::live::KeyCounters;
use crate::model::id::{KeyId, OrganizationId};
use crate::records::key::KeyRecord;
pub use chunk::ChunkPart;
pub use entry::{Entry, EntryDraft};
pub use key_list::{CHANGES_WAITING_MAX, KeyList, UnreadPart};
use keys::ListChange;
pub use keys::{Common, KeyEntries};
pub use slots::{SlotMemo, Slots};

/// The most memory of all open lists, unless a single list has more: that of two million keys whose
/// texts have 32 bytes.
pub const LISTS_BYTES_MAX: usize = 256 << 20;
/// A list counts as this much memory at least.
const LIST_BYTES_MIN: usize = 4_096;

/// The open lists by their organization.
#[derive(Debug, Default)]
pub struct KeyLists {
    open: RwLock<HashMap<OrganizationId, Arc<KeyList>>>,
    uses: AtomicU64,
}

impl KeyLists {
    /// The list of an organization, which is opened if it is not open.
    pub fn of(&self, organization: OrganizationId) -> Arc<KeyList> {
        let known = self.opened().get(&organization).map(Arc::clone);
        let list =
            known.unwrap_or_else(|| Arc::clone(self.opened_mut().entry(organization).or_default()));
        list.last_use.store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        list.is_used.store(true, Ordering::Relaxed);
        list
    }

    /// If the lists have more than [`LISTS_BYTES_MAX`], closes those that were used the longest ago,
    /// until an eighth of it is free. Keeps `grown`, also if it alone has more.
    ///
    /// A list counts as at most three quarters of the maximum. Otherwise each part that another
    /// organization reads would close a larger list.
    pub fn make_room(&self, grown: &Arc<KeyList>) {
        self.make_room_of(grown, LISTS_BYTES_MAX);
    }

    fn make_room_of(&self, grown: &Arc<KeyList>, bytes_max: usize) {
        let share = bytes_max - bytes_max / 4;
        let weight = |list: &Arc<KeyList>| list.bytes().min(share).max(LIST_BYTES_MIN);
        if self.opened().values().map(weight).sum::<usize>() <= bytes_max {
            return;
        }
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
                // The list may have grown since it was added.
                bytes = bytes.saturating_sub(weight(&list));
                closed.push(list);
            }
        }
        drop(open);
        // The memory is released here, after the lock.
        drop(closed);
    }

    /// Closes the lists that no request has used since the last call.
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

    /// The number of open lists and of their keys.
    pub fn size(&self) -> (usize, usize) {
        let open = self.opened();
        (open.len(), open.values().map(|list| list.len()).sum())
    }

    /// Adds or changes a key.
    pub(super) fn put(&self, record: &KeyRecord, live: &Arc<KeyCounters>) {
        if let Some(list) = self.known(record.organization) {
            let draft = EntryDraft::new(record, Some(Arc::clone(live)));
            self.push(record.organization, &list, ListChange::Put(Box::new(draft)));
        }
    }

    pub(super) fn remove(&self, organization: OrganizationId, id: KeyId) {
        if let Some(list) = self.known(organization) {
            self.push(organization, &list, ListChange::Remove(id));
        }
    }

    /// Closes all lists, before the index is rebuilt: the feed may have missed changes.
    pub(super) fn close_all(&self) {
        let closed = std::mem::take(&mut *self.opened_mut());
        drop(closed);
    }

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
