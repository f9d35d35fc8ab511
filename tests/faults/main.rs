//! Management requests and checks while the store fails: the whole application in process, over
//! stores that fail on purpose.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod authority;
mod clients;
mod gates;
mod metrics;
mod pace;
mod people;
mod removal;
mod sign_in;
mod time;

use std::io::{ErrorKind, Read as _};
use std::sync::Arc;
use std::thread::scope;
use std::time::Duration;

use keyhouse::actions::Actions;
use keyhouse::actions::signing_in::setup::FirstOwner;
use keyhouse::clock::{Clock, SystemClock};
use keyhouse::http::transport::{Application as _, Arrival, ListenerKind, Peer};
use keyhouse::http::{App, HttpSettings};
use keyhouse::index::follow;
use keyhouse::index::{Index, IndexState};
use keyhouse::model::key_text::Prefix;
use keyhouse::model::pace::Pace;
use keyhouse::model::secret::Secret;
use keyhouse::records::event::EventRecord;
use keyhouse::records::key::KeyRecord;
use keyhouse::records::{prepare, read_row};
use keyhouse::worker::{Halt, Worker};
use keyhouse_storage::{
    At, FaultyStore, InjectedFault, MemoryStore, Range, Store, StoreOperation, TestGate,
};
use keyhouse_storage_redb::{DiskOperation, FaultyDisk, RedbStore};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

/// Longer than any step of these tests. Waits end as soon as their condition holds.
const LONG: Duration = Duration::from_secs(20);

/// An instance without sockets.
struct TestInstance {
    app: App,
    actions: Arc<Actions>,
    index: Arc<Index>,
    store: Arc<dyn Store>,
    follower: Option<Worker>,
}

impl Drop for TestInstance {
    fn drop(&mut self) {
        self.follower.take().into_iter().for_each(Worker::stop);
    }
}

struct Made {
    id: String,
    secret: String,
}

impl TestInstance {
    /// Starts a new instance with an owner.
    fn over(store: Arc<dyn Store>) -> Self {
        Self::over_with(store, Arc::new(SystemClock::start()))
    }

    /// Starts an instance on a store at a given time, and creates an owner if the store has none.
    fn over_with(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self::paced(store, clock, (Pace::OFF, Pace::OFF))
    }

    /// Starts an instance with a rate limit on the changes of sessions and of keys.
    fn paced(store: Arc<dyn Store>, clock: Arc<dyn Clock>, paces: (Pace, Pace)) -> Self {
        prepare::prepare(&*store).unwrap();
        let index = Arc::new(Index::new());
        let follower = follow::start(Arc::clone(&index), Arc::clone(&store)).unwrap();
        // Each instance has a different seed: a second instance on the same store must not generate
        // the same ids.
        let random = StdRng::from_rng(&mut rand::rng());
        let prefix = Prefix::default();
        let actions = Actions::new(Arc::clone(&store), Arc::clone(&index), clock, random, prefix);
        let actions = Arc::new(actions);
        let owner = FirstOwner {
            name: None,
            email: "ada@example.com".to_owned(),
            password: Secret::new("correct horse battery".to_owned()),
        };
        if !actions.is_founded().unwrap() {
            actions.found(&owner, None, None).unwrap();
        }
        let settings = HttpSettings {
            links: keyhouse::model::public_url::Links::default(),
            public_url: "http://localhost".parse().unwrap(),
            trusted_proxies: vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.7/32".parse().unwrap()]
                .into(),
        };
        let app = App::new(Arc::clone(&actions), settings, 1).paced_by(paces.0, paces.1);
        Self { app, actions, index, store, follower: Some(follower) }
    }

    /// A management request of the operator on the host.
    fn manage(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let (status, _, reported) = self.ask(method, path, &[], body);
        (status, reported)
    }

    /// Sends a request with more headers and returns the status, cookie and body of the response.
    fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> (u16, String, Value) {
        let json = ("Content-Type", "application/json");
        let headers = headers.iter().chain([&json, &("Host", "localhost")]);
        let headers =
            headers.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let body = body.to_string().into_bytes();
        let request = rouille::Request::fake_http(method, path, headers, body);
        let response = self.app.answer_locally(&request);
        let cookie = response.headers.iter().find(|(name, _)| name == "Set-Cookie");
        let cookie = cookie.and_then(|(_, value)| value.split(';').next()).unwrap_or_default();
        let (cookie, mut text) = (cookie.to_owned(), String::new());
        response.data.into_reader_and_size().0.read_to_string(&mut text).unwrap();
        (response.status_code, cookie, serde_json::from_str(&text).unwrap_or_default())
    }

    fn create(&self, name: &str) -> Made {
        let (status, made) = self.manage("POST", "/v1/keys", &json!({ "name": name }));
        assert_eq!(status, 201, "{made}");
        Made {
            id: made["key"]["id"].as_str().unwrap().to_owned(),
            secret: made["secret"].as_str().unwrap().to_owned(),
        }
    }

    fn revoke(&self, key: &Made) -> u16 {
        self.manage("POST", &format!("/v1/keys/{}/revoke", key.id), &json!({})).0
    }

    /// The answer to a proxy about a secret: status and code.
    fn check(&self, secret: &str) -> (u16, String) {
        let request = http::Request::get("/v1/forward-auth/default")
            .header("x-forwarded-method", "GET")
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-host", "api.example.com")
            .header("x-forwarded-uri", "/")
            .header("x-forwarded-for", "192.0.2.7")
            .header("x-api-key", secret);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let peer = Peer::Tcp(([127, 0, 0, 1], 1).into());
        let arrival = Arrival { listener: ListenerKind::Main, peer, parts: &parts };
        let response = self.app.check(&arrival, b"");
        let code = response.headers.iter().find(|(name, _)| name == "X-Keyhouse-Code");
        (response.status_code, code.map(|(_, code)| code.to_string()).unwrap_or_default())
    }

    /// Waits until the index has applied all commits, and compares it with the store.
    fn assert_index_equals_store(&self) {
        let pause = Halt::default();
        let page = loop {
            match self.store.scan(&Range::prefix(b"key/"), At::Latest) {
                Ok(page) => break page,
                // Reopening always ends; nextest limits the wait.
                Err(_unavailable) => drop(pause.pause(Duration::from_millis(5))),
            }
        };
        assert!(self.index.wait_for(page.revision, LONG), "{:?}", self.index.state());
        let mut secrets = 0;
        for row in &page.rows {
            let record = read_row::<KeyRecord>(row).unwrap().record;
            for secret in &record.secrets {
                secrets += 1;
                let grant = self.index.grant(&secret.digest).unwrap();
                assert_eq!(grant.revoked, record.revoked_at.is_some(), "{}", record.id);
                assert_eq!(grant.name(), record.name);
            }
        }
        assert_eq!(self.index.len(), secrets);
    }
}

#[test]
fn a_failed_redb_commit_is_outcome_unknown_and_the_index_follows_the_store() {
    // If the first sync of a two-phase commit fails, the batch is not stored. If the second sync
    // fails, the batch is stored.
    for (sync, is_in) in [(1, false), (2, true)] {
        let folder = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::new();
        let place = keyhouse_storage_redb::RedbSettings::new(folder.path().join("data"));
        let store = RedbStore::open_on(&place, Arc::new(disk.clone())).unwrap();
        let instance = TestInstance::over(Arc::new(store));
        let before = instance.create("before");
        let other = instance.create("other");

        disk.inject(DiskOperation::Sync, sync, ErrorKind::Other);
        let (status, problem) = instance.manage("POST", "/v1/keys", &json!({ "name": "lost" }));
        assert_eq!((status, &problem["code"]), (503, &json!("outcome_unknown")), "{problem}");
        assert!(!problem.to_string().contains("kh_live_"), "no secret is shown: {problem}");
        assert_eq!(instance.check(&before.secret).0, 200, "checks go on from memory");

        instance.assert_index_equals_store();
        let (status, listed) = instance.manage("GET", "/v1/keys?search=lost", &Value::Null);
        assert_eq!(status, 200);
        assert_eq!(listed["items"].as_array().unwrap().len(), usize::from(is_in), "sync {sync}");
        assert_eq!(instance.revoke(&other), 200, "changes work again");
        assert_eq!(instance.check(&other.secret), (401, "REVOKED".to_owned()));
        instance.assert_index_equals_store();
        instance.store.close().unwrap();
    }
}

#[test]
fn an_unavailable_store_blocks_changes_but_not_checks() {
    let store = Arc::new(FaultyStore::new(MemoryStore::new()));
    let instance = TestInstance::over(Arc::clone(&store) as Arc<dyn Store>);
    let key = instance.create("any");
    store.inject_always(StoreOperation::Submit, InjectedFault::Unavailable);
    let (status, problem) = instance.manage("POST", "/v1/keys", &json!({}));
    assert_eq!((status, &problem["code"]), (503, &json!("storage_unavailable")));
    store.heal();
    store.inject(StoreOperation::Submit, 1, InjectedFault::Full);
    let (status, problem) = instance.manage("POST", "/v1/keys", &json!({}));
    assert_eq!((status, &problem["code"]), (503, &json!("storage_full")));
    assert_eq!(instance.check(&key.secret).0, 200);
    assert_eq!(instance.manage("POST", "/v1/keys", &json!({})).0, 201);
}

/// Found in a review: revoking a key while another caller revoked it returned 200 from the store at
/// once. The index did not have the revocation yet, and checks still accepted the key.
#[test]
fn no_answer_is_sent_before_the_index_has_the_change() {
    let store = Arc::new(FaultyStore::new(MemoryStore::new()));
    let instance = TestInstance::over(Arc::clone(&store) as Arc<dyn Store>);
    let key = instance.create("any");
    let gate = TestGate::new();
    store.inject_always(StoreOperation::Next, InjectedFault::Wait(gate.clone()));
    assert!(gate.wait_for_arrivals(1, LONG) || instance.index.state() == IndexState::Following);
    let revoke_and_check = || (instance.revoke(&key), instance.check(&key.secret));
    let seen: Vec<_> = scope(|threads| {
        let tries: Vec<_> = (0..3).map(|_| threads.spawn(revoke_and_check)).collect();
        tries.into_iter().map(|tried| tried.join().unwrap()).collect()
    });
    store.heal();
    gate.open();
    for (revoked, (status, code)) in seen {
        assert_eq!(revoked, 200);
        let fits = matches!((status, code.as_str()), (401, "REVOKED") | (503, "index_behind"));
        assert!(fits, "{status} {code}");
    }
    instance.assert_index_equals_store();
    assert_eq!(instance.check(&key.secret), (401, "REVOKED".to_owned()));
}

#[test]
fn an_index_that_missed_commits_is_rebuilt_during_other_writes() {
    let store = Arc::new(FaultyStore::new(MemoryStore::new()));
    let instance = TestInstance::over(Arc::clone(&store) as Arc<dyn Store>);
    let keys: Vec<_> = (0..50).map(|number| instance.create(&format!("key {number}"))).collect();
    scope(|threads| {
        for half in keys.chunks(25) {
            let instance = &instance;
            threads.spawn(move || {
                for key in half {
                    instance.create("another");
                    assert_eq!(instance.revoke(key), 200);
                    let (status, code) = instance.check(&key.secret);
                    assert!(status == 401 || code == "index_behind", "{status} {code}");
                }
            });
        }
        for _ in 0..10 {
            store.reopen();
            instance.create("between");
        }
    });
    instance.assert_index_equals_store();
    assert_eq!(instance.index.state(), IndexState::Following);
}

#[test]
fn every_change_writes_its_event_and_no_event_holds_a_secret() {
    let instance = TestInstance::over(Arc::new(MemoryStore::new()));
    let key = instance.create("any");
    instance.manage("PATCH", &format!("/v1/keys/{}", key.id), &json!({ "name": "other" }));
    instance.manage("POST", &format!("/v1/keys/{}/disable", key.id), &json!({}));
    instance.manage("POST", &format!("/v1/keys/{}/enable", key.id), &json!({}));
    assert_eq!(instance.revoke(&key), 200);
    assert_eq!(instance.revoke(&key), 200, "again, which changes nothing and is no event");
    let page = instance.store.scan(&Range::prefix(b"event/"), At::Latest).unwrap();
    let digest = Secret::new(key.secret.clone()).digest().to_string();
    let mut actions = Vec::new();
    for row in &page.rows {
        let text = String::from_utf8_lossy(&row.value);
        assert!(!text.contains(&key.secret) && !text.contains(&digest), "{text}");
        actions.push(read_row::<EventRecord>(row).unwrap().record.action);
    }
    actions.sort();
    let expected =
        ["instance.setup", "key.create", "key.disable", "key.enable", "key.revoke", "key.update"];
    assert_eq!(actions.iter().map(|action| &**action).collect::<Vec<_>>(), expected);
}
