//! One test for each trap of etcd that the design avoids.

use std::time::Duration;

use keyhouse_storage::{
    At, Batch, Commit, CommitError, Feed, FeedError, Order, Range, ReadError, Revision, Step,
    Store, Write,
};
use keyhouse_storage_etcd::EtcdStore;

use crate::cluster::{Cluster, copy};
use crate::raw::Raw;

/// How often a test waits for an expected commit, long enough for a busy machine.
const TRIES: usize = 300;
const TRY_TIME: Duration = Duration::from_millis(100);

fn put(key: &str) -> Batch {
    Batch::new().put(key, "")
}

/// The next commit, over interruptions.
fn next(feed: &mut dyn Feed) -> Result<Commit, FeedError> {
    for _ in 0..TRIES {
        match feed.next(TRY_TIME) {
            Ok(Step::Commit(commit)) => return Ok(commit),
            Ok(Step::Progress(_)) | Err(FeedError::Unavailable(_)) => {},
            Err(error) => return Err(error),
        }
    }
    panic!("no commit")
}

fn latest(store: &EtcdStore) -> Revision {
    store.scan(&Range { limit: 0, ..Range::prefix(b"") }, At::Latest).unwrap().revision
}

/// Zero is no limit for etcd.
#[test]
fn limit_0_returns_no_row_and_whether_there_are_any() {
    let cluster = Cluster::start(1, &[]);
    let store = cluster.store("keyhouse");
    store.commit(put("a1").put("a2", "")).unwrap();
    for (prefix, more) in [("a", true), ("b", false)] {
        let range = Range { limit: 0, ..Range::prefix(prefix.as_bytes()) };
        let page = store.scan(&range, At::Latest).unwrap();
        assert_eq!((page.rows.len(), page.more), (0, more), "{prefix}");
    }
}

/// Zero is the latest revision for etcd.
#[test]
fn revision_0_is_the_empty_store_and_no_guard() {
    let cluster = Cluster::start(1, &[]);
    let store = cluster.store("keyhouse");
    store.commit(put("a")).unwrap();
    assert_eq!(store.get(b"a", At::Revision(Revision::ZERO)), Ok(None));
    let page = store.scan(&Range::prefix(b""), At::Revision(Revision::ZERO)).unwrap();
    assert_eq!((page.rows.len(), page.revision), (0, Revision::ZERO));
    // An absent key has revision zero for etcd.
    let guarded = Batch::new().unchanged("b", Revision::ZERO).put("b", "");
    assert_eq!(store.commit(guarded), Err(CommitError::Conflict));
    let beyond = Batch::new().unchanged("a", Revision(u64::MAX)).put("a", "");
    assert_eq!(store.commit(beyond), Err(CommitError::Conflict));
}

/// The header of a message has the revision of the store when it was sent, far beyond its events.
#[test]
fn header_of_a_message_is_not_taken_for_progress() {
    let mut cluster = Cluster::start(1, &[]);
    let store = cluster.store("keyhouse");
    let mut feed = store.follow(Revision::ZERO).unwrap();
    let pending: Vec<_> = (0..1_500_u16)
        .map(|number| store.submit(Batch::new().put(number.to_be_bytes(), vec![0; 3_000])))
        .collect();
    let revisions: Vec<Revision> = pending.into_iter().map(|it| it.wait().unwrap()).collect();
    Raw::new(&cluster.endpoint(0)).put("foreign", b"");
    // The feed has shown a part when its watch ends; the next watch starts after that part.
    let (part, rest) = revisions.split_at(700);
    for revision in part {
        assert_eq!(next(&mut *feed).unwrap().revision, *revision);
    }
    cluster.kill(0);
    cluster.restart(0);
    for revision in rest {
        assert_eq!(next(&mut *feed).unwrap().revision, *revision);
    }
    assert_eq!(feed.next(Duration::ZERO), Ok(Step::Progress(latest(&store))));
}

/// The stream of a watch that etcd has cancelled stays open and silent.
#[test]
fn open_stream_after_canceled_ends_the_feed() {
    let cluster = Cluster::start(1, &[]);
    let store = cluster.store("keyhouse");
    let mut feed = store.follow(Revision::ZERO).unwrap();
    // More than feed, connection and member hold for a watch that is not read: 256 commits, 2 MiB and
    // 1,024 events.
    let pending: Vec<_> =
        (0..3_000).map(|_| store.submit(Batch::new().put("a", vec![7; 10_000]))).collect();
    for pending in pending {
        pending.wait().unwrap();
    }
    let raw = Raw::new(&cluster.endpoint(0));
    let revision = raw.put("foreign", b"");
    raw.compact(revision);
    let end = (0..3_000).find_map(|_| next(&mut *feed).err());
    assert_eq!(end, Some(FeedError::Compacted));
    assert_eq!(store.follow(Revision(1)).map(drop), Err(ReadError::Compacted));
}

/// etcd accepts a watch that starts in the future, and is silent until then.
#[test]
fn future_watch_is_rejected_although_etcd_is_there() {
    let cluster = Cluster::start(1, &[]);
    let store = cluster.store("keyhouse");
    store.commit(put("a")).unwrap();
    let raw = Raw::new(&cluster.endpoint(0));
    for _ in 0..50 {
        raw.put("foreign", b"");
    }
    for revision in [Revision(2), Revision(20), Revision(1_000)] {
        assert_eq!(store.follow(revision).map(drop), Err(ReadError::Compacted), "{revision}");
        let read = store.get(b"a", At::Revision(revision));
        assert_eq!(read, Err(ReadError::Compacted), "{revision}");
    }
}

/// A watch splits large messages between events, also inside a batch.
#[test]
fn fragments_inside_a_batch_are_assembled() {
    let cluster = Cluster::start(1, &[]);
    let store = cluster.store("keyhouse");
    let batch = |number: u8| {
        let value = vec![number; 100_000];
        (0..10_u8).fold(Batch::new(), |it, key| it.put(vec![key], value.clone())).delete("absent")
    };
    for number in 0..12 {
        store.commit(batch(number)).unwrap();
    }
    let mut feed = store.follow(Revision::ZERO).unwrap();
    for (number, revision) in (0..12).zip(1..) {
        let commit = next(&mut *feed).unwrap();
        assert_eq!(commit.revision, Revision(revision));
        assert!(commit.writes == batch(number).into_writes(), "batch {number}");
    }
}

/// etcd ends a connection with more than one ping in 5 s, also that of an idle watch.
#[test]
fn keep_alive_does_not_break_an_idle_watch() {
    let cluster = Cluster::start(1, &[]);
    let store = cluster.store("keyhouse");
    let mut feed = store.follow(Revision::ZERO).unwrap();
    assert_eq!(feed.next(Duration::ZERO), Ok(Step::Progress(Revision::ZERO)));
    let name = r#"grpc_server_started_total{grpc_method="Watch",grpc_service="etcdserverpb.Watch""#;
    let before = cluster.metric(0, name);
    // At pings every 2 s, the connection breaks after 9 s.
    assert_eq!(feed.next(Duration::from_secs(11)), Ok(Step::Progress(Revision::ZERO)));
    assert_eq!(cluster.metric(0, name), before, "watches that were opened");
}

/// The balancer of the client goes on choosing a member that is dead.
#[test]
fn dead_member_is_left_after_one_error() {
    let mut cluster = Cluster::start(3, &[]);
    let follower = (0..3).find(|number| *number != cluster.leader()).unwrap();
    let store = cluster.store_at(follower, "keyhouse");
    let mut feed = store.follow(Revision::ZERO).unwrap();
    cluster.kill(follower);
    assert_eq!(store.get(b"a", At::Latest), Ok(None));
    for number in 1..=100 {
        assert_eq!(store.commit(put("a")), Ok(Revision(number)), "a follower is dead");
        assert!(store.get(b"a", At::Latest).unwrap().is_some());
        assert_eq!(next(&mut *feed).unwrap().revision, Revision(number));
    }
}

/// etcd has no event for the deletion of an absent key.
#[test]
fn deletes_of_absent_keys_are_in_the_feed() {
    let cluster = Cluster::start(1, &[]);
    let store = cluster.store("keyhouse");
    let mut feed = store.follow(Revision::ZERO).unwrap();
    store.commit(Batch::new().delete("never was")).unwrap();
    let writes = vec![Write::Delete { key: b"never was".to_vec() }];
    assert_eq!(next(&mut *feed), Ok(Commit { revision: Revision(1), writes }));
}

/// etcd reads and sorts the whole range of a descending request.
#[test]
fn descending_scans_of_large_ranges_return_the_last_rows() {
    const GROUPS: u16 = 10;
    const ROWS: u16 = 1_000;
    let cluster = Cluster::start(1, &[]);
    let store = cluster.store("keyhouse");
    let key = |number: u16| format!("k{number:05}");
    let pending: Vec<_> = (0..GROUPS)
        .map(|group| {
            let rows = (0..ROWS).map(|row| key(group * ROWS + row));
            store.submit(rows.fold(Batch::new(), |batch, key| batch.put(key, "")))
        })
        .collect();
    for pending in pending {
        pending.wait().unwrap();
    }
    let last = GROUPS * ROWS - 1;
    for (after, first) in [(None, last), (Some(key(9_000)), 8_999), (Some(key(7)), 6)] {
        let range = Range {
            limit: 100,
            order: Order::Descending,
            after: after.as_deref().map(str::as_bytes),
            ..Range::prefix(b"k")
        };
        let page = store.scan(&range, At::LatestHeld).unwrap();
        let keys: Vec<String> =
            page.rows.into_iter().map(|row| String::from_utf8(row.key).unwrap()).collect();
        let expected: Vec<String> = (0..=first).rev().take(100).map(key).collect();
        assert_eq!((keys, page.more), (expected, first >= 100), "{after:?}");
    }
}

/// The client's default limit of a message is 4 MiB.
#[test]
fn default_4_mib_does_not_limit_a_page() {
    let cluster = Cluster::start(1, &[]);
    let store = cluster.store("keyhouse");
    for number in 0..100_u8 {
        let pending = store.submit(Batch::new().put(vec![number], vec![number; 900_000]));
        pending.wait().unwrap();
    }
    // The rows are more than a response of the client may have, too.
    let first = store.scan(&Range::prefix(b""), At::LatestHeld).unwrap();
    assert_eq!((first.rows.len(), first.more), (19, true));
    let store: &dyn Store = &store;
    let rows: Vec<u8> = store
        .rows(&Range::prefix(b""), At::LatestHeld)
        .map(|row| *row.unwrap().value.first().unwrap())
        .collect();
    assert_eq!(rows, (0..100).collect::<Vec<u8>>());
}

/// Ending an alarm of member 0 changes nothing.
#[test]
fn alarm_disarm_needs_the_members_id() {
    let cluster = Cluster::start(1, &["--quota-backend-bytes", "16777216"]);
    let store = cluster.store("keyhouse");
    let raw = Raw::new(&cluster.endpoint(0));
    let write = || store.commit(Batch::new().put("a", vec![7; 500_000]));
    let full = (0..100).find_map(|_| write().err());
    let Some(CommitError::Full(cause)) = full else { panic!("{full:?}") };
    assert!(cause.to_string().contains("database space exceeded"), "{cause}");
    // Reads go on, and the check names the alarm.
    assert!(store.get(b"a", At::Latest).unwrap().is_some());
    let Err(ReadError::Unavailable(cause)) = store.check() else { panic!("no alarm") };
    assert!(cause.to_string().contains("NOSPACE"), "{cause}");
    let revision = raw.get("keyhouse/e").unwrap().mod_revision();
    raw.compact(revision);
    raw.defragment();
    raw.disarm(0);
    let alarms = raw.alarms();
    assert_eq!(alarms.len(), 1, "member 0 is no member");
    assert!(matches!(write(), Err(CommitError::Full(_))));
    for member in alarms {
        raw.disarm(member);
    }
    assert!(write().is_ok());
    store.check().unwrap();
}

/// A compaction passes an idle store's revision although nothing of the store has changed.
#[test]
fn compaction_behind_foreign_writes_leaves_an_idle_store_readable() {
    let cluster = Cluster::start(1, &[]);
    let store = cluster.store("keyhouse");
    let old = store.commit(Batch::new().put("a", "1").put("b", "1")).unwrap();
    let first = Range { limit: 1, ..Range::prefix(b"") };
    let at = store.commit(Batch::new().put("c", "1")).unwrap();
    let page = store.scan(&first, At::LatestHeld).unwrap();
    assert_eq!((page.revision, page.more), (at, true));
    let raw = Raw::new(&cluster.endpoint(0));
    for _ in 0..10 {
        raw.put("foreign", b"");
    }
    raw.compact(raw.put("foreign", b""));
    let rest = Range { after: Some(b"a"), ..Range::prefix(b"") };
    assert_eq!(store.scan(&rest, At::Revision(at)).unwrap().rows.len(), 2);
    assert!(store.get(b"a", At::Revision(at)).unwrap().is_some());
    assert_eq!(store.get(b"a", At::Revision(old)), Err(ReadError::Compacted));
    let mut feed = store.follow(at).unwrap();
    let next_revision = store.commit(put("d")).unwrap();
    assert_eq!(next(&mut *feed).unwrap().revision, next_revision);
    assert_eq!(store.get(b"a", At::Revision(at)), Err(ReadError::Compacted));
}

/// etcd restored from a snapshot has lost commits and lowers its revision.
#[test]
fn restore_from_a_snapshot_ends_feeds_and_is_read_again() {
    let mut cluster = Cluster::start(1, &[]);
    let store = cluster.store("keyhouse");
    store.commit(put("kept")).unwrap();
    let (data, saved) = (cluster.directory(0), cluster.folder().join("saved"));
    cluster.kill(0);
    copy(&data, &saved);
    cluster.restart(0);
    let mut feed = store.follow(Revision(1)).unwrap();
    for _ in 0..5 {
        store.commit(put("lost")).unwrap();
        next(&mut *feed).unwrap();
    }
    cluster.kill(0);
    std::fs::remove_dir_all(&data).unwrap();
    copy(&saved, &data);
    cluster.restart(0);
    assert_eq!(next(&mut *feed), Err(FeedError::Compacted));
    assert_eq!(store.get(b"lost", At::Latest), Ok(None));
    assert!(store.get(b"kept", At::Latest).unwrap().is_some());
    let mut feed = store.follow(latest(&store)).unwrap();
    let revision = store.commit(put("later")).unwrap();
    assert_eq!(next(&mut *feed).unwrap().revision, revision);
}

/// Debian's version lacks known fixes.
#[test]
fn version_with_known_faults_is_remarked() {
    let cluster = Cluster::start(1, &[]);
    let store = cluster.store("keyhouse");
    let raw = Raw::new(&cluster.endpoint(0));
    let mut client = raw.client();
    let version = raw.run(async move { client.status().await.unwrap().version().to_owned() });
    let is_debians = version == "3.4.23";
    assert_eq!(store.remarks().iter().any(|it| it.contains("3.4.23")), is_debians, "{version}");
}
