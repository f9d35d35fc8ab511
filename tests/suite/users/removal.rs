//! `DELETE /v1/users/{id}` ends a user's access at once. The user's keys are revoked, or
//! transferred with at most the permissions that they granted.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::people::{PASSWORD, Person};
use crate::test_server::{Made, TestServer, made};

fn path(person: &Person) -> String {
    format!("/v1/users/{}", person.id)
}

fn remove(person: &Person, query: &str) -> Ask {
    Ask::new("DELETE", &format!("{}{query}", path(person)))
}

fn make_key(instance: &TestServer, person: &Person, fields: &Value) -> Made {
    made(&instance.ask_as(person, &Ask::post("/v1/keys", fields)).expect(201))
}

fn code(instance: &TestServer, secret: &str) -> String {
    instance.verify(secret)["code"].as_str().unwrap().to_owned()
}

/// Whether a key grants a permission, as a service checks it.
fn grants(instance: &TestServer, secret: &str, permission: &str) -> bool {
    let body = json!({"key": secret, "permissions": permission});
    instance.ask(&Ask::post("/v1/verify", &body)).expect(200)["valid"] == true
}

#[test]
fn a_removed_user_loses_access_and_their_keys_are_revoked() {
    let instance = TestServer::start();
    let bo = instance.join("bo", "user");
    let keys = ["one", "two"].map(|name| make_key(&instance, &bo, &json!({"name": name})));
    let gone = make_key(&instance, &bo, &json!({"name": "gone before"}));
    instance.ask(&Ask::new("DELETE", &format!("/v1/keys/{}", gone.id))).expect(204);

    let listed = instance.ask(&Ask::get(&format!("{}/keys", path(&bo)))).expect(200);
    let names: Vec<_> =
        listed["items"].as_array().unwrap().iter().map(|key| &key["name"]).collect();
    assert_eq!(names, ["two", "one"], "those that the removal would touch");

    assert_eq!(instance.ask(&remove(&bo, "")).status, 204);
    for key in &keys {
        assert_eq!(code(&instance, &key.secret), "REVOKED");
        assert_eq!(instance.key(&key.id)["revoked_reason"], "the owner was removed");
    }
    instance.ask_as(&bo, &Ask::get("/v1/session")).problem(401, "session_ended");
    let sign_in = Ask::post("/v1/session", &json!({"email": bo.email, "password": PASSWORD}));
    instance.bare(&sign_in).problem(401, "sign_in_failed");
    for ask in [Ask::get(&path(&bo)), remove(&bo, ""), Ask::get(&format!("{}/keys", path(&bo)))] {
        instance.ask(&ask).problem(404, "not_found");
    }
    // The email address of the removed user is free again.
    let again = instance.join("bo", "user");
    assert_ne!(again.id, bo.id);
}

#[test]
fn a_transfer_names_its_recipient_and_requires_key_management() {
    let instance = TestServer::start();
    let (bo, cy) = (instance.join("bo", "user"), instance.join("cy", "user"));
    instance.ask(&Ask::patch(&path(&cy), &json!({"disabled": true}))).expect(200);
    for (query, pointer, fault) in [
        ("?keys=transfer", "?to", "required"),
        ("?keys=transfer&to=me", "?to", "invalid_id"),
        ("?keys=give", "?keys", "invalid_choice"),
        ("?to=organization", "?to", "contradiction"),
        (&format!("?keys=transfer&to={}", bo.id), "?to", "unknown_user"),
        (&format!("?keys=transfer&to={}", cy.id), "?to", "unknown_user"),
        ("?keys=transfer&to=usr_0198c5a2-6f1e-7cc3-98c4-dc0c0c07398f", "?to", "unknown_user"),
        ("?keep=all", "?keep", "unknown_parameter"),
    ] {
        let problem = instance.ask(&remove(&bo, query)).problem(400, "invalid_input");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{query} {problem}");
        assert_eq!(problem["errors"][0]["code"], fault, "{query} {problem}");
    }
    // All permissions of a user's role, plus user management, but not key management.
    let held = ["keyhouse:users:manage", "keyhouse:users:read", "keyhouse:keys:create", "*"];
    let fields = json!({"name": "people desk", "kind": "service", "permissions": held});
    let desk = instance.create(&fields);
    let ask = |ask: Ask| instance.bare(&ask.bearer(&desk.secret));
    ask(remove(&bo, "?keys=transfer&to=organization")).problem(403, "permission_required");
    make_key(&instance, &bo, &json!({"name": "theirs"}));
    let listed = ask(Ask::get(&format!("{}/keys", path(&bo)))).expect(200);
    assert!(
        listed["items"][0]["name"].is_null(),
        "who does not see keys sees that they are: {listed}"
    );
    assert_eq!(ask(remove(&bo, "")).status, 204);
}

#[test]
fn a_transferred_service_key_keeps_the_permissions_it_granted() {
    let instance = TestServer::start();
    let bo = instance.join("bo", "user");
    let listed =
        make_key(&instance, &bo, &json!({"name": "listed", "permissions": ["a:read", "b:*"]}));
    let open = make_key(&instance, &bo, &json!({"name": "open"}));
    assert_eq!(instance.ask(&remove(&bo, "?keys=transfer&to=organization")).status, 204);
    for (key, permissions) in [(&listed, json!(["a:read", "b:*"])), (&open, json!(["*"]))] {
        let shown = instance.key(&key.id);
        assert_eq!(shown["kind"], "service", "{shown}");
        assert_eq!(shown["owner"], Value::Null, "{shown}");
        assert_eq!(shown["permissions"], permissions, "{shown}");
        assert_eq!(shown["rotation_advised"], true, "{shown}");
        assert_eq!(shown["version"], 2, "{shown}");
        assert_eq!(code(&instance, &key.secret), "VALID");
    }
    assert!(
        grants(&instance, &listed.secret, "b:write")
            && !grants(&instance, &listed.secret, "c:read")
    );
}

/// Attempts of a new owner whose role has more permissions than the role of the removed user.
#[test]
fn a_transferred_key_gains_no_permission_of_its_new_owner() {
    let instance = TestServer::start();
    let (bo, boss) = (instance.join("bo", "user"), instance.join("boss", "administrator"));
    let key = make_key(&instance, &bo, &json!({"name": "theirs", "permissions": ["a:*"]}));
    let open = make_key(&instance, &bo, &json!({"name": "open"}));
    assert_eq!(instance.ask(&remove(&bo, &format!("?keys=transfer&to={}", boss.id))).status, 204);
    let shown = instance.key(&key.id);
    assert_eq!((&shown["owner"], &shown["kind"]), (&json!(boss.id), &json!("personal")), "{shown}");

    let patch = |person: &Person, key: &Made, permissions: Value| {
        let ask = Ask::patch(&format!("/v1/keys/{}", key.id), &json!({"permissions": permissions}));
        instance.ask_as(person, &ask)
    };
    for permissions in
        [json!(["a:*", "b:read"]), json!(["*"]), json!(["keyhouse:keys:read"]), json!(null)]
    {
        for person in [&boss, &instance.owner()] {
            let problem = patch(person, &key, permissions.clone()).problem(400, "invalid_input");
            assert_eq!(problem["errors"][0]["code"], "beyond_ceiling", "{problem}");
        }
    }
    patch(&boss, &key, json!(["a:read"])).expect(200);
    assert!(!grants(&instance, &key.secret, "a:write"));
    patch(&boss, &key, json!(["a:read", "a:write"])).expect(200);
    assert!(grants(&instance, &key.secret, "a:write") && !grants(&instance, &key.secret, "b:read"));
    // The new owner's role includes key management. The key did not have this permission, and still
    // does not.
    assert!(grants(&instance, &open.secret, "b:read"));
    assert!(!grants(&instance, &open.secret, "keyhouse:keys:read"));
    patch(&boss, &open, json!(["keyhouse:keys:read"])).problem(400, "invalid_input");

    // A second removal keeps the key within the permissions at the first removal, and the role of
    // each owner also limits the key.
    let cy = instance.join("cy", "owner");
    assert_eq!(instance.ask(&remove(&boss, &format!("?keys=transfer&to={}", cy.id))).status, 204);
    assert_eq!(instance.key(&key.id)["permissions"], json!(["a:read", "a:write"]));
    patch(&cy, &key, json!(["a:*"])).problem(400, "invalid_input");
    instance.ask(&Ask::patch(&path(&cy), &json!({"role": "guest"}))).expect(200);
    assert!(!grants(&instance, &key.secret, "a:read"), "a guest's key grants what guests hold");
    instance.ask(&Ask::patch(&path(&cy), &json!({"disabled": true}))).expect(200);
    assert_eq!(code(&instance, &key.secret), "OWNER_DISABLED");
}

#[test]
fn permissions_lost_before_the_removal_are_not_transferred() {
    let instance = TestServer::start();
    let bo = instance.join("bo", "administrator");
    let key = make_key(
        &instance,
        &bo,
        &json!({"name": "k", "permissions": ["a:read", "keyhouse:keys:read"]}),
    );
    instance.ask(&Ask::patch(&path(&bo), &json!({"role": "user"}))).expect(200);
    assert_eq!(instance.ask(&remove(&bo, "?keys=transfer&to=organization")).status, 204);
    assert_eq!(instance.key(&key.id)["permissions"], json!(["a:read"]));
    assert!(!grants(&instance, &key.secret, "keyhouse:keys:read"));
}

#[test]
fn a_removed_users_keys_stay_revoked_after_a_restart() {
    let mut instance = TestServer::start();
    let bo = instance.join("bo", "user");
    let key = make_key(&instance, &bo, &json!({"name": "one"}));
    assert_eq!(instance.ask(&remove(&bo, "?keys=revoke")).status, 204);
    instance.restart();
    instance.sign_in();
    assert_eq!(code(&instance, &key.secret), "REVOKED");
}

/// Found in a review: the removed user kept a secret that upstreams attributed to the new owner.
#[test]
fn a_transferred_key_names_its_new_owner_only_after_rotation() {
    let instance = TestServer::start();
    let (bo, cy) = (instance.join("bo", "user"), instance.join("cy", "administrator"));
    let team = instance.team("Build", "visible", &[&bo, &cy]);
    let key = make_key(&instance, &bo, &json!({"name": "theirs", "permissions": ["a:read"]}));
    let share = Ask::new("PUT", &format!("/v1/keys/{}/teams/{team}", key.id));
    instance.ask_as(&bo, &share.json(&json!({"access": "read"}))).expect(200);
    let verifier = instance
        .create(&json!({"kind": "service", "permissions": ["keyhouse:keys:verify"]}))
        .secret;
    let introspect = |secret: &str| {
        let ask = Ask::new("POST", "/v1/introspect").form(&json!({"token": secret}));
        instance.bare(&ask.bearer(&verifier)).expect(200)
    };
    let named = |secret: &str, owner: Option<&Person>, role: &str| {
        let or_nothing = |value: Option<&str>| value.unwrap_or("-").to_owned();
        let owner_id = owner.map(|owner| &*owner.id);
        let email = owner.map(|owner| &*owner.email);
        let through = Ask::get("/v1/ext-authz/default/a").header("X-Forwarded-For", "192.0.2.7");
        for ask in [Ask::forward_auth(secret), through.bearer(secret)] {
            let answer = instance.bare(&ask);
            assert_eq!(answer.status, 200, "{}", answer.body);
            for (name, value) in [
                ("x-keyhouse-user", or_nothing(owner_id)),
                ("x-keyhouse-email", or_nothing(email)),
                ("x-keyhouse-role", role.to_owned()),
                ("x-keyhouse-teams", or_nothing(owner.map(|_owner| &*team))),
                ("x-keyhouse-key", key.id.clone()),
            ] {
                assert_eq!(answer.header(name), Some(&*value), "{name}");
            }
        }
        let whoami = instance.bare(&Ask::get("/v1/whoami").bearer(secret)).expect(200);
        for reported in [whoami, instance.verify(secret)] {
            assert_eq!(reported["owner"]["id"], json!(owner_id), "{reported}");
            assert_eq!(reported["key"]["kind"], "personal", "{reported}");
        }
        let reported = introspect(secret);
        let subject = owner_id.map_or_else(|| instance.organization(), str::to_owned);
        assert_eq!(reported["sub"], json!(subject), "{reported}");
        assert_eq!(reported["username"], json!(email), "{reported}");
    };
    named(&key.secret, Some(&bo), "user");
    assert_eq!(instance.ask(&remove(&bo, &format!("?keys=transfer&to={}", cy.id))).status, 204);
    named(&key.secret, None, "-");
    let path = format!("/v1/keys/{}/rotate", key.id);
    let rotated = instance.ask_as(&cy, &Ask::post(&path, &json!({"overlap": "1h"}))).expect(200);
    named(rotated["secret"].as_str().unwrap(), Some(&cy), "administrator");
    // The old secret during the overlap, which the removed user may still have.
    named(&key.secret, None, "-");
}

/// Found in a review: a key that was transferred to the organization named all its teams, including
/// secret teams, while the removed user still had the secret.
#[test]
fn a_key_transferred_to_the_organization_names_its_teams_only_after_rotation() {
    let instance = TestServer::start();
    let (bo, cy) = (instance.join("bo", "user"), instance.join("cy", "administrator"));
    let team = instance.team("Build", "secret", &[&bo, &cy]);
    let key = make_key(&instance, &bo, &json!({"name": "theirs", "permissions": ["a:read"]}));
    let share = Ask::new("PUT", &format!("/v1/keys/{}/teams/{team}", key.id));
    instance.ask_as(&bo, &share.json(&json!({"access": "read"}))).expect(200);
    let teams = |secret: &str| {
        let answer = instance.bare(&Ask::forward_auth(secret));
        assert_eq!(answer.status, 200, "{}", answer.body);
        let whoami = instance.bare(&Ask::get("/v1/whoami").bearer(secret)).expect(200);
        let known = whoami["teams"].as_array().unwrap().len();
        (answer.header("x-keyhouse-teams").unwrap().to_owned(), known)
    };
    assert_eq!(teams(&key.secret), (team.clone(), 1));
    assert_eq!(instance.ask(&remove(&bo, "?keys=transfer&to=organization")).status, 204);
    assert_eq!(teams(&key.secret), ("-".to_owned(), 0));
    let path = format!("/v1/keys/{}/rotate", key.id);
    let rotated = instance.ask_as(&cy, &Ask::post(&path, &json!({"overlap": "1h"}))).expect(200);
    assert_eq!(teams(rotated["secret"].as_str().unwrap()), (team, 1));
    assert_eq!(teams(&key.secret), ("-".to_owned(), 0), "during the overlap");
}
