//! A removal that is interrupted between any two of its steps continues where it stopped, at the
//! next start or when requested again, and does nothing twice.

use keyhouse::records::event::EventRecord;
use keyhouse::records::read_row;
use keyhouse_storage::{At, InjectedFault, Range, Store, StoreOperation};
use serde_json::{Value, json};

use crate::test_instance::TestInstance;
use crate::{Made, people};

const KEYS: usize = 3;
/// The steps: a tombstone, one step per key, and the end.
const STEPS: usize = KEYS + 2;

/// Adds a user and creates keys for them; returns the user's id and the keys.
fn join(instance: &TestInstance, name: &str) -> (String, Vec<Made>) {
    let person = people::join(instance, name, "user");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let make = |_number| {
        let (cookie, body) = ([("Cookie", &*person.cookie)], json!({"permissions": ["a:read"]}));
        let (status, _, made) = instance.ask("POST", "/v1/keys", &cookie, &body);
        assert_eq!(status, 201, "{made}");
        Made { id: text(&made["key"]["id"]), secret: text(&made["secret"]) }
    };
    (person.id.clone(), (0..KEYS).map(make).collect())
}

/// Counts how often removals changed a key, according to the events.
fn changes(instance: &TestInstance, key: &Made) -> usize {
    let page = instance.store.scan(&Range::prefix(b"event/"), At::Latest).unwrap();
    let events = page.rows.iter().map(|row| read_row::<EventRecord>(row).unwrap().record);
    let ours = events.filter(|event| event.target == key.id);
    ours.filter(|event| matches!(&*event.action, "key.revoke" | "key.transfer")).count()
}

fn is_over(instance: &TestInstance) -> bool {
    instance.store.scan(&Range::prefix(b"leaving/"), At::Latest).unwrap().rows.is_empty()
}

#[test]
fn a_removal_interrupted_at_any_step_is_finished_once() {
    for (query, code) in [("", "REVOKED"), ("?keys=transfer&to=organization", "")] {
        for (step, by_start) in (1..=STEPS).flat_map(|step| [(step, true), (step, false)]) {
            let claim = format!("{query} broken off at step {step}, by start: {by_start}");
            let mut instance = TestInstance::start();
            let (user, keys) = join(&instance, "bo");
            let path = format!("/v1/users/{user}{query}");
            instance.store.inject(StoreOperation::Submit, step, InjectedFault::Unavailable);
            let (status, problem) = instance.manage("DELETE", &path, &Value::Null);
            assert_eq!(status, 503, "{claim}: {problem}");
            if step == 1 {
                assert_eq!(instance.check(&keys[0].secret).0, 200, "{claim}: nothing was done");
                continue;
            }
            // Keys that the removal has not processed yet are rejected too.
            let found: Vec<_> = keys.iter().map(|key| instance.check(&key.secret).1).collect();
            let reached = found.iter().filter(|found| **found == code).count();
            let refused = found.iter().filter(|found| *found == "OWNER_DISABLED").count();
            assert_eq!((reached, refused), (step - 2, KEYS + 2 - step), "{claim}: {found:?}");
            if by_start {
                instance = instance.restart();
                instance.actions().resume_removals().unwrap();
            } else {
                let (status, problem) = instance.manage("DELETE", &path, &Value::Null);
                assert_eq!(status, 204, "{claim}: {problem}");
            }
            assert!(is_over(&instance), "{claim}");
            for key in &keys {
                assert_eq!(instance.check(&key.secret).1, code, "{claim}");
                assert_eq!(changes(&instance, key), 1, "{claim}");
            }
            instance.actions().resume_removals().unwrap();
            assert_eq!(
                instance.manage("DELETE", &path, &Value::Null).0,
                404,
                "{claim}: it is over"
            );
            instance.assert_index_equals_store();
        }
    }
}

#[test]
fn a_removal_in_progress_keeps_its_disposition() {
    let instance = TestInstance::start();
    let (bo, keys) = join(&instance, "bo");
    instance.store.inject(StoreOperation::Submit, 2, InjectedFault::Unavailable);
    assert_eq!(instance.manage("DELETE", &format!("/v1/users/{bo}"), &Value::Null).0, 503);
    let other = format!("/v1/users/{bo}?keys=transfer&to=organization");
    let (status, problem) = instance.manage("DELETE", &other, &Value::Null);
    assert_eq!((status, &problem["code"]), (409, &json!("removal_under_way")));
    assert_eq!(instance.check(&keys[0].secret).1, "OWNER_DISABLED");
}

#[test]
fn keys_are_revoked_if_their_recipient_is_removed_too() {
    let instance = TestInstance::start();
    let ((bo, keys), (cy, _)) = (join(&instance, "bo"), join(&instance, "cy"));
    let transfer = format!("/v1/users/{bo}?keys=transfer&to={cy}");
    instance.store.inject(StoreOperation::Submit, 2, InjectedFault::Unavailable);
    assert_eq!(instance.manage("DELETE", &transfer, &Value::Null).0, 503);
    assert_eq!(instance.manage("DELETE", &format!("/v1/users/{cy}"), &Value::Null).0, 204);
    assert_eq!(instance.manage("DELETE", &transfer, &Value::Null).0, 204);
    for key in &keys {
        assert_eq!(instance.check(&key.secret), (401, "REVOKED".to_owned()));
    }
}
