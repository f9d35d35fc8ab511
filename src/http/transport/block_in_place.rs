//! Lets a check wait without blocking the event loop.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::caller::{Caller, Claims};
use super::ledger::Ledger;

/// Maximum number of checks that wait at once. Each waiting check uses a thread, in addition to the
/// threads of the blocking pool. One key can hold a quarter of the waits, and one organization
/// half. Beyond half, keys of the organization that hold no wait get one each, up to three
/// quarters.
pub(crate) const WAITING_MAX: usize = 256;

#[derive(Debug)]
pub struct BlockInPlace {
    held: Mutex<Ledger>,
    waiting: AtomicUsize,
}

/// Ends one wait on drop, also after a panic.
struct BlockingSlot<'a> {
    waits: &'a BlockInPlace,
    claims: Claims,
}

impl Drop for BlockingSlot<'_> {
    fn drop(&mut self) {
        self.waits.waiting.fetch_sub(1, Ordering::Relaxed);
        self.waits.lock().give_back(&self.claims, 1);
    }
}

impl Default for BlockInPlace {
    fn default() -> Self {
        Self { held: Mutex::new(Ledger::new(WAITING_MAX)), waiting: AtomicUsize::new(0) }
    }
}

impl BlockInPlace {
    /// Number of checks that wait now.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Runs `work`, which blocks, for a caller. If called on the event loop, another thread serves
    /// the other connections meanwhile. Returns `None` without running `work` if too many checks
    /// wait already, in total or for this caller.
    pub fn run<T>(&self, caller: &Caller, work: impl FnOnce() -> T) -> Option<T> {
        let claims = caller.claims_on_places(WAITING_MAX);
        if !self.lock().take(&claims) {
            return None;
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _place = BlockingSlot { waits: self, claims };
        Some(tokio::task::block_in_place(work))
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: u8, organization: u8) -> Caller {
        let (actor, organization) = (Some([id; 16]), Some([organization; 16]));
        Caller { actor, organization, by_key: true, ..Caller::default() }
    }

    /// Nests waits until one is rejected, and returns how many were admitted.
    fn nested(waits: &BlockInPlace, of: &dyn Fn(usize) -> Caller, depth: usize) -> usize {
        let inside = waits.run(&of(depth), || nested(waits, of, depth + 1));
        inside.unwrap_or(depth)
    }

    #[test]
    fn one_key_can_wait_in_a_quarter_and_one_organization_in_half() {
        let waits = BlockInPlace::default();
        assert_eq!(nested(&waits, &|_| key(1, 1), 0), WAITING_MAX / 4);
        let of_one = |depth: usize| key(u8::try_from(depth % 100).unwrap(), 1);
        assert_eq!(nested(&waits, &of_one, 0), WAITING_MAX / 2);
        let each = |depth: usize| key(u8::try_from(depth).unwrap(), 1);
        assert_eq!(nested(&waits, &each, 0), WAITING_MAX / 4 * 3, "keys that hold nothing");
        let left = waits.run(&key(1, 1), || nested(&waits, &of_one, 1));
        assert_eq!(left, Some(WAITING_MAX / 2));
        assert_eq!(waits.waiting(), 0);
        assert_eq!(waits.run(&key(2, 2), || 1), Some(1));
    }
}
