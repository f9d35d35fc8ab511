//! `/v1/keys/{key}/requests`: the newest refused calls of a key.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::shape::assert_shape;
use crate::test_server::{Made, TestServer};

fn requests(key: &Made) -> Ask {
    Ask::get(&format!("/v1/keys/{}/requests", key.id))
}

fn listed(instance: &TestServer, key: &Made) -> Vec<Value> {
    instance.ask(&requests(key)).expect(200)["items"].as_array().unwrap().clone()
}

#[test]
fn refused_calls_are_listed_with_reason_address_and_gate_and_valid_calls_are_not() {
    let instance = TestServer::start();
    let rules = json!({"deny": ["192.0.2.66/32"]});
    let key = instance.create(&json!({"permissions": ["diagrams:read"], "ip_rules": rules}));
    let other = instance.create(&json!({}));
    assert_eq!(listed(&instance, &key), [] as [Value; 0]);
    let gate = json!({"name": "orders", "routes": [{"path": "/**"}]});
    instance.ask(&Ask::post("/v1/gates", &gate)).expect(201);
    let at = |gate: &str, ip: &str| {
        let ask = Ask::get(&format!("/v1/forward-auth/{gate}"));
        let ask = ask.header("X-Forwarded-Method", "GET").header("X-Forwarded-Proto", "https");
        let ask = ask.header("X-Forwarded-Host", "api.example.com").header("X-Forwarded-Uri", "/");
        instance.bare(&ask.header("X-Forwarded-For", ip).bearer(&key.secret))
    };
    at("orders", "192.0.2.7").expect(200);
    at("orders", "192.0.2.66").problem(403, "IP_NOT_ALLOWED");
    at("default", "192.0.2.66").problem(403, "IP_NOT_ALLOWED");
    let verify = json!({"key": key.secret, "permissions": ["diagrams:write"], "ip": "192.0.2.7"});
    let verdict = instance.ask(&Ask::post("/v1/verify", &verify)).expect(200);
    assert_eq!(verdict["code"], "INSUFFICIENT_PERMISSIONS");
    let explained = json!({"key": key.secret, "permissions": ["a:b"], "explain": true});
    instance.ask(&Ask::post("/v1/verify", &explained)).expect(200);
    let valid = json!({"key": key.secret, "ip": "192.0.2.7"});
    assert_eq!(instance.ask(&Ask::post("/v1/verify", &valid)).expect(200)["valid"], true);

    let items = listed(&instance, &key);
    let seen: Vec<_> = items.iter().map(|it| (&it["code"], &it["ip"], &it["gate"])).collect();
    let denied = json!("192.0.2.66");
    assert_eq!(
        seen,
        [
            (&json!("INSUFFICIENT_PERMISSIONS"), &json!("192.0.2.7"), &Value::Null),
            (&json!("IP_NOT_ALLOWED"), &denied, &json!("default")),
            (&json!("IP_NOT_ALLOWED"), &denied, &json!("orders")),
        ]
    );
    let shown = instance.ask(&requests(&key)).expect(200);
    assert!(!shown.to_string().contains(&key.secret), "{shown}");
    assert_shape!("refused_calls", &shown);
    assert_eq!(listed(&instance, &other), [] as [Value; 0]);
}

/// The names of gates are those of the operator's other applications.
#[test]
fn only_readers_of_the_key_see_its_refused_calls_and_only_operators_the_gates() {
    let instance = TestServer::start();
    let bo = instance.join("bo", "user");
    let key = bo.make(&instance, &json!({"ip_rules": {"deny": ["192.0.2.66/32"]}}));
    let gate = json!({"name": "orders", "routes": [{"path": "/**"}]});
    instance.ask(&Ask::post("/v1/gates", &gate)).expect(201);
    let ask = Ask::get("/v1/forward-auth/orders").header("X-Forwarded-Method", "GET");
    let ask = ask.header("X-Forwarded-Proto", "https").header("X-Forwarded-Host", "a.example.com");
    let ask = ask.header("X-Forwarded-Uri", "/").header("X-Forwarded-For", "192.0.2.66");
    instance.bare(&ask.bearer(&key.secret)).problem(403, "IP_NOT_ALLOWED");
    assert_eq!(listed(&instance, &key)[0]["gate"], "orders");
    let own = instance.ask_as(&bo, &requests(&key)).expect(200);
    assert_eq!(
        (&own["items"][0]["code"], &own["items"][0]["gate"]),
        (&json!("IP_NOT_ALLOWED"), &Value::Null)
    );
    let cy = instance.join("cy", "user");
    instance.ask_as(&cy, &requests(&key)).problem(403, "permission_required");
    instance.bare(&requests(&key)).problem(401, "NO_CREDENTIAL");
}

#[test]
fn the_newest_hundred_are_listed_and_a_restart_forgets_them() {
    let mut instance = TestServer::start();
    let key = instance.create(&json!({}));
    instance.act(&key.id, "disable").expect(200);
    for _ in 0..101 {
        assert_eq!(instance.verify(&key.secret)["code"], "DISABLED");
    }
    let items = listed(&instance, &key);
    assert_eq!(items.len(), 100);
    let times: Vec<_> = items.iter().map(|it| it["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|one, other| one >= other), "{times:?}");
    instance.restart();
    assert_eq!(listed(&instance, &key), [] as [Value; 0]);
}
