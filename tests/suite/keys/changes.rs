//! `/v1/keys/{id}` renames, changes, disables, enables and revokes keys.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect, losers};
use crate::test_server::TestServer;

fn path(id: &str) -> String {
    format!("/v1/keys/{id}")
}

#[test]
fn a_change_affects_only_the_fields_it_names() {
    let instance = TestServer::start();
    let made =
        instance.create(&json!({"name": "before", "description": "kept", "metadata": {"a": "b"}}));
    let cases: [(&str, Value); 9] = [
        ("name", json!("after")),
        ("description", json!("new")),
        ("permissions", json!(["diagrams:read"])),
        ("ip_rules", json!({"allow": ["192.0.2.0/24"], "deny": []})),
        ("rate_limits", json!([{"name": "burst", "limit": 5, "window_seconds": 10}])),
        ("metadata", json!({"c": "d"})),
        ("not_before", json!("2020-01-01T00:00:00.000Z")),
        ("expires_at", json!("2999-01-01T00:00:00.000Z")),
        ("expires_at", Value::Null),
    ];
    let mut before = made.key;
    for (field, value) in cases {
        let answer = instance.ask(&Ask::patch(&path(&made.id), &json!({field: value})));
        let mut after = answer.expect(200);
        assert_eq!(after[field], value, "{field}");
        assert!(after["version"].as_u64() > before["version"].as_u64(), "{field}");
        assert_eq!(answer.header("etag").unwrap(), format!("\"{}\"", after["version"]));
        assert_eq!(instance.key(&made.id), after, "{field}");
        let kept = after.clone();
        for moving in [field, "version", "updated_at", "status"] {
            before[moving] = Value::Null;
            after[moving] = Value::Null;
        }
        assert_eq!(before, after, "{field}");
        before = kept;
    }
}

#[test]
fn a_change_applies_to_the_next_check() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "busy"}));
    let mut line = instance.connect();
    let mut code_after = |change: Value| {
        line.ask(&instance.as_owner(Ask::patch(&path(&made.id), &change))).expect(200);
        let ask = json!({"key": made.secret, "permissions": ["diagrams:read"], "ip": "192.0.2.7"});
        line.ask(&instance.as_owner(Ask::post("/v1/verify", &ask))).expect(200)["code"].clone()
    };
    for (change, code) in [
        (json!({"permissions": ["files:read"]}), "INSUFFICIENT_PERMISSIONS"),
        (json!({"permissions": ["diagrams:*"]}), "VALID"),
        (json!({"ip_rules": {"allow": ["10.0.0.0/8"]}}), "IP_NOT_ALLOWED"),
        (json!({"ip_rules": {"allow": ["192.0.2.0/24"], "deny": ["192.0.2.7"]}}), "IP_NOT_ALLOWED"),
        (json!({"ip_rules": {"allow": [], "deny": []}}), "VALID"),
        (json!({"not_before": "2999-01-01T00:00:00Z"}), "NOT_YET_VALID"),
        (json!({"not_before": null}), "VALID"),
        (json!({"expires_at": "2999-01-01T00:00:00Z"}), "VALID"),
        (json!({"rate_limits": [{"name": "one", "limit": 1, "window_seconds": 86400}]}), "VALID"),
        (json!({"description": "the limit's state lives on"}), "RATE_LIMITED"),
        (json!({"rate_limits": []}), "VALID"),
    ] {
        assert_eq!(code_after(change.clone()), code, "{change}");
    }
}

#[test]
fn a_change_for_another_version_is_rejected() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "shared"}));
    let rename = |tag: &str, name: &str| {
        instance.ask(&Ask::patch(&path(&made.id), &json!({"name": name})).header("If-Match", tag))
    };
    let current = rename("\"1\"", "first");
    assert_eq!(current.status, 200, "{}", current.body);
    let tag = current.header("etag").unwrap().to_owned();
    rename("\"1\"", "late").problem(412, "version_conflict");
    rename("\"99999999999999999999999\"", "wild").problem(412, "version_conflict");
    assert_eq!(instance.key(&made.id)["name"], "first");
    rename("*", "any").expect(200);
    rename(&tag, "late again").problem(412, "version_conflict");
    // A weak tag never matches in a strong comparison (RFC 9110, 13.1.1); a number without quotes
    // is not a tag.
    let version = instance.key(&made.id)["version"].clone();
    for wrong in [format!("W/\"{version}\""), version.to_string(), "nonsense".to_owned()] {
        rename(&wrong, "weak").problem(412, "version_conflict");
    }
    // One matching tag in a list is sufficient (RFC 9110, 13.1.1).
    rename("\"1\", \"2\"", "listed").problem(412, "version_conflict");
    rename(&format!("\"1\", \"{version}\""), "listed").expect(200);
    for action in ["disable", "enable", "revoke"] {
        let ask = Ask::post(&format!("{}/{action}", path(&made.id)), &json!({}))
            .header("If-Match", "\"1\"");
        instance.ask(&ask).problem(412, "version_conflict");
    }
    let ask = Ask::new("DELETE", &path(&made.id)).header("If-Match", "\"1\"");
    instance.ask(&ask).problem(412, "version_conflict");
    assert_eq!(instance.key(&made.id)["status"], "active");
}

#[test]
fn of_concurrent_changes_to_one_version_exactly_one_succeeds() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "raced"}));
    for round in 0..20 {
        let tag = format!("\"{}\"", instance.key(&made.id)["version"]);
        let losers = losers(4, 200, |number| {
            let body = json!({"name": format!("r{round}t{number}")});
            instance.ask(&Ask::patch(&path(&made.id), &body).header("If-Match", &tag))
        });
        for answer in losers {
            answer.problem(412, "version_conflict");
        }
    }
}

#[test]
fn concurrent_changes_without_a_version_all_succeed() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "busy"}));
    std::thread::scope(|scope| {
        for at in 0..8 {
            let (instance, id) = (&instance, &made.id);
            scope.spawn(move || {
                for round in 0..10 {
                    let body = json!({"name": format!("t{at}r{round}")});
                    insist(instance, &Ask::patch(&path(id), &body));
                }
            });
        }
    });
    assert_eq!(instance.key(&made.id)["version"], made.key["version"].as_u64().unwrap() + 80);
}

/// Retries until the change succeeds: too many concurrent changes of one key return a time to
/// retry.
fn insist(instance: &TestServer, ask: &Ask) {
    let busy = (0..1_000).map(|_| instance.ask(ask)).take_while(|answer| answer.status != 200);
    for answer in busy {
        answer.problem(503, "busy");
        assert!(answer.header("retry-after").is_some());
    }
}

#[test]
fn a_disabled_key_is_rejected_until_it_is_enabled() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "switch"}));
    assert_eq!(instance.verify(&made.secret)["code"], "VALID");
    assert_eq!(instance.act(&made.id, "disable").expect(200)["status"], "disabled");
    assert_eq!(instance.verify(&made.secret)["code"], "DISABLED");
    assert_eq!(instance.act(&made.id, "disable").status, 200, "said twice is as good");
    assert_eq!(instance.act(&made.id, "enable").expect(200)["status"], "active");
    assert_eq!(instance.verify(&made.secret)["code"], "VALID");
    assert_eq!(instance.act(&made.id, "enable").status, 200);
}

#[test]
fn a_revoked_key_cannot_be_restored() {
    let mut instance = TestServer::start();
    let [by_post, by_delete] =
        ["post", "delete"].map(|name| instance.create(&json!({"name": name})));
    let reason = json!({"reason": "leaked in a log"});
    let ask = Ask::post(&format!("{}/revoke", path(&by_post.id)), &reason);
    let revoked = instance.ask(&ask).expect(200);
    assert_eq!(revoked["status"], "revoked");
    assert_eq!(revoked["revoked_reason"], "leaked in a log");
    assert!(revoked["revoked_at"].is_string());
    let deleted = instance.ask(&Ask::new("DELETE", &path(&by_delete.id)));
    assert!(deleted.status == 204 && deleted.body.is_empty(), "{deleted:?}");

    for made in [&by_post, &by_delete] {
        assert_eq!(instance.verify(&made.secret)["code"], "REVOKED");
        let before = instance.key(&made.id);
        for action in ["enable", "disable"] {
            instance.act(&made.id, action).problem(409, "key_revoked");
        }
        let patch = Ask::patch(&path(&made.id), &json!({"expires_at": null}));
        instance.ask(&patch).problem(409, "key_revoked");
        instance.act(&made.id, "revoke").expect(200);
        let after = instance.key(&made.id);
        assert_eq!(after["revoked_at"], before["revoked_at"], "the first moment stays");
        assert_eq!(after["revoked_reason"], before["revoked_reason"], "the first reason stays");
    }
    instance.restart();
    for made in [&by_post, &by_delete] {
        assert_eq!(instance.verify(&made.secret)["code"], "REVOKED");
    }
}

#[test]
fn changing_a_missing_key_is_rejected() {
    let instance = TestServer::start();
    let unknown = "key_0198c5a2-6f1e-7cc3-98c4-dc0c0c07398f";
    instance.ask(&Ask::get(&path(unknown))).problem(404, "not_found");
    instance.ask(&Ask::patch(&path(unknown), &json!({"name": "x"}))).problem(404, "not_found");
    instance.ask(&Ask::new("DELETE", &path(unknown))).problem(404, "not_found");
    for action in ["revoke", "disable", "enable"] {
        instance.act(unknown, action).problem(404, "not_found");
    }
}

#[test]
fn use_is_visible_at_once_and_does_not_change_the_version() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "used"}));
    assert!(made.key["last_used"].is_null(), "{}", made.key);
    let ask = Ask::forward_auth(&made.secret).header("User-Agent", "curl/8.0");
    assert_eq!(instance.bare(&ask).status, 200);
    let key = instance.key(&made.id);
    assert_eq!(key["last_used"]["ip"], "192.0.2.7", "{key}");
    assert_eq!(key["last_used"]["user_agent"], "curl/8.0", "{key}");
    assert!(key["last_used"]["at"].is_string(), "{key}");
    assert_eq!(key["version"], made.key["version"]);
    assert_eq!(key["updated_at"], made.key["updated_at"]);

    // A refused call does not count as use, and a long or unusual user agent has no effect on the
    // call.
    let long = "u".repeat(400);
    assert_eq!(
        instance.bare(&Ask::forward_auth(&made.secret).header("User-Agent", &long)).status,
        200
    );
    // Characters that are not ASCII may be omitted, but do not fail the call.
    let odd = Ask::forward_auth(&made.secret).header("User-Agent", "caf\u{e9}");
    let agent = instance.key(&made.id)["last_used"]["user_agent"].as_str().unwrap().to_owned();
    assert!(agent.len() <= 120, "{}", agent.len());
    assert_eq!(instance.bare(&odd).status, 200);
    instance.act(&made.id, "disable").expect(200);
    let before = instance.key(&made.id)["last_used"].clone();
    assert_eq!(instance.bare(&Ask::forward_auth(&made.secret)).status, 401);
    assert_eq!(instance.key(&made.id)["last_used"], before);
}
