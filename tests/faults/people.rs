//! Races between changes of users: one change is decided and held up before it is stored, while
//! another change removes its precondition.

use std::thread::scope;

use keyhouse_storage::{InjectedFault, StoreOperation, TestGate};
use serde_json::{Value, json};

use crate::LONG;
use crate::test_instance::TestInstance;

/// A user with a session.
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) cookie: String,
}

/// Creates an invitation as the operator on the host, or as the user with this cookie, and returns
/// its token.
pub(crate) fn invite(
    instance: &TestInstance,
    cookie: Option<&str>,
    name: &str,
    role: &str,
) -> String {
    let body = json!({"email": format!("{name}@example.com"), "role": role});
    let headers: Vec<_> = cookie.iter().map(|cookie| ("Cookie", *cookie)).collect();
    let (status, _, invited) = instance.ask("POST", "/v1/invitations", &headers, &body);
    assert_eq!(status, 201, "{invited}");
    invited["url"].as_str().unwrap().rsplit_once("#token=").unwrap().1.to_owned()
}

/// Accepts an invitation and returns status, cookie and body.
fn accept(instance: &TestInstance, token: &str) -> (u16, String, Value) {
    let password = "nine wild geese over the lake";
    let body = json!({"token": token, "name": "Somebody", "password": password});
    instance.ask("POST", "/v1/invitations/accept", &[], &body)
}

/// Adds a user to the organization.
pub(crate) fn join(instance: &TestInstance, name: &str, role: &str) -> Person {
    let (status, cookie, reported) = accept(instance, &invite(instance, None, name, role));
    assert_eq!(status, 201, "{reported}");
    Person { id: reported["user"]["id"].as_str().unwrap().to_owned(), cookie }
}

fn patch(instance: &TestInstance, by: Option<&Person>, target: &Person, change: &Value) -> u16 {
    let headers: Vec<_> = by.iter().map(|by| ("Cookie", &*by.cookie)).collect();
    instance.ask("PATCH", &format!("/v1/users/{}", target.id), &headers, change).0
}

/// Runs `late` and holds its change up before the store. Meanwhile runs `early`, whose change is
/// applied.
pub(crate) fn overtaken<T: Send>(
    instance: &TestInstance,
    late: impl FnOnce() -> T + Send,
    early: impl FnOnce(),
) -> T {
    let gate = TestGate::new();
    instance.store.inject(StoreOperation::Submit, 1, InjectedFault::Wait(gate.clone()));
    scope(|threads| {
        let late = threads.spawn(late);
        assert!(gate.wait_for_arrivals(1, LONG));
        early();
        gate.open();
        late.join().unwrap()
    })
}

#[test]
fn an_invitation_fails_if_its_maker_loses_rights_concurrently() {
    for change in [json!({"disabled": true}), json!({"role": "user"})] {
        let instance = TestInstance::start();
        let admin = join(&instance, "admin", "administrator");
        let token = invite(&instance, Some(&admin.cookie), "bo", "administrator");
        let (status, _, problem) = overtaken(
            &instance,
            || accept(&instance, &token),
            || assert_eq!(patch(&instance, None, &admin, &change), 200),
        );
        assert_eq!((status, &problem["code"]), (403, &json!("link_invalid")), "{change}");
        let (_, users) = instance.manage("GET", "/v1/users?email=bo@example.com", &Value::Null);
        assert_eq!(users["items"], json!([]), "{change}");
    }
}

#[test]
fn a_link_fails_if_its_creating_key_is_revoked_concurrently() {
    let instance = TestInstance::start();
    let list = json!({"kind": "service", "permissions": ["*", "keyhouse:*"]});
    let (_, made) = instance.manage("POST", "/v1/keys", &list);
    let bearer = format!("Bearer {}", made["secret"].as_str().unwrap());
    let body = json!({"email": "bo@example.com", "role": "user"});
    let by_key = [("Authorization", &*bearer)];
    let (status, _, invited) = instance.ask("POST", "/v1/invitations", &by_key, &body);
    assert_eq!(status, 201, "{invited}");
    let token = invited["url"].as_str().unwrap().rsplit_once("#token=").unwrap().1;
    let revoke = format!("/v1/keys/{}/revoke", made["key"]["id"].as_str().unwrap());
    let (status, _, problem) = overtaken(
        &instance,
        || accept(&instance, token),
        || assert_eq!(instance.manage("POST", &revoke, &json!({})).0, 200),
    );
    assert_eq!((status, &problem["code"]), (403, &json!("link_invalid")), "{problem}");
}

/// A key that is about to be revoked with its creator creates another key first.
#[test]
fn a_key_created_during_a_revocation_of_its_ancestors_is_revoked() {
    let instance = TestInstance::start();
    let list = json!({"kind": "service", "permissions": ["keyhouse:keys:manage"]});
    let make = |secret: &str| {
        let bearer = format!("Bearer {secret}");
        let (status, _, made) =
            instance.ask("POST", "/v1/keys", &[("Authorization", &bearer)], &list);
        assert_eq!(status, 201, "{made}");
        made
    };
    let secret = |made: &Value| made["secret"].as_str().unwrap().to_owned();
    let (_, root) = instance.manage("POST", "/v1/keys", &list);
    let child = make(&secret(&root));
    let revoke = format!("/v1/keys/{}/revoke", root["key"]["id"].as_str().unwrap());
    let gate = TestGate::new();
    // The revocation of the root key itself is the first batch.
    instance.store.inject(StoreOperation::Submit, 2, InjectedFault::Wait(gate.clone()));
    let all = json!({"descendants": true});
    let (status, reported) = scope(|threads| {
        let revoked = threads.spawn(|| instance.manage("POST", &revoke, &all));
        assert!(gate.wait_for_arrivals(1, LONG));
        make(&secret(&child));
        gate.open();
        revoked.join().unwrap()
    });
    assert_eq!(status, 200, "{reported}");
    assert_eq!(reported["descendants"], json!({"revoked": 2, "left": 0, "more": false}));
}

#[test]
fn a_demotion_fails_if_its_author_is_demoted_concurrently() {
    let instance = TestInstance::start();
    let (one, other) = (join(&instance, "one", "owner"), join(&instance, "other", "owner"));
    let demotion = json!({"role": "user"});
    let late = overtaken(
        &instance,
        || patch(&instance, Some(&one), &other, &demotion),
        || assert_eq!(patch(&instance, Some(&other), &one, &demotion), 200),
    );
    assert_eq!(late, 401, "the demotion ended the session of who was overtaken");
    let path = format!("/v1/users/{}", other.id);
    assert_eq!(instance.manage("GET", &path, &Value::Null).1["role"], "owner");
}

#[test]
fn concurrent_demotions_keep_the_last_owner() {
    let instance = TestInstance::start();
    let one = join(&instance, "one", "owner");
    let (_, users) = instance.manage("GET", "/v1/users?email=ada@example.com", &Value::Null);
    let ada = users["items"][0]["id"].as_str().unwrap().to_owned();
    let ada = Person { id: ada, cookie: String::new() };
    let demotion = json!({"role": "user"});
    let late = overtaken(
        &instance,
        || patch(&instance, None, &ada, &demotion),
        || assert_eq!(patch(&instance, None, &one, &demotion), 200),
    );
    assert_eq!(late, 409, "even for the operator on the host");
}

#[test]
fn creating_a_key_fails_if_its_owner_is_removed_concurrently() {
    let instance = TestInstance::start();
    let bo = join(&instance, "bo", "user");
    let (status, _, problem) = overtaken(
        &instance,
        || instance.ask("POST", "/v1/keys", &[("Cookie", &bo.cookie)], &json!({})),
        || {
            let removed = instance.manage("DELETE", &format!("/v1/users/{}", bo.id), &Value::Null);
            assert_eq!(removed.0, 204);
        },
    );
    assert_eq!((status, &problem["code"]), (401, &json!("session_ended")));
    let (_, keys) = instance.manage("GET", "/v1/keys?status=all", &Value::Null);
    assert_eq!(keys["items"], json!([]));
}
