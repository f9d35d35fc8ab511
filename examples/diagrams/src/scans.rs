//! Scans of accounts: each on a thread of its own, at most one of the same account and region at a time.
//!
//! A result is kept for a short time, so that several pictures of one moment agree. A scan that finds no thread waits:
//! the next one is of the organization with the fewest scans in work, so that the slow scans of one organization delay
//! those of the others by a bounded time only. Results are removed when the next snapshot is requested.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::Notify;

use crate::application::Sources;
use crate::inventory::Inventory;
use crate::store::records::CloudPlace;

/// The most scans at once. One organization has at most half of them.
const RUNNING_MAX: usize = 8;
/// The most scans that wait for a thread. One organization has at most half of them.
const WAITING_MAX: usize = 64;
/// The time for which a result is kept.
const RESULT_MS: i64 = 60_000;
/// The time for which an error is kept, so that clients that retry at once do not scan again.
const FAILURE_MS: i64 = 5_000;
/// The most results that are kept. One organization has at most half of them.
const RESULTS_MAX: usize = 64;
/// The most bytes of the kept results, as JSON. One organization has at most half of them, and so has one result.
const RESULTS_BYTES_MAX: usize = 64 << 20;
/// Longer errors are cut.
const ERROR_CHARS_MAX: usize = 500;

/// What a scan depends on. A change of the account is another key, so that no result of the account before the change
/// is given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ScanKey {
    pub(crate) organization: String,
    pub(crate) account: String,
    pub(crate) changed_at_ms: i64,
    pub(crate) region: String,
}

/// Why a scan has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ScanFailure {
    /// The cloud did not answer, or refused. The text is for the caller.
    Cloud(String),
    /// The service failed unexpectedly.
    Unexpected,
}

pub(crate) type Outcome = Result<Arc<Inventory>, ScanFailure>;

/// One scan, which waits, runs or has ended.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    outcome: Mutex<Option<Outcome>>,
    ended: Condvar,
    signal: Notify,
}

/// No scan may be added: the organization, or all together, have the maximum number of waiting ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManyScans;

/// All scans of the service.
pub(crate) struct Scans {
    table: Mutex<Table>,
    sources: Arc<Sources>,
}

#[derive(Default)]
struct Table {
    /// The scans that wait, run, or whose results are kept.
    scans: BTreeMap<ScanKey, Entry>,
    waiting: VecDeque<Job>,
    /// The number of scans in work of each organization that has some.
    running: BTreeMap<String, usize>,
}

struct Entry {
    scan: Arc<Scan>,
    /// `None` until the scan has ended.
    kept: Option<Kept>,
}

#[derive(Debug, Clone, Copy)]
struct Kept {
    from_ms: i64,
    until_ms: i64,
    bytes: usize,
}

/// What a thread needs for a scan.
struct Job {
    key: ScanKey,
    scan: Arc<Scan>,
    place: CloudPlace,
    secret: Option<String>,
}

impl Scan {
    /// The result, once the scan has ended.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the scan has ended.
    pub(crate) async fn ended(&self) {
        // A signal after this line is not missed.
        let signal = self.signal.notified();
        if self.outcome().is_none() {
            signal.await;
        }
    }

    /// Blocks until the scan has ended, for at most this time.
    pub(crate) fn block(&self, at_most: Duration) {
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.ended.wait_timeout_while(outcome, at_most, |it| it.is_none());
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn end(&self, outcome: Outcome) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        self.ended.notify_all();
        self.signal.notify_waiters();
    }
}

impl Scans {
    pub(crate) fn of(sources: Arc<Sources>) -> Arc<Self> {
        Arc::new(Self { table: Mutex::default(), sources })
    }

    /// The scan of `key`: the one in work, one whose result is kept, or else a new one.
    pub(crate) fn scan(
        self: &Arc<Self>,
        key: &ScanKey,
        place: CloudPlace,
        secret: Option<String>,
    ) -> Result<Arc<Scan>, TooManyScans> {
        let now_ms = (self.sources.now_ms)();
        let mut table = self.table();
        table.forget(now_ms);
        let known = table.scans.get(key).map(|entry| Arc::clone(&entry.scan));
        let scan = match known {
            Some(scan) => scan,
            None => table.add(key, place, secret)?,
        };
        // A scan that could not be started earlier is started now.
        let next: Vec<Job> = std::iter::from_fn(|| table.next()).collect();
        drop(table);
        for job in next {
            self.start(job);
        }
        Ok(scan)
    }

    /// Starts a thread. It ends when no scan waits for it.
    fn start(self: &Arc<Self>, job: Job) {
        let (key, scan) = (job.key.clone(), Arc::clone(&job.scan));
        let scans = Arc::clone(self);
        let work = move || {
            let mut next = Some(job);
            while let Some(job) = next {
                let outcome = scans.outcome(&job);
                next = scans.end(&job.key, &job.scan, outcome);
            }
        };
        if let Err(error) = thread::Builder::new().name("scan".to_owned()).spawn(work) {
            tracing::error!(%error, "could not start a thread for a scan");
            // A scan that waits is started with the next request.
            let next = self.end(&key, &scan, Err(ScanFailure::Unexpected));
            if let Some(job) = next {
                self.table().put_back(job);
            }
        }
    }

    fn outcome(&self, job: &Job) -> Outcome {
        let Job { key, place, secret, .. } = job;
        let scanned = catch_unwind(AssertUnwindSafe(|| {
            (self.sources.scanner)(place, secret.as_deref(), &key.region)
        }));
        match scanned {
            Ok(Ok(inventory)) => Ok(Arc::new(inventory)),
            Ok(Err(error)) => {
                tracing::info!(
                    organization = key.organization,
                    account = key.account,
                    "a scan failed"
                );
                Err(ScanFailure::Cloud(error.chars().take(ERROR_CHARS_MAX).collect()))
            },
            Err(_panic) => {
                tracing::error!("a scan failed unexpectedly");
                Err(ScanFailure::Unexpected)
            },
        }
    }

    /// Keeps a result, then gives it to the requests that wait. Returns the next scan of the thread.
    fn end(&self, key: &ScanKey, scan: &Scan, outcome: Outcome) -> Option<Job> {
        let (outcome, bytes) = bounded(outcome);
        let from_ms = (self.sources.now_ms)();
        let life_ms = if outcome.is_ok() { RESULT_MS } else { FAILURE_MS };
        let mut table = self.table();
        if let Some(entry) = table.scans.get_mut(key) {
            entry.kept = Some(Kept { from_ms, until_ms: from_ms.saturating_add(life_ms), bytes });
        }
        table.free(&key.organization);
        table.make_room(key);
        let next = table.next();
        drop(table);
        // A caller that has the result finds the table without the scan in work.
        scan.end(outcome);
        next
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Takes the scan that runs next, if one may run now.
    fn next(&mut self) -> Option<Job> {
        if self.running.values().sum::<usize>() >= RUNNING_MAX {
            return None;
        }
        let count =
            |job: &Job| self.running.get(&job.key.organization).copied().unwrap_or_default();
        let waiting = self.waiting.iter().enumerate();
        let may_run =
            waiting.map(|(at, job)| (count(job), at)).filter(|(count, _)| *count < RUNNING_MAX / 2);
        let (_, at) = may_run.min()?;
        let job = self.waiting.remove(at)?;
        *self.running.entry(job.key.organization.clone()).or_default() += 1;
        Some(job)
    }

    /// Adds a scan that waits.
    fn add(
        &mut self,
        key: &ScanKey,
        place: CloudPlace,
        secret: Option<String>,
    ) -> Result<Arc<Scan>, TooManyScans> {
        let of_organization =
            self.waiting.iter().filter(|job| job.key.organization == key.organization);
        if of_organization.count() >= WAITING_MAX / 2 || self.waiting.len() >= WAITING_MAX {
            return Err(TooManyScans);
        }
        let scan = Arc::new(Scan::default());
        self.scans.insert(key.clone(), Entry { scan: Arc::clone(&scan), kept: None });
        let job = Job { key: key.clone(), scan: Arc::clone(&scan), place, secret };
        self.waiting.push_back(job);
        Ok(scan)
    }

    fn put_back(&mut self, job: Job) {
        self.free(&job.key.organization);
        self.waiting.push_front(job);
    }

    fn free(&mut self, organization: &str) {
        let left = self.running.get(organization).copied().unwrap_or_default().saturating_sub(1);
        if left == 0 {
            self.running.remove(organization);
        } else {
            self.running.insert(organization.to_owned(), left);
        }
    }

    /// Removes results whose time has passed. If the clock was set back, that time is not known.
    fn forget(&mut self, now_ms: i64) {
        let is_valid = |kept: Kept| (kept.from_ms..kept.until_ms).contains(&now_ms);
        self.scans.retain(|_, entry| entry.kept.is_none_or(is_valid));
    }

    /// Removes the oldest results until the others are within the maxima. The result of `newest` stays.
    fn make_room(&mut self, newest: &ScanKey) {
        let bounds = [
            (Some(newest.organization.as_str()), RESULTS_MAX / 2, RESULTS_BYTES_MAX / 2),
            (None, RESULTS_MAX, RESULTS_BYTES_MAX),
        ];
        for (organization, count_max, bytes_max) in bounds {
            let mut kept: Vec<(i64, ScanKey, usize)> = self
                .scans
                .iter()
                .filter(|(key, _)| organization.is_none_or(|its| key.organization == its))
                .filter_map(|(key, entry)| Some((entry.kept?, key)))
                .map(|(kept, key)| (kept.from_ms, key.clone(), kept.bytes))
                .collect();
            kept.sort_unstable();
            let (mut count, mut bytes) = (kept.len(), kept.iter().map(|it| it.2).sum::<usize>());
            for (_, key, its_bytes) in kept.into_iter().filter(|(_, key, _)| key != newest) {
                if count <= count_max && bytes <= bytes_max {
                    break;
                }
                self.scans.remove(&key);
                count -= 1;
                bytes -= its_bytes;
            }
        }
    }
}

/// The outcome and its bytes as JSON. An inventory that is too large is a failure.
fn bounded(outcome: Outcome) -> (Outcome, usize) {
    let Ok(inventory) = outcome else { return (outcome, 0) };
    let mut counter = Counter(0);
    match serde_json::to_writer(&mut counter, &*inventory) {
        Ok(()) if counter.0 <= RESULTS_BYTES_MAX / 2 => (Ok(inventory), counter.0),
        Ok(()) => {
            let detail = format!(
                "the account has more than {} MiB of resources in this region, which is the maximum of a snapshot",
                (RESULTS_BYTES_MAX / 2) >> 20
            );
            (Err(ScanFailure::Cloud(detail)), 0)
        },
        Err(error) => {
            tracing::error!(%error, "an inventory is not JSON");
            (Err(ScanFailure::Unexpected), 0)
        },
    }
}

/// Counts bytes that are written.
struct Counter(usize);

impl std::io::Write for Counter {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.saturating_add(buf.len());
        Ok(buf.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::sync::mpsc::{Receiver, Sender, channel};

    use uuid::Uuid;

    use super::*;
    use crate::inventory::Resource;

    /// Time for a scan that ends at once.
    const LONG: Duration = Duration::from_mins(1);

    /// Scans that report the region that they read, and end when the test releases them.
    struct Held {
        scans: Arc<Scans>,
        now_ms: Arc<AtomicI64>,
        started: Receiver<String>,
        release: Sender<()>,
    }

    fn held() -> Held {
        let now_ms = Arc::new(AtomicI64::new(0));
        let ((start, started), (release, released)) = (channel(), channel());
        let (start, released) = (Mutex::new(start), Mutex::new(released));
        let clock = Arc::clone(&now_ms);
        let sources = Sources {
            now_ms: Box::new(move || clock.load(Ordering::Relaxed)),
            id: Box::new(Uuid::new_v4),
            scanner: Box::new(move |_, _, region| {
                start.lock().unwrap().send(region.to_owned()).unwrap();
                // The test may have ended.
                let _released = released.lock().unwrap().recv();
                Ok(Inventory::default())
            }),
        };
        Held { scans: Scans::of(Arc::new(sources)), now_ms, started, release }
    }

    /// Scans whose inventories have this many bytes in one text.
    fn sized(bytes: usize) -> Arc<Scans> {
        let sources = Sources {
            now_ms: Box::new(|| 0),
            id: Box::new(Uuid::new_v4),
            scanner: Box::new(move |_, _, _| {
                let resource = Resource { name: "x".repeat(bytes), ..Resource::default() };
                Ok(Inventory { resources: vec![resource], ..Inventory::default() })
            }),
        };
        Scans::of(Arc::new(sources))
    }

    fn key(organization: &str, region: &str) -> ScanKey {
        ScanKey {
            organization: organization.to_owned(),
            account: "account".to_owned(),
            changed_at_ms: 0,
            region: region.to_owned(),
        }
    }

    fn scan(
        scans: &Arc<Scans>,
        organization: &str,
        region: &str,
    ) -> Result<Arc<Scan>, TooManyScans> {
        let place = CloudPlace::Aws { role_arn: String::new(), external_id: String::new() };
        scans.scan(&key(organization, region), place, None)
    }

    #[test]
    fn the_next_scan_is_of_the_organization_with_the_fewest() {
        let held = held();
        for organization in ["org_1", "org_2", "org_3"] {
            for number in 0..6 {
                let _scan =
                    scan(&held.scans, organization, &format!("{organization}-{number}")).unwrap();
            }
        }
        let start = |count: usize| -> Vec<String> {
            (0..count).map(|_| held.started.recv().unwrap()).collect()
        };
        // Half of the threads for each of the first two.
        let first: BTreeSet<String> = start(RUNNING_MAX).into_iter().collect();
        let expected =
            ["org_1", "org_2"].map(|it| (0..4).map(move |number| format!("{it}-{number}")));
        assert_eq!(first, expected.into_iter().flatten().collect());
        for expected in ["org_3-0", "org_3-1"] {
            held.release.send(()).unwrap();
            assert_eq!(start(1), [expected]);
        }
    }

    #[test]
    fn a_scan_of_the_same_account_and_region_is_shared() {
        let held = held();
        let one = scan(&held.scans, "org_1", "a").unwrap();
        assert!(Arc::ptr_eq(&one, &scan(&held.scans, "org_1", "a").unwrap()));
        assert!(!Arc::ptr_eq(&one, &scan(&held.scans, "org_2", "a").unwrap()));
        assert_eq!(one.outcome(), None);
        for _ in 0..2 {
            held.started.recv().unwrap();
            held.release.send(()).unwrap();
        }
        one.block(LONG);
        assert_eq!(one.outcome(), Some(Ok(Arc::new(Inventory::default()))));
    }

    #[test]
    fn waiting_scans_are_bounded_for_each_organization_and_all() {
        let held = held();
        let add = |organization: &str, count: usize| {
            (0..count).all(|at| scan(&held.scans, organization, &format!("r{at}")).is_ok())
        };
        let each = RUNNING_MAX / 2 + WAITING_MAX / 2;
        assert!(add("org_1", each) && add("org_2", each));
        assert_eq!(scan(&held.scans, "org_1", "more").unwrap_err(), TooManyScans);
        assert_eq!(scan(&held.scans, "org_3", "more").unwrap_err(), TooManyScans);
        assert!(scan(&held.scans, "org_1", "r0").is_ok(), "one that waits or runs is not new");
    }

    #[test]
    fn results_are_bounded_and_the_oldest_go_first() {
        let ended = |scans: &Arc<Scans>, organization: &str, region: &str| {
            let scan = scan(scans, organization, region).unwrap();
            scan.block(LONG);
            scan.outcome().unwrap().is_ok()
        };
        let kept = |scans: &Arc<Scans>| -> Vec<String> {
            scans
                .table()
                .scans
                .keys()
                .map(|key| format!("{} {}", key.organization, key.region))
                .collect()
        };
        let scans = sized(RESULTS_BYTES_MAX / 5);
        for region in ["a", "b", "c"] {
            assert!(ended(&scans, "org_1", region));
        }
        assert_eq!(kept(&scans), ["org_1 b", "org_1 c"]);
        for organization in ["org_2", "org_2", "org_3"] {
            assert!(ended(&scans, organization, "a"));
        }
        assert_eq!(kept(&scans), ["org_1 b", "org_1 c", "org_2 a", "org_3 a"]);
        assert!(ended(&scans, "org_4", "a"));
        assert_eq!(kept(&scans), ["org_1 c", "org_2 a", "org_3 a", "org_4 a"]);
        let scans = sized(0);
        for number in 0..40 {
            assert!(ended(&scans, "org_1", &format!("r{number:02}")));
        }
        assert_eq!(kept(&scans).len(), RESULTS_MAX / 2);
        assert!(!ended(&sized(RESULTS_BYTES_MAX / 2), "org_1", "a"), "the result is too large");
    }

    #[test]
    fn a_result_is_forgotten_after_its_time_or_if_the_clock_goes_back() {
        for (later_ms, is_kept) in [(RESULT_MS - 1, true), (RESULT_MS, false), (-1, false)] {
            let held = held();
            let one = scan(&held.scans, "org_1", "a").unwrap();
            held.started.recv().unwrap();
            held.release.send(()).unwrap();
            one.block(LONG);
            held.now_ms.store(later_ms, Ordering::Relaxed);
            let again = scan(&held.scans, "org_1", "a").unwrap();
            assert_eq!(Arc::ptr_eq(&one, &again), is_kept, "{later_ms}");
        }
    }
}
