//! `/v1/introspect` lets an OAuth client ask whether a token is active (RFC 7662).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::ask::{Ask, Expect, escaped};
use crate::people::Person;
use crate::server::wire::Answer;
use crate::shape::assert_shape;
use crate::test_server::TestServer;

const FORM: &str = "application/x-www-form-urlencoded";

fn introspect(fields: &Value) -> Ask {
    Ask::new("POST", "/v1/introspect").form(fields)
}

/// A service key with permission to introspect keys.
fn verifier(instance: &TestServer) -> String {
    let permissions = ["keyhouse:keys:verify"];
    instance.create(&json!({"kind": "service", "permissions": permissions})).secret
}

/// The response for an inactive token, which has the same bytes for every reason.
fn assert_inactive(answer: &Answer, claim: &str) {
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"active":false}"#), "{claim}");
    let names: Vec<_> = answer.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    for name in ["x-keyhouse-code", "retry-after", "ratelimit", "www-authenticate"] {
        assert!(!names.contains(&name.to_owned()), "{claim}: {name}");
    }
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{claim}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{claim}");
}

fn make(instance: &TestServer, person: &Person, fields: &Value) -> String {
    let made = instance.ask_as(person, &Ask::post("/v1/keys", fields)).expect(201);
    made["secret"].as_str().unwrap().to_owned()
}

#[test]
fn an_active_key_is_described_by_the_fields_of_rfc_7662() {
    let instance = TestServer::start();
    let verifier = verifier(&instance);
    let owner = instance.owner();
    let personal = instance.create(&json!({
        "permissions": ["diagrams:read", "files:*"], "not_before": "2020-01-01T00:00:00.001Z",
        "expires_at": "2999-01-01T00:00:00.999Z",
    }));
    let answer = instance.bare(&introspect(&json!({"token": personal.secret})).bearer(&verifier));
    let reported = answer.expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let iat = reported["iat"].as_i64().unwrap();
    let expected = json!({
        "active": true, "scope": "diagrams:read files:*", "token_type": "Bearer",
        "client_id": personal.id, "sub": owner.id, "username": owner.email,
        "iss": format!("http://{}", instance.address()), "iat": iat,
        // The times are never too generous: the start is rounded up, the expiry down.
        "nbf": 1_577_836_801, "exp": 32_472_144_000_i64,
        "organization": instance.organization(), "environment": "live",
    });
    assert_eq!(reported, expected);
    assert_shape!("active_token", &reported);
    let made: Value = personal.key["created_at"].clone();
    assert!(made.as_str().unwrap().starts_with("20"), "{made}");
    assert!((1_700_000_000..4_000_000_000).contains(&iat), "{iat}");

    let service = instance.create(&json!({"kind": "service", "environment": "test"}));
    let reported = instance.bare(&introspect(&json!({"token": service.secret})).bearer(&verifier));
    let reported = reported.expect(200);
    assert_eq!(reported["sub"], instance.organization().as_str());
    for absent in ["username", "scope", "exp", "nbf"] {
        assert!(reported.get(absent).is_none(), "{absent}: {reported}");
    }
    // The scope contains only permissions that the owner's role grants now.
    let guest = instance.join("guest", "user");
    let secret = make(&instance, &guest, &json!({"permissions": ["a:b"]}));
    instance.change_user(&guest, &json!({"role": "guest"}));
    let reported =
        instance.bare(&introspect(&json!({"token": secret})).bearer(&verifier)).expect(200);
    assert_eq!((reported.get("active"), reported.get("scope")), (Some(&json!(true)), None));
}

#[test]
fn every_inactive_token_gets_the_same_bytes() {
    let instance = TestServer::start();
    let verifier = verifier(&instance);
    let (_, neighbour) = instance.neighbour("other");
    let [revoked, disabled] = ["a", "b"].map(|name| instance.create(&json!({"name": name})));
    instance.act(&revoked.id, "revoke").expect(200);
    instance.act(&disabled.id, "disable").expect(200);
    let made = |fields| instance.create(&fields).secret;
    let lazy = instance.join("lazy", "user");
    let of_disabled = make(&instance, &lazy, &json!({}));
    instance.change_user(&lazy, &json!({"disabled": true}));
    let foreign = make(&instance, &neighbour, &json!({}));
    let good = made(json!({"permissions": ["a:b"]}));
    let near = made(json!({"ip_rules": {"allow": ["10.0.0.0/8"]}}));
    let cases = [
        ("malformed", json!({"token": "kh_live_nonsense"})),
        ("a zero byte", json!({"token": format!("{good}\0")})),
        ("a space", json!({"token": " "})),
        ("unknown", json!({"token": "sk_live_4eC39HqLyjWDarjtT1zdp7dc"})),
        ("long", json!({"token": "x".repeat(10_000)})),
        ("revoked", json!({"token": revoked.secret})),
        ("disabled", json!({"token": disabled.secret})),
        ("of a disabled user", json!({"token": of_disabled})),
        ("not yet valid", json!({"token": made(json!({"not_before": "2999-01-01T00:00:00Z"}))})),
        ("of another organization", json!({"token": foreign})),
        ("no permission", json!({"token": good, "permissions": "a:b AND c:d"})),
        ("an address elsewhere", json!({"token": near, "ip": "192.0.2.7"})),
        ("an address untold", json!({"token": near})),
    ];
    let mut headers = Vec::new();
    for (claim, fields) in &cases {
        let answer = instance.bare(&introspect(fields).bearer(&verifier));
        assert_inactive(&answer, claim);
        headers.push(answer.headers);
    }
    let without_own = |lines: &Vec<(String, String)>| {
        let mut lines = lines.clone();
        let own = ["date", "x-request-id"];
        lines.retain(|(name, _)| !own.iter().any(|it| name.eq_ignore_ascii_case(it)));
        lines
    };
    let first = headers.first().map(without_own);
    assert!(headers.iter().all(|it| Some(without_own(it)) == first), "{headers:?}");

    for (claim, fields) in [
        ("what it may", json!({"token": good, "permissions": "a:b"})),
        ("from where it may", json!({"token": near, "ip": "10.1.1.1"})),
        ("a hint is ignored", json!({"token": good, "token_type_hint": "refresh_token"})),
    ] {
        let reported = instance.bare(&introspect(&fields).bearer(&verifier)).expect(200);
        assert_eq!(reported["active"], true, "{claim}");
    }
    // Services of operators may introspect keys of all organizations.
    let permissions = ["keyhouse:instance:verify"];
    let everywhere =
        instance.create(&json!({"kind": "service", "permissions": permissions})).secret;
    let reported =
        instance.bare(&introspect(&json!({"token": foreign})).bearer(&everywhere)).expect(200);
    assert_eq!(reported["active"], true);
}

#[test]
fn introspection_counts_nothing_and_a_key_at_its_limit_is_active() {
    let instance = TestServer::start();
    let verifier = verifier(&instance);
    let limited = instance.create(&json!({
        "rate_limits": [{"name": "day", "limit": 1, "window_seconds": 86_400}],
        "quota": {"limit": 1, "period": "month", "timezone": "UTC"},
    }));
    let ask = introspect(&json!({"token": limited.secret})).bearer(&verifier);
    for _ in 0..5 {
        assert_eq!(instance.bare(&ask).expect(200)["active"], true);
    }
    assert_eq!(instance.key(&limited.id)["last_used"], Value::Null);
    let state = instance.ask(&Ask::post("/v1/verify", &json!({"key": limited.secret, "cost": 0})));
    let state = state.expect(200);
    assert_eq!(state["rate_limits"][0]["remaining"], 1, "{state}");
    assert_eq!(state["quota"]["used"], 0, "{state}");
    assert_eq!(instance.verify(&limited.secret)["code"], "VALID");
    assert_eq!(instance.verify(&limited.secret)["code"], "RATE_LIMITED");
    assert_eq!(instance.bare(&ask).expect(200)["active"], true);
    let usage = format!("/v1/usage?key={}", limited.id);
    let before = instance.ask(&Ask::get(&usage)).expect(200)["totals"].clone();
    instance.bare(&ask).expect(200);
    assert_eq!(instance.ask(&Ask::get(&usage)).expect(200)["totals"], before);
}

#[test]
fn the_caller_authenticates_with_its_own_key_as_bearer_or_basic() {
    let instance = TestServer::start();
    let verifier = verifier(&instance);
    let good = instance.create(&json!({}));
    let ask = introspect(&json!({"token": good.secret}));
    let basic = |pair: String| format!("Basic {}", STANDARD.encode(pair));
    // OAuth clients first encode both halves as form values (RFC 6749, 2.3.1).
    let escaped = escaped(verifier.as_bytes());
    for value in [
        format!("Bearer {verifier}"),
        basic(format!("client:{verifier}")),
        basic(format!("a%3Aclient:{verifier}")),
        basic(format!("client:{escaped}")),
        basic(format!("{verifier}:")),
    ] {
        let reported = instance.bare(&ask.clone().header("Authorization", &value)).expect(200);
        assert_eq!(reported["active"], true);
    }
    // A bearer token is never form-encoded.
    instance.bare(&ask.clone().bearer(&escaped)).problem(401, "NOT_FOUND");

    let bare = instance.bare(&ask);
    assert_eq!(bare.body.matches("\"error\":").count(), 1, "{}", bare.body);
    assert_eq!(bare.problem(401, "NO_CREDENTIAL")["error"], "invalid_client");
    let basic_offered = "Basic realm=\"keyhouse\", charset=\"UTF-8\"";
    assert!(bare.headers_named("www-authenticate").contains(&basic_offered));
    let wrong = instance.bare(&ask.clone().header("Authorization", &basic("a:b".to_owned())));
    assert_eq!(wrong.problem(401, "NOT_FOUND")["error"], "invalid_client");
    let challenges = wrong.headers_named("www-authenticate");
    assert!(challenges.contains(&basic_offered), "{challenges:?}");
    // A session is not accepted: any page can make a browser send a form.
    instance.ask(&ask).problem(401, "NO_CREDENTIAL");
    let poor = instance.create(&json!({"kind": "service", "permissions": ["keyhouse:keys:read"]}));
    let answer = instance.bare(&ask.clone().bearer(&poor.secret));
    answer.problem(403, "permission_required");
    // The introspected token does not authenticate the caller, and neither does a token in the URL.
    let own = introspect(&json!({"token": verifier}));
    instance.bare(&own).problem(401, "NO_CREDENTIAL");
    let mut addressed = ask;
    addressed.target = format!("/v1/introspect?access_token={verifier}");
    instance.bare(&addressed).problem(401, "NO_CREDENTIAL");
}

#[test]
fn a_malformed_or_ambiguous_request_is_rejected() {
    let instance = TestServer::start();
    let verifier = verifier(&instance);
    let good = instance.create(&json!({})).secret;
    let post = |kind: &str, body: String| {
        let ask = Ask::new("POST", "/v1/introspect").bytes(kind, body.as_bytes());
        instance.bare(&ask.bearer(&verifier))
    };
    for (claim, body, pointer, code) in [
        ("nothing", String::new(), "/token", "required"),
        ("no token", "token_type_hint=access_token".to_owned(), "/token", "required"),
        ("no value", "token=".to_owned(), "/token", "required"),
        ("two tokens", format!("token={good}&token={good}"), "/token", "doubled"),
        ("two hidden tokens", format!("token={good}&%74oken=x"), "/token", "doubled"),
        (
            "a misspelt question",
            format!("token={good}&permission=a:b"),
            "/permission",
            "unknown_parameter",
        ),
        (
            "an empty question",
            format!("token={good}&permissions="),
            "/permissions",
            "invalid_requirement",
        ),
        ("no address", format!("token={good}&ip=here"), "/ip", "invalid_ip"),
    ] {
        let problem = post(FORM, body).problem(400, "invalid_input");
        let faults = problem["errors"].as_array().unwrap();
        assert_eq!(faults.len(), 1, "{claim}: {problem}");
        assert_eq!((&faults[0]["pointer"], &faults[0]["code"]), (&json!(pointer), &json!(code)));
        assert_eq!(problem["error"], "invalid_request", "{claim}");
        assert!(!problem.to_string().contains(&good), "{claim}");
    }
    let body = json!({"token": good}).to_string();
    let problem = post("application/json", body).problem(415, "unsupported_media_type");
    assert_eq!(problem["error"], "invalid_request");
    let reported =
        post("Application/X-WWW-Form-Urlencoded; charset=UTF-8", format!("token={good}"));
    assert_eq!(reported.expect(200)["active"], true);
    instance.bare(&Ask::get("/v1/introspect").bearer(&verifier)).problem(405, "method_not_allowed");
}
