//! A process that is killed under load: the store reopens with every acknowledged commit.
#![expect(clippy::unwrap_used, reason = "a failed step ends the test")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, io, thread};

use keyhouse_storage::{At, Batch, Range, Row, Store};
use keyhouse_storage_redb::{RedbSettings, RedbStore};

const ROUNDS: usize = 5;
const THREADS: usize = 4;

/// Path of the store, for the child process that is killed. The child runs this test in another role.
const PLACE: &str = "KEYHOUSE_TEST_KILL_PLACE";

#[test]
#[expect(clippy::disallowed_methods, reason = "the environment selects the role")]
fn killed_store_reopens_with_every_acknowledged_commit() {
    match env::var_os(PLACE) {
        Some(place) => work_until_killed(Path::new(&place)),
        None => kill_repeatedly(),
    }
}

fn kill_repeatedly() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("store");
    let mut acknowledged = BTreeMap::new();
    for round in 0..ROUNDS {
        // Each round kills the child at another moment, soon after opening or later under load.
        load_and_kill(&place, 1 + (round * 137) % 700, &mut acknowledged);
        let store = RedbStore::open(&RedbSettings::new(&place)).unwrap();
        let (rows, revision) = all_rows(&store);
        for (key, revision) in &acknowledged {
            for half in ["a", "b"] {
                let row = rows.get(format!("{half}{key}").as_bytes());
                assert_eq!(row.map(|row| row.revision.0), Some(*revision), "{round}: {half}{key}");
            }
        }
        // Every batch writes two rows with distinct keys, so the revision gives the number of rows.
        assert_eq!(rows.len() as u64, revision * 2, "round {round}: half a batch");
        store.check().unwrap();
    }
    assert!(acknowledged.len() > ROUNDS * 100);
}

fn load_and_kill(place: &Path, enough: usize, acknowledged: &mut BTreeMap<String, u64>) {
    let this_test = "killed_store_reopens_with_every_acknowledged_commit";
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", this_test, "--nocapture"])
        .env(PLACE, place)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for (seen, line) in lines.map_while(Result::ok).enumerate() {
        if let Some((key, revision)) = line.strip_prefix("ack ").and_then(|ack| ack.split_once(' '))
        {
            // The kill may truncate the last line. A complete line ends with a dot.
            if let Some(revision) = revision.strip_suffix('.') {
                acknowledged.insert(key.to_owned(), revision.parse().unwrap());
            }
        }
        if seen == enough {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
}

fn all_rows(store: &RedbStore) -> (BTreeMap<Vec<u8>, Row>, u64) {
    let mut rows = BTreeMap::new();
    let mut at = At::LatestHeld;
    let mut after: Option<Vec<u8>> = None;
    loop {
        let range = Range { after: after.as_deref(), ..Range::prefix(b"") };
        let page = store.scan(&range, at).unwrap();
        after = page.rows.last().map(|row| row.key.clone());
        rows.extend(page.rows.into_iter().map(|row| (row.key.clone(), row)));
        at = At::Revision(page.revision);
        if !page.more {
            return (rows, page.revision.0);
        }
    }
}

/// Runs in the child: commits as fast as it can and prints each acknowledged commit.
fn work_until_killed(place: &Path) {
    let store = RedbStore::open(&RedbSettings::new(place)).unwrap();
    // The process id makes the keys of each process distinct.
    let round = std::process::id();
    thread::scope(|scope| {
        for number in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                for step in 0..100_000 {
                    let key = format!("{round}-{number}-{step}");
                    let batch = Batch::new()
                        .put(format!("a{key}"), vec![1; 300])
                        .put(format!("b{key}"), vec![2; step % 5_000]);
                    let revision = store.commit(batch).unwrap();
                    writeln!(io::stdout().lock(), "ack {key} {revision}.").unwrap();
                }
            });
        }
    });
}
