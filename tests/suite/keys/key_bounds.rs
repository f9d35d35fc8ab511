//! A key can neither grant nor change rights beyond its own, and its revocation also ends the
//! rights that it granted.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::keys::import::foreign;
use crate::people::{acceptance, token_in};
use crate::test_server::{Made, TestServer, made};

fn by(instance: &TestServer, key: &str, ask: Ask) -> crate::server::wire::Answer {
    instance.bare(&ask.bearer(key))
}

fn pointers(reported: &Value) -> Vec<&str> {
    let faults = reported["errors"].as_array().unwrap();
    assert!(faults.iter().all(|fault| fault["code"] == "beyond_key"), "{reported}");
    faults.iter().map(|fault| fault["pointer"].as_str().unwrap()).collect()
}

/// Creates a key of the owner with every bound.
fn bounded(instance: &TestServer) -> Made {
    instance.create(&json!({
        "permissions": ["diagrams:read", "keyhouse:keys:create"],
        "environment": "test",
        "expires_in": "1h",
        "ip_rules": {"allow": ["127.0.0.1/32"]},
        "rate_limits": [{"name": "m", "limit": 50, "window_seconds": 60}],
        "quota": {"limit": 100, "period": "day", "timezone": "UTC"},
    }))
}

/// Found in a review: a leaked key created another key without expiry, networks and limits and in
/// another environment, and used that key to remove its own bounds.
#[test]
fn a_key_cannot_escape_its_bounds_through_a_sibling() {
    let instance = TestServer::start();
    let key = bounded(&instance);
    let list = ["diagrams:read", "keyhouse:keys:create"];
    let reported = by(&instance, &key.secret, Ask::post("/v1/keys", &json!({"permissions": list})))
        .problem(403, "beyond_key");
    let respects = ["/expires_at", "/environment", "/ip_rules", "/rate_limits", "/quota"];
    assert_eq!(pointers(&reported), respects);
    let within = json!({
        "permissions": list,
        "environment": "test",
        "expires_in": "30m",
        "ip_rules": {"allow": ["127.0.0.1/32"]},
        "rate_limits": [{"name": "other", "limit": 10, "window_seconds": 60}],
        "quota": {"limit": 100, "period": "month", "timezone": "UTC"},
    });
    let mut more = within.clone();
    more["permissions"] = json!(["diagrams:*"]);
    let reported = by(&instance, &key.secret, Ask::post("/v1/keys", &more));
    assert_eq!(reported.problem(403, "permission_required")["permission"], "diagrams:*");
    let sibling = made(&by(&instance, &key.secret, Ask::post("/v1/keys", &within)).expect(201));
    let path = format!("/v1/keys/{}", key.id);
    let freed = json!({"ip_rules": null, "expires_at": null, "rate_limits": null});
    for change in [freed, json!({"name": "mine"})] {
        let reported = by(&instance, &sibling.secret, Ask::patch(&path, &change));
        reported.problem(403, "beyond_key");
    }
    assert_eq!(instance.key(&key.id)["version"], 1);
    let freed = json!({"expires_at": null});
    let own = format!("/v1/keys/{}", sibling.id);
    by(&instance, &sibling.secret, Ask::patch(&own, &freed)).problem(409, "own_key");
}

/// A key creates a key within its bounds, then changes it: no change may exceed the bounds.
#[test]
fn a_key_cannot_widen_another_key_by_a_change() {
    let instance = TestServer::start();
    let list = ["keyhouse:keys:manage", "keyhouse:keys:read", "diagrams:read"];
    let bounds = json!({
        "kind": "service",
        "permissions": list,
        "expires_in": "1h",
        "ip_rules": {"allow": ["127.0.0.1/32"]},
        "rate_limits": [{"name": "m", "limit": 50, "window_seconds": 60}],
        "quota": {"limit": 100, "period": "day", "timezone": "UTC"},
    });
    let key = instance.create(&bounds);
    let mut narrower = bounds;
    narrower["expires_in"] = json!("30m");
    let child = made(&by(&instance, &key.secret, Ask::post("/v1/keys", &narrower)).expect(201));
    let path = format!("/v1/keys/{}", child.id);
    for (change, pointer) in [
        (json!({"expires_in": "2h"}), "/expires_at"),
        (json!({"ip_rules": {"allow": ["127.0.0.0/8"]}}), "/ip_rules"),
        (
            json!({"rate_limits": [{"name": "m", "limit": 51, "window_seconds": 60}]}),
            "/rate_limits",
        ),
        (json!({"quota": {"limit": 101, "period": "day", "timezone": "UTC"}}), "/quota"),
    ] {
        let reported =
            by(&instance, &key.secret, Ask::patch(&path, &change)).problem(403, "beyond_key");
        assert_eq!(pointers(&reported), [pointer], "{change}");
    }
    let more = Ask::patch(&path, &json!({"permissions": ["diagrams:*"]}));
    by(&instance, &key.secret, more).problem(403, "permission_required");
    assert_eq!(instance.key(&child.id)["version"], 1);
    by(&instance, &key.secret, Ask::patch(&path, &json!({"expires_in": "40m"}))).expect(200);
}

/// An importer may know the secrets of the keys that it imports.
#[test]
fn a_bounded_key_cannot_import_a_wider_key() {
    let instance = TestServer::start();
    let list = json!(["keyhouse:instance:import", "diagrams:read"]);
    let key = instance.create(&json!({"kind": "service", "permissions": list, "expires_in": "1h"}));
    let import = |text: &str, end: &str| {
        let line = json!({"key": text, "permissions": ["diagrams:read"], "expires_at": end});
        by(&instance, &key.secret, Ask::post("/v1/keys/import", &json!({"keys": [line]})))
    };
    let reported = import(&foreign(1), "2998-01-01T00:00:00Z").problem(403, "beyond_key");
    assert_eq!(pointers(&reported), ["/expires_at"]);
    import(&foreign(1), key.key["expires_at"].as_str().unwrap()).expect(201);
}

/// The secret that a rotation replaced expires with the overlap, even if the key itself expires
/// later.
#[test]
fn an_old_secret_cannot_create_a_key_that_outlives_it() {
    let instance = TestServer::start();
    let body = json!({"kind": "service", "permissions": ["keyhouse:keys:manage"]});
    let key = instance.create(&body);
    let rotate = Ask::post(&format!("/v1/keys/{}/rotate", key.id), &json!({"overlap": "1h"}));
    let new = made(&instance.ask(&rotate).expect(200));
    let reported =
        by(&instance, &key.secret, Ask::post("/v1/keys", &body)).problem(403, "beyond_key");
    assert_eq!(pointers(&reported), ["/expires_at"]);
    by(&instance, &new.secret, Ask::post("/v1/keys", &body)).expect(201);
}

#[test]
fn a_bounded_manager_can_revoke_but_not_change_a_wider_key() {
    let instance = TestServer::start();
    let permissions = ["keyhouse:keys:manage", "keyhouse:keys:read", "diagrams:*"];
    let manager = instance.create(&json!({
        "kind": "service", "permissions": permissions, "expires_in": "1h",
    }));
    let body = json!({"kind": "service", "permissions": ["diagrams:read"]});
    let wider = instance.create(&body);
    let path = |action: &str| format!("/v1/keys/{}{action}", wider.id);
    let team = instance.team("Build", "visible", &[]);
    for ask in [
        Ask::patch(&path(""), &json!({"name": "other"})),
        Ask::patch(&path(""), &json!({"expires_in": "10m"})),
        Ask::post(&path("/rotate"), &json!({})),
    ] {
        by(&instance, &manager.secret, ask).problem(403, "beyond_key");
    }
    // The key's permissions lack team management, which is checked first.
    let share = Ask::new("PUT", &path(&format!("/teams/{team}"))).json(&json!({"access": "read"}));
    by(&instance, &manager.secret, share).problem(403, "permission_required");
    by(&instance, &manager.secret, Ask::post(&path("/disable"), &json!({}))).expect(200);
    by(&instance, &manager.secret, Ask::post(&path("/enable"), &json!({})))
        .problem(403, "beyond_key");
    by(&instance, &manager.secret, Ask::post(&path("/revoke"), &json!({}))).expect(200);
    // A key without other bounds is bounded by its permissions alone.
    let unbounded = json!({"kind": "service", "permissions": ["keyhouse:keys:manage"]});
    let (unbounded, other) = (instance.create(&unbounded), instance.create(&body));
    let rename = Ask::patch(&format!("/v1/keys/{}", other.id), &json!({"name": "other"}));
    let reported = by(&instance, &unbounded.secret, rename).problem(403, "permission_required");
    assert_eq!(reported["permission"], "diagrams:read");
    let narrower = json!({"kind": "service", "permissions": ["diagrams:read"], "expires_in": "5m"});
    let made = made(&by(&instance, &manager.secret, Ask::post("/v1/keys", &narrower)).expect(201));
    let renamed = Ask::patch(&format!("/v1/keys/{}", made.id), &json!({"name": "other"}));
    by(&instance, &manager.secret, renamed).expect(200);
}

#[test]
fn a_bounded_key_cannot_grant_rights_that_outlive_it() {
    let instance = TestServer::start();
    let list = json!(["*", "keyhouse:*", "keyhouse:instance:*"]);
    let bounds = json!({"kind": "service", "permissions": list, "expires_in": "1h"});
    let unbounded = json!({"kind": "service", "permissions": list});
    let tess = instance.join("tess", "user");
    let (team, role) =
        (instance.team("Build", "visible", &[]), instance.role("Any", &["diagrams:read"]));
    let user = format!("/v1/users/{}", tess.id);
    let reset = format!("{user}/reset");
    let asks = [
        Ask::post("/v1/invitations", &json!({"email": "bo@example.com", "role": "user"})),
        Ask::post(&reset, &json!({})),
        Ask::patch(&user, &json!({"role": "guest"})),
        Ask::patch(&user, &json!({"email": "other@example.com"})),
        Ask::patch(&user, &json!({"operator": true})),
        Ask::new("DELETE", &format!("{user}?keys=transfer&to=organization")),
        Ask::new("PUT", &format!("/v1/teams/{team}/members/{}", tess.id)),
        Ask::patch(&format!("/v1/roles/{role}"), &json!({"permissions": ["diagrams:*"]})),
        Ask::post("/v1/organizations", &json!({"name": "c", "owner_email": "c@example.com"})),
    ];
    let (bounded, other) = (instance.create(&bounds), instance.create(&unbounded));
    for ask in &asks {
        by(&instance, &bounded.secret, ask.clone()).problem(403, "beyond_key");
    }
    by(&instance, &bounded.secret, Ask::patch(&user, &json!({"disabled": true}))).expect(200);
    let enabled = Ask::patch(&user, &json!({"disabled": false}));
    by(&instance, &bounded.secret, enabled.clone()).problem(403, "beyond_key");
    by(&instance, &other.secret, enabled).expect(200);
    by(&instance, &other.secret, asks[0].clone()).expect(201);
    for bound in [
        json!({"ip_rules": {"allow": ["127.0.0.1/32"]}}),
        json!({"rate_limits": [{"name": "m", "limit": 50, "window_seconds": 60}]}),
        json!({"quota": {"limit": 100, "period": "day", "timezone": "UTC"}}),
    ] {
        let mut body = unbounded.clone();
        body.as_object_mut().unwrap().extend(bound.as_object().unwrap().clone());
        by(&instance, &instance.create(&body).secret, asks[1].clone()).problem(403, "beyond_key");
    }
}

/// An invitation becomes invalid when the key that created it gets an expiry or a limit.
#[test]
fn a_link_is_invalid_once_its_creating_key_has_bounds() {
    let instance = TestServer::start();
    let list = json!({"kind": "service", "permissions": ["*", "keyhouse:*"]});
    let body = json!({"email": "bo@example.com", "role": "user"});
    for (bound, status) in [
        (json!({"expires_in": "1h"}), 403),
        (json!({"rate_limits": [{"name": "m", "limit": 50, "window_seconds": 60}]}), 403),
        (json!({"name": "other"}), 201),
    ] {
        let key = instance.create(&list);
        let made = by(&instance, &key.secret, Ask::post("/v1/invitations", &body)).expect(201);
        instance.ask(&Ask::patch(&format!("/v1/keys/{}", key.id), &bound)).expect(200);
        let answer = instance.bare(&acceptance(&token_in(&made)));
        assert_eq!(answer.status, status, "{bound}: {}", answer.body);
    }
}

/// Found in a review: a key that expired in an hour opened a gate, made an organization vouch for
/// the addresses of another organization, and exempted its users from the second factor. These
/// changes remained after the key had expired.
#[test]
fn a_bounded_key_cannot_weaken_settings_that_outlive_it() {
    let instance = TestServer::start();
    let (neighbour, _owner) = instance.neighbour("b");
    let organization = format!("/v1/organizations/{neighbour}");
    instance.gate("there", &json!({}));
    let list = json!(["*", "keyhouse:*", "keyhouse:instance:*"]);
    let bounded =
        instance.create(&json!({"kind": "service", "permissions": list, "expires_in": "1h"}));
    let other = instance.create(&json!({"kind": "service", "permissions": list}));
    let route = json!([{"path": "/**", "access": "public"}]);
    for (ask, status) in [
        (Ask::post("/v1/gates", &json!({"name": "made", "routes": route})), 201),
        (Ask::patch("/v1/gates/there", &json!({"routes": route})), 200),
        (Ask::patch(&organization, &json!({"domains": ["a.example"]})), 200),
        (Ask::patch(&organization, &json!({"permissions": ["diagrams:*"]})), 200),
        (Ask::patch(&organization, &json!({"second_factor_required_of": ["guest"]})), 200),
        (Ask::patch(&organization, &json!({"suspended": true})), 200),
        (Ask::patch(&organization, &json!({"suspended": false})), 200),
    ] {
        by(&instance, &bounded.secret, ask.clone()).problem(403, "beyond_key");
        by(&instance, &other.secret, ask).expect(status);
    }
    // The key may close a gate.
    let gone = Ask::new("DELETE", "/v1/gates/there");
    assert_eq!(by(&instance, &bounded.secret, gone).status, 204);
    let off = Ask::patch(&organization, &json!({"second_factor_required_of": []}));
    let refused = by(&instance, &other.secret, off).problem(403, "permission_required");
    assert_eq!(refused["permission"], "owner", "no key, whatever it may");
}

#[test]
fn revoking_a_key_revokes_every_key_it_created() {
    let instance = TestServer::start();
    let list = json!(["keyhouse:keys:manage", "keyhouse:keys:read"]);
    let body = json!({"kind": "service", "permissions": list});
    let root = instance.create(&body);
    let child = made(&by(&instance, &root.secret, Ask::post("/v1/keys", &body)).expect(201));
    let other = made(&by(&instance, &root.secret, Ask::post("/v1/keys", &body)).expect(201));
    let grandchild = made(&by(&instance, &child.secret, Ask::post("/v1/keys", &body)).expect(201));
    let nephew = made(&by(&instance, &other.secret, Ask::post("/v1/keys", &body)).expect(201));
    let bystander = instance.create(&body);
    let path = format!("/v1/keys/{}/revoke", root.id);
    let alone = instance.ask(&Ask::post(&path, &json!({}))).expect(200);
    assert_eq!(alone["descendants"], Value::Null);
    instance.act(&other.id, "revoke").expect(200);
    let ask = Ask::post(&path, &json!({"descendants": true}));
    let reported = instance.ask(&ask).expect(200);
    assert_eq!(
        reported["descendants"],
        json!({"revoked": 3, "left": 0, "more": false}),
        "{reported}"
    );
    let again = instance.ask(&ask).expect(200);
    assert_eq!(again["descendants"], json!({"revoked": 0, "left": 0, "more": false}));
    for key in [&root, &child, &other, &grandchild, &nephew] {
        assert_eq!(instance.key(&key.id)["status"], "revoked");
    }
    assert_eq!(instance.key(&bystander.id)["status"], "active");
}

#[test]
fn the_command_line_revokes_every_key_that_a_key_created() {
    let instance = TestServer::start();
    let body = json!({"kind": "service", "permissions": ["keyhouse:keys:manage"]});
    let root = instance.create(&body);
    let child = made(&by(&instance, &root.secret, Ask::post("/v1/keys", &body)).expect(201));
    let ended = instance.home().run_cli(&["key", "revoke", &root.id, "--descendants"], "");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("1 key that it created"), "{}", ended.stderr);
    assert_eq!(instance.key(&child.id)["status"], "revoked");
}
