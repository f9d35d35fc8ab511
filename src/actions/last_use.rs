//! Writes last uses to the store, in a thread of its own, within bounds.
//!
//! A use is written at most 5 s after it, while fewer than [`FLUSH_KEYS_MAX`] wait; else that many a
//! flush, the oldest first. A key that was written is written again after 60 s at the earliest.
//! At shutdown all that wait are written.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use keyhouse_storage::{BATCH_WRITES_MAX, Batch, Store};

use crate::clock::Clock;
use crate::index::Index;
use crate::index::halt::Halt;
use crate::index::live::Live;
use crate::model::id::KeyId;
use crate::records::encode;
use crate::records::place::Place;
use crate::records::uses::{SecretUseRecord, UseRecord};

/// Most keys written in one flush.
pub const FLUSH_KEYS_MAX: usize = 5_000;
/// How long a flush lets uses gather.
const FLUSH_INTERVAL: Duration = Duration::from_secs(2);
/// How long a written key is left alone.
const REWRITE_AFTER: Duration = Duration::from_mins(1);

/// The thread that writes last uses.
#[derive(Debug)]
pub struct LastUseWriter {
    halt: Arc<Halt>,
    thread: JoinHandle<()>,
}

impl LastUseWriter {
    /// Starts writing.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(
        index: Arc<Index>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> std::io::Result<Self> {
        let halt = Arc::new(Halt::default());
        let (halted, mut flusher) = (Arc::clone(&halt), Flusher::new(index, store, clock));
        let run = move || {
            while !halted.pause(FLUSH_INTERVAL) {
                flusher.flush();
            }
            flusher.flush_all();
        };
        let thread = Builder::new().name("last-use".to_owned()).spawn(run)?;
        Ok(Self { halt, thread })
    }

    /// Writes what waits, and ends.
    pub fn stop(self) {
        self.halt.halt();
        if self.thread.join().is_err() {
            tracing::error!("the thread that wrote last uses had panicked");
        }
    }
}

struct Flusher {
    index: Arc<Index>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// Keys written of late, with the tick of it, the oldest first; and the same to look up.
    written: VecDeque<(u64, KeyId)>,
    rested: HashSet<KeyId>,
    /// Keys used again since they were written of late.
    held: HashMap<KeyId, Arc<Live>>,
}

impl Flusher {
    fn new(index: Arc<Index>, store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        let (written, rested, held) = (VecDeque::new(), HashSet::new(), HashMap::new());
        Self { index, store, clock, written, rested, held }
    }

    /// Takes what waits and writes what is due.
    fn flush(&mut self) {
        let ticks = self.clock.now().ticks;
        let mut due = self.released(ticks);
        let room = FLUSH_KEYS_MAX.saturating_sub(due.len());
        for live in self.index.take_used(room) {
            if self.rested.contains(&live.key) {
                self.held.insert(live.key, live);
            } else {
                due.insert(live.key, live);
            }
        }
        self.write(due, ticks);
    }

    fn flush_all(&mut self) {
        let ticks = self.clock.now().ticks;
        let mut rest = std::mem::take(&mut self.held);
        rest.extend(self.index.take_used(usize::MAX).into_iter().map(|live| (live.key, live)));
        self.write(rest, ticks);
    }

    /// Forgets whom it is long enough ago to write again, and returns those who wait for it.
    fn released(&mut self, ticks: u64) -> HashMap<KeyId, Arc<Live>> {
        let rest = u64::try_from(REWRITE_AFTER.as_nanos()).unwrap_or(u64::MAX);
        let mut released = HashMap::new();
        while let Some((at, key)) = self.written.front().copied() {
            if ticks.saturating_sub(at) < rest || released.len() >= FLUSH_KEYS_MAX {
                break;
            }
            self.written.pop_front();
            self.rested.remove(&key);
            released.extend(self.held.remove_entry(&key));
        }
        released
    }

    fn write(&mut self, lives: HashMap<KeyId, Arc<Live>>, ticks: u64) {
        let lives: Vec<_> = lives.into_values().collect();
        // All are handed over before the first is waited for, so that they share a commit.
        let submitted: Vec<_> = lives
            .chunks(BATCH_WRITES_MAX)
            .filter_map(|chunk| Some((self.store.submit(self.batch(chunk)?), chunk)))
            .collect();
        for (pending, chunk) in submitted {
            if let Err(error) = pending.wait() {
                tracing::warn!(%error, keys = chunk.len(), "last uses not written; trying again");
                self.held.extend(chunk.iter().map(|live| (live.key, Arc::clone(live))));
            }
            for live in chunk {
                self.rested.insert(live.key);
                self.written.push_back((ticks, live.key));
            }
        }
    }

    fn batch(&self, lives: &[Arc<Live>]) -> Option<Batch> {
        let mut batch = Batch::new();
        for live in lives {
            let Some(last) = self.index.take_use(live) else { continue };
            let place = Place::Use(live.key);
            let agent = |number| self.index.agent(number).map(|name| (*name).into());
            let secrets = live.secret_uses().into_iter().map(|(digest, last)| SecretUseRecord {
                digest,
                at: last.at,
                ip: last.ip,
                user_agent: agent(last.agent),
            });
            let record = UseRecord {
                at: last.at,
                ip: last.ip,
                user_agent: agent(last.agent),
                secrets: secrets.collect(),
            };
            match encode(&place, &record) {
                Ok(value) => batch = batch.put(place.to_bytes(), value),
                Err(error) => tracing::error!(%error, "a last use could not be written"),
            }
        }
        (!batch.writes().is_empty()).then_some(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::index::Origin;
    use crate::index::grant::Grant;
    use crate::index::grant::tests::grant_of;
    use crate::model::id::Id;
    use crate::model::moment::Moment;
    use crate::records::{Held, read_row};
    use keyhouse_storage::{At, MemoryStore};

    fn flusher() -> (Flusher, Arc<Index>, Arc<MemoryStore>, Arc<ManualClock>) {
        let (index, store) = (Arc::new(Index::new()), Arc::new(MemoryStore::new()));
        let clock = Arc::new(ManualClock::at(Moment::from_milliseconds(1_000_000)));
        let kept = (Arc::clone(&index), Arc::clone(&store), Arc::clone(&clock));
        (Flusher::new(kept.0, kept.1, kept.2), index, store, clock)
    }

    fn used_key(id: KeyId) -> Grant {
        grant_of(Arc::new(Live::new(id)))
    }

    fn written(store: &MemoryStore, key: KeyId) -> Option<Moment> {
        let row = store.get(&Place::Use(key).to_bytes(), At::Latest).unwrap()?;
        let held: Held<UseRecord> = read_row(&row).unwrap();
        Some(held.record.at)
    }

    #[test]
    fn a_key_is_written_at_once_and_again_after_a_minute() {
        let (mut flusher, index, store, clock) = flusher();
        let grant = used_key(Id::from_bytes([7; 16]));
        let first = clock.now().wall;
        index.note_use(&grant, first, Origin::default());
        flusher.flush();
        assert_eq!(written(&store, grant.live.key), Some(first));
        clock.advance(Duration::from_secs(30));
        let second = clock.now().wall;
        index.note_use(&grant, second, Origin::default());
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
            index.note_use(grant, clock.now().wall, Origin::default());
        }
        let count =
            || lives.iter().filter(|grant| written(&store, grant.live.key).is_some()).count();
        flusher.flush();
        assert_eq!(count(), FLUSH_KEYS_MAX);
        assert!(written(&store, lives[0].live.key).is_some(), "the oldest first");
        flusher.flush_all();
        assert_eq!(count(), lives.len());
    }

    #[test]
    fn what_the_store_refused_is_written_later() {
        let (mut flusher, index, store, clock) = flusher();
        let grant = used_key(Id::from_bytes([7; 16]));
        index.note_use(&grant, clock.now().wall, Origin::default());
        let real = std::mem::replace(&mut flusher.store, {
            let closed = MemoryStore::new();
            closed.close().unwrap();
            Arc::new(closed)
        });
        flusher.flush();
        flusher.store = real;
        clock.advance(REWRITE_AFTER);
        flusher.flush();
        assert!(written(&store, grant.live.key).is_some());
    }
}
