//! Seals audit events in a thread of its own: every second, and at the stop, one seal over all
//! events committed since the last seal.
//!
//! The sealer and the changes do not wait for each other, and a change is never rejected because of
//! a seal. The sealer finds events without a seal in the store, and is the only writer of the
//! chain. The guard on the next seal's row prevents another process from writing the same seal.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use keyhouse_storage::{At, Batch, Commit, Feed, FeedError, Revision, Row, Step, Store, Write};
use rand::rngs::StdRng;

use crate::clock::Clock;
use crate::model::id::EventId;
use crate::model::moment::Moment;
use crate::model::retention::Retention;
use crate::records::encode;
use crate::records::event::{EventRecord, SEAL_VERSION, SealRecord};
use crate::records::place::StoreKey;
use crate::upkeep::audit::chain::{AuditHead, SealHasher};
use crate::upkeep::audit::unsealed::Unsealed;
use crate::upkeep::audit::{COMMIT_TIME_MAX, SEAL_EVENTS_MAX};
use crate::upkeep::error::UpkeepError;
use crate::worker::{Halt, Worker};

const SEAL_INTERVAL: Duration = Duration::from_secs(1);

/// Starts the sealer, which first seals the events that an earlier process left. The sealer
/// must start before this process writes its first event. `random` must have been seeded by the
/// operating system.
///
/// # Errors
/// If the thread cannot be created, or the store does not respond.
pub fn start(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    random: StdRng,
    retention: Retention,
) -> std::io::Result<Worker> {
    let mut sealer = Sealer::new(store, clock, random, retention);
    sealer.begin().map_err(std::io::Error::other)?;
    let halt = Arc::clone(&sealer.halt);
    Worker::halted_by(halt, "audit-seal", || sealer.run())
}

#[derive(Debug)]
pub(crate) struct Sealer {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: StdRng,
    pub(crate) retention: Retention,
    pub(crate) halt: Arc<Halt>,
    /// When this process started. No event of this process is older than its start.
    pub(crate) started: Moment,
    pub(crate) head: AuditHead,
    /// The events of the next seals, in commit order.
    pub(crate) pending: VecDeque<EventId>,
    /// The time from which the store may have more unsealed events that the feed does not return.
    pub(crate) rest: Option<Moment>,
    /// The time of the youngest event of this process. Before the first event, the start time.
    pub(crate) youngest: Moment,
    /// Returns new commits. `None` if commits were missed and the store must be searched.
    pub(crate) feed: Option<Box<dyn Feed>>,
    /// The tick of the next hourly tasks, and the tasks that are due before.
    pub(crate) chores_at: u64,
    pub(crate) chore: Chore,
    /// Whether the failure of sealing was already logged.
    pub(crate) has_complained: bool,
}

/// The next periodic task of the sealer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chore {
    /// Write a changed retention to the log.
    Settle,
    Cut,
    /// Wait for the next hour.
    Rest,
}

/// The time of a seal, and the number of waiting events that the seal covers.
pub(crate) struct Sealing {
    pub(crate) now: Moment,
    pub(crate) taken: usize,
}

impl Sealer {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        random: StdRng,
        retention: Retention,
    ) -> Self {
        let now = clock.now();
        Self {
            store,
            clock,
            random,
            retention,
            halt: Arc::default(),
            started: now.wall,
            head: AuditHead::none(),
            pending: VecDeque::new(),
            rest: None,
            youngest: now.wall,
            feed: None,
            chores_at: now.ticks,
            chore: Chore::Settle,
            has_complained: false,
        }
    }

    fn run(mut self) {
        while !self.halt.pause(Duration::ZERO) {
            self.turn(SEAL_INTERVAL);
        }
        self.finish();
    }

    /// Finds the events that an earlier process left. A chain that cannot be parsed does not
    /// prevent the start; the check reports the fault. A store that does not respond prevents the
    /// start: the sealer must know where to search for events before this process writes events.
    pub(crate) fn begin(&mut self) -> Result<(), UpkeepError> {
        match self.try_catch_up() {
            Err(error @ UpkeepError::Record(_)) => self.complain(&error),
            outcome @ (Ok(()) | Err(UpkeepError::Read(_) | UpkeepError::Commit(_))) => outcome?,
        }
        self.settle();
        Ok(())
    }

    /// Collects events for `span` and seals them.
    pub(crate) fn turn(&mut self, span: Duration) {
        self.catch_up();
        if self.feed.is_some() {
            self.gather(span);
            self.seal();
            self.settle();
            self.do_chores();
        } else {
            self.halt.pause(span);
        }
    }

    /// Seals all events committed before the stop. The feed was stopped, so the store is searched.
    fn finish(&mut self) {
        loop {
            self.feed = None;
            self.catch_up();
            let is_readable = self.feed.is_some();
            if !is_readable || !self.seal() || self.rest.is_none() {
                break;
            }
        }
        self.log_head();
    }

    /// Searches the store if commits may have been missed.
    fn catch_up(&mut self) {
        if self.feed.is_some() {
            return;
        }
        if let Err(error) = self.try_catch_up() {
            self.complain(&error);
        }
    }

    pub(super) fn try_catch_up(&mut self) -> Result<(), UpkeepError> {
        self.head = AuditHead::read(&*self.store)?;
        let found = Unsealed::find(&*self.store, &self.head)?;
        (self.pending, self.rest) = (found.events, found.rest);
        self.adopt_cut()?;
        if self.head.floor > self.started {
            // The clock was set back by more than [`COMMIT_TIME_MAX`]. An empty seal records the
            // time from which the next process must search for events, in case this process ends
            // before its first other seal.
            self.seal_next()?;
        }
        self.halt.watch(found.feed.stopper());
        self.feed = Some(found.feed);
        Ok(())
    }

    /// Reads the feed, for a limited time.
    fn gather(&mut self, span: Duration) {
        let Some(mut feed) = self.feed.take() else { return };
        let begun = self.clock.now().ticks;
        loop {
            let passed = Duration::from_nanos(self.clock.now().ticks.saturating_sub(begun));
            let left = span.saturating_sub(passed);
            if left.is_zero() || self.pending.len() >= SEAL_EVENTS_MAX {
                break;
            }
            match feed.next(left) {
                Ok(Step::Commit(commit)) => self.take(&commit),
                Ok(Step::Progress(_)) | Err(FeedError::Unavailable(_)) => break,
                Err(FeedError::Compacted | FeedError::Stopped) => return,
            }
        }
        self.feed = Some(feed);
    }

    fn take(&mut self, commit: &Commit) {
        let is_seal = |write: &Write| matches!(write, Write::Put { key, .. } if key.starts_with(StoreKey::SEALS));
        if commit.writes.iter().any(is_seal) {
            // A commit with a seal contains only events that this seal covers.
            return;
        }
        for write in &commit.writes {
            if let Write::Put { key, .. } = write
                && key.starts_with(StoreKey::EVENTS)
                && let Ok(StoreKey::Event(id)) = StoreKey::parse(key)
            {
                self.youngest = self.youngest.max(id.moment());
                self.pending.push_back(id);
            }
        }
    }

    /// Seals all known events without a seal. After a failure the outcome is unknown, and the store
    /// is searched for the seal. Returns whether the seal was written.
    fn seal(&mut self) -> bool {
        while !self.pending.is_empty() {
            let outcome = self.seal_next();
            if !self.went_well(outcome) {
                return false;
            }
            self.has_complained = false;
        }
        if self.rest.is_some() {
            self.feed = None;
        }
        true
    }

    /// Writes one seal over the next events, or an empty seal.
    pub(super) fn seal_next(&mut self) -> Result<(), UpkeepError> {
        let mut rows = Vec::new();
        for id in self.pending.iter().take(SEAL_EVENTS_MAX) {
            let Some(row) = self.store.get(&StoreKey::Event(*id).to_bytes(), At::Latest)? else {
                tracing::error!(event = %id, "audit: an event was deleted before it was sealed");
                continue;
            };
            rows.push((*id, row));
        }
        let taken = SEAL_EVENTS_MAX.min(self.pending.len());
        let now = self.clock.now().wall;
        self.seal_over(&rows, &Sealing { now, taken }, Batch::new())?;
        self.pending.drain(..taken);
        Ok(())
    }

    /// Writes one seal over these events, with the other writes of the batch.
    pub(crate) fn seal_over(
        &mut self,
        rows: &[(EventId, Row)],
        sealing: &Sealing,
        batch: Batch,
    ) -> Result<(), UpkeepError> {
        let mut seal = SealRecord {
            number: self.head.number.saturating_add(1),
            version: SEAL_VERSION,
            at: sealing.now,
            floor: self.floor(sealing.taken),
            latest: self.head.latest,
            events: Vec::new(),
            previous: self.head.hash,
            hash: self.head.hash,
        };
        let mut hasher = SealHasher::new(seal.version, seal.number, seal.previous);
        for (id, row) in rows {
            seal.events.push(*id);
            seal.latest = seal.latest.max(id.moment());
            hasher.take(row);
        }
        seal.hash = hasher.finish(&seal);
        let place = StoreKey::Seal(seal.number);
        let batch = batch.absent(place.to_bytes());
        self.store.commit(batch.put(place.to_bytes(), encode(&place, &seal)?))?;
        self.head = AuditHead::of(&seal);
        Ok(())
    }

    /// Writes an event about the log itself, with the change that it describes and a seal over this
    /// event alone.
    pub(crate) fn seal_own(
        &mut self,
        event: &EventRecord,
        batch: Batch,
    ) -> Result<(), UpkeepError> {
        let place = StoreKey::Event(event.id);
        let (key, value) = (place.to_bytes(), encode(&place, event)?);
        let batch = batch.put(key.clone(), value.clone());
        let row = Row { key, value, revision: Revision::default() };
        let sealing = Sealing { now: event.at, taken: 0 };
        self.seal_over(&[(event.id, row)], &sealing, batch)
    }

    /// Returns the floor of the next seal, which covers `taken` of the waiting events: the earliest
    /// possible time of an event without a seal.
    ///
    /// The feed returns commits in order. An event that it has not returned yet is committed after
    /// the youngest returned event, and was created at most [`COMMIT_TIME_MAX`] before that event.
    fn floor(&self, taken: usize) -> Moment {
        let coming = self.youngest.before(COMMIT_TIME_MAX);
        let left = self.pending.iter().skip(taken).map(EventId::moment);
        left.chain(self.rest).fold(coming, Moment::min)
    }

    /// Returns whether the seal was written. After a failure the outcome is unknown, so the store
    /// is searched.
    pub(crate) fn went_well(&mut self, outcome: Result<(), UpkeepError>) -> bool {
        match outcome {
            Ok(()) => true,
            Err(error) => {
                self.complain(&error);
                self.pending.clear();
                self.feed = None;
                false
            },
        }
    }

    pub(crate) fn log_head(&self) {
        tracing::info!(number = self.head.number, hash = %self.head.hash, "audit head");
    }

    /// Logs that sealing fails, once until sealing succeeds again.
    fn complain(&mut self, error: &UpkeepError) {
        if !std::mem::replace(&mut self.has_complained, true) {
            let source = std::error::Error::source(error).map(ToString::to_string);
            tracing::error!(%error, source, "audit: could not seal events; retrying");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::audit::check::{CheckedLog, FaultKind, Terms, check_once};
    use crate::clock::ManualClock;
    use crate::records::event::tests::event;
    use crate::records::read_row;
    use keyhouse_storage::{
        FaultyStore, InjectedFault, MemoryStore, Range, StoreOperation, TestGate,
    };
    use proptest::prelude::*;

    /// The test clock does not advance, so each turn waits this long for the feed.
    const TURN: Duration = Duration::from_millis(1);
    const DAY: Duration = Duration::from_hours(24);

    fn random() -> StdRng {
        rand::SeedableRng::from_rng(&mut rand::rng())
    }

    /// A store with a clock and a sealer, which is replaced after each crash.
    struct Log {
        store: Arc<FaultyStore<MemoryStore>>,
        clock: Arc<ManualClock>,
        sealer: Sealer,
        committed: Vec<EventId>,
    }

    impl Log {
        fn new() -> Self {
            let store = Arc::new(FaultyStore::new(MemoryStore::new()));
            let clock = Arc::new(ManualClock::at("2027-01-31T12:00:00Z".parse().unwrap()));
            let sealer = started(&store, &clock);
            Self { store, clock, sealer, committed: Vec::new() }
        }

        /// Commits an event that was created `age` ago.
        fn commit(&mut self, age: Duration) {
            let at = self.clock.now().wall.before(age);
            let (id, place) = event_of(at);
            let batch = Batch::new().put(place.to_bytes(), encode(&place, &event(at)).unwrap());
            self.store.inner().commit(batch).unwrap();
            self.committed.push(id);
        }

        fn turn(&mut self) {
            self.clock.advance(SEAL_INTERVAL);
            self.sealer.turn(TURN);
        }

        /// Ends the process like a power cut, and starts a process whose clock is shifted.
        fn crash(&mut self, forward: Duration, back: Duration) {
            let now = self.clock.now().wall.after(forward).before(back);
            self.clock = Arc::new(ManualClock::at(now));
            self.sealer = started(&self.store, &self.clock);
        }

        fn check(&self) -> CheckedLog {
            self.check_with(None)
        }

        fn check_with(&self, head: Option<&AuditHead>) -> CheckedLog {
            let head = head.map(|head| head.hash);
            let (now, retention) = (self.clock.now().wall, self.sealer.retention);
            let terms = Terms { head, now, retention };
            check_once(self.store.inner(), terms, &|| None).unwrap().unwrap()
        }

        /// Advances the clock by days.
        fn days(&mut self, days: u32) {
            for _ in 0..days {
                self.clock.advance(DAY);
                self.turn();
            }
        }

        /// Starts another process with another retention.
        fn restart_keeping(&mut self, retention: &str) {
            let store = Arc::clone(&self.store) as Arc<dyn Store>;
            let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
            self.sealer = Sealer::new(store, clock, random(), retention.parse().unwrap());
            self.sealer.begin().unwrap();
        }

        /// Asserts that each event is under exactly one seal.
        fn assert_sealed(&self) {
            let checked = self.check();
            assert_eq!(checked.faults, [], "{checked:?}");
            let counted = (checked.events, checked.unsealed);
            assert_eq!(counted, (u64::try_from(self.committed.len()).unwrap(), 0));
        }

        fn seals(&self) -> Vec<SealRecord> {
            let page =
                self.store.inner().scan(&Range::prefix(StoreKey::SEALS), At::Latest).unwrap();
            page.rows.iter().map(|row| read_row(row).unwrap().record).collect()
        }
    }

    fn started(store: &Arc<FaultyStore<MemoryStore>>, clock: &Arc<ManualClock>) -> Sealer {
        loop {
            let store = Arc::clone(store) as Arc<dyn Store>;
            let clock = Arc::clone(clock) as Arc<dyn Clock>;
            let mut sealer = Sealer::new(store, clock, random(), Retention::default());
            // A process supervisor also restarts a service whose store does not respond.
            if sealer.begin().is_ok() {
                return sealer;
            }
        }
    }

    fn event_of(at: Moment) -> (EventId, StoreKey) {
        let id = EventId::new(at, &mut rand::rng());
        (id, StoreKey::Event(id))
    }

    #[test]
    fn a_second_has_one_seal_over_its_events_in_the_order_of_their_commits() {
        let mut log = Log::new();
        for age in [0, 3, 1, 2] {
            log.commit(Duration::from_secs(age));
        }
        log.turn();
        log.turn();
        log.commit(Duration::ZERO);
        log.turn();
        let seals = log.seals();
        let sealed: Vec<_> = seals.iter().map(|seal| seal.events.len()).collect();
        assert_eq!(sealed, [4, 1], "nothing new, no seal");
        let order: Vec<_> = seals.iter().flat_map(|seal| seal.events.clone()).collect();
        assert_eq!(order, log.committed);
        log.assert_sealed();
    }

    #[test]
    fn events_beyond_a_seals_maximum_are_under_the_next_seal() {
        let mut log = Log::new();
        for _ in 0..=2 * SEAL_EVENTS_MAX {
            log.commit(Duration::ZERO);
        }
        log.turn();
        log.turn();
        log.turn();
        assert_eq!(log.seals().len(), 3);
        log.assert_sealed();
    }

    #[test]
    fn unsealed_events_are_sealed_after_a_restart() {
        let mut log = Log::new();
        log.commit(Duration::ZERO);
        log.turn();
        // The second event was created before the stored seal, and committed after the seal.
        log.commit(Duration::ZERO);
        log.commit(COMMIT_TIME_MAX.saturating_sub(Duration::from_secs(2)));
        log.crash(DAY, Duration::ZERO);
        log.turn();
        log.assert_sealed();
        let sealed: Vec<_> = log.seals().into_iter().flat_map(|seal| seal.events).collect();
        assert_eq!(sealed, log.committed, "in the order of their commits");
    }

    /// If a seal covers only some of the late events, the next process must still search for the
    /// other late events.
    #[test]
    fn recovery_that_is_cut_short_goes_on_where_it_was() {
        let mut log = Log::new();
        for _ in 0..2 * SEAL_EVENTS_MAX {
            log.commit(Duration::ZERO);
        }
        log.crash(DAY, Duration::ZERO);
        log.sealer.seal_next().unwrap();
        log.crash(DAY, Duration::ZERO);
        log.turn();
        log.assert_sealed();
    }

    /// The clock was set back with `--accept-clock`, the process ended before its first seal, and
    /// the next process had the correct clock. The next process must find the event of the process
    /// with the wrong clock.
    #[test]
    fn an_event_of_a_clock_far_behind_is_found_by_a_process_with_the_right_one() {
        let mut log = Log::new();
        log.commit(Duration::ZERO);
        log.turn();
        log.crash(Duration::ZERO, 700 * DAY);
        log.commit(Duration::ZERO);
        log.crash(701 * DAY, Duration::ZERO);
        log.turn();
        log.assert_sealed();
    }

    #[test]
    fn whatever_the_store_answers_every_event_is_sealed_once() {
        for fault in [
            InjectedFault::Unavailable,
            InjectedFault::Full,
            InjectedFault::Conflict,
            InjectedFault::UnknownApplied,
            InjectedFault::UnknownDropped,
        ] {
            let mut log = Log::new();
            log.commit(Duration::ZERO);
            log.store.inject(StoreOperation::Submit, 1, fault.clone());
            log.turn();
            log.commit(Duration::ZERO);
            log.store.inject(StoreOperation::Scan, 2, InjectedFault::Unavailable);
            log.turn();
            log.store.reopen();
            log.commit(Duration::ZERO);
            log.turn();
            log.turn();
            log.assert_sealed();
        }
    }

    #[test]
    fn events_committed_during_the_scan_are_sealed_once() {
        let mut log = Log::new();
        let (store, clock) = (Arc::clone(&log.store), Arc::clone(&log.clock));
        let mut sealer = Sealer::new(store, clock, random(), Retention::default());
        // The third scan reads the events. The feed starts before this scan.
        let gate = TestGate::new();
        log.store.inject(StoreOperation::Scan, 3, InjectedFault::Wait(gate.clone()));
        std::thread::scope(|threads| {
            threads.spawn(|| sealer.catch_up());
            assert!(gate.wait_for_arrivals(1, Duration::from_secs(20)));
            log.commit(Duration::ZERO);
            gate.open();
        });
        log.sealer = sealer;
        log.turn();
        log.assert_sealed();
    }

    #[test]
    fn the_thread_seals_what_is_there_when_it_is_stopped() {
        let mut log = Log::new();
        let (store, clock) = (Arc::clone(&log.store), Arc::clone(&log.clock));
        let writer = start(store, clock, random(), Retention::default()).unwrap();
        for _ in 0..10 {
            log.commit(Duration::ZERO);
        }
        writer.stop();
        log.assert_sealed();
    }

    #[test]
    fn old_events_are_cut_whole_seals_at_a_time_and_the_rest_is_still_proved() {
        let mut log = Log::new();
        let mut heads = Vec::new();
        for _ in 0..3 {
            for _ in 0..SEAL_EVENTS_MAX + 7 {
                log.commit(Duration::ZERO);
            }
            log.turn();
            log.turn();
            heads.push(log.sealer.head.clone());
            log.days(100);
        }
        log.assert_sealed();
        // The first third of the events is 400 days old first, then the second, then the last.
        let is_known = |log: &Log, head: &AuditHead| log.check_with(Some(head)).faults.is_empty();
        for (days, thirds) in [(102, 2), (100, 1), (100, 0)] {
            log.days(days);
            let checked = log.check();
            assert_eq!(checked.faults, [], "{checked:?}");
            let key = |id: &EventId| StoreKey::Event(*id).to_bytes();
            let is_there =
                |id: &&EventId| log.store.inner().get(&key(id), At::Latest).unwrap().is_some();
            let left = log.committed.iter().filter(is_there).count();
            assert_eq!(left, thirds * (SEAL_EVENTS_MAX + 7));
            assert!(!is_known(&log, &heads[0]), "it is older than what is kept");
            assert_eq!(is_known(&log, &heads[1]), thirds == 2);
            assert!(is_known(&log, &log.sealer.head));
        }
        log.commit(Duration::ZERO);
        log.crash(DAY, Duration::ZERO);
        log.turn();
        assert_eq!(log.check().faults, []);
        assert!(log.sealer.head.number > heads[2].number, "it goes on behind the cut");
    }

    #[test]
    fn an_event_is_kept_to_its_last_day_and_hardly_longer() {
        let mut log = Log::new();
        log.commit(Duration::ZERO);
        log.turn();
        let event = StoreKey::Event(log.committed[0]).to_bytes();
        let is_there = |log: &Log| log.store.inner().get(&event, At::Latest).unwrap().is_some();
        // Without changes the log has one seal a day.
        for _ in 0..400 {
            log.clock.advance(DAY.saturating_sub(Duration::from_secs(2)));
            log.turn();
            assert!(is_there(&log));
        }
        for _ in 0..2 {
            log.clock.advance(DAY + Duration::from_hours(1));
            log.turn();
        }
        assert!(!is_there(&log));
        let checked = log.check();
        assert_eq!(checked.faults, [], "{checked:?}");
        assert_eq!(checked.cut.and_then(|cut| cut.retention), Some(Retention::default()));
    }

    #[test]
    fn a_changed_retention_is_an_event_and_honest_cuts_stay_good() {
        let mut log = Log::new();
        let is_whole = |log: &Log| {
            let checked = log.check();
            assert_eq!(checked.faults, [], "{checked:?}");
            checked.cut.and_then(|cut| cut.retention)
        };
        log.commit(Duration::ZERO);
        log.days(60);
        assert_eq!(is_whole(&log), None, "nothing is 400 days old");
        log.restart_keeping("30d");
        log.turn();
        assert_eq!(is_whole(&log).unwrap().to_string(), "30d");
        // After the retention is raised, the cut under the shorter retention stays valid, before
        // and after the next cut.
        log.restart_keeping("60d");
        log.turn();
        assert_eq!(is_whole(&log).unwrap().to_string(), "30d");
        log.days(40);
        assert_eq!(is_whole(&log).unwrap().to_string(), "60d");
        log.restart_keeping("40d");
        assert_eq!(is_whole(&log).unwrap().to_string(), "60d");
        let page = log.store.inner().scan(&Range::prefix(StoreKey::EVENTS), At::Latest).unwrap();
        let changes = page.rows.iter().filter_map(|row| {
            let event = read_row::<EventRecord>(row).unwrap().record;
            let fields = (event.before.get("retention"), event.after.get("retention"));
            let text = |field: Option<&serde_json::Value>| field?.as_str().map(str::to_owned);
            (&*event.action == "audit.retention").then(|| (text(fields.0), text(fields.1)))
        });
        let changes: Vec<_> = changes.collect();
        let change = |from: &str, to: &str| (Some(from.to_owned()), Some(to.to_owned()));
        assert_eq!(
            changes,
            [("400d", "30d"), ("30d", "60d"), ("60d", "40d")].map(|(a, b)| change(a, b))
        );
    }

    /// A cut of events younger than the retention is a fault if the log holds no change of the
    /// retention.
    #[test]
    fn a_cut_under_a_retention_that_was_never_set_is_found() {
        let mut log = Log::new();
        log.commit(Duration::ZERO);
        log.days(60);
        // An attacker's own program cuts by the rules and hides the change of the retention.
        let head = log.sealer.head.clone();
        log.sealer.retention = "30d".parse().unwrap();
        assert!(log.sealer.cut_next().unwrap());
        log.sealer.retention = Retention::default();
        for head in [None, Some(&head)] {
            let faults: Vec<_> =
                log.check_with(head).faults.iter().map(|fault| fault.kind).collect();
            assert_eq!(faults, [FaultKind::CutTooEarly]);
        }
    }

    #[derive(Clone, Debug)]
    enum Happens {
        Commit(u64),
        Turn,
        Wait(u64),
        Crash(u64, u64),
        Fail(usize, InjectedFault),
        Reopen,
    }

    fn happens() -> impl Strategy<Value = Happens> {
        let fault = prop_oneof![
            Just(InjectedFault::Unavailable),
            Just(InjectedFault::UnknownApplied),
            Just(InjectedFault::UnknownDropped),
        ];
        prop_oneof![
            6 => (0..500_u64).prop_map(Happens::Commit),
            4 => Just(Happens::Turn),
            2 => (0..5_000_u64).prop_map(Happens::Wait),
            2 => (0..200_000_u64, 0..200_000_u64).prop_map(|(forward, back)| {
                Happens::Crash(forward, back)
            }),
            2 => (1..4_usize, fault).prop_map(|(nth, fault)| Happens::Fail(nth, fault)),
            1 => Just(Happens::Reopen),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_happens_every_event_is_sealed_once(
            history in prop::collection::vec(happens(), 1..60),
        ) {
            let mut log = Log::new();
            for audit_entry in history {
                match audit_entry {
                    // The process created the event, so the event is not older than the process.
                    Happens::Commit(age) => {
                        let lived = log.clock.now().wall.since(log.sealer.started);
                        log.commit(Duration::from_secs(age).min(lived));
                    },
                    Happens::Turn => log.turn(),
                    Happens::Wait(seconds) => log.clock.advance(Duration::from_secs(seconds)),
                    Happens::Crash(forward, back) => {
                        log.crash(Duration::from_secs(forward), Duration::from_secs(back));
                    },
                    Happens::Fail(nth, fault) => log.store.inject(StoreOperation::Submit, nth, fault),
                    Happens::Reopen => log.store.reopen(),
                }
            }
            log.store.heal();
            log.turn();
            log.turn();
            log.assert_sealed();
        }
    }
}
