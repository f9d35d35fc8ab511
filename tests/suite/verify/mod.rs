//! `/v1/verify` returns to a service whether a key is valid and has the permissions that the
//! service names.

mod batch;

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::shape::assert_shape;
use crate::test_server::{Made, TestServer};

fn verify(instance: &TestServer, body: &Value) -> Value {
    instance.ask(&Ask::post("/v1/verify", body)).expect(200)
}

#[test]
fn a_valid_key_is_described_and_an_invalid_one_only_if_known() {
    let instance = TestServer::start();
    let made =
        instance.create(&json!({"name": "good", "permissions": ["diagrams:read", "files:*"]}));
    let verdict = verify(&instance, &json!({"key": made.secret}));
    assert_shape!("valid", &verdict);
    assert_eq!(verdict["key"]["id"], made.id.as_str());
    assert!(!verdict.to_string().contains(made.secret.get(13..).unwrap()), "{verdict}");

    for (claim, key, code) in [
        ("empty", String::new(), "MALFORMED"),
        ("a typing error", made.secret.replace("kh_live_", "kh_liv_"), "MALFORMED"),
        ("cut short", made.secret.get(..56).unwrap().to_owned(), "NOT_FOUND"),
        ("a space behind it", format!("{} ", made.secret), "MALFORMED"),
        ("a line behind it", format!("{}\n", made.secret), "MALFORMED"),
        ("a zero byte", format!("{}\0", made.secret), "MALFORMED"),
        ("not ASCII", "clé".to_owned(), "MALFORMED"),
        ("too long", "x".repeat(513), "MALFORMED"),
        ("the longest foreign text", "x".repeat(512), "NOT_FOUND"),
        ("another system's", "ghp_16C7e42F292c6912E7710c838347Ae178B4a".to_owned(), "NOT_FOUND"),
        ("upper case", made.secret.to_uppercase(), "NOT_FOUND"),
    ] {
        let verdict = verify(&instance, &json!({"key": key}));
        assert_eq!(verdict, json!({"valid": false, "code": code}), "{claim}");
    }
    instance.act(&made.id, "disable").expect(200);
    let disabled = verify(&instance, &json!({"key": made.secret}));
    assert_shape!("disabled", &disabled);
    assert_eq!(disabled["key"]["id"], made.id.as_str());
    instance.act(&made.id, "revoke").expect(200);
    assert_eq!(verify(&instance, &json!({"key": made.secret}))["code"], "REVOKED");
}

#[test]
fn an_expired_key_is_rejected() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "brief", "expires_in": "1s"}));
    let mut line = instance.connect();
    let ask = instance.as_owner(Ask::post("/v1/verify", &json!({"key": made.secret})));
    let mut codes = (0..200_000).map(|_| line.ask(&ask).expect(200)["code"].clone());
    let ended = codes.find(|code| code != "VALID").unwrap();
    assert_eq!(ended, "EXPIRED");
    assert_eq!(instance.key(&made.id)["status"], "expired");
    let answer = instance.bare(&Ask::forward_auth(&made.secret));
    answer.problem(401, "EXPIRED");
}

#[test]
fn requested_permissions_are_checked_as_written() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"permissions": ["a:b", "c:d", "files:*"]}));
    for (asked, granted) in [
        (json!(["a:b"]), true),
        (json!(["a:b", "c:d"]), true),
        (json!(["a:b", "x:y"]), false),
        (json!("a:b"), true),
        (json!("a:b AND c:d"), true),
        (json!("a:b and x:y"), false),
        (json!("x:y OR c:d"), true),
        (json!("a:b AND (x:y OR files:deep:read)"), true),
        (json!("x:y AND a:b OR c:d"), true),
        (json!("x:y AND (a:b OR c:d)"), false),
        (json!("files:read"), true),
        (json!("keyhouse:keys:read"), false),
    ] {
        let ask = json!({"key": made.secret, "permissions": asked});
        let code = if granted { "VALID" } else { "INSUFFICIENT_PERMISSIONS" };
        assert_eq!(verify(&instance, &ask)["code"], code, "{asked}");
    }
}

#[test]
fn the_address_is_checked_if_the_key_has_network_rules() {
    let instance = TestServer::start();
    let rules = json!({"allow": ["10.0.0.0/8", "2001:db8::/32"], "deny": ["10.9.0.0/16"]});
    let made = instance.create(&json!({"ip_rules": rules}));
    for (ip, code) in [
        (json!("10.1.2.3"), "VALID"),
        (json!("::ffff:10.1.2.3"), "VALID"),
        (json!("2001:db8::1"), "VALID"),
        (json!("10.1.2.3:443"), "VALID"),
        (json!("[2001:db8::1]:443"), "VALID"),
        (json!("10.9.2.3:443"), "IP_NOT_ALLOWED"),
        (json!("10.9.2.3"), "IP_NOT_ALLOWED"),
        (json!("::ffff:10.9.2.3"), "IP_NOT_ALLOWED"),
        (json!("192.0.2.7"), "IP_NOT_ALLOWED"),
        (Value::Null, "IP_NOT_ALLOWED"),
    ] {
        let ask = json!({"key": made.secret, "ip": ip});
        assert_eq!(verify(&instance, &ask)["code"], code, "{ip}");
    }
    assert_eq!(verify(&instance, &json!({"key": made.secret}))["code"], "IP_NOT_ALLOWED");
}

#[test]
fn limits_count_only_calls_that_pass() {
    let instance = TestServer::start();
    let limit = json!([{"name": "calls", "limit": 10, "window_seconds": 86400}]);
    let made = instance.create(&json!({"rate_limits": limit, "permissions": ["a:b"]}));
    let ask = |cost: u64, permission: &str| {
        let body = json!({"key": made.secret, "cost": cost, "permissions": [permission]});
        verify(&instance, &body)["code"].clone()
    };
    assert_eq!(ask(4, "a:b"), "VALID");
    assert_eq!(ask(6, "x:y"), "INSUFFICIENT_PERMISSIONS");
    assert_eq!(ask(11, "a:b"), "RATE_LIMITED");
    assert_eq!(ask(7, "a:b"), "RATE_LIMITED");
    assert_eq!(ask(6, "a:b"), "VALID");
    assert_eq!(ask(1, "a:b"), "RATE_LIMITED");
    assert_eq!(ask(0, "a:b"), "VALID");

    let answer = instance.bare(&Ask::forward_auth(&made.secret));
    answer.problem(429, "RATE_LIMITED");
    for name in ["retry-after", "ratelimit", "ratelimit-policy"] {
        assert!(answer.header(name).is_some(), "{name}: {answer:?}");
    }
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=8_640).contains(&seconds), "{seconds}");
}

#[test]
fn concurrent_callers_never_exceed_the_limit() {
    let instance = TestServer::start();
    let limit = json!([{"name": "calls", "limit": 100, "window_seconds": 86400}]);
    let made = instance.create(&json!({"rate_limits": limit}));
    let passed: usize = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..8)
            .map(|_| {
                let (instance, ask) = (&instance, Ask::forward_auth(&made.secret));
                scope.spawn(move || {
                    let mut line = instance.connect();
                    (0..50).filter(|_| line.ask(&ask).status == 200).count()
                })
            })
            .collect();
        callers.into_iter().map(|it| it.join().unwrap()).sum()
    });
    assert_eq!(passed, 100);
}

#[test]
fn verify_requires_its_permission() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "asked about"}));
    let verifier =
        instance.create(&json!({"kind": "service", "permissions": ["keyhouse:keys:verify"]}));
    let body = json!({"key": made.secret});
    let by = |caller: &Made| instance.bare(&Ask::post("/v1/verify", &body).bearer(&caller.secret));
    assert_eq!(by(&verifier).expect(200)["code"], "VALID");
    by(&made).problem(403, "permission_required");
    instance.bare(&Ask::post("/v1/verify", &body)).problem(401, "NO_CREDENTIAL");
    // An explanation shows the sources of rights, which requires a separate permission.
    let explain = json!({"key": made.secret, "explain": true});
    let answer = instance.bare(&Ask::post("/v1/verify", &explain).bearer(&verifier.secret));
    assert_eq!(answer.problem(403, "permission_required")["permission"], "keyhouse:keys:read");
    instance.act(&verifier.id, "disable").expect(200);
    by(&verifier).problem(401, "DISABLED");
    // The verified key itself is still valid.
    assert_eq!(instance.verify(&made.secret)["code"], "VALID");
}
