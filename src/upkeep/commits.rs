//! A store that counts and times commits and forwards every other call.

use std::sync::Arc;
use std::time::Duration;

use keyhouse_storage::{
    At, Batch, CommitError, Feed, Page, Pending, Range, ReadError, Revision, Row, Store,
};

use crate::clock::Clock;
use crate::telemetry::measure::{Counter, Histogram};

/// Outcomes of commits. Commits without a waiting caller are not counted.
#[derive(Debug, Default)]
pub struct Commits {
    committed: Counter,
    conflict: Counter,
    full: Counter,
    invalid: Counter,
    unavailable: Counter,
    unknown: Counter,
    /// Time from the submission to the outcome of committed batches.
    pub took: Histogram,
}

impl Commits {
    /// Number of commits by outcome.
    pub fn outcomes(&self) -> [(&'static str, u64); 6] {
        [
            ("committed", self.committed.total()),
            ("conflict", self.conflict.total()),
            ("full", self.full.total()),
            ("invalid", self.invalid.total()),
            ("unavailable", self.unavailable.total()),
            ("unknown", self.unknown.total()),
        ]
    }

    fn note(&self, outcome: &Result<Revision, CommitError>, took: Duration) {
        let counter = match outcome {
            Ok(_) => {
                self.took.record(took);
                &self.committed
            },
            Err(CommitError::Conflict) => &self.conflict,
            Err(CommitError::Full(_)) => &self.full,
            Err(CommitError::Invalid(_)) => &self.invalid,
            Err(CommitError::Unavailable(_)) => &self.unavailable,
            Err(CommitError::Unknown(_)) => &self.unknown,
        };
        counter.count();
    }
}

#[derive(Debug)]
pub struct MeasuredStore {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    commits: Arc<Commits>,
}

impl MeasuredStore {
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, commits: Arc<Commits>) -> Self {
        Self { store, clock, commits }
    }
}

impl Store for MeasuredStore {
    fn get(&self, key: &[u8], at: At) -> Result<Option<Row>, ReadError> {
        self.store.get(key, at)
    }

    fn scan(&self, range: &Range<'_>, at: At) -> Result<Page, ReadError> {
        self.store.scan(range, at)
    }

    fn submit(&self, batch: Batch) -> Pending {
        let (clock, commits) = (Arc::clone(&self.clock), Arc::clone(&self.commits));
        let begun = clock.now().ticks;
        let pending = self.store.submit(batch);
        Pending::new(move || {
            let outcome = pending.wait();
            let took = clock.now().ticks.saturating_sub(begun);
            commits.note(&outcome, Duration::from_nanos(took));
            outcome
        })
    }

    fn follow(&self, from: Revision) -> Result<Box<dyn Feed>, ReadError> {
        self.store.follow(from)
    }

    fn check(&self) -> Result<(), ReadError> {
        self.store.check()
    }

    fn close(&self) -> Result<(), ReadError> {
        self.store.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::model::moment::Moment;
    use keyhouse_storage::{FaultyStore, InjectedFault, MemoryStore, StoreOperation, conformance};

    fn measured() -> (MeasuredStore, Arc<Commits>, Arc<FaultyStore<MemoryStore>>) {
        let clock = Arc::new(ManualClock::at(Moment::from_milliseconds(1)));
        let commits = Arc::<Commits>::default();
        let store = Arc::new(FaultyStore::new(MemoryStore::new()));
        let inner = Arc::clone(&store) as Arc<dyn Store>;
        (MeasuredStore::new(inner, clock, Arc::clone(&commits)), commits, store)
    }

    #[test]
    fn a_measured_store_passes_conformance() {
        conformance::run(|| Box::new(measured().0)).unwrap();
    }

    #[test]
    fn each_outcome_is_counted_and_what_was_committed_timed() {
        let (store, commits, faults) = measured();
        store.commit(Batch::new().absent("a").put("a", "1")).unwrap();
        store.commit(Batch::new().absent("a").put("a", "1")).unwrap_err();
        store.commit(Batch::new()).unwrap_err();
        for fault in [InjectedFault::Full, InjectedFault::UnknownApplied] {
            faults.inject(StoreOperation::Submit, 1, fault);
            store.commit(Batch::new().put("c", "1")).unwrap_err();
        }
        // No caller waits for this batch, so its outcome is not counted.
        drop(store.submit(Batch::new().put("b", "1")));
        store.close().unwrap();
        store.commit(Batch::new().put("a", "2")).unwrap_err();
        let counted: Vec<_> =
            commits.outcomes().into_iter().filter(|(_, count)| *count > 0).collect();
        let each = ["committed", "conflict", "full", "invalid", "unavailable", "unknown"];
        assert_eq!(counted, each.map(|outcome| (outcome, 1)));
        assert_eq!(commits.took.distribution().count, 1);
    }
}
