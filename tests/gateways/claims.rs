//! Which requests each of the five proxies forwards or rejects.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::proxy::{Between, Kind, Proxy, in_all};
use crate::server::wire::Answer;
use crate::server::{MadeKey, Server, Session};
use crate::witness::Witness;

pub(crate) const IDENTITY: [&str; 10] = [
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
const CREDENTIALS: [&str; 3] = ["Authorization", "X-Api-Key", "MC-Api-Key"];
const FORGED: &str = "forged-by-the-client";

#[test]
fn a_request_without_a_key_gets_401_with_a_challenge_without_error() {
    let server = Server::start();
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, server.address());
        let answer = proxy.ask("/", &[]);
        assert_eq!(answer.status, 401, "{kind:?}: {answer:?}");
        let challenge = answer.challenges();
        assert!(challenge.starts_with("Bearer "), "{kind:?}: {challenge}");
        assert!(!challenge.contains("error"), "{kind:?}: {challenge}");
        assert_eq!(answer.header("X-Keyhouse-Code"), Some("NO_CREDENTIAL"), "{kind:?}");
        assert_no_identity(&answer);
    }
}

#[test]
fn a_wrong_key_gets_401_invalid_token() {
    let server = Server::start();
    let good = server.sign_in().make_key(&json!({ "name": "good" })).secret;
    let flipped = with_another_last_character(&good);
    let short = good.get(..40).unwrap();
    let rows = [
        ("checksum", flipped.as_str(), "MALFORMED"),
        ("shape", short, "NOT_FOUND"),
        ("unknown", "another-systems-key-of-some-length", "NOT_FOUND"),
    ];
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, server.address());
        for (name, key, code) in rows {
            let answer = proxy.ask("/", &[("Authorization", &format!("Bearer {key}"))]);
            assert_eq!(answer.status, 401, "{kind:?} {name}: {answer:?}");
            let challenge = answer.challenges();
            assert!(challenge.contains("error=\"invalid_token\""), "{kind:?} {name}: {challenge}");
            assert_eq!(answer.header("X-Keyhouse-Code"), Some(code), "{kind:?} {name}");
            assert_no_identity(&answer);
        }
    }
}

#[test]
fn a_valid_key_gives_the_application_its_identity_and_no_credential() {
    let server = Server::start();
    let session = server.sign_in();
    let personal = session.make_key(&json!({ "name": "my key", "permissions": ["a:read"] }));
    let service = session.make_key(&json!({ "name": "ci", "kind": "service" }));
    let user = session.ask("GET", "/v1/session", &Value::Null).json();
    let user = user.pointer("/user/id").unwrap().as_str().unwrap().to_owned();
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, server.address());
        let answer = proxy.ask("/any/path?query=1", &[("X-API-Key", &personal.secret)]);
        assert_eq!(answer.status, 200, "{kind:?}: {answer:?}");
        for name in IDENTITY {
            assert_ne!(line(&answer.body, name), Some(""), "{kind:?}: {name} in {}", answer.body);
        }
        for name in CREDENTIALS {
            assert_eq!(line(&answer.body, name), Some(""), "{kind:?}: {name} in {}", answer.body);
        }
        let rows = [
            ("X-Keyhouse-Key", personal.id.as_str()),
            ("X-Keyhouse-Key-Name", "my%20key"),
            ("X-Keyhouse-User", user.as_str()),
            ("X-Keyhouse-Email", "ada@example.com"),
            ("X-Keyhouse-Role", "owner"),
            ("X-Keyhouse-Teams", "-"),
            ("X-Keyhouse-Permissions", "a:read"),
            ("X-Keyhouse-Plan", "pro"),
            ("X-Keyhouse-Environment", "live"),
        ];
        for (name, value) in rows {
            assert_eq!(line(&answer.body, name), Some(value), "{kind:?}: {name}");
        }
        let answer = proxy.ask("/", &bearer(&service).each());
        assert_eq!(answer.status, 200, "{kind:?}: {answer:?}");
        for name in ["X-Keyhouse-User", "X-Keyhouse-Email", "X-Keyhouse-Role"] {
            assert_eq!(line(&answer.body, name), Some("-"), "{kind:?}: {name} of a service key");
        }
    }
}

#[test]
fn the_secret_never_reaches_the_application() {
    let (server, key) = server_with_a_key(&json!({ "name": "watched" }));
    let basic = base64(&format!("anyone:{}", key.secret));
    let bearer = bearer(&key);
    let rows: [&[(&str, &str)]; 5] = [
        &bearer.each(),
        &[("authorization", &format!("Basic {basic}"))],
        &[("x-api-key", &key.secret)],
        &[("mc-api-key", &key.secret)],
        &[("Authorization", &bearer.0), ("X-Api-Key", &key.secret), ("Mc-Api-Key", &key.secret)],
    ];
    let doubled = [("X-Api-Key", key.secret.as_str()); 2];
    for kind in Kind::ALL {
        // nginx checks the first of two lines. The others send both, in two lines or in one.
        let (status, code) = match kind {
            Kind::Nginx => (200, None),
            Kind::Caddy | Kind::Traefik | Kind::Haproxy => (401, Some("MALFORMED")),
            Kind::Envoy => (401, Some("NOT_FOUND")),
        };
        let witness = Witness::start();
        let proxy = Proxy::start_before(kind, server.address(), Some(witness.address));
        let answer = proxy.ask("/", &doubled);
        assert_eq!((answer.status, answer.header("X-Keyhouse-Code")), (status, code), "{kind:?}");
        let mut bodies: Vec<_> = (status == 200).then_some(answer.body).into_iter().collect();
        for headers in rows {
            let answer = proxy.ask("/", headers);
            assert_eq!(answer.status, 200, "{kind:?}: {answer:?}");
            bodies.push(answer.body);
        }
        assert_eq!(witness.count(), bodies.len(), "{kind:?}");
        for seen in bodies {
            assert!(!seen.contains(&key.secret), "{kind:?}: {seen}");
            assert!(!seen.contains(&basic), "{kind:?}: {seen}");
            for name in IDENTITY {
                assert_eq!(lines(&seen, name).len(), 1, "{kind:?}: {name} in {seen}");
            }
            for name in CREDENTIALS {
                assert_eq!(lines(&seen, name).len(), 0, "{kind:?}: {name} in {seen}");
            }
        }
        assert!(!proxy.end_and_search_log(&key.secret), "{kind:?} logs the key");
    }
}

#[test]
fn a_forged_identity_never_reaches_the_application() {
    let (server, key) = server_with_a_key(&json!({ "name": "honest" }));
    let bearer = bearer(&key);
    for kind in Kind::ALL {
        let witness = Witness::start();
        let proxy = Proxy::start_before(kind, server.address(), Some(witness.address));
        let mut asked = 0;
        for name in IDENTITY.into_iter().chain(["X-Keyhouse-Code"]) {
            for name in spellings(name) {
                let forged = [(name.as_str(), FORGED), (name.as_str(), FORGED)];
                for forged in [&forged[..1], &forged[..]] {
                    let refused = proxy.ask("/", forged);
                    assert_eq!(refused.status, 401, "{kind:?} {name}: {refused:?}");
                    assert_no_identity(&refused);

                    let headers: Vec<_> =
                        bearer.each().into_iter().chain(forged.to_vec()).collect();
                    let answer = proxy.ask("/", &headers);
                    asked += 1;
                    assert_eq!(answer.status, 200, "{kind:?} {name}: {answer:?}");
                    assert!(!answer.body.contains(FORGED), "{kind:?} {name}: {}", answer.body);
                }
            }
        }
        assert_eq!(witness.count(), asked, "{kind:?}: a request without a key has passed");
    }
}

#[test]
fn a_connection_header_cannot_remove_the_identity() {
    let (server, key) = server_with_a_key(&json!({ "name": "stripped" }));
    let bearer = bearer(&key);
    let passed = (200, None);
    // Caddy rejects a request that lists an identity header. Some proxies drop a listed credential.
    let (bad, dropped) = ((400, None), (401, Some("NO_CREDENTIAL")));
    for kind in Kind::ALL {
        let witness = Witness::start();
        let proxy = Proxy::start_before(kind, server.address(), Some(witness.address));
        let identity = if kind == Kind::Caddy { bad } else { passed };
        let credential = match kind {
            Kind::Nginx | Kind::Haproxy => passed,
            Kind::Caddy | Kind::Traefik | Kind::Envoy => dropped,
        };
        for (listed, expected) in [
            ("X-Keyhouse-User", identity),
            ("close, x-keyhouse-user", identity),
            ("Authorization", credential),
            ("X-Forwarded-Uri", passed),
        ] {
            let headers = [("Authorization", bearer.0.as_str()), ("Connection", listed)];
            let answer = proxy.ask("/", &headers);
            let found = (answer.status, answer.header("X-Keyhouse-Code"));
            assert_eq!(found, expected, "{kind:?} {listed}: {answer:?}");
            if expected == passed {
                for name in IDENTITY {
                    assert_eq!(lines(&answer.body, name).len(), 1, "{kind:?} {listed}: {name}");
                }
            }
        }
    }
}

#[test]
fn a_revoked_key_gets_401_on_the_next_request() {
    let server = Server::start();
    let session = server.sign_in();
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, server.address());
        let mut kept = proxy.open();
        for round in 0..10 {
            let key = session.make_key(&json!({ "name": format!("round {round}") }));
            let bearer = bearer(&key);
            for _ in 0..3 {
                let answer = kept.ask("GET", "/", &bearer.each(), b"");
                assert_eq!(answer.status, 200, "{kind:?} {round}: {answer:?}");
            }
            session.revoke(&key.id);
            let answer = kept.ask("GET", "/", &bearer.each(), b"");
            assert_eq!(answer.status, 401, "{kind:?} {round}: {answer:?}");
            assert_eq!(answer.header("X-Keyhouse-Code"), Some("REVOKED"), "{kind:?} {round}");
        }
    }
}

#[test]
fn a_denied_request_gets_403_with_the_reason() {
    let server = Server::start();
    let session = server.sign_in();
    let elsewhere = session.make_key(
        &json!({ "name": "elsewhere", "ip_rules": { "allow": ["198.51.100.0/24"], "deny": [] } }),
    );
    let good = session.make_key(&json!({ "name": "good" }));
    let rows = [
        ("address", "/", &elsewhere, "IP_NOT_ALLOWED"),
        ("path", "/a%2fb", &good, "REQUEST_REFUSED"),
        ("path", "/a//b", &good, "REQUEST_REFUSED"),
        ("path", "/a/%2e%2e/b", &good, "REQUEST_REFUSED"),
    ];
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, server.address());
        for (name, path, key, code) in rows {
            let answer = proxy.ask(path, &bearer(key).each());
            if kind.mends_paths() && (path.contains("//") || path.contains("%2e")) {
                assert_eq!(answer.status, 200, "{kind:?} {path}: {answer:?}");
                continue;
            }
            assert_eq!(answer.status, 403, "{kind:?} {name} {path}: {answer:?}");
            assert_eq!(answer.header("X-Keyhouse-Code"), Some(code), "{kind:?} {name} {path}");
            assert_no_identity(&answer);
            assert_eq!(answer.code(), code, "{kind:?} {name}");
            assert_eq!(answer.header("Content-Type"), Some("application/problem+json"));
        }
    }
}

#[test]
fn a_denied_route_gets_403_and_a_public_route_needs_no_key() {
    let server = Server::start();
    let session = server.sign_in();
    let routes = json!([
        { "path": "/orders/{id}", "methods": ["GET"], "permissions": "orders:read" },
        { "path": "/orders/{id}", "permissions": "orders:write" },
        { "path": "/open/**", "access": "public" },
    ]);
    let made = session.ask("POST", "/v1/gates", &json!({ "name": "orders", "routes": routes }));
    assert_eq!(made.status, 201, "{made:?}");
    let reader = session.make_key(&json!({ "name": "reader", "permissions": ["orders:read"] }));
    let bearer = bearer(&reader);
    let rows = [
        ("GET", "/orders/7", 200, ""),
        ("DELETE", "/orders/7", 403, "INSUFFICIENT_PERMISSIONS"),
        ("GET", "/elsewhere", 403, "ROUTE_NOT_ALLOWED"),
        ("GET", "/open/door", 200, ""),
    ];
    for kind in Kind::ALL {
        let witness = Witness::start();
        let between = Between {
            keyhouse: server.address(),
            application: Some(witness.address),
            gate: "orders",
        };
        let proxy = Proxy::start_between(kind, between, &[]);
        for (method, path, status, code) in rows {
            let answer = proxy.open().ask(method, path, &bearer.each(), b"");
            assert_eq!(answer.status, status, "{kind:?} {method} {path}: {answer:?}");
            assert_eq!(answer.header("X-Keyhouse-Code").unwrap_or_default(), code, "{kind:?}");
            if code == "INSUFFICIENT_PERMISSIONS" {
                let challenge = answer.challenges();
                assert!(challenge.contains("insufficient_scope"), "{kind:?}: {answer:?}");
            }
        }
        let answer = proxy.ask("/open/door", &[]);
        assert_eq!(answer.status, 200, "{kind:?}: {answer:?}");
        for name in IDENTITY {
            assert_eq!(lines(&answer.body, name), ["-"], "{kind:?}: {name} of a public route");
        }
        assert_eq!(witness.count(), 3, "{kind:?}");
    }
}

#[test]
fn an_exhausted_limit_gets_429_with_retry_after() {
    let server = Server::start();
    let session = server.sign_in();
    for kind in Kind::ALL {
        let limits = json!([{ "name": "slow", "limit": 2, "window_seconds": 600 }]);
        let key = session.make_key(&json!({ "name": "slow", "rate_limits": limits }));
        let proxy = Proxy::start(kind, server.address());
        let bearer = bearer(&key);
        let statuses: Vec<_> = (0..2).map(|_| proxy.ask("/", &bearer.each()).status).collect();
        assert_eq!(statuses, [200, 200], "{kind:?}");
        let answer = proxy.ask("/", &bearer.each());
        assert_eq!(answer.status, 429, "{kind:?}: {answer:?}");
        let seconds: u64 = answer.header("Retry-After").unwrap().parse().unwrap();
        assert!((1..=600).contains(&seconds), "{kind:?}: {seconds}");
        assert_eq!(answer.header("X-Keyhouse-Code"), Some("RATE_LIMITED"), "{kind:?}");
        for name in ["RateLimit", "RateLimit-Policy"] {
            let value = answer.header(name).unwrap_or_default();
            assert!(value.contains("slow"), "{kind:?} {name}: {answer:?}");
        }
        assert_eq!(answer.code(), "RATE_LIMITED", "{kind:?}: {answer:?}");
        assert_eq!(answer.header("Content-Type"), Some("application/problem+json"), "{kind:?}");
    }
}

#[test]
fn nothing_passes_while_keyhouse_is_down_and_all_works_afterwards() {
    in_all(|kind| {
        let witness = Witness::start();
        let (server, key) = server_with_a_key(&json!({ "name": "patient" }));
        let proxy = Proxy::start_before(kind, server.address(), Some(witness.address));
        let bearer = bearer(&key);
        let mut kept = proxy.open();
        assert_eq!(kept.ask("GET", "/", &bearer.each(), b"").status, 200, "{kind:?}");
        let passed = witness.count();

        let home = server.home().clone();
        let listen = server.address().to_string();
        assert_eq!(server.stop().code, Some(0), "{kind:?}");
        for headers in [&bearer.each()[..], &[]] {
            let answer = proxy.ask("/", headers);
            assert_eq!(answer.status, kind.status_without_keyhouse(), "{kind:?}: {answer:?}");
        }
        let answer = kept.ask("GET", "/", &bearer.each(), b"");
        assert_eq!(answer.status, kind.status_without_keyhouse(), "{kind:?}: {answer:?}");
        assert_eq!(witness.count(), passed, "{kind:?}: a request has passed unchecked");

        let _server = Server::start_in(&home, &["--listen", &listen]);
        assert_eq!(proxy.ask("/", &bearer.each()).status, 200, "{kind:?}");
    });
}

#[test]
fn nothing_passes_while_keyhouse_does_not_answer() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let keyhouse = silent.local_addr().unwrap();
    let witness = Witness::start();
    in_all(|kind| {
        let proxy = Proxy::start_before(kind, keyhouse, Some(witness.address));
        let key = "a-key-that-no-log-may-show";
        let bearer = format!("Bearer {key}");
        let headers = [("Authorization", bearer.as_str()), ("X-Api-Key", key), ("MC-Api-Key", key)];
        let mut client = proxy.open();
        client.socket().set_read_timeout(Some(kind.waits_for_keyhouse_max())).unwrap();
        let answer = client.ask("GET", "/", &headers, b"");
        assert_eq!(answer.status, kind.status_with_silent_keyhouse(), "{kind:?}: {answer:?}");
        assert!(!proxy.end_and_search_log(key), "{kind:?} logs the key of a failed request");
    });
    assert_eq!(witness.count(), 0);
}

#[test]
fn haproxy_lets_nothing_pass_when_its_script_fails() {
    let (server, key) = server_with_a_key(&json!({ "name": "good" }));
    let rows = [
        ("it fails before it asks", "local answer = ask(txn, client)", "error('broken')"),
        ("it fails while it marks", "values[1] == \"\"", "values[1] == nil + 1"),
        ("a header is missing", "\"x-keyhouse-plan\",", "\"x-keyhouse-lost\","),
    ];
    for (name, line, other) in rows {
        let witness = Witness::start();
        let application = Some(witness.address);
        let between = Between { keyhouse: server.address(), application, gate: "default" };
        let proxy = Proxy::start_between(Kind::Haproxy, between, &[(line, other)]);
        let answer = proxy.ask("/", &bearer(&key).each());
        assert_eq!(answer.status, 503, "{name}: {answer:?}");
        assert_eq!(witness.count(), 0, "{name}");
    }
}

/// HAProxy forwards trailers unchecked, and some applications treat trailers as headers.
#[test]
fn haproxy_refuses_chunked_bodies_with_the_optional_line() {
    let (server, key) = server_with_a_key(&json!({ "name": "chunks" }));
    let line = "http-request deny status 411 if { req.hdr(transfer-encoding) -m found }";
    let shipped = format!("# {line}");
    let secret = key.secret.as_str();
    let headers = [("X-Api-Key", secret), ("Transfer-Encoding", "chunked")];
    for (changes, status, seen) in [(&[][..], 200, 1), (&[(shipped.as_str(), line)], 411, 0)] {
        let witness = Witness::start();
        let application = Some(witness.address);
        let between = Between { keyhouse: server.address(), application, gate: "default" };
        let proxy = Proxy::start_between(Kind::Haproxy, between, changes);
        let answer = proxy.open().ask("POST", "/", &headers, b"1\r\na\r\n0\r\n\r\n");
        assert_eq!((answer.status, witness.count()), (status, seen), "{answer:?}");
    }
}

#[test]
fn a_body_reaches_the_application_complete() {
    let (server, key) = server_with_a_key(&json!({ "name": "writer" }));
    for kind in Kind::ALL {
        let witness = Witness::start();
        let proxy = Proxy::start_before(kind, server.address(), Some(witness.address));
        let bearer = bearer(&key);
        let mut kept = proxy.open();
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let answer = kept.ask(method, "/things", &bearer.each(), b"all of the body");
            assert_eq!(answer.status, 200, "{kind:?} {method}: {answer:?}");
            assert!(answer.body.starts_with(method), "{kind:?} {method}: {}", answer.body);
            assert!(answer.body.ends_with("\r\n\r\nall of the body"), "{kind:?}: {}", answer.body);
        }
    }
}

#[test]
fn the_answer_of_the_application_reaches_the_client_unchanged() {
    let (server, key) = server_with_a_key(&json!({ "name": "reader" }));
    for kind in Kind::ALL {
        let witness = Witness::start();
        let proxy = Proxy::start_before(kind, server.address(), Some(witness.address));
        for status in [201, 401, 403, 404, 429, 500, 503] {
            let answer = proxy.ask(&format!("/answer/{status}"), &bearer(&key).each());
            assert_eq!(answer.status, status, "{kind:?}: {answer:?}");
            assert!(answer.body.starts_with("GET /answer/"), "{kind:?} {status}: {answer:?}");
        }
    }
}

/// The value of an `Authorization` line.
struct Bearer(String);

impl Bearer {
    fn each(&self) -> [(&str, &str); 1] {
        [("Authorization", &self.0)]
    }
}

fn bearer(key: &MadeKey) -> Bearer {
    Bearer(format!("Bearer {}", key.secret))
}

fn server_with_a_key(fields: &Value) -> (Server, MadeKey) {
    let server = Server::start();
    let session: Session = server.sign_in();
    let key = session.make_key(fields);
    (server, key)
}

fn with_another_last_character(text: &str) -> String {
    let (other, kept) = (if text.ends_with('0') { '1' } else { '0' }, text.len() - 1);
    text.chars().take(kept).chain([other]).collect()
}

/// Returns variants of a header's name: in other cases, and with underscores for some or all
/// hyphens.
fn spellings(name: &str) -> Vec<String> {
    vec![
        name.to_owned(),
        name.to_lowercase(),
        name.to_uppercase(),
        name.replace('-', "_"),
        name.to_lowercase().replace('-', "_"),
        name.to_uppercase().replace('-', "_"),
        name.replacen('-', "_", 1),
        name.replacen("X-Keyhouse-", "X-Keyhouse_", 1),
    ]
}

fn assert_no_identity(answer: &Answer) {
    for (name, value) in &answer.headers {
        let identity = IDENTITY.iter().any(|it| it.eq_ignore_ascii_case(name));
        assert!(!identity, "a refusal carries {name}: {value}");
    }
    assert!(!answer.body.contains(FORGED), "{answer:?}");
}

fn line<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    lines(text, name).first().copied()
}

fn lines<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    let named = pairs.filter(|(it, _)| it.replace('_', "-").eq_ignore_ascii_case(name));
    named.map(|(_, value)| value.trim()).collect()
}

pub(crate) fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
