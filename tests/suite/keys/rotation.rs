//! `/v1/keys/{id}/rotate` gives a key a new secret and shows whether the old secret is still in
//! use.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::server::wire::Answer;
use crate::test_server::{Made, TestServer, made};

fn rotate(instance: &TestServer, id: &str, body: &Value) -> Answer {
    instance.ask(&Ask::post(&format!("/v1/keys/{id}/rotate"), body))
}

/// Rotates a key, and returns the key and its new secret.
fn rotated(instance: &TestServer, id: &str, body: &Value) -> (Value, String) {
    let reported = rotate(instance, id, body).expect(200);
    (reported["key"].clone(), reported["secret"].as_str().unwrap().to_owned())
}

fn use_from(instance: &TestServer, secret: &str, agent: &str) {
    let ask = Ask::forward_auth(secret).header("User-Agent", agent);
    assert_eq!(instance.bare(&ask).status, 200, "{agent}");
}

fn agents(key: &Value) -> Vec<Value> {
    let secrets = key["secrets"].as_array().unwrap();
    secrets.iter().map(|secret| secret["last_used"]["user_agent"].clone()).collect()
}

#[test]
fn both_secrets_work_during_the_overlap_and_old_use_is_shown() {
    let mut instance = TestServer::start();
    let made =
        instance.create(&json!({"name": "bot", "environment": "ci", "permissions": ["a:b"]}));
    use_from(&instance, &made.secret, "before");
    let answer = rotate(&instance, &made.id, &json!({"overlap": "24h"}));
    let (reported, tag) = (answer.expect(200), answer.header("etag").unwrap().to_owned());
    let (key, new) = (reported["key"].clone(), reported["secret"].as_str().unwrap().to_owned());
    assert_eq!(reported.as_object().unwrap().len(), 2, "{reported}");
    assert!(new.starts_with("kh_ci_") && new.len() == made.secret.len() && new != made.secret);
    assert_eq!(tag, format!("\"{}\"", key["version"]));
    let secrets = key["secrets"].as_array().unwrap();
    assert_eq!(secrets.len(), 2, "{key}");
    assert_eq!(secrets[0]["hint"], key["hint"]);
    assert!(new.starts_with(key["hint"].as_str().unwrap()));
    assert_eq!(secrets[1]["hint"], made.key["hint"]);
    assert!(secrets[0]["ends_at"].is_null() && secrets[1]["ends_at"].is_string(), "{key}");
    assert_eq!(agents(&key), [Value::Null, json!("before")], "what was used so far is the old one");

    use_from(&instance, &made.secret, "old client");
    assert_eq!(agents(&instance.key(&made.id)), [Value::Null, json!("old client")]);
    use_from(&instance, &new, "new client");
    let key = instance.key(&made.id);
    assert_eq!(agents(&key), ["new client", "old client"]);
    assert_eq!(key["last_used"]["user_agent"], "new client");
    assert_eq!(instance.verify(&made.secret)["code"], "VALID");
    let used = instance.key(&made.id);
    instance.restart();
    assert_eq!(instance.key(&made.id), used, "it is known after a restart too");

    // The next rotation ends the first secret permanently, and the second secret immediately.
    let (key, newest) = rotated(&instance, &made.id, &json!({}));
    assert_eq!(key["secrets"].as_array().unwrap().len(), 2);
    assert_eq!(agents(&key), [Value::Null, json!("new client")]);
    instance.bare(&Ask::forward_auth(&made.secret)).problem(401, "NOT_FOUND");
    instance.bare(&Ask::forward_auth(&new)).problem(401, "EXPIRED");
    assert_eq!(instance.verify(&newest)["code"], "VALID");
    instance.act(&made.id, "revoke").expect(200);
    assert_eq!(instance.verify(&newest)["code"], "REVOKED");
}

#[test]
fn revoking_ends_both_secrets() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "bot"}));
    let (_, new) = rotated(&instance, &made.id, &json!({"overlap": "30d"}));
    instance.act(&made.id, "revoke").expect(200);
    for secret in [&made.secret, &new] {
        instance.bare(&Ask::forward_auth(secret)).problem(401, "REVOKED");
    }
}

#[test]
fn rotation_changes_only_the_secret() {
    let instance = TestServer::start();
    let limits = json!([{"name": "daily", "limit": 2, "window_seconds": 86400}]);
    let made = instance.create(&json!({
        "name": "bot", "description": "kept", "permissions": ["a:b"], "rate_limits": limits,
        "metadata": {"a": "b"}, "expires_at": "2999-01-01T00:00:00.000Z",
    }));
    use_from(&instance, &made.secret, "one");
    use_from(&instance, &made.secret, "two");
    let before = instance.key(&made.id);
    let (mut after, new) = rotated(&instance, &made.id, &json!({}));
    instance.bare(&Ask::forward_auth(&made.secret)).problem(401, "EXPIRED");
    instance.bare(&Ask::forward_auth(&new)).problem(429, "RATE_LIMITED");
    assert_eq!(after["version"], before["version"].as_u64().unwrap() + 1);
    for moving in ["version", "updated_at", "hint", "secrets"] {
        assert_ne!(after[moving], before[moving], "{moving}");
        after[moving] = before[moving].clone();
    }
    assert_eq!(after, before, "limits, last use and all else stay");
}

#[test]
fn an_expired_or_revoked_key_cannot_be_rotated() {
    let instance = TestServer::start();
    let revoked = instance.create(&json!({"name": "revoked"}));
    instance.act(&revoked.id, "revoke").expect(200);
    rotate(&instance, &revoked.id, &json!({})).problem(409, "key_revoked");
    let expired = instance.create(&json!({"name": "expired", "expires_in": "20ms"}));
    let has_expired = (0..10_000).any(|_| instance.key(&expired.id)["status"] == "expired");
    assert!(has_expired);
    rotate(&instance, &expired.id, &json!({"overlap": "1h"})).problem(409, "key_expired");
    assert_eq!(instance.key(&expired.id)["secrets"].as_array().unwrap().len(), 1);
    let later = json!({"expires_at": "2999-01-01T00:00:00Z"});
    instance.ask(&Ask::patch(&format!("/v1/keys/{}", expired.id), &later)).expect(200);
    let (_, new) = rotated(&instance, &expired.id, &json!({}));
    assert_eq!(instance.verify(&new)["code"], "VALID");
    // A disabled key stays disabled.
    instance.act(&expired.id, "disable").expect(200);
    let (key, newest) = rotated(&instance, &expired.id, &json!({}));
    assert_eq!(
        (&key["status"], &instance.verify(&newest)["code"]),
        (&json!("disabled"), &json!("DISABLED"))
    );
}

#[test]
fn an_invalid_overlap_is_rejected() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "bot"}));
    for (body, pointer, code) in [
        (json!({"overlap": "31d"}), "/overlap", "out_of_range"),
        (json!({"overlap": "720h1ms"}), "/overlap", "out_of_range"),
        (json!({"overlap": "-1h"}), "/overlap", "invalid_duration"),
        (json!({"overlap": "soon"}), "/overlap", "invalid_duration"),
        (json!({"overlap": 24}), "/overlap", "wrong_type"),
        (json!({"overlap": "1h", "reason": "x"}), "/reason", "unknown_field"),
    ] {
        let problem = rotate(&instance, &made.id, &body).problem(400, "invalid_input");
        let fault = &problem["errors"][0];
        assert_eq!((&fault["pointer"], &fault["code"]), (&json!(pointer), &json!(code)), "{body}");
    }
    let stale = Ask::post(&format!("/v1/keys/{}/rotate", made.id), &json!({}));
    instance.ask(&stale.header("If-Match", "\"7\"")).problem(412, "version_conflict");
    assert_eq!(instance.key(&made.id), made.key, "nothing was changed");
    assert_eq!(instance.verify(&made.secret)["code"], "VALID");
    rotate(&instance, "key_0198c5a2-6f1e-7cc3-98c4-dc0c0c07398f", &json!({}))
        .problem(404, "not_found");
    assert_eq!(rotate(&instance, &made.id, &json!({"overlap": "720h"})).status, 200);
    assert_eq!(rotate(&instance, &made.id, &json!({"overlap": null})).status, 200);
}

fn by(instance: &TestServer, actor: &Made, target: &Made) -> Answer {
    let ask = Ask::post(&format!("/v1/keys/{}/rotate", target.id), &json!({}));
    instance.bare(&ask.bearer(&actor.secret))
}

#[test]
fn rotation_requires_every_permission_that_the_key_grants() {
    let instance = TestServer::start();
    let personal = instance.create(&json!({"name": "mine"}));
    let service = |name: &str, permissions: Value| {
        instance.create(&json!({"name": name, "kind": "service", "permissions": permissions}))
    };
    let ours = service("ours", json!(["diagrams:read", "keyhouse:keys:read"]));
    let all = service("all", json!(["*", "keyhouse:keys:manage", "keyhouse:keys:read"]));
    let less = service("less", json!(["diagrams:read", "keyhouse:keys:manage"]));
    let reader = service("reader", json!(["*", "keyhouse:keys:read"]));
    let names = ["*", "keyhouse:keys:create", "keyhouse:keys:manage", "keyhouse:keys:read"];
    let owners = instance.create(&json!({"name": "owner's own", "permissions": names}));

    for (claim, actor, target, status) in [
        ("who manages keys, a personal one", &all, &personal, 403),
        ("the owner's other key, a personal one", &owners, &personal, 403),
        ("who lacks what it grants, a service key", &less, &ours, 403),
        ("who manages no keys, a service key", &reader, &ours, 403),
        ("any key, itself", &all, &all, 409),
        ("a personal key, itself", &owners, &owners, 409),
        ("who holds all of it, a service key", &all, &ours, 200),
        ("the owner's key that holds all of it, a service key", &owners, &ours, 200),
    ] {
        let answer = by(&instance, actor, target);
        assert_eq!(answer.status, status, "{claim}: {}", answer.body);
        assert_eq!(answer.body.contains("\"secret\""), status == 200, "{claim}");
        if status == 403 {
            answer.problem(403, "permission_required");
        }
    }
    assert_eq!(instance.verify(&personal.secret)["code"], "VALID", "the key did not change");
    assert_eq!(rotate(&instance, &personal.id, &json!({})).status, 200, "its owner may");

    let on_the_host = |id: &str| instance.server().run_cli(&["key", "rotate", id], "");
    let refused = on_the_host(&personal.id);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(4), ""), "{refused:?}");
    let ended = instance.server().run_cli(&["key", "rotate", &ours.id, "--overlap", "24h"], "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(instance.verify(ended.stdout.trim_end())["code"], "VALID");
    assert_eq!(instance.key(&ours.id)["secrets"].as_array().unwrap().len(), 2);
    assert_eq!(
        instance.server().run_cli(&["key", "rotate", &ours.id, "--overlap", "x"], "").code,
        Some(2)
    );
}

#[test]
fn only_the_owner_of_a_key_gets_its_new_secret() {
    let instance = TestServer::start();
    let [admin, user, mate] = [("admin", "administrator"), ("user", "user"), ("mate", "user")]
        .map(|(name, role)| instance.join(name, role));
    let team = json!({"name": "crew", "visibility": "visible"});
    let team = instance.ask(&Ask::post("/v1/teams", &team)).expect(201)["id"].clone();
    let team = team.as_str().unwrap();
    for member in [&user, &mate] {
        let path = format!("/v1/teams/{team}/members/{}", member.id);
        instance.ask(&Ask::new("PUT", &path)).expect(204);
    }
    let as_one = |cookie: &str, ask: Ask| instance.bare(&ask.header("Cookie", cookie));
    let body = json!({"name": "shared", "teams": [{"id": team, "access": "write"}]});
    let made = made(&as_one(&user.cookie, Ask::post("/v1/keys", &body)).expect(201));
    let ask = Ask::post(&format!("/v1/keys/{}/rotate", made.id), &json!({"overlap": "1h"}));
    for (who, cookie) in [
        ("an administrator", &admin.cookie),
        ("an owner", &instance.cookie().to_owned()),
        ("a team mate", &mate.cookie),
    ] {
        let answer = as_one(cookie, ask.clone());
        answer.problem(403, "permission_required");
        assert!(!answer.body.contains("kh_live"), "{who}: {}", answer.body);
    }
    // Disabling the creation of keys does not affect existing keys.
    let change = json!({"members_create_keys": false});
    instance.ask(&Ask::patch("/v1/organization", &change)).expect(200);
    let rotated = as_one(&user.cookie, ask).expect(200);
    assert_eq!(instance.verify(rotated["secret"].as_str().unwrap())["code"], "VALID");
    assert_eq!(rotated["key"]["teams"], made.key["teams"], "it stays shared");
}

#[test]
fn concurrent_rotations_each_count_and_leave_two_secrets() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "raced"}));
    let secrets: Vec<String> = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..6)
            .map(|_| {
                let (instance, id) = (&instance, &made.id);
                scope.spawn(move || rotated(instance, id, &json!({"overlap": "1h"})).1)
            })
            .collect();
        tries.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let key = instance.key(&made.id);
    assert_eq!(key["version"], made.key["version"].as_u64().unwrap() + 6);
    assert_eq!(key["secrets"].as_array().unwrap().len(), 2);
    let valid = secrets.iter().filter(|secret| instance.verify(secret)["code"] == "VALID").count();
    assert_eq!(valid, 2);
    assert_eq!(instance.verify(&made.secret)["code"], "NOT_FOUND");
}
