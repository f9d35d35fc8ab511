//! A thread that writes the last uses and call counts of keys to the store, within bounds.
//!
//! If fewer than [`FLUSH_KEYS_MAX`] keys wait, a use is written within 5 s. If more keys wait, each
//! flush writes that many, the longest waiting first. A key is written again after 60 s at the
//! earliest. A shutdown writes all waiting keys.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use keyhouse_storage::Store;

use crate::clock::Clock;
use crate::index::Index;
use crate::index::live::KeyCounters;
use crate::index::pending_usage::PendingUsage;
use crate::model::id::KeyId;
use crate::upkeep::use_rows::{DueUse, UseRows};
use crate::worker::Worker;

pub const FLUSH_KEYS_MAX: usize = 5_000;
const FLUSH_INTERVAL: Duration = Duration::from_secs(2);
/// The shortest time between two writes of one key.
const REWRITE_AFTER: Duration = Duration::from_mins(1);

/// Starts the thread.
///
/// # Errors
/// If the system cannot start a thread.
pub fn start(
    index: Arc<Index>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
) -> std::io::Result<Worker> {
    let mut flusher = Flusher::new(index, store, clock);
    Worker::spawn("last-use", move |halt| {
        while !halt.pause(FLUSH_INTERVAL) {
            flusher.flush();
        }
        flusher.flush_all();
    })
}

struct Flusher {
    index: Arc<Index>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// Keys written in the last 60 s with the tick of the write, the oldest first. `rested` holds
    /// the same keys for look-up.
    written: VecDeque<(u64, KeyId)>,
    rested: HashSet<KeyId>,
    /// Keys whose use the store rejected and has not accepted since.
    failed: HashSet<KeyId>,
}

impl Flusher {
    fn new(index: Arc<Index>, store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        let (written, rested, failed) = (VecDeque::new(), HashSet::new(), HashSet::new());
        Self { index, store, clock, written, rested, failed }
    }

    /// Takes the waiting uses and writes those that are due.
    fn flush(&mut self) {
        let (index, ticks) = (Arc::clone(&self.index), self.clock.now().ticks);
        let mut pending = index.pending_usage();
        let mut due = self.released(&mut pending, ticks);
        let room = FLUSH_KEYS_MAX.saturating_sub(due.len());
        let room = if pending.is_full() { 0 } else { room };
        let used = index.take_used(&mut pending, room);
        let is_all = used.len() < room;
        for live in used {
            if self.rested.contains(&live.key) {
                pending.held.insert(live.key, live);
            } else {
                due.insert(live.key, live);
            }
        }
        let due = Self::taken(&mut pending, due);
        drop(pending);
        self.write(due, ticks);
        if is_all && self.failed.is_empty() {
            index.set_flushed(ticks);
        }
    }

    fn flush_all(&mut self) {
        let (index, ticks) = (Arc::clone(&self.index), self.clock.now().ticks);
        let mut pending = index.pending_usage();
        let mut rest = std::mem::take(&mut pending.held);
        let used = index.take_used(&mut pending, usize::MAX);
        rest.extend(used.into_iter().map(|live| (live.key, live)));
        let due = Self::taken(&mut pending, rest);
        drop(pending);
        self.write(due, ticks);
    }

    /// Ends the 60 s cool-down of keys that were written earlier, and returns those of them that
    /// were used meanwhile.
    fn released(
        &mut self,
        pending: &mut PendingUsage,
        ticks: u64,
    ) -> HashMap<KeyId, Arc<KeyCounters>> {
        let rest = u64::try_from(REWRITE_AFTER.as_nanos()).unwrap_or(u64::MAX);
        let mut released = HashMap::new();
        while let Some((at, key)) = self.written.front().copied() {
            if ticks.saturating_sub(at) < rest || released.len() >= FLUSH_KEYS_MAX {
                break;
            }
            self.written.pop_front();
            self.rested.remove(&key);
            released.extend(pending.held.remove_entry(&key));
        }
        released
    }

    fn taken(pending: &mut PendingUsage, lives: HashMap<KeyId, Arc<KeyCounters>>) -> Vec<DueUse> {
        let take = |live: Arc<KeyCounters>| DueUse { last: pending.take_use(&live), live };
        lives.into_values().map(take).collect()
    }

    fn write(&mut self, due: Vec<DueUse>, ticks: u64) {
        let failed = UseRows::new(&self.index, &*self.store).write(&due);
        let mut pending = self.index.pending_usage();
        for DueUse { live, .. } in due {
            self.rested.insert(live.key);
            self.written.push_back((ticks, live.key));
            if failed.contains(&live.key) {
                self.failed.insert(live.key);
                pending.held.insert(live.key, live);
            } else {
                self.failed.remove(&live.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::index::CallOrigin;
    use crate::index::grant::Grant;
    use crate::index::grant::tests::grant_of;
    use crate::index::pending_usage::PENDING_ROWS_MAX;
    use crate::model::calendar::Hour;
    use crate::model::code::Code;
    use crate::model::id::Id;
    use crate::model::moment::Moment;
    use crate::records::place::StoreKey;
    use crate::records::place::UsageOf;
    use crate::records::usage::HoursRecord;
    use crate::records::uses::UseRecord;
    use crate::records::{Revised, read_row};
    use keyhouse_storage::{At, FaultyStore, InjectedFault, MemoryStore, StoreOperation};

    fn flusher() -> (Flusher, Arc<Index>, Arc<MemoryStore>, Arc<ManualClock>) {
        let (index, store) = (Arc::new(Index::new()), Arc::new(MemoryStore::new()));
        let clock = Arc::new(ManualClock::at(Moment::from_milliseconds(1_000_000)));
        let kept = (Arc::clone(&index), Arc::clone(&store), Arc::clone(&clock));
        (Flusher::new(kept.0, kept.1, kept.2), index, store, clock)
    }

    fn used_key(id: KeyId) -> Grant {
        grant_of(Arc::new(KeyCounters::new(id)))
    }

    fn written(store: &MemoryStore, key: KeyId) -> Option<Moment> {
        let row = store.get(&StoreKey::Use(key).to_bytes(), At::Latest).unwrap()?;
        let held: Revised<UseRecord> = read_row(&row).unwrap();
        Some(held.record.at)
    }

    #[test]
    fn a_key_is_written_at_once_and_again_after_a_minute() {
        let (mut flusher, index, store, clock) = flusher();
        let grant = used_key(Id::from_bytes([7; 16]));
        let first = clock.now().wall;
        index.note_call(&grant, Code::Valid, first, CallOrigin::default());
        flusher.flush();
        assert_eq!(written(&store, grant.live.key), Some(first));
        clock.advance(Duration::from_secs(30));
        let second = clock.now().wall;
        index.note_call(&grant, Code::Valid, second, CallOrigin::default());
        flusher.flush();
        assert_eq!(written(&store, grant.live.key), Some(first));
        clock.advance(Duration::from_secs(30));
        flusher.flush();
        assert_eq!(written(&store, grant.live.key), Some(second));
    }

    #[test]
    fn a_flush_is_bounded_and_the_end_writes_all() {
        let (mut flusher, index, store, clock) = flusher();
        let lives: Vec<_> = (0..FLUSH_KEYS_MAX + 10)
            .map(|_| used_key(Id::new(clock.now().wall, &mut rand::rng())))
            .collect();
        for grant in &lives {
            index.note_call(grant, Code::Valid, clock.now().wall, CallOrigin::default());
        }
        let count =
            || lives.iter().filter(|grant| written(&store, grant.live.key).is_some()).count();
        clock.advance(Duration::from_secs(2));
        flusher.flush();
        assert_eq!(count(), FLUSH_KEYS_MAX);
        assert_eq!(index.flushed_at(), 0, "ten wait");
        assert!(written(&store, lives[0].live.key).is_some(), "the oldest first");
        flusher.flush_all();
        assert_eq!(count(), lives.len());
    }

    #[test]
    fn rejected_writes_are_retried() {
        let (mut flusher, index, store, clock) = flusher();
        let grant = used_key(Id::from_bytes([7; 16]));
        index.note_call(&grant, Code::Valid, clock.now().wall, CallOrigin::default());
        let real = std::mem::replace(&mut flusher.store, {
            let closed = MemoryStore::new();
            closed.close().unwrap();
            Arc::new(closed)
        });
        flusher.flush();
        flusher.store = real;
        clock.advance(REWRITE_AFTER / 2);
        flusher.flush();
        assert_eq!(index.flushed_at(), 0, "one still waits");
        clock.advance(REWRITE_AFTER / 2);
        flusher.flush();
        assert!(written(&store, grant.live.key).is_some());
        assert_eq!(index.flushed_at(), clock.now().ticks);
    }

    /// A write with an unknown outcome is repeated without harm, since each write contains the
    /// total and not the increment.
    #[test]
    fn no_fault_of_the_store_loses_a_call_or_counts_it_twice() {
        let faults = [
            InjectedFault::Unavailable,
            InjectedFault::Full,
            InjectedFault::UnknownApplied,
            InjectedFault::UnknownDropped,
        ];
        for fault in faults.into_iter().map(Some).chain([None]) {
            let (mut flusher, index, _, clock) = flusher();
            let store = Arc::new(FaultyStore::new(MemoryStore::new()));
            flusher.store = Arc::<FaultyStore<_>>::clone(&store);
            let grant = used_key(Id::from_bytes([7; 16]));
            let organization = grant.organization.load().id;
            let call = |times: usize| {
                for _ in 0..times {
                    index.note_call(&grant, Code::Expired, clock.now().wall, CallOrigin::default());
                }
            };
            let stored = || {
                [Some(grant.live.key), None].map(|key| {
                    let day = Hour::of(clock.now().wall).day();
                    let place = StoreKey::UsageHours(day, UsageOf { organization, key }).to_bytes();
                    let row = store.inner().get(&place, At::Latest).unwrap();
                    let read = |row| read_row::<HoursRecord>(&row).unwrap().record;
                    row.map_or(0, |row| read(row).sum().calls())
                })
            };
            call(2);
            flusher.flush();
            assert_eq!(stored(), [2, 2]);
            let at_submit = fault.is_some();
            store.inject_always(
                if at_submit { StoreOperation::Submit } else { StoreOperation::Get },
                fault.clone().unwrap_or(InjectedFault::Unavailable),
            );
            for _ in 0..2 {
                call(3);
                clock.advance(REWRITE_AFTER);
                flusher.flush();
            }
            assert!(stored().iter().all(|calls| [2, 5, 8].contains(calls)), "{fault:?}");
            store.heal();
            clock.advance(REWRITE_AFTER);
            flusher.flush();
            assert_eq!(stored(), [8, 8], "{fault:?}: without another call");
            call(1);
            flusher.flush_all();
            assert_eq!(stored(), [9, 9], "{fault:?}");
            assert_eq!(index.pending_usage().rows().count(), 0, "{fault:?}");
        }
    }

    #[test]
    fn however_long_the_store_is_away_what_it_is_owed_is_bounded() {
        let (mut flusher, index, _, clock) = flusher();
        let closed = MemoryStore::new();
        closed.close().unwrap();
        flusher.store = Arc::new(closed);
        let mut used = 0;
        while !index.pending_usage().is_full() {
            for _ in 0..FLUSH_KEYS_MAX {
                let grant = used_key(Id::new(clock.now().wall, &mut rand::rng()));
                index.note_call(&grant, Code::Expired, clock.now().wall, CallOrigin::default());
            }
            used += FLUSH_KEYS_MAX;
            assert!(used <= PENDING_ROWS_MAX + FLUSH_KEYS_MAX, "it never fills");
            flusher.flush();
        }
        let owed = index.pending_usage().rows().count();
        let grant = used_key(Id::from_bytes([7; 16]));
        index.note_call(&grant, Code::Expired, clock.now().wall, CallOrigin::default());
        flusher.flush();
        assert_eq!(index.pending_usage().rows().count(), owed);
        let mut kept = 0;
        grant.live.calls().unwrap().read(|_, _, counts| kept += counts.calls());
        assert_eq!(kept, 1, "it stays with its key");
    }
}
