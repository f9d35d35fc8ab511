//! A wrapper that makes chosen operations of a store fail or wait, for tests of the store's users.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::{
    At, Batch, Cause, CommitError, Feed, FeedError, Page, Pending, Range, ReadError, Revision, Row,
    Step, Stop, Store,
};

/// The operations of a store that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreOperation {
    /// [`Store::get`].
    Get,
    /// [`Store::scan`].
    Scan,
    /// [`Store::submit`], and therefore [`Store::commit`].
    Submit,
    /// [`Store::follow`].
    Follow,
    /// [`Feed::next`], of all feeds together.
    Next,
}

/// A fault of an operation. If the operation's error type lacks a matching variant, the error is
/// `Unavailable`.
#[derive(Clone, Debug)]
pub enum InjectedFault {
    /// The store is unavailable. Nothing changes.
    Unavailable,
    /// The revision of a read or a follow is gone, or the feed missed commits.
    Compacted,
    /// The batch conflicts, even if its guards hold.
    Conflict,
    /// The storage medium is full.
    Full,
    /// The outcome is unknown. The batch was committed if its guards hold.
    UnknownApplied,
    /// The outcome is unknown. The batch was not committed.
    UnknownDropped,
    /// The operation waits until the gate opens and then runs without a fault.
    Wait(TestGate),
}

/// A gate that blocks operations until a test opens it. Clones are the same gate.
#[derive(Clone, Debug, Default)]
pub struct TestGate(Arc<(Mutex<GateState>, Condvar)>);

#[derive(Debug, Default)]
struct GateState {
    open: bool,
    arrived: usize,
}

impl TestGate {
    /// A gate that is closed until [`Self::open`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Releases waiting operations, and lets later operations pass.
    pub fn open(&self) {
        lock(&self.0.0).open = true;
        self.0.1.notify_all();
    }

    /// Waits until `arrivals` operations have reached the gate. Returns false after `timeout`.
    pub fn wait_for_arrivals(&self, arrivals: usize, timeout: Duration) -> bool {
        let (state, changed) = &*self.0;
        let waiting =
            changed.wait_timeout_while(lock(state), timeout, |state| state.arrived < arrivals);
        !waiting.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn pass(&self) {
        let (state, changed) = &*self.0;
        let mut state = lock(state);
        state.arrived += 1;
        changed.notify_all();
        drop(changed.wait_while(state, |state| !state.open));
    }
}

/// A store in which a test makes operations fail. All other operations reach the wrapped store.
///
/// After an unknown outcome the store behaves like a reopened store: feeds end with
/// [`FeedError::Compacted`], and earlier revisions can be neither read nor followed. To keep a
/// handle to the store, wrap it in an `Arc`: `Arc<S>` is also a [`Store`].
#[derive(Debug)]
pub struct FaultyStore<S> {
    inner: S,
    shared: Arc<FaultState>,
}

#[derive(Debug, Default)]
struct FaultState {
    plan: Mutex<FaultPlan>,
    reopening: Mutex<Reopening>,
}

#[derive(Debug, Default)]
struct FaultPlan {
    /// The faults that happen once, each with the number of the operation that meets the fault.
    once: Vec<(StoreOperation, usize, InjectedFault)>,
    always: Vec<(StoreOperation, InjectedFault)>,
}

#[derive(Debug, Default)]
struct Reopening {
    epoch: u64,
    floor: Revision,
    feeds: Vec<OpenFeed>,
}

/// A feed of the current epoch. The weak pointer ends when the feed is dropped.
#[derive(Debug)]
struct OpenFeed {
    in_use: Weak<()>,
    stop: Box<dyn Stop>,
}

impl<S: Store> FaultyStore<S> {
    /// Wraps a store, without faults.
    pub fn new(inner: S) -> Self {
        Self { inner, shared: Arc::default() }
    }

    /// The wrapped store, whose operations meet no faults.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Makes the `nth` next operation of a kind meet a fault, once; 1 is the next operation.
    pub fn inject(&self, operation: StoreOperation, nth: usize, fault: InjectedFault) {
        lock(&self.shared.plan).once.push((operation, nth.max(1), fault));
    }

    /// Makes every operation of a kind meet a fault, until [`Self::heal`].
    pub fn inject_always(&self, operation: StoreOperation, fault: InjectedFault) {
        lock(&self.shared.plan).always.push((operation, fault));
    }

    /// Removes all injected faults. Gates keep their state.
    pub fn heal(&self) {
        *lock(&self.shared.plan) = FaultPlan::default();
    }

    /// Makes the store behave as if it had just been reopened.
    pub fn reopen(&self) {
        let mut reopening = lock(&self.shared.reopening);
        reopening.epoch += 1;
        for feed in reopening.feeds.drain(..) {
            feed.stop.stop();
        }
        let latest = self.inner.scan(&Range { limit: 0, ..Range::prefix(b"") }, At::Latest);
        if let Ok(page) = latest {
            reopening.floor = page.revision;
        }
    }

    fn readable(&self, at: At) -> Result<(), ReadError> {
        let floor = lock(&self.shared.reopening).floor;
        if matches!(at, At::Revision(revision) if revision < floor) {
            return Err(ReadError::Compacted);
        }
        Ok(())
    }
}

impl FaultState {
    fn fault(&self, operation: StoreOperation) -> Option<InjectedFault> {
        let mut plan = lock(&self.plan);
        let mut due = None;
        plan.once.retain_mut(|(of, left, fault)| {
            if *of != operation {
                return true;
            }
            *left -= 1;
            if *left == 0 && due.is_none() {
                due = Some(fault.clone());
            }
            *left > 0
        });
        let permanent = || plan.always.iter().find(|(of, _)| *of == operation);
        due.or_else(|| permanent().map(|(_, fault)| fault.clone()))
    }

    /// Applies the fault of a read, if one is due.
    fn read(&self, operation: StoreOperation) -> Result<(), ReadError> {
        match self.fault(operation) {
            None => Ok(()),
            Some(InjectedFault::Wait(gate)) => {
                gate.pass();
                Ok(())
            },
            Some(InjectedFault::Compacted) => Err(ReadError::Compacted),
            Some(
                InjectedFault::Unavailable
                | InjectedFault::Conflict
                | InjectedFault::Full
                | InjectedFault::UnknownApplied
                | InjectedFault::UnknownDropped,
            ) => Err(ReadError::Unavailable(injected())),
        }
    }
}

fn injected() -> Cause {
    Cause::new("fault injected")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: Store> Store for FaultyStore<S> {
    fn get(&self, key: &[u8], at: At) -> Result<Option<Row>, ReadError> {
        self.shared.read(StoreOperation::Get)?;
        self.readable(at)?;
        self.inner.get(key, at)
    }

    fn scan(&self, range: &Range<'_>, at: At) -> Result<Page, ReadError> {
        self.shared.read(StoreOperation::Scan)?;
        self.readable(at)?;
        self.inner.scan(range, at)
    }

    fn submit(&self, batch: Batch) -> Pending {
        if let Err(error) = batch.validate() {
            return Pending::ready(Err(error.into()));
        }
        let error = match self.shared.fault(StoreOperation::Submit) {
            None => return self.inner.submit(batch),
            Some(InjectedFault::Wait(gate)) => {
                gate.pass();
                return self.inner.submit(batch);
            },
            Some(InjectedFault::Conflict) => CommitError::Conflict,
            Some(InjectedFault::Full) => CommitError::Full(injected()),
            Some(InjectedFault::Unavailable | InjectedFault::Compacted) => {
                CommitError::Unavailable(injected())
            },
            Some(InjectedFault::UnknownDropped) => {
                self.reopen();
                CommitError::Unknown(injected())
            },
            Some(InjectedFault::UnknownApplied) => {
                // The feeds end before the commit, so that they do not return it.
                self.reopen();
                let outcome = self.inner.commit(batch);
                self.reopen();
                match outcome {
                    Ok(_) => CommitError::Unknown(injected()),
                    Err(error) => error,
                }
            },
        };
        Pending::ready(Err(error))
    }

    fn follow(&self, from: Revision) -> Result<Box<dyn Feed>, ReadError> {
        self.shared.read(StoreOperation::Follow)?;
        let mut reopening = lock(&self.shared.reopening);
        if from < reopening.floor {
            return Err(ReadError::Compacted);
        }
        let inner = self.inner.follow(from)?;
        let in_use = Arc::new(());
        reopening.feeds.retain(|feed| feed.in_use.strong_count() > 0);
        let open = OpenFeed { in_use: Arc::downgrade(&in_use), stop: inner.stopper() };
        reopening.feeds.push(open);
        Ok(Box::new(FaultyFeed {
            inner,
            shared: Arc::clone(&self.shared),
            epoch: reopening.epoch,
            missed: false,
            stopped: Arc::default(),
            _in_use: in_use,
        }))
    }

    fn check(&self) -> Result<(), ReadError> {
        self.inner.check()
    }

    fn close(&self) -> Result<(), ReadError> {
        self.inner.close()
    }
}

#[derive(Debug)]
struct FaultyFeed {
    inner: Box<dyn Feed>,
    shared: Arc<FaultState>,
    epoch: u64,
    missed: bool,
    stopped: Arc<AtomicBool>,
    _in_use: Arc<()>,
}

impl Feed for FaultyFeed {
    fn next(&mut self, timeout: Duration) -> Result<Step, FeedError> {
        match self.shared.read(StoreOperation::Next) {
            Ok(()) => {},
            Err(ReadError::Compacted) => self.missed = true,
            Err(ReadError::Unavailable(cause)) => return Err(FeedError::Unavailable(cause)),
        }
        let step = if self.missed { Err(FeedError::Compacted) } else { self.inner.next(timeout) };
        if self.stopped.load(Ordering::Acquire) {
            return Err(FeedError::Stopped);
        }
        if lock(&self.shared.reopening).epoch != self.epoch {
            self.missed = true;
            return Err(FeedError::Compacted);
        }
        step
    }

    fn stopper(&self) -> Box<dyn Stop> {
        let stopped = Arc::clone(&self.stopped);
        Box::new(FaultyStop { inner: self.inner.stopper(), stopped })
    }
}

#[derive(Debug)]
struct FaultyStop {
    inner: Box<dyn Stop>,
    stopped: Arc<AtomicBool>,
}

impl Stop for FaultyStop {
    fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.inner.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;

    fn faulty() -> FaultyStore<MemoryStore> {
        FaultyStore::new(MemoryStore::new())
    }

    #[test]
    fn only_the_nth_operation_of_a_kind_fails() {
        let store = faulty();
        store.inject(StoreOperation::Submit, 2, InjectedFault::Full);
        let batch = |key: &str| Batch::new().absent(key).put(key, "");
        assert_eq!(store.commit(batch("a")), Ok(Revision(1)));
        assert_eq!(store.commit(batch("b")), Err(CommitError::Full(injected())));
        assert_eq!(store.commit(batch("b")), Ok(Revision(2)));
        store.inject_always(StoreOperation::Get, InjectedFault::Unavailable);
        assert!(store.get(b"a", At::Latest).is_err());
        assert!(store.get(b"a", At::Latest).is_err());
        store.heal();
        assert!(store.get(b"a", At::Latest).is_ok());
    }

    #[test]
    fn unknown_outcome_ends_feeds_and_a_read_shows_the_outcome() {
        let cases = [
            ("committed", InjectedFault::UnknownApplied, true),
            ("dropped", InjectedFault::UnknownDropped, false),
        ];
        for (name, fault, applied) in cases {
            let store = faulty();
            let before = store.commit(Batch::new().put("a", "1")).unwrap();
            let mut feed = store.follow(before).unwrap();
            store.inject(StoreOperation::Submit, 1, fault);
            let outcome = store.commit(Batch::new().put("b", "2"));
            assert_eq!(outcome, Err(CommitError::Unknown(injected())), "{name}");
            for _ in 0..2 {
                assert_eq!(feed.next(Duration::ZERO), Err(FeedError::Compacted), "{name}");
            }
            assert_eq!(store.get(b"b", At::Latest).unwrap().is_some(), applied, "{name}");
            let earlier = store.follow(Revision::ZERO).map(drop);
            assert_eq!(earlier, Err(ReadError::Compacted), "{name}");
            let page = store.scan(&Range::prefix(b""), At::Latest).unwrap();
            assert!(store.follow(page.revision).is_ok(), "{name}");
        }
    }

    #[test]
    fn operation_waits_at_the_gate_until_it_opens() {
        let store = Arc::new(faulty());
        let gate = TestGate::new();
        store.inject(StoreOperation::Submit, 1, InjectedFault::Wait(gate.clone()));
        let other = Arc::clone(&store);
        let commit = std::thread::Builder::new()
            .name("commit".to_owned())
            .spawn(move || other.commit(Batch::new().put("a", "")))
            .unwrap();
        assert!(gate.wait_for_arrivals(1, Duration::from_secs(30)));
        assert_eq!(store.get(b"a", At::Latest), Ok(None));
        gate.open();
        assert_eq!(commit.join().unwrap(), Ok(Revision(1)));
    }
}
