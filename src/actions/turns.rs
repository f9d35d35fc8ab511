//! Turns of reads that scan many records: a few reads at once, each page by page.
//!
//! A reader takes a turn for each page. The next turn goes to the waiting reader that was served
//! the longest ago, so a reader that lists 20,000 rows does not block another reader that lists
//! 100.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

/// The id of a reader: a user with all the user's keys, a service key, or the operator on the host.
pub(super) type ReaderId = [u8; 16];

/// Maximum number of readers whose last turn is stored. If more readers are stored, the last turns
/// of readers that do not wait are forgotten.
pub const READERS_MAX: usize = 256;

#[derive(Debug)]
pub(super) struct ReadTurns {
    state: Mutex<Turns>,
    granted: Condvar,
}

#[derive(Debug)]
struct Turns {
    free: usize,
    next_number: u64,
    waiting: Vec<TurnWaiter>,
    granted: Vec<u64>,
    /// The number of each reader's last turn.
    served: HashMap<ReaderId, u64>,
}

#[derive(Clone, Copy, Debug)]
struct TurnWaiter {
    number: u64,
    reader: ReaderId,
}

/// A turn, which is returned on drop.
#[derive(Debug)]
pub(crate) struct ReadTurn<'a>(&'a ReadTurns);

impl Default for ReadTurns {
    /// Reads use half of the cores; the others remain for checks and changes.
    fn default() -> Self {
        let cores = available_parallelism().map_or(1, std::num::NonZero::get);
        Self::new((cores / 2).max(1))
    }
}

impl ReadTurns {
    pub(super) fn new(free: usize) -> Self {
        let state = Turns {
            free,
            next_number: 1,
            waiting: Vec::new(),
            granted: Vec::new(),
            served: HashMap::new(),
        };
        Self { state: Mutex::new(state), granted: Condvar::new() }
    }

    /// Waits for a turn. Blocks while earlier readers read their pages.
    pub(super) fn take(&self, reader: ReaderId) -> ReadTurn<'_> {
        let mut state = self.lock();
        let number = state.number();
        state.waiting.push(TurnWaiter { number, reader });
        state.hand_on();
        let mut state = self
            .granted
            .wait_while(state, |state| !state.granted.contains(&number))
            .unwrap_or_else(PoisonError::into_inner);
        state.granted.retain(|granted| *granted != number);
        ReadTurn(self)
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turns {
    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// Gives free turns to the waiting readers that were served the longest ago.
    fn hand_on(&mut self) {
        while self.free > 0 {
            let served = |it: &TurnWaiter| self.served.get(&it.reader).copied().unwrap_or_default();
            let next = self.waiting.iter().min_by_key(|it| (served(it), it.number)).copied();
            let Some(next) = next else { return };
            self.waiting.retain(|it| it.number != next.number);
            self.free -= 1;
            if self.served.len() >= READERS_MAX {
                let waiting: Vec<ReaderId> = self.waiting.iter().map(|it| it.reader).collect();
                self.served.retain(|reader, _| waiting.contains(reader));
            }
            let number = self.number();
            self.served.insert(next.reader, number);
            self.granted.push(next.number);
        }
    }
}

impl Drop for ReadTurn<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.free += 1;
        state.hand_on();
        drop(state);
        self.0.granted.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds a reader to the queue, like a thread that waits.
    fn wait(turns: &ReadTurns, reader: u8) -> u64 {
        let mut state = turns.lock();
        let number = state.number();
        state.waiting.push(TurnWaiter { number, reader: [reader; 16] });
        number
    }

    #[test]
    fn the_least_recently_served_reader_has_the_next_turn() {
        let turns = ReadTurns::new(1);
        let first = turns.take([1; 16]);
        let crowd: Vec<u64> = (0..5).map(|_| wait(&turns, 1)).collect();
        let other = wait(&turns, 2);
        drop(first);
        assert_eq!(turns.lock().granted, [other], "one page of 1 was enough");
        drop(ReadTurn(&turns));
        assert_eq!(turns.lock().granted, [other, crowd[0]]);
        let again = wait(&turns, 2);
        drop(ReadTurn(&turns));
        assert_eq!(turns.lock().granted, [other, crowd[0], again]);
    }

    #[test]
    fn the_table_of_readers_is_bounded() {
        let turns = ReadTurns::new(1);
        for number in 0..2 * READERS_MAX {
            let mut reader = [0; 16];
            reader[..8].copy_from_slice(&number.to_le_bytes());
            drop(turns.take(reader));
        }
        let state = turns.lock();
        assert!(state.served.len() <= READERS_MAX && state.waiting.is_empty());
        assert_eq!((state.free, state.granted.len()), (1, 0));
    }
}
