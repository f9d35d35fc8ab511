//! The live state of every key, by the key's id. Only the index's writer uses it.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::index::live::KeyCounters;
use crate::model::id::KeyId;

/// The live state of every key. An entry is one handle, since the state contains the id.
#[derive(Debug, Default)]
pub(super) struct KnownKeys(HashSet<ById>);

/// A handle that equals another of the same id.
#[derive(Debug)]
struct ById(Arc<KeyCounters>);

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl Eq for ById {}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key.hash(state);
    }
}

impl Borrow<KeyId> for ById {
    fn borrow(&self) -> &KeyId {
        &self.0.key
    }
}

impl KnownKeys {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.0.iter().map(|known| known.0.key)
    }

    pub(super) fn get(&self, id: KeyId) -> Option<&Arc<KeyCounters>> {
        self.0.get(&id).map(|known| &known.0)
    }

    /// The live state of a key, which is new if the key is unknown.
    pub(super) fn of(&mut self, id: KeyId) -> Arc<KeyCounters> {
        if let Some(known) = self.get(id) {
            return Arc::clone(known);
        }
        let made = Arc::new(KeyCounters::new(id));
        self.0.insert(ById(Arc::clone(&made)));
        made
    }

    pub(super) fn remove(&mut self, id: KeyId) -> Option<Arc<KeyCounters>> {
        self.0.take(&id).map(|known| known.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_live_state_until_it_is_removed() {
        let mut known = KnownKeys::default();
        let [one, two] = [1, 2].map(|byte| KeyId::from_bytes([byte; 16]));
        let first = known.of(one);
        assert!(Arc::ptr_eq(&first, &known.of(one)));
        assert!(!Arc::ptr_eq(&first, &known.of(two)));
        assert_eq!((known.len(), known.get(two).unwrap().key), (2, two));
        assert!(Arc::ptr_eq(&first, &known.remove(one).unwrap()));
        assert!(known.get(one).is_none() && known.remove(one).is_none());
        assert_eq!(known.ids().collect::<Vec<_>>(), [two]);
        assert!(!Arc::ptr_eq(&first, &known.of(one)), "it was removed");
    }
}
