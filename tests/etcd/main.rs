//! A server with its store in etcd: one node works, also without one of three members, and a second node is rejected.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first thing that is not as it must be"
)]

#[path = "../../storage/etcd/tests/etcd/cluster.rs"]
#[allow(dead_code, reason = "the tests of the store use the other parts")]
mod cluster;
#[path = "../server/mod.rs"]
mod server;

use cluster::Cluster;
use serde_json::json;
use server::{Home, Launch, Server};

fn status_of(server: &Server, secret: &str) -> u16 {
    let authorization = format!("Bearer {secret}");
    server.ask("GET", "/v1/whoami", &[("Authorization", &authorization)], "").status
}

#[test]
fn one_node_works_on_etcd_and_a_second_one_is_rejected() {
    let mut cluster = Cluster::start(3, &[]);
    let url = cluster.url("keyhouse");
    let home = Home::new();
    let server = Server::start_in(&home, &["--storage", &url]);
    let session = server.sign_in();
    let fields = json!({"name": "app", "kind": "service", "permissions": ["a:b"]});
    let [kept, revoked] = [session.make_key(&fields), session.make_key(&fields)];
    assert_eq!(status_of(&server, &kept.secret), 200);

    let other = Home::new();
    let launch = Launch { home: &other, wrapper: &[], args: &["--storage", &url] };
    let rejected = Server::launch(&launch).unwrap_err();
    let reason = "another node has this store open";
    assert!(rejected.stderr.contains(reason), "{rejected:?}");
    assert_eq!(rejected.code, Some(5), "{rejected:?}");

    let follower = (0..3).find(|number| *number != cluster.leader()).unwrap();
    cluster.kill(follower);
    session.revoke(&revoked.id);
    assert_eq!(status_of(&server, &revoked.secret), 401);
    assert_eq!(status_of(&server, &kept.secret), 200);

    let ended = server.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let server = Server::start_in(&home, &["--storage", &url]);
    assert_eq!(status_of(&server, &revoked.secret), 401);
    assert_eq!(status_of(&server, &kept.secret), 200);
}
