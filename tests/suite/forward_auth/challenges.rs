//! The responses to refused callers at every check endpoint: the challenge of RFC 6750, and the
//! time to retry.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::server::wire::Answer;
use crate::test_server::TestServer;

const REALM: &str = "Bearer realm=\"keyhouse\"";
const BASIC: &str = "Basic realm=\"keyhouse\", charset=\"UTF-8\"";

/// Returns a request to each check endpoint without a credential, and whether the endpoint needs a
/// permission.
fn endpoints() -> [(&'static str, Ask, bool); 6] {
    let form = Ask::new("POST", "/v1/introspect").form(&json!({"token": "x"}));
    [
        ("forward-auth", Ask::forwarded(), false),
        ("ext-authz", Ask::get("/v1/ext-authz/default/a").header("X-Forwarded-For", "::1"), false),
        ("whoami", Ask::get("/v1/whoami"), false),
        ("verify", Ask::post("/v1/verify", &json!({"key": "x"})), true),
        ("batch", Ask::post("/v1/verify/batch", &json!({"requests": [{"key": "x"}]})), true),
        ("introspect", form, true),
    ]
}

fn assert_never_kept(answer: &Answer, claim: &str) {
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{claim}");
}

#[test]
fn a_refusal_carries_the_challenge_of_its_reason() {
    let instance = TestServer::start();
    let poor = instance.create(&json!({"kind": "service", "permissions": ["a:b"]})).secret;
    let gone = instance.create(&json!({"kind": "service"}));
    instance.act(&gone.id, "revoke").expect(200);
    for (name, ask, needs) in endpoints() {
        let answer = instance.bare(&ask);
        answer.problem(401, "NO_CREDENTIAL");
        // One challenge per line: wget 1.21 aborts if another line follows a line with two
        // challenges.
        assert_eq!(answer.headers_named("www-authenticate"), [REALM, BASIC], "{name}");
        assert_eq!(answer.header("x-keyhouse-challenge"), Some(BASIC), "{name}");
        assert_never_kept(&answer, name);
        for (secret, code) in [
            ("a mistyped key", "MALFORMED"),
            ("of-another-issuer", "NOT_FOUND"),
            (gone.secret.as_str(), "REVOKED"),
        ] {
            let answer = instance.bare(&ask.clone().bearer(secret));
            answer.problem(401, code);
            let challenge = answer.challenges();
            let expected = format!("{REALM}, error=\"invalid_token\", error_description=\"");
            assert!(challenge.starts_with(&expected), "{name}: {challenge}");
            assert!(challenge.ends_with(&format!("\", {BASIC}")), "{name}: {challenge}");
            assert_never_kept(&answer, name);
        }
        if needs {
            let answer = instance.bare(&ask.bearer(&poor));
            answer.problem(403, "permission_required");
            let expected =
                format!("{REALM}, error=\"insufficient_scope\", scope=\"keyhouse:keys:verify\"");
            assert_eq!(answer.header("www-authenticate"), Some(expected.as_str()), "{name}");
            assert_never_kept(&answer, name);
        }
    }
}

#[test]
fn a_missing_permission_is_named_in_the_challenge() {
    let instance = TestServer::start();
    let routes = json!([{"path": "/diagrams/**", "permissions": "a:b AND (c:d OR e:f)"}]);
    let gate = json!({"name": "diagrams", "routes": routes});
    instance.ask(&Ask::post("/v1/gates", &gate)).expect(201);
    let secret = instance.create(&json!({"permissions": ["a:b"]})).secret;
    let mut forwarded = Ask::forwarded();
    forwarded.target = "/v1/forward-auth/diagrams".to_owned();
    let envoys = Ask::get("/v1/ext-authz/diagrams/diagrams/7").header("X-Forwarded-For", "::1");
    for ask in [forwarded, envoys] {
        let answer = instance.bare(&ask.clone().bearer(&secret));
        answer.problem(403, "INSUFFICIENT_PERMISSIONS");
        let expected = format!("{REALM}, error=\"insufficient_scope\", scope=\"a:b c:d e:f\"");
        assert_eq!(answer.header("www-authenticate"), Some(expected.as_str()));
        assert_never_kept(&answer, &ask.target);
    }
}

#[test]
fn a_key_at_its_limit_gets_the_limit_and_a_retry_time() {
    let instance = TestServer::start();
    let limits = [
        (
            "RATE_LIMITED",
            json!({"rate_limits": [{"name": "day", "limit": 1, "window_seconds": 86_400}]}),
        ),
        ("QUOTA_EXCEEDED", json!({"quota": {"limit": 1, "period": "month", "timezone": "UTC"}})),
    ];
    for ((code, limit), (name, ask, _)) in
        limits.iter().flat_map(|limit| endpoints().map(|endpoint| (limit.clone(), endpoint)))
    {
        let mut fields = limit;
        fields["kind"] = "service".into();
        fields["permissions"] = json!(["keyhouse:keys:verify"]);
        let ask = ask.bearer(&instance.create(&fields).secret);
        let passed = instance.bare(&ask);
        assert_eq!(passed.status, 200, "{name}: {}", passed.body);
        // Only a refusal carries limit headers: Keyhouse does not add limit headers to an
        // upstream's response.
        assert!(passed.header("ratelimit").is_none(), "{name}");
        let answer = instance.bare(&ask);
        answer.problem(429, code);
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=31 * 86_400).contains(&wait), "{name}: {wait}");
        let limit = if code == "RATE_LIMITED" { "day" } else { "quota" };
        let policy = answer.header("ratelimit-policy").unwrap();
        assert!(policy.starts_with(&format!("\"{limit}\";q=1;w=")), "{name}: {policy}");
        let state = answer.header("ratelimit").unwrap();
        assert!(state.starts_with(&format!("\"{limit}\";r=0;t=")), "{name}: {state}");
        assert!(answer.header("www-authenticate").is_none(), "{name}");
        assert_never_kept(&answer, name);
    }
}

/// In an earlier version, Basic was accepted and never offered: git, wget, `curl --anyauth` and
/// other clients that wait for a challenge never sent their credential.
#[test]
fn a_gate_offers_the_schemes_it_accepts() {
    let instance = TestServer::start();
    let secret = instance.create(&json!({})).secret;
    let routes = json!([{"path": "/**"}]);
    let token = "Token realm=\"keyhouse\"";
    for (name, credentials, offered) in [
        ("both", json!(["authorization"]), vec![REALM.to_owned(), BASIC.to_owned()]),
        ("bearer", json!(["authorization:Bearer", "x-api-key"]), vec![REALM.to_owned()]),
        ("basic", json!(["authorization:basic"]), vec![BASIC.to_owned()]),
        ("token", json!(["authorization:token"]), vec![token.to_owned()]),
        ("header", json!(["x-shop-key"]), vec!["X-Shop-Key realm=\"keyhouse\"".to_owned()]),
    ] {
        let gate = json!({"name": name, "routes": routes, "credentials": credentials});
        instance.ask(&Ask::post("/v1/gates", &gate)).expect(201);
        let mut forwarded = Ask::forwarded();
        forwarded.target = format!("/v1/forward-auth/{name}");
        let line = format!("/v1/ext-authz/{name}/a");
        for ask in [forwarded, Ask::get(&line).header("X-Forwarded-For", "::1")] {
            let answer = instance.bare(&ask);
            answer.problem(401, "NO_CREDENTIAL");
            assert_eq!(answer.headers_named("www-authenticate"), offered, "{}", ask.target);
            // The refusal of a head by the transport contains the challenge of the requested gate.
            let doubled = ask.clone().header("Authorization", "a").header("Authorization", "b");
            let answer = instance.bare(&doubled);
            answer.problem(401, "MALFORMED");
            let named = answer.headers_named("www-authenticate").join(", ");
            for (scheme, wanted) in [("Bearer ", REALM), ("Basic ", BASIC), ("Token ", token)] {
                let expected = offered.iter().any(|line| line.contains(wanted));
                assert_eq!(named.contains(scheme), expected, "{}: {named}", ask.target);
            }
            let basic = format!("Basic {}", STANDARD.encode(format!("user:{secret}")));
            let accepted = instance.bare(&ask.header("Authorization", &basic)).status == 200;
            assert_eq!(accepted, offered.iter().any(|line| line.contains("Basic")), "{name}");
        }
    }
}

/// The page uses these endpoints, and browsers open a password dialog if Basic is offered.
#[test]
fn management_offers_only_bearer() {
    let instance = TestServer::start();
    for path in ["/v1/keys", "/v1/session", "/v1/gates"] {
        let answer = instance.bare(&Ask::get(path));
        answer.problem(401, "NO_CREDENTIAL");
        assert_eq!(answer.headers_named("www-authenticate"), [REALM], "{path}");
    }
    let answer = instance.bare(&Ask::new("POST", "/v1/whoami/revoke"));
    answer.problem(401, "NO_CREDENTIAL");
    assert_eq!(answer.headers_named("www-authenticate").len(), 2);
}

#[test]
fn the_api_description_names_both_challenge_headers() {
    let document = TestServer::start().bare(&Ask::get("/openapi.json")).expect(200);
    for path in ["/v1/forward-auth/{gate}", "/v1/ext-authz/{gate}/{path}", "/v1/whoami"] {
        let headers = &document["paths"][path]["get"]["responses"]["401"]["headers"];
        for name in ["WWW-Authenticate", "X-Keyhouse-Challenge"] {
            assert!(headers[name]["description"].is_string(), "{path} {name}: {headers}");
        }
    }
}
