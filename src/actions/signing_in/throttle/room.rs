//! Makes room in a full table by removing the entries of the lowest rank.

use std::collections::HashMap;
use std::hash::Hash;

/// A full table loses one in this many entries at once, because finding the lowest ranks takes a
/// pass over the whole table.
const FORGOTTEN_SHARE: usize = 16;

/// Makes room in a full table for a new entry.
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
