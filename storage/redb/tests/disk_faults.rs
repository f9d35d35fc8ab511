//! A failing disk below the real redb: the outcome of a batch, and the content afterwards.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step ends the test")]

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use keyhouse_storage::{
    At, Batch, CommitError, Feed, FeedError, OpenError, Range, ReadError, Revision, Step, Store,
};
use keyhouse_storage_redb::{DiskOperation, FaultyDisk, RedbSettings, RedbStore};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

fn open() -> (RedbStore, FaultyDisk, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new();
    let settings = RedbSettings::new(directory.path().join("store"));
    let store = RedbStore::open_on(&settings, Arc::new(disk.clone())).unwrap();
    (store, disk, directory)
}

/// Waits until a feed from before the fault ends. The store is then open again.
fn await_reopening(feed: &mut dyn Feed) {
    loop {
        match feed.next(PATIENCE) {
            Err(FeedError::Compacted) => return,
            // The feed returns at once while the store is unavailable.
            Err(FeedError::Unavailable(_)) => std::thread::yield_now(),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn failed_sync_is_unknown_and_reopening_shows_the_outcome() {
    for (name, nth, applied) in [("first sync", 1, false), ("second sync", 2, true)] {
        let (store, disk, _directory) = open();
        let before = store.commit(Batch::new().put("a", "1")).unwrap();
        let mut feed = store.follow(before).unwrap();
        disk.inject(DiskOperation::Sync, nth, ErrorKind::Other);
        let outcome = store.commit(Batch::new().put("b", "2"));
        assert!(matches!(outcome, Err(CommitError::Unknown(_))), "{name}: {outcome:?}");
        await_reopening(&mut *feed);
        assert_eq!(feed.next(Duration::ZERO), Err(FeedError::Compacted), "{name}: permanent");
        let page = store.scan(&Range::prefix(b""), At::Latest).unwrap();
        assert_eq!(page.revision, if applied { before.next() } else { before }, "{name}");
        assert_eq!(page.rows.len(), if applied { 2 } else { 1 }, "{name}");
        let mut feed = store.follow(page.revision).unwrap();
        let next = store.commit(Batch::new().put("c", "3"));
        assert_eq!(next, Ok(page.revision.next()), "{name}");
        assert!(matches!(feed.next(PATIENCE), Ok(Step::Commit(_))), "{name}");
        assert_eq!(store.reopenings(), 1, "{name}");
        assert_eq!(store.check(), Ok(()), "{name}");
    }
}

#[test]
fn reported_outcome_is_true_whichever_operation_of_a_commit_fails() {
    for operation in [DiskOperation::Write, DiskOperation::Sync, DiskOperation::Read] {
        for nth in 1..12 {
            let name = format!("{operation:?} {nth}");
            let (store, disk, _directory) = open();
            let before = store.commit(Batch::new().put("a", vec![1; 9_000])).unwrap();
            let mut feed = store.follow(before).unwrap();
            disk.inject(operation, nth, ErrorKind::Other);
            let outcome = store.commit(Batch::new().put("b", vec![2; 9_000]).put("c", ""));
            disk.heal();
            if outcome.is_err() {
                await_reopening(&mut *feed);
            }
            let found = store.scan(&Range::prefix(b""), At::Latest).unwrap().rows.len();
            match outcome {
                Ok(_) => assert_eq!(found, 3, "{name}"),
                Err(CommitError::Unknown(_)) => assert!([1, 3].contains(&found), "{name}: {found}"),
                Err(CommitError::Unavailable(_)) => assert_eq!(found, 1, "{name}"),
                Err(other) => panic!("{name}: {other:?}"),
            }
            assert_eq!(store.check(), Ok(()), "{name}");
        }
    }
}

#[test]
fn full_disk_is_reported_and_nothing_is_committed() {
    let (store, disk, _directory) = open();
    disk.inject_always(DiskOperation::SetLength, ErrorKind::StorageFull);
    let mut committed = 0;
    let full = loop {
        match store.commit(Batch::new().put(format!("{committed}"), vec![1; 1 << 19])) {
            Ok(revision) => committed = revision.0,
            Err(error) => break error,
        }
        assert!(committed < 1_000, "the file never had to grow");
    };
    assert!(matches!(full, CommitError::Full(_)), "{full:?}");
    let mut revision = None;
    while revision.is_none() {
        revision = store.scan(&Range::prefix(b""), At::Latest).ok().map(|page| page.revision);
    }
    assert_eq!(revision, Some(Revision(committed)));
    disk.heal();
    let next = loop {
        match store.commit(Batch::new().put("next", vec![1; 1 << 19])) {
            Err(CommitError::Unavailable(_)) => std::thread::yield_now(),
            other => break other,
        }
    };
    assert_eq!(next, Ok(Revision(committed + 1)));
}

#[test]
fn store_is_unavailable_until_it_can_reopen() {
    let (store, disk, _directory) = open();
    let before = store.commit(Batch::new().put("a", "1")).unwrap();
    let mut feed = store.follow(before).unwrap();
    disk.inject_always(DiskOperation::Open, ErrorKind::PermissionDenied);
    disk.inject(DiskOperation::Sync, 1, ErrorKind::Other);
    assert!(matches!(store.commit(Batch::new().put("b", "")), Err(CommitError::Unknown(_))));
    assert!(matches!(store.get(b"a", At::Latest), Err(ReadError::Unavailable(_))));
    assert!(matches!(store.follow(before), Err(ReadError::Unavailable(_))));
    assert!(matches!(store.check(), Err(ReadError::Unavailable(_))));
    assert!(matches!(feed.next(Duration::ZERO), Err(FeedError::Unavailable(_))));
    let refused = store.commit(Batch::new().put("c", ""));
    assert!(matches!(refused, Err(CommitError::Unavailable(_))), "{refused:?}");
    disk.heal();
    await_reopening(&mut *feed);
    assert!(store.get(b"a", At::Latest).unwrap().is_some());
}

#[test]
fn closing_an_unavailable_store_fails_at_once() {
    let (store, disk, directory) = open();
    disk.inject_always(DiskOperation::Open, ErrorKind::PermissionDenied);
    disk.inject(DiskOperation::Sync, 1, ErrorKind::Other);
    store.commit(Batch::new().put("a", "")).unwrap_err();
    assert!(matches!(store.close(), Err(ReadError::Unavailable(_))));
    RedbStore::open(&RedbSettings::new(directory.path().join("store"))).unwrap();
}

#[test]
fn reopening_keeps_the_lock() {
    let (store, disk, directory) = open();
    let mut feed = store.follow(Revision::ZERO).unwrap();
    disk.inject(DiskOperation::Sync, 1, ErrorKind::Other);
    store.commit(Batch::new().put("a", "")).unwrap_err();
    await_reopening(&mut *feed);
    let second = RedbStore::open(&RedbSettings::new(directory.path().join("store")));
    assert!(matches!(second, Err(OpenError::InUse(_))), "{second:?}");
}

#[test]
fn failed_read_makes_the_store_reopen() {
    let directory = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new();
    let mut settings = RedbSettings::new(directory.path().join("store"));
    settings.cache_bytes = 0;
    let store = RedbStore::open_on(&settings, Arc::new(disk.clone())).unwrap();
    store.commit(Batch::new().put("a", "1")).unwrap();
    let mut feed = store.follow(Revision(1)).unwrap();
    disk.inject(DiskOperation::Read, 1, ErrorKind::Other);
    assert!(matches!(store.get(b"a", At::Latest), Err(ReadError::Unavailable(_))));
    await_reopening(&mut *feed);
    assert!(store.get(b"a", At::Latest).unwrap().is_some());
}

#[test]
fn every_batch_of_a_failed_group_gets_an_outcome() {
    let (store, disk, _directory) = open();
    let mut feed = store.follow(Revision::ZERO).unwrap();
    disk.inject(DiskOperation::Sync, 1, ErrorKind::Other);
    let pending: Vec<_> =
        (0..100_u8).map(|number| store.submit(Batch::new().put(vec![number], ""))).collect();
    let outcomes: Vec<_> = pending.into_iter().map(keyhouse_storage::Pending::wait).collect();
    assert!(matches!(outcomes[0], Err(CommitError::Unknown(_))), "{:?}", outcomes[0]);
    await_reopening(&mut *feed);
    let rows = store.scan(&Range::prefix(b""), At::Latest).unwrap().rows;
    for (number, outcome) in (0..100_u8).zip(outcomes) {
        let there = rows.iter().any(|row| row.key == [number]);
        match outcome {
            Ok(_) => assert!(there, "{number}"),
            Err(CommitError::Unknown(_)) => {},
            Err(CommitError::Unavailable(_)) => assert!(!there, "{number}"),
            Err(other) => panic!("{number}: {other:?}"),
        }
    }
}

#[test]
fn reopening_compacts_a_scan_in_progress() {
    let (store, disk, _directory) = open();
    let before = store.commit(Batch::new().put("a", "").put("b", "")).unwrap();
    let first = Range { limit: 1, ..Range::prefix(b"") };
    let page = store.scan(&first, At::LatestHeld).unwrap();
    store.commit(Batch::new().put("c", "")).unwrap();
    assert!(store.scan(&first, At::Revision(page.revision)).is_ok());
    let mut feed = store.follow(before).unwrap();
    assert!(matches!(feed.next(PATIENCE), Ok(Step::Commit(_))));
    disk.inject(DiskOperation::Sync, 1, ErrorKind::Other);
    store.commit(Batch::new().put("d", "")).unwrap_err();
    await_reopening(&mut *feed);
    let later = store.scan(&first, At::Revision(page.revision));
    assert_eq!(later, Err(ReadError::Compacted));
    assert_eq!(store.reopenings(), 1);
}
