//! The conformance suite with redb: plain, wrapped, and reopened.
#![expect(clippy::unwrap_used, reason = "a failed step ends the test")]

use keyhouse_storage::{Batch, FaultyStore, Revision, Store, conformance};
use keyhouse_storage_redb::{RedbSettings, RedbStore};
use tempfile::TempDir;

fn open(directory: &TempDir) -> Box<dyn Store> {
    Box::new(RedbStore::open(&RedbSettings::new(directory.path().join("store"))).unwrap())
}

fn fresh(directories: &std::cell::RefCell<Vec<TempDir>>) -> Box<dyn Store> {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    directories.borrow_mut().push(directory);
    store
}

#[test]
fn redb_store_passes_the_suite() {
    let directories = std::cell::RefCell::default();
    let checked = conformance::run(|| fresh(&directories));
    checked.unwrap_or_else(|broken| panic!("{broken}"));
}

#[test]
fn wrapped_redb_store_passes_the_suite() {
    let directories = std::cell::RefCell::default();
    let checked = conformance::run(|| Box::new(FaultyStore::new(fresh(&directories))));
    checked.unwrap_or_else(|broken| panic!("{broken}"));
}

#[test]
fn redb_store_passes_the_reopening_suite() {
    let checked = conformance::run_reopening(|| {
        let directory = tempfile::tempdir().unwrap();
        move || open(&directory)
    });
    checked.unwrap_or_else(|broken| panic!("{broken}"));
}

/// A file has no other user, so its revisions count batches, which the contract does not require.
#[test]
fn revisions_are_consecutive_across_reopenings() {
    let directory = tempfile::tempdir().unwrap();
    for expected in 1..=4 {
        let store = open(&directory);
        assert_eq!(store.commit(Batch::new().put("a", "")), Ok(Revision(expected)));
        store.close().unwrap();
    }
}
