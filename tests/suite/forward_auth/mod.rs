//! `/v1/forward-auth/default` decides for a proxy about each request.

mod challenges;
mod credentials;

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::server::wire::Answer;
use crate::test_server::TestServer;

const IDENTITY: [&str; 10] = [
    "X-Keyhouse-Key",
    "X-Keyhouse-Key-Name",
    "X-Keyhouse-User",
    "X-Keyhouse-Email",
    "X-Keyhouse-Organization",
    "X-Keyhouse-Role",
    "X-Keyhouse-Teams",
    "X-Keyhouse-Permissions",
    "X-Keyhouse-Plan",
    "X-Keyhouse-Environment",
];

/// Asserts a denial: status, code, no identity headers, no caching.
fn denied(answer: &Answer, claim: &str, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{claim}: {}", answer.body);
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{claim}");
    assert_eq!(answer.header("x-keyhouse-code"), Some(code), "{claim}");
    for name in IDENTITY {
        assert!(answer.header(name).is_none(), "{claim}: {name} on a denial");
    }
}

#[test]
fn a_valid_key_is_allowed_with_every_identity_header() {
    let instance = TestServer::start();
    let permissions = json!(["diagrams:read", "files:*"]);
    let personal =
        instance.create(&json!({"name": "Zoë's, 100% \u{1f511}", "permissions": permissions}));
    let service = instance.create(&json!({"name": "-", "kind": "service", "environment": "test"}));
    let answer = instance.bare(&Ask::forward_auth(&personal.secret));
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let value = |name: &str| answer.header(name).unwrap_or_else(|| panic!("{name} is missing"));
    for name in IDENTITY {
        assert!(!value(name).is_empty(), "{name} is empty");
        assert!(value(name).bytes().all(|it| it.is_ascii_graphic()), "{name}: {}", value(name));
    }
    assert_eq!(value("X-Keyhouse-Key"), personal.id);
    assert_eq!(value("X-Keyhouse-Key-Name"), "Zo%C3%AB%27s%2C%20100%25%20%F0%9F%94%91");
    assert!(value("X-Keyhouse-User").starts_with("usr_"));
    assert_eq!(value("X-Keyhouse-Email"), "ada@example.com");
    assert!(value("X-Keyhouse-Organization").starts_with("org_"));
    assert_eq!(value("X-Keyhouse-Role"), "owner");
    assert_eq!(value("X-Keyhouse-Teams"), "-");
    assert_eq!(value("X-Keyhouse-Permissions"), "diagrams:read,files:*");
    assert_eq!(value("X-Keyhouse-Plan"), "pro");
    assert_eq!(value("X-Keyhouse-Environment"), "live");

    let answer = instance.bare(&Ask::forward_auth(&service.secret));
    assert_eq!(answer.status, 200, "{}", answer.body);
    for name in ["X-Keyhouse-User", "X-Keyhouse-Email", "X-Keyhouse-Role", "X-Keyhouse-Permissions"]
    {
        assert_eq!(answer.header(name), Some("-"), "{name}");
    }
    // A name that equals `-`, which means an empty value, is encoded differently.
    assert_eq!(answer.header("X-Keyhouse-Key-Name"), Some("%2D"));
    assert_eq!(answer.header("X-Keyhouse-Environment"), Some("test"));
}

/// In an earlier version, requests with a query of 17 KiB failed behind Traefik and Envoy with an
/// empty 431, because the head of the forwarded request exceeded the limit of all requests.
#[test]
fn a_long_target_is_decided_and_a_too_long_one_gets_a_code() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"name": "long"})).secret;
    let target = |bytes: usize| format!("/a?q={}", "q".repeat(bytes));
    for (bytes, expected) in [
        (17 << 10, (200, None)),
        (60 << 10, (200, None)),
        (100 << 10, (403, Some("REQUEST_REFUSED"))),
        (1 << 20, (403, Some("REQUEST_REFUSED"))),
    ] {
        let uri = target(bytes);
        let forward =
            Ask::forward_auth(&key).without("X-Forwarded-Uri").header("X-Forwarded-Uri", &uri);
        let answer = instance.bare(&forward);
        assert_eq!((answer.status, answer.header("x-keyhouse-code")), expected, "{bytes}");
        if let Some(code) = expected.1 {
            denied(&answer, "too long", 403, code);
            assert!(answer.body.contains("256 header lines and 81920 bytes"), "{}", answer.body);
        }
    }
    // For all other callers the ordinary limit applies, and the response names this limit.
    for path in ["/v1/whoami", "/v1/session", "/nowhere", "/"] {
        let long = instance.bare(&Ask::get(path).header("X-Long", &"x".repeat(17 << 10)));
        assert_eq!((long.status, long.code().as_str()), (431, "head_too_large"), "{path}");
    }
}

#[test]
fn head_is_answered_like_get_and_a_body_closes_the_connection() {
    let instance = TestServer::start();
    let made = instance.create(&json!({}));
    let mut head = Ask::forward_auth(&made.secret);
    head.method = "HEAD".to_owned();
    assert_eq!(instance.bare(&head).status, 200);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
        let mut ask = Ask::forward_auth(&made.secret);
        ask.method = method.to_owned();
        denied(&instance.bare(&ask), method, 403, "REQUEST_REFUSED");
    }
    let mut line = instance.connect();
    let hidden =
        format!("GET /v1/whoami HTTP/1.1\r\nHost: a\r\nX-API-Key: {}\r\n\r\n", made.secret);
    let ask = Ask::forward_auth(&made.secret).bytes("text/plain", hidden.as_bytes());
    let answer = line.ask(&ask);
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert!(line.0.is_closed(), "a body was taken for a request");
}

#[test]
fn each_denial_has_its_status_and_code() {
    let instance = TestServer::start();
    let good = instance.create(&json!({"name": "good"}));
    let made = |fields| instance.create(&fields).secret;
    let [disabled, revoked] = ["a", "b"].map(|name| instance.create(&json!({"name": name})));
    instance.act(&disabled.id, "disable").expect(200);
    instance.act(&revoked.id, "revoke").expect(200);
    let later = made(json!({"not_before": "2999-01-01T00:00:00Z"}));
    let elsewhere = made(json!({"ip_rules": {"allow": ["10.0.0.0/8"]}}));
    for (secret, status, code) in [
        ("nonsense\u{e9}".to_owned(), 401, "MALFORMED"),
        (good.secret.replace("kh_live", "kh_liev"), 401, "MALFORMED"),
        ("a-foreign-text".to_owned(), 401, "NOT_FOUND"),
        (revoked.secret, 401, "REVOKED"),
        (disabled.secret, 401, "DISABLED"),
        (later, 401, "NOT_YET_VALID"),
        (elsewhere, 403, "IP_NOT_ALLOWED"),
    ] {
        let answer = instance.bare(&Ask::forward_auth(&secret));
        denied(&answer, code, status, code);
        let challenge = answer.challenges();
        assert_eq!(challenge.contains("invalid_token"), status == 401, "{code}: {challenge}");
    }
    let answer = instance.bare(&Ask::forwarded());
    denied(&answer, "nothing shown", 401, "NO_CREDENTIAL");
    assert!(!answer.challenges().contains("error="));
    let mut unknown = Ask::forward_auth(&good.secret);
    for (gate, code) in [
        ("nowhere", "GATE_NOT_FOUND"),
        ("Default", "GATE_NOT_FOUND"),
        ("default%2f", "GATE_NOT_FOUND"),
    ] {
        unknown.target = format!("/v1/forward-auth/{gate}");
        denied(&instance.bare(&unknown), gate, 403, code);
    }
}

/// Clients of `OAuth` and of some vendors read only `error`, as a text, and show it as the reason.
#[test]
fn each_denial_has_the_members_error_and_error_description() {
    let instance = TestServer::start();
    let limit = json!([{"name": "burst", "limit": 1, "window_seconds": 3600}]);
    let limited = instance.create(&json!({"rate_limits": limit}));
    assert_eq!(instance.bare(&Ask::forward_auth(&limited.secret)).status, 200);
    let revoked = instance.create(&json!({}));
    instance.act(&revoked.id, "revoke").expect(200);
    let elsewhere = instance.create(&json!({"ip_rules": {"allow": ["10.0.0.0/8"]}}));
    let reader = instance.create(&json!({"permissions": ["diagrams:read"]}));
    let gate =
        json!({"name": "writers", "routes": [{"path": "/**", "permissions": "diagrams:write"}]});
    instance.ask(&Ask::post("/v1/gates", &gate)).expect(201);
    let mut lacking = Ask::forward_auth(&reader.secret);
    lacking.target = "/v1/forward-auth/writers".to_owned();
    let mut nowhere = lacking.clone();
    nowhere.target = "/v1/forward-auth/nowhere".to_owned();
    for (ask, error, description) in [
        (Ask::forward_auth(&revoked.secret), "invalid_token", "Key revoked"),
        (Ask::forward_auth(&elsewhere.secret), "ip_not_allowed", "IP address not allowed"),
        (Ask::forward_auth(&limited.secret), "rate_limited", "Rate limit exceeded"),
        (lacking, "insufficient_scope", "Insufficient permissions"),
    ] {
        let body = instance.bare(&ask).json();
        assert_eq!(body["error"], error, "{body}");
        assert_eq!(body["error_description"], description, "{body}");
    }
    // A problem with a detail gives the detail.
    for (ask, error) in [(Ask::forwarded(), "no_credential"), (nowhere, "gate_not_found")] {
        let body = instance.bare(&ask).json();
        assert_eq!(body["error"], error, "{body}");
        assert_eq!(body["error_description"], body["detail"], "{body}");
    }
    let managed = instance.bare(&Ask::get("/v1/nowhere")).json();
    assert!(managed.get("error").is_none(), "{managed}");
}

#[test]
fn a_missing_doubled_or_invalid_header_is_rejected() {
    let instance = TestServer::start();
    let made = instance.create(&json!({}));
    let good = Ask::forward_auth(&made.secret);
    assert_eq!(instance.bare(&good).status, 200);
    for name in [
        "X-Forwarded-Method",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Forwarded-Uri",
        "X-Forwarded-For",
    ] {
        denied(&instance.bare(&good.clone().without(name)), name, 403, "REQUEST_REFUSED");
        denied(
            &instance.bare(&good.clone().without(name).header(name, "")),
            name,
            403,
            "REQUEST_REFUSED",
        );
        // A header is missing because the client made the proxy remove it (Traefik,
        // CVE-2024-45410).
        let hidden =
            good.clone().without(name).header("Connection", &format!("keep-alive, {name}"));
        denied(&instance.bare(&hidden), name, 403, "REQUEST_REFUSED");
        // This endpoint ignores headers that it does not use.
        let original = name.replace("Forwarded", "Original");
        denied(
            &instance.bare(&good.clone().without(name).header(&original, "/")),
            name,
            403,
            "REQUEST_REFUSED",
        );
        if name != "X-Forwarded-For" {
            denied(&instance.bare(&good.clone().header(name, "GET")), name, 403, "REQUEST_REFUSED");
        }
    }
    for (name, value) in [
        ("X-Forwarded-Method", "GE T"),
        ("X-Forwarded-Proto", "gopher"),
        ("X-Forwarded-Host", "a b"),
        ("X-Forwarded-Host", "a.example,b.example"),
        ("X-Forwarded-Host", "user@a.example"),
        ("X-Forwarded-Uri", "no-slash"),
        ("X-Forwarded-Uri", "http://a.example/"),
        ("X-Forwarded-For", "unknown"),
        ("X-Forwarded-For", "192.0.2.7, nonsense"),
        ("X-Forwarded-For", "192.0.2.7,"),
        ("X-Forwarded-For", "192.0.2.256"),
        ("X-Forwarded-For", "_hidden"),
        ("X-Forwarded-For", "fe80::1%eth0"),
    ] {
        let ask = good.clone().without(name).header(name, value);
        denied(&instance.bare(&ask), &format!("{name}: {value}"), 403, "REQUEST_REFUSED");
    }
}

#[test]
fn an_ambiguous_path_is_rejected() {
    let instance = TestServer::start();
    let made = instance.create(&json!({}));
    for (path, fine) in [
        ("/", true),
        ("/a/b?next=/../x", true),
        ("/a.b/..c/d", true),
        ("/a.b/..c/d..", false),
        ("/admin.", false),
        ("/admin%20", false),
        ("/a/%ef%bc%8e%ef%bc%8e/b", false),
        ("/a%ef%bc%8fb", false),
        ("/a%20b", true),
        ("/..", false),
        ("/a/../b", false),
        ("/a/./b", false),
        ("/a/.", false),
        ("/%2e%2e/b", false),
        ("/a/%2E/b", false),
        ("/a/.%2e/b", false),
        ("//a", false),
        ("/a//b", false),
        ("/a%2fb", false),
        ("/a%2Fb", false),
        ("/a%5cb", false),
        ("/a%00b", false),
        ("/a%25b", false),
        ("/a%3bb", false),
        ("/a%23b", false),
        ("/a\\b", false),
        ("/a#b", false),
        ("/caf\u{e9}", false),
        ("/a;b/../c", false),
    ] {
        let ask = Ask::forward_auth(&made.secret)
            .without("X-Forwarded-Uri")
            .header("X-Forwarded-Uri", path);
        let answer = instance.bare(&ask);
        if fine {
            assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        } else {
            denied(&answer, path, 403, "REQUEST_REFUSED");
        }
    }
}

#[test]
fn the_client_address_is_the_last_one_outside_trusted_proxies() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"ip_rules": {"allow": ["192.0.2.7"]}}));
    for (claim, lines, admitted) in [
        ("the client alone", &["192.0.2.7"][..], true),
        ("a trusted proxy behind it", &["192.0.2.7, 127.0.0.1"], true),
        ("without spaces", &["192.0.2.7,127.0.0.1"], true),
        ("what a client claims before it", &["198.51.100.1, 192.0.2.7"], true),
        ("the right one claimed by a client", &["192.0.2.7, 198.51.100.1"], false),
        ("two lines are one list", &["198.51.100.1", "192.0.2.7"], true),
        ("two lines, the claim first", &["192.0.2.7", "198.51.100.1"], false),
        ("IPv4 in IPv6", &["::ffff:192.0.2.7"], true),
        ("another", &["192.0.2.8"], false),
    ] {
        let ask = Ask::forward_auth(&made.secret).without("X-Forwarded-For");
        let ask = lines.iter().fold(ask, |ask, line| ask.header("X-Forwarded-For", line));
        let answer = instance.bare(&ask);
        if admitted {
            assert_eq!(answer.status, 200, "{claim}: {}", answer.body);
        } else {
            denied(&answer, claim, 403, "IP_NOT_ALLOWED");
        }
    }
}

#[test]
fn a_caller_that_is_no_trusted_proxy_gets_no_decision() {
    let instance = TestServer::start_with(&["--trusted-proxy", "10.0.0.0/8"]);
    let made = instance.create(&json!({}));
    denied(&instance.bare(&Ask::forward_auth(&made.secret)), "good key", 403, "REQUEST_REFUSED");
    denied(&instance.bare(&Ask::forwarded()), "no key", 403, "REQUEST_REFUSED");
    // The API also ignores addresses in the headers of such a peer.
    let ask = Ask::get("/v1/whoami").bearer(&made.secret).header("X-Forwarded-For", "10.1.1.1");
    instance.bare(&ask).expect(200);
    assert_eq!(instance.key(&made.id)["last_used"]["ip"], "127.0.0.1");
}

#[test]
fn identity_headers_of_the_client_are_rejected_or_ignored() {
    let instance = TestServer::start();
    let made = instance.create(&json!({}));
    let forged = Ask::forward_auth(&made.secret).header("X-Keyhouse-User", "usr_forged");
    let answer = instance.bare(&forged);
    assert!(!answer.headers.iter().any(|(_, value)| value.contains("forged")), "{answer:?}");
    for name in ["X_Keyhouse_User", "X-Keyhouse_User", "x_forwarded_uri", "X_Forwarded_For"] {
        let answer = instance.bare(&Ask::forward_auth(&made.secret).header(name, "forged"));
        denied(&answer, name, 403, "REQUEST_REFUSED");
    }
}

/// With its default `proxy_buffer_size` of 4 KiB, nginx returns 500 for a longer head.
#[test]
fn the_longest_identity_fits_into_the_buffer_of_a_proxy() {
    let instance = TestServer::start();
    let permissions: Vec<_> = (0..15).map(|at| format!("{}:{at:02}", "r".repeat(120))).collect();
    let made = instance.create(&json!({
        "name": "\u{1f511}".repeat(256), "permissions": permissions, "environment": "e".repeat(16),
    }));
    let answer = instance.bare(&Ask::forward_auth(&made.secret));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let head: usize = answer.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    assert!(head <= 4_000, "{head} bytes");
}

/// Some upstreams cut a `#` off, others treat it as a part of the query.
#[test]
fn a_fragment_is_rejected_at_every_position() {
    let instance = TestServer::start();
    let made = instance.create(&json!({}));
    for uri in ["/a#b", "/a?b#c", "/?#", "/#/../x"] {
        let ask = Ask::forward_auth(&made.secret).without("X-Forwarded-Uri");
        let answer = instance.bare(&ask.header("X-Forwarded-Uri", uri));
        denied(&answer, uri, 403, "REQUEST_REFUSED");
    }
}
