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
mod proof;
mod removal;
mod sign_in;
#[path = "../test_instance/mod.rs"]
mod test_instance;
mod time;

use std::io::ErrorKind;
use std::sync::Arc;
use std::thread::scope;
use std::time::Duration;

use keyhouse::index::IndexState;
use keyhouse::model::secret::Secret;
use keyhouse::records::event::EventRecord;
use keyhouse::records::key::KeyRecord;
use keyhouse::records::read_row;
use keyhouse::worker::Halt;
use keyhouse_storage::{At, InjectedFault, Range, Store, StoreOperation, TestGate};
use keyhouse_storage_redb::{DiskOperation, FaultyDisk, RedbStore};
use serde_json::{Value, json};

use test_instance::TestInstance;

/// Longer than any step of these tests. Waits end as soon as their condition holds.
const LONG: Duration = Duration::from_secs(20);

struct Made {
    id: String,
    secret: String,
}

impl TestInstance {
    fn create_named(&self, name: &str) -> Made {
        let (id, secret) = self.create(&json!({ "name": name }));
        Made { id, secret }
    }

    fn revoke(&self, key: &Made) -> u16 {
        self.manage("POST", &format!("/v1/keys/{}/revoke", key.id), &json!({})).0
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
        assert!(self.index().wait_for(page.revision, LONG), "{:?}", self.index().state());
        let mut secrets = 0;
        for row in &page.rows {
            let record = read_row::<KeyRecord>(row).unwrap().record;
            for secret in &record.secrets {
                secrets += 1;
                let grant = self.index().grant(&secret.digest).unwrap();
                assert_eq!(grant.revoked, record.revoked_at.is_some(), "{}", record.id);
                assert_eq!(grant.name(), record.name);
            }
        }
        assert_eq!(self.index().len(), secrets);
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
        let before = instance.create_named("before");
        let other = instance.create_named("other");

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
    let instance = TestInstance::start();
    let key = instance.create_named("any");
    instance.store.inject_always(StoreOperation::Submit, InjectedFault::Unavailable);
    let (status, problem) = instance.manage("POST", "/v1/keys", &json!({}));
    assert_eq!((status, &problem["code"]), (503, &json!("storage_unavailable")));
    instance.store.heal();
    instance.store.inject(StoreOperation::Submit, 1, InjectedFault::Full);
    let (status, problem) = instance.manage("POST", "/v1/keys", &json!({}));
    assert_eq!((status, &problem["code"]), (503, &json!("storage_full")));
    assert_eq!(instance.check(&key.secret).0, 200);
    assert_eq!(instance.manage("POST", "/v1/keys", &json!({})).0, 201);
}

/// Found in a review: revoking a key while another caller revoked it returned 200 from the store at
/// once. The index did not have the revocation yet, and checks still accepted the key.
#[test]
fn no_answer_is_sent_before_the_index_has_the_change() {
    let instance = TestInstance::start();
    let key = instance.create_named("any");
    let gate = TestGate::new();
    instance.store.inject_always(StoreOperation::Next, InjectedFault::Wait(gate.clone()));
    assert!(gate.wait_for_arrivals(1, LONG), "the index waits for the store");
    let revoke_and_check = || (instance.revoke(&key), instance.check(&key.secret));
    let seen: Vec<_> = scope(|threads| {
        let tries: Vec<_> = (0..3).map(|_| threads.spawn(revoke_and_check)).collect();
        tries.into_iter().map(|tried| tried.join().unwrap()).collect()
    });
    instance.store.heal();
    gate.open();
    for (revoked, checked) in seen {
        assert_eq!((revoked, checked), (200, (503, "index_behind".to_owned())));
    }
    instance.assert_index_equals_store();
    assert_eq!(instance.check(&key.secret), (401, "REVOKED".to_owned()));
}

#[test]
fn an_index_that_missed_commits_is_rebuilt_during_other_writes() {
    let instance = TestInstance::start();
    let keys: Vec<_> =
        (0..50).map(|number| instance.create_named(&format!("key {number}"))).collect();
    scope(|threads| {
        for half in keys.chunks(25) {
            let instance = &instance;
            threads.spawn(move || {
                for key in half {
                    instance.create_named("another");
                    assert_eq!(instance.revoke(key), 200);
                    assert_refused_or_behind(&instance.check(&key.secret));
                }
            });
        }
        for _ in 0..10 {
            instance.store.reopen();
            instance.create_named("between");
        }
    });
    instance.assert_index_equals_store();
    assert_eq!(instance.index().state(), IndexState::Following);
}

/// A rebuild may take longer than a change waits for the index.
fn assert_refused_or_behind((status, code): &(u16, String)) {
    let expected = if *status == 503 { (503, "index_behind") } else { (401, "REVOKED") };
    assert_eq!((*status, code.as_str()), expected);
}

#[test]
fn every_change_writes_its_event_and_no_event_holds_a_secret() {
    let instance = TestInstance::start();
    let key = instance.create_named("any");
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
