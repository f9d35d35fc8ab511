//! Admission is decided from a request's head: an unknown caller gets no memory and no thread for
//! the body.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::server::wire::{Answer, Connection};
use crate::test_server::{EMAIL, PASSWORD, TestServer};

/// Sends a head that announces a body, but no byte of the body. Returns the response.
fn head_alone(instance: &TestServer, ask: &Ask, bytes: usize) -> Answer {
    let mut head =
        format!("{} {} HTTP/1.1\r\nHost: {}\r\n", ask.method, ask.target, instance.address());
    for (name, value) in ask.lines() {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    write!(head, "Content-Length: {bytes}\r\n\r\n").unwrap();
    let mut connection = Connection::open(instance.address());
    connection.send(head.as_bytes()).unwrap();
    connection.read().unwrap()
}

/// In an earlier version, 33 connections without a credential could hold all memory for bodies, and
/// every verification, sign-in and change returned 503: the body was read before the credential was
/// checked.
#[test]
fn an_unknown_caller_is_refused_before_its_body_is_read() {
    let instance = TestServer::start();
    let unknown_key = TestServer::start().create(&json!({})).secret;
    let (start, last) = unknown_key.split_at(unknown_key.len() - 1);
    let mistyped_key = format!("{start}{}", if last == "0" { "1" } else { "0" });
    for (method, path, none, malformed, unknown) in [
        ("POST", "/v1/verify", "NO_CREDENTIAL", "MALFORMED", "NOT_FOUND"),
        ("POST", "/v1/verify/batch", "NO_CREDENTIAL", "MALFORMED", "NOT_FOUND"),
        ("POST", "/v1/introspect", "NO_CREDENTIAL", "MALFORMED", "NOT_FOUND"),
        ("POST", "/v1/whoami/revoke", "NO_CREDENTIAL", "MALFORMED", "NOT_FOUND"),
        ("POST", "/v1/keys", "NO_CREDENTIAL", "MALFORMED", "NOT_FOUND"),
        ("POST", "/v1/keys/import", "NO_CREDENTIAL", "MALFORMED", "NOT_FOUND"),
        ("PATCH", "/v1/me", "NO_CREDENTIAL", "MALFORMED", "NOT_FOUND"),
        ("DELETE", "/v1/users/usr_1", "NO_CREDENTIAL", "MALFORMED", "NOT_FOUND"),
    ] {
        let ask = Ask::new(method, path);
        head_alone(&instance, &ask, 60_000).problem(401, none);
        head_alone(&instance, &ask.clone().bearer("no key"), 60_000).problem(401, malformed);
        head_alone(&instance, &ask.clone().bearer(&mistyped_key), 60_000).problem(401, malformed);
        head_alone(&instance, &ask.clone().bearer(&unknown_key), 60_000).problem(401, unknown);
    }
    for path in ["/v1/keys", "/v1/keys/import", "/v1/verify", "/v1/verify/batch"] {
        let stale = Ask::post(path, &json!({})).header("Cookie", "keyhouse=AAAA");
        head_alone(&instance, &stale, 60_000).problem(401, "session_ended");
    }
    head_alone(&instance, &Ask::new("POST", "/nothing"), 60_000).problem(404, "not_found");
    head_alone(&instance, &Ask::new("PUT", "/v1/keys"), 60_000).problem(405, "method_not_allowed");
}

#[test]
fn a_known_but_invalid_key_is_refused_early_and_counted_once() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"kind": "service", "permissions": ["keyhouse:*"]}));
    instance.act(&made.id, "disable").expect(200);
    let ask = Ask::new("POST", "/v1/verify").bearer(&made.secret);
    head_alone(&instance, &ask, 60_000).problem(401, "DISABLED");
    let usage = instance.ask(&Ask::get(&format!("/v1/usage?key={}", made.id))).expect(200);
    assert_eq!(usage["totals"]["codes"], json!({"DISABLED": 1}), "{usage}");
}

#[test]
fn sign_ins_and_link_requests_are_limited_to_four_kilobytes() {
    let instance = TestServer::start();
    for path in ["/v1/session", "/v1/setup", "/v1/reset", "/v1/invitations/accept"] {
        head_alone(&instance, &Ask::new("POST", path), 4_097).problem(413, "body_too_large");
    }
    let body = json!({"email": EMAIL, "password": PASSWORD}).to_string();
    let padded = format!("{}{body}", " ".repeat(4_096 - body.len()));
    let ask = Ask::new("POST", "/v1/session").bytes("application/json", padded.as_bytes());
    instance.bare(&ask).expect(201);
}

/// In an earlier version, with a leaked key, even if it was revoked, a client held 64 KiB of the
/// key owner's memory for bodies with each request to revoke the key.
#[test]
fn a_revocation_by_the_holder_accepts_only_a_few_bytes() {
    let instance = TestServer::start();
    let leaked = instance.create(&json!({"name": "leaked"}));
    let by_holder = Ask::new("POST", "/v1/whoami/revoke").bearer(&leaked.secret);
    head_alone(&instance, &by_holder, 65).problem(413, "body_too_large");
}

/// A refusal must not close the connection, or a client and a proxy's pool would need a new
/// connection each time.
#[test]
fn a_refused_request_with_a_small_body_keeps_the_connection() {
    let instance = TestServer::start();
    let mut line = instance.connect();
    for _ in 0..3 {
        let answer = line.ask(&Ask::post("/v1/verify", &json!({"key": "any"})));
        answer.problem(401, "NO_CREDENTIAL");
        assert_eq!(answer.header("connection"), None);
    }
    line.ask(&Ask::get("/healthz")).expect(200);
}

/// Maximum wait for the refusal of a held body, and maximum number of bodies.
const REFUSED_WITHIN: Duration = Duration::from_millis(20);
const BODIES_MAX: usize = 64;
/// Maximum size of a body of a management request.
const BODY_BYTES: usize = 64 * 1024;

/// Sends bodies of changes from many addresses, each without its last byte. Stops at the first
/// refusal, so that the caller holds its maximum of memory.
fn hold_all(instance: &TestServer, caller: &Ask) -> Vec<Connection> {
    let mut held = Vec::new();
    for number in 1..=BODIES_MAX {
        let ask = caller.clone().header("X-Forwarded-For", &format!("198.51.100.{number}"));
        let mut head = format!("POST /v1/keys HTTP/1.1\r\nHost: {}\r\n", instance.address());
        for (name, value) in ask.lines() {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        write!(head, "Content-Type: application/json\r\nContent-Length: {BODY_BYTES}\r\n\r\n")
            .unwrap();
        let mut connection = Connection::open(instance.address());
        connection.send(head.as_bytes()).unwrap();
        connection.send(&vec![b' '; BODY_BYTES - 1]).unwrap();
        connection.socket().set_read_timeout(Some(REFUSED_WITHIN)).unwrap();
        if let Ok(answer) = connection.read() {
            answer.problem(503, "busy");
            return held;
        }
        held.push(connection);
    }
    panic!("{BODIES_MAX} bodies are held");
}

/// Starts an instance whose body timeout is longer than the test.
fn patient() -> TestServer {
    TestServer::start_with_settings(
        "trusted_proxies = [\"127.0.0.1/32\"]\n[limits]\nbody_timeout = \"60s\"\n",
    )
}

/// The client address of the owner.
const HOME: &str = "203.0.113.9";

/// Sends a change from the owner's address, with a body that does not fit beside the bodies of
/// `hold_all`.
fn change(instance: &TestServer, caller: Ask) -> Answer {
    let body = json!({"name": "made under attack"}).to_string();
    let padded = format!("{}{body}", " ".repeat(BODY_BYTES - body.len()));
    let caller = caller.header("X-Forwarded-For", HOME);
    instance.bare(&caller.bytes("application/json", padded.as_bytes()))
}

/// In an earlier version, the holder of a leaked key and a user of the organization together could
/// hold the organization's memory for bodies, so that changes by its owner returned 503.
#[test]
fn a_user_at_the_body_limit_does_not_block_owners_or_their_own_session() {
    let instance = patient();
    let user = instance.join("eve", "user");
    let leaked = user.make(&instance, &json!({"name": "leaked"}));
    let key = Ask::new("POST", "/v1/keys").bearer(&leaked.secret);
    let session = user.asks(&Ask::new("POST", "/v1/keys"));
    let by_key = hold_all(&instance, &key);
    change(&instance, key).problem(503, "busy");
    change(&instance, session.clone()).expect(201);
    let by_session = hold_all(&instance, &session);
    change(&instance, session).problem(503, "busy");
    change(&instance, instance.as_owner(Ask::new("POST", "/v1/keys"))).expect(201);
    let revoke = Ask::post(&format!("/v1/keys/{}/revoke", leaked.id), &json!({}));
    instance.ask(&revoke.header("X-Forwarded-For", HOME)).expect(200);
    drop((by_key, by_session));
}
