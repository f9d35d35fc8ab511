//! How a gate treats paths that programs read differently, CORS preflights and gRPC.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::gates::{CodeOf, forwarded, repeated};
use crate::server::wire::Answer;
use crate::test_server::TestServer;

/// Returns the code and the reason. The reasons in the body and in the header must be equal.
fn refusal(answer: &Answer) -> (String, String) {
    let code = answer.code_of();
    if code == "VALID" {
        return (code, String::new());
    }
    let problem = answer.json();
    let reason = problem["reason"].as_str().unwrap_or_default().to_owned();
    assert_eq!(answer.header("x-keyhouse-reason").unwrap_or_default(), reason, "{problem}");
    (code, reason)
}

/// In an earlier version, npm scopes (`@scope%2fname`), GitLab ids (`group%2Fproject`) and `WebDAV`
/// names were refused by every gate, and the answer did not name the rule that refused the path.
#[test]
fn a_route_may_allow_a_path_that_other_routes_refuse() {
    let mut instance = TestServer::start();
    let secret = instance.create(&json!({})).secret;
    let routes = json!([
        {"path": "/npm/{package}", "allow": ["encoded_slash", "encoded_slash"]},
        {"path": "/npm/-/**", "access": "denied"},
        {"path": "/dav/**", "allow": ["utf8", "semicolon", "double_slash", "trailing_dot"]},
        {"path": "/dav/locked/**", "access": "denied"},
        {"path": "/**"},
    ]);
    let made = instance.gate("odd", &json!({"routes": routes}));
    assert_eq!(made["routes"][0]["allow"], json!(["encoded_slash"]));
    for restarted in [false, true] {
        for (path, code, reason) in [
            ("/npm/@scope%2fname", "VALID", ""),
            ("/npm/a/b%2fc", "REQUEST_REFUSED", "encoded_slash"),
            ("/npm/-%2fall", "REQUEST_REFUSED", "other_route"),
            ("/npm/a%2f..%2f-", "REQUEST_REFUSED", "dot_segment"),
            ("/other/a%2fb", "REQUEST_REFUSED", "encoded_slash"),
            ("/dav/caf\u{e9}/a;b//Inc.", "VALID", ""),
            ("/dav/a%2fb", "REQUEST_REFUSED", "encoded_slash"),
            ("/dav//locked/a", "REQUEST_REFUSED", "other_route"),
            ("/dav/locked./a", "REQUEST_REFUSED", "other_route"),
            ("/dav/locked;a", "REQUEST_REFUSED", "other_route"),
            ("/dav/a%5cb", "REQUEST_REFUSED", "encoded_delimiter"),
            ("/a;b", "ROUTE_NOT_ALLOWED", "semicolon"),
            ("/a//b", "REQUEST_REFUSED", "double_slash"),
            ("/admin.", "REQUEST_REFUSED", "trailing_dot"),
            ("/admin%20", "REQUEST_REFUSED", "trailing_dot"),
            ("/a%ef%bc%8fb", "REQUEST_REFUSED", "compatibility_form"),
            ("/a/%ef%bc%8e%ef%bc%8e/b", "REQUEST_REFUSED", "dot_segment"),
            ("/caf\u{e9}", "REQUEST_REFUSED", "utf8"),
        ] {
            let wanted = ("GET", "a.org", path);
            let by_headers = refusal(&instance.bare(&forwarded("odd", wanted).bearer(&secret)));
            assert_eq!(by_headers, (code.to_owned(), reason.to_owned()), "{path} {restarted}");
            let by_line = refusal(&instance.bare(&repeated("odd", wanted).bearer(&secret)));
            assert_eq!(by_line, by_headers, "{path} {restarted}");
            let body = json!({"method": "GET", "url": path, "key": secret});
            let reported = instance.ask(&Ask::post("/v1/gates/odd/test", &body)).expect(200);
            assert_eq!(reported["code"], code, "{reported}");
            assert_eq!(reported["reason"].as_str().unwrap_or_default(), reason, "{reported}");
        }
        instance.restart();
    }
}

/// Browsers send OPTIONS without a credential to find out whether a page may send its request.
#[test]
fn a_gate_can_let_cors_preflights_through() {
    let instance = TestServer::start();
    let routes = json!([
        {"path": "/orders/**", "methods": ["GET", "PUT"], "permissions": "orders:read"},
        {"path": "/orders/**", "access": "denied"},
    ]);
    instance.gate("shop", &json!({"routes": routes}));
    let preflight = |method: &str, path: &str| {
        let wanted = ("OPTIONS", "a.org", path);
        [forwarded("shop", wanted), repeated("shop", wanted)].map(|ask| {
            let ask = ask.header("Origin", "https://app.example.com");
            ask.header("Access-Control-Request-Method", method)
        })
    };
    let said = |ask: &Ask| instance.bare(ask).code_of();
    for ask in preflight("PUT", "/orders/7") {
        assert_eq!(said(&ask), "ROUTE_NOT_ALLOWED", "off unless it is set");
    }
    let change = json!({"preflight": "allow"});
    let changed = instance.ask(&Ask::patch("/v1/gates/shop", &change)).expect(200);
    assert_eq!(changed["preflight"], "allow");
    for ask in preflight("PUT", "/orders/7") {
        let answer = instance.bare(&ask);
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.header("x-keyhouse-key"), Some("-"), "a preflight has no identity");
        for (name, value) in [
            ("Origin", ""),
            ("Access-Control-Request-Method", ""),
            ("Access-Control-Request-Method", "put it"),
        ] {
            let without = ask.clone().without(name);
            let ask = if value.is_empty() { without } else { without.header(name, value) };
            assert_eq!(said(&ask), "ROUTE_NOT_ALLOWED", "{name}: {value}");
        }
        let doubled = ask.clone().header("Access-Control-Request-Method", "PUT");
        assert_eq!(said(&doubled), "ROUTE_NOT_ALLOWED");
    }
    for (method, path) in [("DELETE", "/orders/7"), ("PUT", "/elsewhere"), ("PUT", "/orders//7")] {
        for ask in preflight(method, path) {
            assert_eq!(instance.bare(&ask).status, 403, "{method} {path}");
        }
    }
    // Every method except OPTIONS is checked, with any headers.
    for ask in [
        forwarded("shop", ("PUT", "a.org", "/orders/7")),
        repeated("shop", ("PUT", "a.org", "/orders/7")),
    ] {
        let ask =
            ask.header("Origin", "https://a.org").header("Access-Control-Request-Method", "PUT");
        assert_eq!(said(&ask), "NO_CREDENTIAL");
    }
    for (announced, code) in [
        (json!("PUT"), "VALID"),
        (json!("DELETE"), "ROUTE_NOT_ALLOWED"),
        (Value::Null, "ROUTE_NOT_ALLOWED"),
    ] {
        let body = json!({"method": "OPTIONS", "url": "/orders/7", "preflight_for": announced});
        let reported = instance.ask(&Ask::post("/v1/gates/shop/test", &body)).expect(200);
        assert_eq!(reported["code"], code, "{reported}");
    }
}

/// gRPC clients do not read problem documents, and reported "unknown" for every denial in an
/// earlier version.
#[test]
fn a_refused_grpc_call_gets_a_grpc_status() {
    let instance = TestServer::start();
    let gone = instance.create(&json!({}));
    instance.act(&gone.id, "revoke").expect(200);
    let limited = json!({"rate_limits": [{"name": "day", "limit": 1, "window_seconds": 86_400}]});
    let limited = instance.create(&limited).secret;
    let good = instance.create(&json!({})).secret;
    let wanted = ("POST", "a.org", "/shop.Orders/List");
    for ask in [forwarded("default", wanted), repeated("default", wanted)] {
        let ask = ask.header("Content-Type", "application/grpc+proto");
        let refused = |ask: &Ask, status: u16, grpc: &str, message: &str| {
            let answer = instance.bare(ask);
            assert_eq!(answer.status, status, "{}", answer.body);
            assert_eq!(answer.header("grpc-status"), Some(grpc));
            assert!(answer.header("grpc-message").unwrap().starts_with(message), "{answer:?}");
            assert_eq!(answer.header("content-type"), Some("application/grpc"));
            assert_eq!(answer.body, "");
            assert!(answer.header("x-keyhouse-code").is_some());
        };
        refused(
            &ask,
            401,
            "16",
            "NO_CREDENTIAL: the request has no key: send a key in one of Authorization",
        );
        refused(&ask.clone().bearer(&gone.secret), 401, "16", "REVOKED");
        let traced = ask.clone().header("X_Keyhouse_User", "x").bearer(&good);
        refused(&traced, 403, "7", "REQUEST_REFUSED: a header name imitates the name");
        let passed = instance.bare(&ask.clone().bearer(&good));
        assert_eq!(passed.status, 200);
        assert_eq!(passed.header("grpc-status"), None);
        instance.bare(&ask.clone().bearer(&limited));
        refused(&ask.bearer(&limited), 429, "8", "RATE_LIMITED");
    }
    let plain =
        instance.bare(&forwarded("default", wanted).header("Content-Type", "application/json"));
    plain.problem(401, "NO_CREDENTIAL");
}
