//! Room in a full table: what ranks lowest goes.

use std::collections::HashMap;
use std::hash::Hash;

/// What part of a full table is forgotten at once: looking for it takes a pass over all of it.
const FORGOTTEN_SHARE: usize = 16;

/// Makes room in a full table for a newcomer.
pub(super) fn make_room<K: Eq + Hash, V, R: Ord + Copy>(
    table: &mut HashMap<K, V>,
    newcomer: &K,
    max: usize,
    rank: impl Fn(&V) -> R,
) {
    if table.len() < max || table.contains_key(newcomer) {
        return;
    }
    let mut ranks: Vec<R> = table.values().map(&rank).collect();
    let mut over = (max / FORGOTTEN_SHARE).max(1);
    let (_, last, _) = ranks.select_nth_unstable(over - 1);
    let last = *last;
    table.retain(|_, value| {
        let goes = over > 0 && rank(value) <= last;
        over -= usize::from(goes);
        !goes
    });
}
