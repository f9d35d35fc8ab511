//! Several processes on one store: one has it open, and a second one is rejected.

use etcd_client::PutOptions;
use keyhouse_storage::{At, Batch, CommitError, OpenError, ReadError, Revision, Store as _};
use keyhouse_storage_etcd::{EtcdSettings, EtcdStore};

use crate::cluster::{Cluster, until};
use crate::raw::Raw;

fn open(cluster: &Cluster, prefix: &str) -> Result<EtcdStore, OpenError> {
    EtcdStore::open(&EtcdSettings::parse(&cluster.url(prefix)).unwrap())
}

#[test]
fn second_node_is_rejected_until_the_first_has_closed() {
    let cluster = Cluster::start(1, &[]);
    let first = cluster.store("keyhouse");
    let OpenError::InUse(cause) = open(&cluster, "keyhouse").unwrap_err() else {
        panic!("opened twice");
    };
    let message = cause.to_string();
    let process = format!("process {}", std::process::id());
    assert!(message.contains(&process) && message.contains("not supported yet"), "{message}");
    // The rejected node has not disturbed the first.
    assert_eq!(first.commit(Batch::new().put("a", "")), Ok(Revision(1)));
    let other = open(&cluster, "other").unwrap();
    other.close().unwrap();
    first.close().unwrap();
    open(&cluster, "keyhouse").unwrap().close().unwrap();
}

/// A node that was killed leaves its key, which ends with its lease.
#[test]
fn node_that_was_killed_makes_way_after_its_lease() {
    let cluster = Cluster::start(1, &[]);
    cluster.store("keyhouse").close().unwrap();
    let raw = Raw::new(&cluster.endpoint(0));
    let mut client = raw.client();
    raw.run(async move {
        let lease = client.lease_grant(2, None).await.unwrap().id();
        let options = PutOptions::new().with_lease(lease);
        client.put("keyhouse/n", "host gone, process 1", Some(options)).await.unwrap();
    });
    open(&cluster, "keyhouse").unwrap().close().unwrap();
}

/// The lease is no lock: what stops a node that was paused is the lane.
#[test]
fn node_whose_lane_was_taken_is_unavailable() {
    let cluster = Cluster::start(1, &[]);
    let store = cluster.store("keyhouse");
    store.commit(Batch::new().put("a", "1")).unwrap();
    Raw::new(&cluster.endpoint(0)).put("keyhouse/l/0", b"another node");
    let outcome = store.commit(Batch::new().put("a", "2"));
    let Err(CommitError::Unavailable(cause)) = outcome else { panic!("{outcome:?}") };
    assert!(cause.to_string().contains("another process"), "{cause}");
    let read = store.get(b"a", At::Latest);
    let Err(ReadError::Unavailable(cause)) = read else { panic!("{read:?}") };
    assert!(cause.to_string().contains("another process"), "{cause}");
}

/// etcd may execute a request of this node after the node has given it up.
#[test]
fn late_request_of_this_node_does_not_stop_the_store() {
    let cluster = Cluster::start(1, &[]);
    let store = cluster.store("keyhouse");
    let raw = Raw::new(&cluster.endpoint(0));
    // The id of a batch or fence: the lease of the node, and a number.
    let mut id = raw.get("keyhouse/n").unwrap().lease().to_be_bytes().to_vec();
    id.extend_from_slice(&u64::MAX.to_be_bytes());
    raw.put("keyhouse/l/0", &id);
    let outcome = store.commit(Batch::new().put("a", "1"));
    assert!(matches!(outcome, Err(CommitError::Unknown(_))), "{outcome:?}");
    until("the store is available", || store.get(b"a", At::Latest).is_ok());
    assert_eq!(store.get(b"a", At::Latest), Ok(None));
    let revision = store.commit(Batch::new().put("a", "2")).unwrap();
    assert_eq!(store.get(b"a", At::Latest).unwrap().unwrap().revision, revision);
}

#[test]
fn foreign_or_newer_keys_are_not_changed() {
    let cluster = Cluster::start(1, &[]);
    let raw = Raw::new(&cluster.endpoint(0));
    raw.put("foreign/m", b"something else");
    raw.put("newer/m", b"keyhouse 2");
    raw.put("lost/e", b"a head");
    assert!(matches!(open(&cluster, "foreign"), Err(OpenError::Damaged(_))));
    assert!(matches!(open(&cluster, "newer"), Err(OpenError::Newer(_))));
    assert!(matches!(open(&cluster, "lost"), Err(OpenError::Damaged(_))));
    for prefix in ["foreign", "newer", "lost"] {
        assert!(raw.get(&format!("{prefix}/n")).is_none(), "{prefix}");
    }
}

/// etcd answers the renewal of an ended lease as if it were alive, without a time.
#[test]
fn keep_alive_of_a_dead_lease_registers_the_node_again() {
    let cluster = Cluster::start(1, &[]);
    let store = cluster.store("keyhouse");
    let raw = Raw::new(&cluster.endpoint(0));
    let lease = raw.get("keyhouse/n").unwrap().lease();
    let mut client = raw.client();
    raw.run(async move { client.lease_revoke(lease).await }).unwrap();
    until("the node is registered with another lease", || {
        raw.get("keyhouse/n").is_some_and(|node| node.lease() != lease)
    });
    assert!(store.commit(Batch::new().put("a", "")).is_ok());
}
