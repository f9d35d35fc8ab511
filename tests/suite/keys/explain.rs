//! `explain` returns the rule that decided a check and the source of this rule, without counting a
//! call.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::test_server::{Made, TestServer};

fn explain(instance: &TestServer, made: &Made, body: &Value) -> Value {
    instance.ask(&Ask::post(&format!("/v1/keys/{}/explain", made.id), body)).expect(200)
}

fn rule<'a>(explained: &'a Value, code: &str) -> &'a Value {
    let rules = explained["rules"].as_array().unwrap();
    rules.iter().find(|rule| rule["code"] == code).unwrap()
}

const CODES: [&str; 14] = [
    "MALFORMED",
    "NOT_FOUND",
    "REVOKED",
    "DISABLED",
    "NOT_YET_VALID",
    "EXPIRED",
    "OWNER_DISABLED",
    "ORGANIZATION_SUSPENDED",
    "SUBSCRIPTION_REQUIRED",
    "NOT_ACCEPTED_HERE",
    "IP_NOT_ALLOWED",
    "INSUFFICIENT_PERMISSIONS",
    "RATE_LIMITED",
    "QUOTA_EXCEEDED",
];

#[test]
fn every_rule_is_listed_in_evaluation_order() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"permissions": ["a:b"]}));
    let explained = explain(&instance, &made, &json!({"permissions": ["a:b"]}));
    assert_eq!((&explained["code"], &explained["valid"]), (&json!("VALID"), &json!(true)));
    let codes: Vec<_> = explained["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, CODES);
    assert!(explained["rules"].as_array().unwrap().iter().all(|it| it["outcome"] == "passed"));
    instance.act(&made.id, "disable").expect(200);
    let explained = explain(&instance, &made, &json!({}));
    assert_eq!((&explained["code"], &explained["source"]), (&json!("DISABLED"), &json!("key")));
    for (code, outcome) in
        [("REVOKED", "passed"), ("DISABLED", "failed"), ("EXPIRED", "not_reached")]
    {
        assert_eq!(rule(&explained, code)["outcome"], outcome, "{code}");
    }
}

#[test]
fn a_permission_is_explained_by_each_source_that_may_grant_it() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"permissions": ["files:*", "keyhouse:keys:read"]}));
    let asked = json!({"permissions": "files:read AND (diagrams:read OR keyhouse:keys:read)"});
    let explained = explain(&instance, &made, &asked);
    assert_eq!(explained["code"], "VALID");
    let reported = &rule(&explained, "INSUFFICIENT_PERMISSIONS")["permissions"];
    assert_eq!(reported[0]["permission"], "files:read");
    assert_eq!(
        reported[0]["by"],
        json!([
            {"source": "key", "name": null, "pattern": "files:*", "granted": true},
            {"source": "role", "name": "owner", "pattern": "*", "granted": true},
            {"source": "organization_ceiling", "name": null, "pattern": "*", "granted": true},
        ])
    );
    assert_eq!(
        (&reported[1]["granted"], &reported[1]["by"][0]["granted"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(
        reported[2]["by"].as_array().unwrap().len(),
        2,
        "the ceiling does not bound management"
    );
    let explained = explain(&instance, &made, &json!({"permissions": ["diagrams:read"]}));
    assert_eq!(explained["code"], "INSUFFICIENT_PERMISSIONS");
    assert_eq!(explained["source"], "key");
    assert!(explained["detail"].as_str().unwrap().contains("diagrams:read"), "{explained}");
}

#[test]
fn addresses_limits_and_quotas_are_reported_without_counting() {
    let instance = TestServer::start();
    let made = instance.create(&json!({
        "ip_rules": {"allow": ["10.0.0.0/8"], "deny": ["10.9.0.0/16"]},
        "rate_limits": [{"name": "calls", "limit": 2, "window_seconds": 86400}],
        "quota": {"limit": 1, "period": "month", "timezone": "UTC"},
    }));
    for (ip, code, detail) in [
        (json!("10.9.1.1"), "IP_NOT_ALLOWED", "10.9.0.0/16"),
        (json!("192.0.2.7"), "IP_NOT_ALLOWED", "no allowed network"),
        (Value::Null, "IP_NOT_ALLOWED", "no client address"),
        (json!("10.1.1.1"), "VALID", ""),
    ] {
        for _ in 0..3 {
            let explained = explain(&instance, &made, &json!({"ip": ip}));
            assert_eq!(explained["code"], code, "{explained}");
            let said = explained["detail"].as_str().unwrap_or_default();
            assert!(said.contains(detail), "{explained}");
        }
    }
    assert_eq!(instance.key(&made.id)["last_used"], Value::Null, "explaining is no use");
    let check = |cost: u32, explain: bool| {
        let body = json!({"key": made.secret, "ip": "10.1.1.1", "cost": cost, "explain": explain});
        instance.ask(&Ask::post("/v1/verify", &body)).expect(200)
    };
    for _ in 0..3 {
        let reported = check(1, true);
        assert_eq!(
            (&reported["code"], &reported["explain"]["code"]),
            (&json!("VALID"), &json!("VALID"))
        );
        assert_eq!(reported["quota"]["used"], 0, "{reported}");
    }
    let rated = check(3, true);
    assert_eq!(rated["explain"]["code"], "RATE_LIMITED");
    assert!(rated["explain"]["detail"].as_str().unwrap().contains("calls"), "{rated}");
    assert_eq!(check(1, false)["code"], "VALID");
    let full = check(1, true);
    assert_eq!(
        (&full["code"], &full["explain"]["source"]),
        (&json!("QUOTA_EXCEEDED"), &json!("key"))
    );
    assert!(full["explain"]["detail"].as_str().unwrap().contains("month"), "{full}");
}

#[test]
fn explaining_a_key_requires_permission_to_see_all_of_it() {
    let instance = TestServer::start();
    let made = instance.create(&json!({}));
    let by = |permission: &str| {
        let fields = json!({"kind": "service", "permissions": [permission]});
        let caller = instance.create(&fields);
        let path = format!("/v1/keys/{}/explain", made.id);
        instance.bare(&Ask::post(&path, &json!({})).bearer(&caller.secret))
    };
    by("keyhouse:keys:read").expect(200);
    by("a:b").problem(403, "permission_required");
    by("keyhouse:keys:verify").problem(403, "permission_required");
    let missing = "/v1/keys/key_01890a5d-ac96-774b-bcce-b302099a8057/explain";
    instance.ask(&Ask::post(missing, &json!({}))).problem(404, "not_found");
    let path = format!("/v1/keys/{}/explain", made.id);
    instance.ask(&Ask::post(&path, &json!({"gate": "default"}))).expect(200);
    instance.ask(&Ask::post(&path, &json!({"gate": "other"}))).problem(404, "not_found");
    instance.ask(&Ask::post(&path, &json!({"cost": 1}))).problem(400, "invalid_input");
    instance.bare(&Ask::post(&path, &json!({}))).problem(401, "NO_CREDENTIAL");
}

/// In an earlier version, the owner of a key could infer from 200 and 404 which gates exist,
/// although listing gates returned 403.
#[test]
fn a_gate_that_the_caller_cannot_list_is_reported_as_missing() {
    let instance = TestServer::start();
    instance.ask(&Ask::post("/v1/gates", &json!({"name": "orders"}))).expect(201);
    let bo = instance.join("bo", "user");
    let key = bo.make(&instance, &json!({}));
    bo.ask(&instance, Ask::get("/v1/gates")).problem(403, "permission_required");
    let path = format!("/v1/keys/{}/explain", key.id);
    let ask = |gate: &str| Ask::post(&path, &json!({"gate": gate}));
    let reported = |gate: &str| {
        let mut problem = bo.ask(&instance, ask(gate)).problem(404, "not_found");
        problem.as_object_mut().unwrap().remove("request_id");
        problem
    };
    assert_eq!(reported("orders"), reported("nothing"));
    bo.ask(&instance, ask("default")).expect(200);
    instance.ask(&ask("orders")).expect(200);
}

#[test]
fn an_unknown_key_is_explained_only_as_unknown() {
    let instance = TestServer::start();
    for (key, code) in [
        ("two words", "MALFORMED"),
        ("kh_live_x", "NOT_FOUND"),
        ("ghp_16C7e42F292c6912E7710c838347", "NOT_FOUND"),
    ] {
        let body = json!({"key": key, "explain": true});
        let reported = instance.ask(&Ask::post("/v1/verify", &body)).expect(200);
        assert_eq!((&reported["code"], &reported["explain"]["code"]), (&json!(code), &json!(code)));
        let mut fields: Vec<_> = reported.as_object().unwrap().keys().map(String::as_str).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["code", "explain", "valid"]);
        assert!(
            reported["explain"]["rules"]
                .as_array()
                .unwrap()
                .iter()
                .all(|it| it["detail"].is_null())
        );
    }
}

/// For a key of another organization, a caller with every permission in the caller's own
/// organization receives the same response as for a missing key, and the request does not change
/// the key.
#[test]
fn a_key_of_another_organization_is_explained_as_unknown() {
    let instance = TestServer::start();
    let (_, stranger) = instance.neighbour("stranger");
    let made = instance.create(&json!({"permissions": ["a:b"]}));
    let path = format!("/v1/keys/{}/explain", made.id);
    stranger.ask(&instance, Ask::post(&path, &json!({}))).problem(404, "not_found");
    let ask = |key: &str| {
        let body = json!({"key": key, "permissions": ["a:b"], "ip": "192.0.2.7", "explain": true});
        stranger.ask(&instance, Ask::post("/v1/verify", &body)).expect(200)
    };
    let foreign = ask(&made.secret);
    assert_eq!(foreign["code"], "NOT_FOUND");
    assert_eq!(foreign, ask("ghp_16C7e42F292c6912E7710c838347"));
    assert_eq!(instance.key(&made.id)["last_used"], Value::Null);
    let batch = json!({"requests": [{"key": made.secret, "explain": true}, {"key": made.secret}]});
    let reported = stranger.ask(&instance, Ask::post("/v1/verify/batch", &batch)).expect(200);
    assert_eq!(reported["results"][0], foreign);
    assert_eq!(reported["results"][1], json!({"code": "NOT_FOUND", "valid": false}));
}
