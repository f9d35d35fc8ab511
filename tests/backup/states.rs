//! Each of many backups under changes has exactly the rows of its revision, and restores into an
//! instance whose audit log is intact.
//!
//! The expected rows come from the feed of the store, which the backup does not use.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use keyhouse::actions::actor::Actor;
use keyhouse::backup::{BackupReader, BackupStream, Recipients, restore_into};
use keyhouse::clock::{Clock as _, SystemClock};
use keyhouse::http::{App, HttpSettings};
use keyhouse::inspection::{SeedKeysFound, Surroundings, inspect};
use keyhouse::instance::{Instance, InstanceParameters, complete_restore, system_random};
use keyhouse::model::public_url::Links;
use keyhouse::model::retention::Retention;
use keyhouse::model::secret::Secret;
use keyhouse_storage::{
    At, Commit, Feed, FeedError, MemoryStore, Range, Revision, Step, Store, Write,
};
use keyhouse_storage_redb::{RedbSettings, RedbStore};
use rouille::Request;
use serde_json::{Value, json};

use crate::report;
use crate::server::is_long;

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// Threads that change keys, as callers of the API.
const WRITERS: usize = 4;
/// The kinds of rows that a restore leaves out.
const LEFT_OUT: [&[u8]; 5] = [b"invitation/", b"reset/", b"session/", b"sessions/", b"setup"];

/// The number of backups, and the changes in a second that all writers together make at most.
fn amounts() -> (usize, u32) {
    if is_long() { (50, 500) } else { (5, 200) }
}

#[test]
fn every_backup_under_changes_equals_the_state_of_its_revision() {
    let (backups, rate) = amounts();
    let directory = tempfile::tempdir().unwrap();
    let settings = RedbSettings::new(directory.path().join("store"));
    let store: Arc<dyn Store> = Arc::new(RedbStore::open(&settings).unwrap());
    let feed = store.follow(Revision::ZERO).unwrap();
    let mut mirror = Mirror::follow(feed);
    let instance = Instance::assemble(
        Arc::clone(&store),
        Arc::new(SystemClock::start()),
        system_random().unwrap(),
        InstanceParameters::default(),
    );
    let instance = instance.unwrap();
    let app = Arc::new(application(&instance));
    found(&instance);
    let writers = Writers::start(&app, rate);
    // The first backup has some keys already.
    writers.wait_for(u64::from(rate));
    let begun = Instant::now();
    for number in 0..backups {
        let before = writers.changes();
        let clock = SystemClock::start();
        let stream =
            BackupStream::begin(Arc::clone(&store), clock.now().wall, &Recipients::default());
        let mut stream = stream.unwrap();
        let revision = Revision(stream.header().revision);
        let mut file = Vec::new();
        // Some of the file is read while no change is possible, and the rest after many more.
        stream.by_ref().take(100).read_to_end(&mut file).unwrap();
        writers.wait_for(before + u64::from(rate) / 10);
        stream.read_to_end(&mut file).unwrap();
        let expected = mirror.at(revision);
        check(&file, expected, &format!("backup {number} of revision {revision}"));
    }
    let (took, changes) = (begun.elapsed(), writers.stop());
    let rate = f64::from(u32::try_from(changes).unwrap()) / took.as_secs_f64();
    report(&format!("{backups} backups in {took:?} under {rate:.0} changes/s, {changes} in all"));
    drop(app);
    instance.stop();
    store.close().unwrap();
}

/// The file has the expected rows, restores, and its log is intact.
fn check(file: &[u8], expected: &Rows, name: &str) {
    let mut reader = BackupReader::open(file, None).unwrap();
    let mut rows = Rows::new();
    while let Some(more) = reader.next_rows().unwrap() {
        rows.extend(more);
    }
    let summary = reader.finish().unwrap();
    assert_eq!(summary.rows, u64::try_from(rows.len()).unwrap(), "{name}");
    assert_same(&rows, expected, name);

    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let restored = restore_into(BackupReader::open(file, None).unwrap(), &*store).unwrap();
    let kept: Rows = expected
        .iter()
        .filter(|(key, _)| !LEFT_OUT.iter().any(|kind| key.starts_with(kind)))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let found = store.rows(&Range::prefix(b""), At::Latest).map(|row| row.unwrap());
    assert_same(&found.map(|row| (row.key, row.value)).collect(), &kept, name);
    let parameters = InstanceParameters { interval_writes: false, ..InstanceParameters::default() };
    complete_restore(Arc::clone(&store), &restored, &parameters).unwrap();
    let clock = Arc::new(SystemClock::start());
    let instance =
        Instance::assemble(Arc::clone(&store), clock, system_random().unwrap(), parameters);
    let instance = instance.unwrap();
    let surroundings = Surroundings {
        now: SystemClock::start().now().wall,
        retention: Retention::default(),
        seed_keys: SeedKeysFound::NotChecked,
    };
    let report = inspect(&store, surroundings).unwrap();
    assert!(report.is_clean(), "{name}: {report:?}");
    let actions = instance.actions();
    let organization = actions.index().first_organization().unwrap();
    let head = Some(summary.header.audit.hash).filter(|_head| summary.header.audit.number > 0);
    let log = actions.check_audit(&Actor::local(organization), head).unwrap();
    assert!(log.faults.is_empty() && log.unsealed == 0, "{name}: {log:?}");
    instance.stop();
}

fn assert_same(found: &Rows, expected: &Rows, name: &str) {
    let differs = |(key, value): (&Vec<u8>, &Vec<u8>), other: &Rows| {
        (other.get(key) != Some(value)).then(|| key.escape_ascii().to_string())
    };
    let more: Vec<_> = found.iter().filter_map(|row| differs(row, expected)).take(3).collect();
    let less: Vec<_> = expected.iter().filter_map(|row| differs(row, found)).take(3).collect();
    assert!(more.is_empty() && less.is_empty(), "{name}: found {more:?}, expected {less:?}");
}

fn application(instance: &Instance) -> App {
    let settings = HttpSettings {
        links: Links::default(),
        public_url: "http://localhost".parse().unwrap(),
        trusted_proxies: Vec::new().into(),
    };
    let off = keyhouse::model::pace::Pace::OFF;
    App::new(Arc::clone(instance.actions()), settings, 1).paced_by(off.clone(), off)
}

fn found(instance: &Instance) {
    let owner = keyhouse::actions::signing_in::setup::FirstOwner {
        name: None,
        email: "ada@example.com".to_owned(),
        password: Secret::new("correct horse battery".to_owned()),
    };
    instance.actions().found(&owner, None, None).unwrap();
}

/// The rows of the store at any later revision, from its feed.
struct Mirror {
    commits: std::sync::mpsc::Receiver<Commit>,
    rows: Rows,
    revision: Revision,
    next: Option<Commit>,
}

impl Mirror {
    fn follow(mut feed: Box<dyn Feed>) -> Self {
        let (sender, commits) = std::sync::mpsc::channel();
        let drain = move || {
            loop {
                let sent = match feed.next(Duration::from_secs(1)) {
                    Ok(Step::Commit(commit)) => sender.send(commit).is_ok(),
                    Ok(Step::Progress(_)) => true,
                    Err(FeedError::Stopped) => false,
                    Err(error) => panic!("{error}"),
                };
                if !sent {
                    return;
                }
            }
        };
        thread::Builder::new().name("mirror".to_owned()).spawn(drain).unwrap();
        Self { commits, rows: Rows::new(), revision: Revision::ZERO, next: None }
    }

    /// The rows at a revision, which must not be earlier than that of the last call.
    fn at(&mut self, revision: Revision) -> &Rows {
        while self.revision < revision {
            let commit = self.next.take().unwrap_or_else(|| self.commits.recv().unwrap());
            assert_eq!(commit.revision, self.revision.next());
            self.revision = commit.revision;
            for write in commit.writes {
                match write {
                    Write::Put { key, value } => drop(self.rows.insert(key, value)),
                    Write::Delete { key } => drop(self.rows.remove(&key)),
                }
            }
        }
        assert_eq!(self.revision, revision);
        &self.rows
    }
}

/// Threads that create, rename and revoke keys until they are stopped.
struct Writers {
    changes: Arc<AtomicU64>,
    ends: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Writers {
    fn start(app: &Arc<App>, rate: u32) -> Self {
        let (changes, ends) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let begun = Instant::now();
        let spawn = |writer: usize| {
            let (app, changes, ends) = (Arc::clone(app), Arc::clone(&changes), Arc::clone(&ends));
            let run = move || {
                let (mut number, mut id) = (0_u64, String::new());
                while !ends.load(Ordering::Relaxed) {
                    let made = changes.fetch_add(1, Ordering::Relaxed);
                    // The writers together keep to the rate.
                    let due = Duration::from_secs(1) * u32::try_from(made).unwrap() / rate;
                    thread::park_timeout(due.saturating_sub(begun.elapsed()));
                    change(&app, writer, number, &mut id);
                    number += 1;
                }
            };
            thread::Builder::new().name(format!("writer-{writer}")).spawn(run).unwrap()
        };
        let threads = (0..WRITERS).map(spawn).collect();
        Self { changes, ends, threads }
    }

    fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    fn wait_for(&self, changes: u64) {
        while self.changes() < changes {
            assert!(self.threads.iter().all(|thread| !thread.is_finished()), "a writer failed");
            thread::park_timeout(Duration::from_millis(1));
        }
    }

    fn stop(self) -> u64 {
        self.ends.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        self.changes.load(Ordering::Relaxed)
    }
}

/// One of three changes: a new key, its new name, or its end, which deletes rows too.
fn change(app: &App, writer: usize, number: u64, id: &mut String) {
    let (method, path, body) = match number % 3 {
        0 => {
            let fields = json!({"name": format!("key {writer} {number}"), "kind": "service"});
            ("POST", "/v1/keys".to_owned(), fields)
        },
        1 => ("PATCH", format!("/v1/keys/{id}"), json!({"name": format!("renamed {number}")})),
        _ => ("POST", format!("/v1/keys/{id}/revoke"), json!({})),
    };
    let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    let request = Request::fake_http(method, path, headers, body.to_string().into_bytes());
    let response = app.answer_locally(&request);
    let (status, mut text) = (response.status_code, String::new());
    response.data.into_reader_and_size().0.read_to_string(&mut text).unwrap();
    assert!((200..300).contains(&status), "{method}: {status} {text}");
    if number.is_multiple_of(3) {
        let made: Value = serde_json::from_str(&text).unwrap();
        made["key"]["id"].as_str().unwrap().clone_into(id);
    }
}
