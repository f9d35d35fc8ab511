//! A process killed under load: the store opens again with everything that was acknowledged.
#![expect(clippy::unwrap_used, reason = "a step of a test that fails should end it")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, io, thread};

use keyhouse_storage::{At, Batch, Range, Row, Store};
use keyhouse_storage_redb::{RedbStore, Settings};

const ROUNDS: usize = 5;
const THREADS: usize = 4;

/// Names the store to the process that is to be killed: this test once more, in the other role.
const PLACE: &str = "KEYHOUSE_TEST_KILL_PLACE";

#[test]
#[expect(clippy::disallowed_methods, reason = "the role comes through the environment")]
fn killed_store_opens_again_with_all_that_was_acknowledged() {
    match env::var_os(PLACE) {
        Some(place) => work_until_killed(Path::new(&place)),
        None => kill_again_and_again(),
    }
}

fn kill_again_and_again() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("store");
    let mut acknowledged = BTreeMap::new();
    for round in 0..ROUNDS {
        // Another moment each time: soon after opening, or well under load.
        load_and_kill(&place, 1 + (round * 137) % 700, &mut acknowledged);
        let store = RedbStore::open(&Settings::new(&place)).unwrap();
        let (rows, revision) = all_rows(&store);
        for (key, revision) in &acknowledged {
            for half in ["a", "b"] {
                let row = rows.get(format!("{half}{key}").as_bytes());
                assert_eq!(row.map(|row| row.revision.0), Some(*revision), "{round}: {half}{key}");
            }
        }
        // Every batch has keys of its own, so the counter tells how many rows there must be.
        assert_eq!(rows.len() as u64, revision * 2, "round {round}: half a batch");
        store.check().unwrap();
    }
    assert!(acknowledged.len() > ROUNDS * 100);
}

fn load_and_kill(place: &Path, enough: usize, acknowledged: &mut BTreeMap<String, u64>) {
    let this_test = "killed_store_opens_again_with_all_that_was_acknowledged";
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
            // A line cut by the kill may miss digits; its end mark tells.
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
    let mut at = At::Latest;
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

/// What the process does that gets killed: commits as fast as it can, and says what was acknowledged.
fn work_until_killed(place: &Path) {
    let store = RedbStore::open(&Settings::new(place)).unwrap();
    // Keys of its own for each process.
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
