//! `/v1/whoami/revoke` lets the holder of a key revoke it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::test_server::TestServer;

fn revoke() -> Ask {
    Ask::new("POST", "/v1/whoami/revoke")
}

#[test]
fn a_key_can_revoke_itself_through_every_carrier() {
    let instance = TestServer::start();
    let basic = |secret: &str| format!("Basic {}", STANDARD.encode(format!("any:{secret}")));
    for (name, value) in [
        ("Authorization", (|secret| format!("Bearer {secret}")) as fn(&str) -> String),
        ("Authorization", basic),
        ("X-API-Key", str::to_owned),
        ("MC-Api-Key", str::to_owned),
    ] {
        let made = instance.create(&json!({"name": "leaked", "permissions": []}));
        let answer = instance.bare(&revoke().header(name, &value(&made.secret)));
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{name}");
        instance.bare(&Ask::forward_auth(&made.secret)).problem(401, "REVOKED");
        let key = instance.key(&made.id);
        assert_eq!(key["revoked_reason"], "revoked by its holder");
        assert_eq!(key["version"], 2);
        let again = instance.bare(&revoke().header(name, &value(&made.secret)).json(&json!({})));
        assert_eq!(again.status, 204, "said twice is as good: {}", again.body);
        assert_eq!(instance.key(&made.id), key);
    }
}

#[test]
fn no_restriction_prevents_revoking_a_leaked_key() {
    let instance = TestServer::start();
    let limit = json!([{"name": "one", "limit": 1, "window_seconds": 86400}]);
    for (claim, fields) in [
        ("limits used up", json!({"rate_limits": limit})),
        ("from another network", json!({"ip_rules": {"allow": ["192.0.2.0/24"]}})),
        ("before its time", json!({"not_before": "2999-01-01T00:00:00Z"})),
        ("switched off", json!({"name": "off"})),
        ("a service key of nothing", json!({"kind": "service"})),
    ] {
        let made = instance.create(&fields);
        if claim == "switched off" {
            instance.act(&made.id, "disable").expect(200);
        }
        instance.bare(&Ask::forward_auth(&made.secret));
        assert_eq!(instance.bare(&revoke().bearer(&made.secret)).status, 204, "{claim}");
        assert_eq!(instance.verify(&made.secret)["code"], "REVOKED", "{claim}");
    }
    // The request does not count as use, and counts against no limit.
    let made = instance.create(&json!({"rate_limits": limit}));
    assert_eq!(instance.bare(&revoke().bearer(&made.secret)).status, 204);
    let key = instance.key(&made.id);
    assert!(key["last_used"].is_null(), "{key}");
}

#[test]
fn a_caller_can_revoke_only_the_key_it_presents() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "kept"}));
    let anonymous = instance.bare(&revoke());
    anonymous.problem(401, "NO_CREDENTIAL");
    instance.ask(&revoke()).problem(401, "NO_CREDENTIAL");
    instance.bare(&revoke().bearer("nonsense")).problem(401, "NOT_FOUND");
    instance.bare(&revoke().bearer(&format!("{}x", made.secret))).problem(401, "NOT_FOUND");
    instance
        .bare(&revoke().bearer(&made.secret).json(&json!({"id": "x"})))
        .problem(400, "invalid_input");
    instance
        .bare(&revoke().bearer(&made.secret).header("X-API-Key", "another"))
        .problem(401, "MALFORMED");
    let by_address = Ask::new("POST", &format!("/v1/whoami/revoke?key={}", made.secret));
    instance.bare(&by_address).problem(401, "NO_CREDENTIAL");
    assert_eq!(instance.key(&made.id), made.key);
}

/// Otherwise a replaced secret, which may have leaked, could revoke its replacement.
#[test]
fn an_expired_secret_cannot_revoke_its_key() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "rotated"}));
    let rotate = |overlap: &str| {
        let ask = Ask::post(&format!("/v1/keys/{}/rotate", made.id), &json!({"overlap": overlap}));
        instance.ask(&ask).expect(200)["secret"].as_str().unwrap().to_owned()
    };
    let second = rotate("0s");
    instance.bare(&revoke().bearer(&made.secret)).problem(401, "EXPIRED");
    let third = rotate("1h");
    instance.bare(&revoke().bearer(&made.secret)).problem(401, "NOT_FOUND");
    assert_eq!(instance.verify(&third)["code"], "VALID");
    assert_eq!(instance.bare(&revoke().bearer(&second)).status, 204, "it overlaps, so it has one");
    assert_eq!(instance.verify(&third)["code"], "REVOKED");
}
