//! The outcome of a batch while members stall, and after etcd executes a request late.

use std::thread;
use std::time::Duration;

use keyhouse_storage::{At, Batch, CommitError, FeedError, ReadError, Revision, Row, Store as _};
use keyhouse_storage_etcd::EtcdStore;
use rustix::process::Signal;

use crate::cluster::{Cluster, until};

/// The members that are not the leader.
fn followers(cluster: &Cluster) -> Vec<usize> {
    let leader = cluster.leader();
    (0..3).filter(|number| *number != leader).collect()
}

/// A request that the client gave up is executed later: only a fence decides whether it was.
#[test]
fn late_application_after_a_timeout_has_a_certain_outcome() {
    let cluster = Cluster::start(3, &[]);
    let store = cluster.store("keyhouse");
    store.commit(Batch::new().put("a", "1")).unwrap();
    let followers = followers(&cluster);
    for number in &followers {
        cluster.signal(*number, Signal::STOP);
    }
    let outcome = thread::scope(|scope| {
        let commit = scope.spawn(|| store.commit(Batch::new().absent("b").put("b", "2")));
        // The client gives up after 2 s, and its next members do not answer.
        until_elapsed(Duration::from_secs(4), || commit.is_finished());
        for number in &followers {
            cluster.signal(*number, Signal::CONT);
        }
        commit.join().unwrap()
    });
    let row = read(&store, b"b");
    assert!(!matches!(outcome, Err(CommitError::Unknown(_))), "{outcome:?}");
    assert_eq!(outcome.ok(), row.map(|row| row.revision));
    // The lane is in order again.
    let next = commit(&store, &Batch::new().put("c", "3"));
    assert_eq!(read(&store, b"c").unwrap().revision, next);
}

/// Without a majority for longer than the limit, the outcome is unknown until a fence is in.
#[test]
fn unknown_outcome_makes_the_store_unavailable_until_a_fence_is_in() {
    let cluster = Cluster::start(3, &[]);
    let store = cluster.store("keyhouse");
    let first = store.commit(Batch::new().put("a", "1")).unwrap();
    let mut feed = store.follow(first).unwrap();
    let followers = followers(&cluster);
    for number in &followers {
        cluster.signal(*number, Signal::STOP);
    }
    let outcome = store.commit(Batch::new().put("b", "2"));
    assert!(matches!(outcome, Err(CommitError::Unknown(_))), "{outcome:?}");
    assert!(matches!(store.get(b"a", At::Latest), Err(ReadError::Unavailable(_))));
    assert!(matches!(store.commit(Batch::new().put("c", "")), Err(CommitError::Unavailable(_))));
    for number in &followers {
        cluster.signal(*number, Signal::CONT);
    }
    until("the store is available", || store.get(b"a", At::Latest).is_ok());
    let end = std::iter::repeat_with(|| feed.next(Duration::from_millis(100)))
        .find(|step| !matches!(step, Err(FeedError::Unavailable(_))));
    assert_eq!(end, Some(Err(FeedError::Compacted)));
    let follow = answer(|| store.follow(Revision::ZERO).map(drop), is_unavailable);
    assert_eq!(follow, Err(ReadError::Compacted));
    let before = read(&store, b"b");
    commit(&store, &Batch::new().put("c", "3"));
    assert_eq!(read(&store, b"b"), before, "the outcome does not change");
}

/// A member that is stopped gives no sign. Reads and writes go to another one.
#[test]
fn stalled_member_is_left() {
    let cluster = Cluster::start(3, &[]);
    let stalled = followers(&cluster)[0];
    let store = cluster.store_at(stalled, "keyhouse");
    let first = store.commit(Batch::new().put("a", "1")).unwrap();
    let mut feed = store.follow(first).unwrap();
    cluster.signal(stalled, Signal::STOP);
    assert!(store.get(b"a", At::Latest).unwrap().is_some());
    let revision = store.commit(Batch::new().put("a", "2")).unwrap();
    let commit = std::iter::repeat_with(|| feed.next(Duration::from_secs(1)))
        .find(|step| !matches!(step, Err(FeedError::Unavailable(_))));
    let Some(Ok(keyhouse_storage::Step::Commit(commit))) = commit else { panic!("{commit:?}") };
    assert_eq!(commit.revision, revision);
    cluster.signal(stalled, Signal::CONT);
}

/// A leader that is killed leaves a write open; the next leader executes it or not.
#[test]
fn killed_leader_leaves_no_outcome_open() {
    let mut cluster = Cluster::start(3, &[]);
    let store = cluster.store("keyhouse");
    let mut count = count_once(&store);
    assert_eq!(count, 1, "no member was killed yet");
    for _ in 0..2 {
        let leader = cluster.leader();
        let (done, row) = thread::scope(|scope| {
            let writer = scope.spawn(|| (0..200).map(|_| count_once(&store)).sum::<u64>());
            cluster.kill(leader);
            let done = writer.join().unwrap();
            (done, read(&store, b"count").unwrap())
        });
        count += done;
        assert_eq!(number_of(&row.value), count, "acknowledged batches");
        cluster.restart(leader);
    }
}

/// Repeats a call while its answer is that etcd cannot answer, such as during an election.
fn answer<T, E>(
    mut call: impl FnMut() -> Result<T, E>,
    is_unavailable: impl Fn(&E) -> bool,
) -> Result<T, E> {
    let mut answer = None;
    until("etcd answers", || {
        answer = Some(call()).filter(|it| !it.as_ref().is_err_and(&is_unavailable));
        answer.is_some()
    });
    answer.unwrap()
}

const fn is_unavailable(error: &ReadError) -> bool {
    matches!(error, ReadError::Unavailable(_))
}

fn read(store: &EtcdStore, key: &[u8]) -> Option<Row> {
    answer(|| store.get(key, At::Latest), is_unavailable).unwrap()
}

fn commit(store: &EtcdStore, batch: &Batch) -> Revision {
    let is_unavailable = |error: &CommitError| matches!(error, CommitError::Unavailable(_));
    answer(|| store.commit(batch.clone()), is_unavailable).unwrap()
}

/// Adds one to a row. Returns 0 if the store was unavailable.
fn count_once(store: &EtcdStore) -> u64 {
    // While members choose a leader, they answer no reads.
    let Ok(row) = store.get(b"count", At::Latest) else { return 0 };
    let next = row.as_ref().map_or(0, |row| number_of(&row.value)) + 1;
    let batch = match &row {
        None => Batch::new().absent("count"),
        Some(row) => Batch::new().unchanged("count", row.revision),
    };
    match store.commit(batch.put("count", next.to_be_bytes())) {
        Ok(_) => 1,
        Err(CommitError::Unavailable(_)) => 0,
        Err(error) => panic!("{error}"),
    }
}

fn number_of(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().unwrap())
}

/// Waits for a time, or until a condition is true.
#[expect(clippy::disallowed_methods, reason = "a member must stay stopped for a time")]
fn until_elapsed(time: Duration, is_over: impl Fn() -> bool) {
    let begin = std::time::Instant::now();
    while begin.elapsed() < time && !is_over() {
        thread::sleep(Duration::from_millis(20));
    }
}
