//! Large, slow or malformed input of one client does not affect the next client.

mod admission;
mod change_rate;
mod compression;
mod request_ids;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::deadlines::within;
use crate::server::wire::{Answer, Connection};
use crate::server::{Home, Launch, Server};
use crate::test_server::TestServer;

/// Number of connections that the server must hold open at the same time.
const CONNECTIONS: usize = 200;
/// Maximum growth of the server's memory after the requests.
const GROWTH_KIB_MAX: u64 = 64 * 1024;
/// The timeouts of a head and of a body, which are short so that the tests are short.
const TIMEOUT: Duration = Duration::from_millis(700);
/// Time after which an incomplete head must have ended its connection.
const CLOSED_WITHIN: Duration = Duration::from_secs(5);

/// An instance with shorter timeouts than the default.
fn impatient() -> TestServer {
    let milliseconds = TIMEOUT.as_millis();
    TestServer::start_with_settings(&format!(
        "[limits]\nhead_timeout = \"{milliseconds}ms\"\nbody_timeout = \"{milliseconds}ms\"\n"
    ))
}

/// Returns the resident memory of a process in KiB.
fn resident_kib(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The status and the code of a refusal.
type Refusal = (u16, &'static str);

const HEAD_TOO_LARGE: Refusal = (431, "head_too_large");
const BODY_TOO_LARGE: Refusal = (413, "body_too_large");
const BODY_TIMEOUT: Refusal = (408, "body_timeout");
const MALFORMED: Refusal = (400, "malformed_request");
const DOUBLED: Refusal = (400, "doubled_header");
/// hyper rejects the head. The response has no body, and therefore no code.
const UNREADABLE: Refusal = (400, "");

fn assert_refusal(claim: &str, answer: Option<&Answer>, expected: Option<Refusal>) {
    let refusal = answer.map(|it| (it.status, it.code()));
    let refusal = refusal.as_ref().map(|(status, code)| (*status, code.as_str()));
    assert_eq!(refusal, expected, "{claim}: {answer:?}");
}

/// Returns the bytes received before the connection ended.
fn reply(connection: &mut Connection) -> Option<Answer> {
    connection.socket().set_read_timeout(Some(CLOSED_WITHIN)).unwrap();
    match connection.read() {
        Ok(answer) => Some(answer),
        Err(error) => {
            let waited = matches!(
                error.kind(),
                std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
            );
            assert!(!waited, "neither an answer nor an end within {CLOSED_WITHIN:?}");
            None
        },
    }
}

#[test]
fn two_hundred_concurrent_connections_are_all_answered() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "busy"}));
    let mut lines: Vec<_> = (0..CONNECTIONS).map(|_| instance.connect()).collect();
    let check = |secret: &str| {
        format!(
            "GET /v1/forward-auth/default HTTP/1.1\r\nHost: a\r\nX-Forwarded-Method: GET\r\n\
             X-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\nX-Forwarded-Uri: /\r\n\
             X-Forwarded-For: 192.0.2.7\r\nAuthorization: Bearer {secret}\r\n\r\n"
        )
    };
    let cookie = instance.cookie();
    let read = format!(
        "GET /v1/keys HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\n\r\n",
        instance.address()
    );
    for round in 0..3 {
        // All connections send their request before the first response is read, and stay open for
        // the next round.
        for line in &mut lines {
            line.0.send(check(&made.secret).as_bytes()).unwrap();
        }
        for (at, line) in lines.iter_mut().enumerate() {
            let answer = line.0.read().unwrap();
            assert_eq!(answer.status, 200, "round {round}, connection {at}: {}", answer.body);
        }
        for line in &mut lines {
            line.0.send(read.as_bytes()).unwrap();
        }
        for (at, line) in lines.iter_mut().enumerate() {
            let answer = line.0.read().unwrap();
            // A limited number of management requests runs at once; the others are refused with a
            // time to retry. How many requests overlap depends on the scheduler.
            if answer.status == 503 {
                answer.problem(503, "busy");
                assert!(answer.header("retry-after").is_some(), "round {round}, connection {at}");
            } else {
                answer.expect(200);
            }
        }
    }
}

#[test]
fn an_oversized_request_is_rejected_and_its_memory_is_freed() {
    let instance = impatient();
    let id = instance.server().id();
    instance.bare(&Ask::get("/readyz")).expect_ready();
    let before = resident_kib(id);
    let head = format!("GET /v1/keys HTTP/1.1\r\nHost: {}\r\n", instance.address());
    let megabyte = "a".repeat(1024 * 1024);
    let cases: Vec<(&str, Vec<u8>, Refusal)> = vec![
        (
            "1 MiB header line",
            format!("{head}X-Long: {megabyte}\r\n\r\n").into_bytes(),
            HEAD_TOO_LARGE,
        ),
        ("1 MiB header name", format!("{head}{megabyte}: a\r\n\r\n").into_bytes(), HEAD_TOO_LARGE),
        (
            "1 MiB target",
            format!("GET /{megabyte} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes(),
            HEAD_TOO_LARGE,
        ),
        (
            "1 MiB method",
            format!("{megabyte} / HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes(),
            HEAD_TOO_LARGE,
        ),
        (
            "1 MiB that never ends a line",
            format!("{head}X-Long: {megabyte}").into_bytes(),
            HEAD_TOO_LARGE,
        ),
        ("1 MiB of empty lines", vec![b'\n'; 1024 * 1024], HEAD_TOO_LARGE),
        (
            "1,000 headers",
            format!("{head}{}\r\n", "X-A: b\r\n".repeat(1_000)).into_bytes(),
            HEAD_TOO_LARGE,
        ),
        (
            "65 headers",
            format!("{head}{}\r\n", "X-A: b\r\n".repeat(65)).into_bytes(),
            HEAD_TOO_LARGE,
        ),
        (
            "17 KiB of headers",
            format!("{head}{}\r\n", format!("X-A: {}\r\n", "b".repeat(1_000)).repeat(17))
                .into_bytes(),
            HEAD_TOO_LARGE,
        ),
        ("10 MiB body", body_of(&instance, 10 * 1024 * 1024, true), BODY_TOO_LARGE),
        (
            "a body that says it is 10 MiB",
            body_of(&instance, 10 * 1024 * 1024, false),
            BODY_TOO_LARGE,
        ),
        ("a body that says it is endless", body_of(&instance, usize::MAX, false), HEAD_TOO_LARGE),
        ("10 MiB in chunks", chunked(&instance, 10), BODY_TOO_LARGE),
    ];
    for (claim, bytes, expected) in cases {
        for _ in 0..4 {
            let mut connection = Connection::open(instance.address());
            // The server may close the connection before the whole request is sent. Then the system
            // may discard the response before this test reads it, except for requests that fit into
            // the buffers of the sockets.
            let sent = connection.send(&bytes);
            match reply(&mut connection) {
                Some(answer) => assert_refusal(claim, Some(&answer), Some(expected)),
                None => assert!(!claim.contains("headers"), "{claim}: no answer ({sent:?})"),
            }
        }
        assert_eq!(instance.bare(&Ask::get("/readyz")).status, 200, "after {claim}");
        instance.ask(&Ask::get("/v1/session")).expect(200);
    }
    let after = resident_kib(id);
    assert!(after < before + GROWTH_KIB_MAX, "{before} KiB before, {after} KiB after");
}

#[test]
fn many_large_senders_together_do_not_exhaust_memory() {
    let instance = impatient();
    let before = resident_kib(instance.server().id());
    // Each connection sends slightly less than the limits and then waits, with an incomplete
    // request.
    let half = format!(
        "POST /v1/keys HTTP/1.1\r\nHost: {}\r\nX-A: {}",
        instance.address(),
        "a".repeat(15_000)
    );
    let body = format!(
        "POST /v1/keys HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nContent-Type: application/json\r\n\
         Content-Length: 65000\r\n\r\n{}",
        instance.address(),
        instance.cookie(),
        " ".repeat(60_000)
    );
    let mut held = Vec::new();
    // The bodies fill an address's share of the memory; admission.rs sends more.
    for at in 0..200 {
        let mut connection = Connection::open(instance.address());
        let is_body = at < 17;
        connection.send(if is_body { body.as_bytes() } else { half.as_bytes() }).unwrap();
        held.push((connection, is_body));
    }
    instance.bare(&Ask::get("/readyz")).expect_ready();
    let during = resident_kib(instance.server().id());
    assert!(during < before + GROWTH_KIB_MAX, "{before} KiB before, {during} KiB during");
    for (mut connection, is_body) in held {
        match reply(&mut connection) {
            Some(answer) if is_body => drop(answer.problem(408, "body_timeout")),
            answer => assert!(!is_body && answer.is_none(), "a head is cut off: {answer:?}"),
        }
    }
    instance.ask(&Ask::get("/v1/session")).expect(200);
}

#[test]
fn a_partial_request_ends_within_the_timeout() {
    let instance = impatient();
    let host = instance.address();
    for (claim, bytes, expected) in [
        ("one byte", "G".to_owned(), None),
        ("half a head", format!("GET /readyz HTTP/1.1\r\nHost: {host}\r\nX-A"), None),
        ("a head without its last line", format!("GET /readyz HTTP/1.1\r\nHost: {host}\r\n"), None),
        (
            "half a body",
            format!(
                "POST /v1/session HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
            ),
            Some(BODY_TIMEOUT),
        ),
        (
            "half a chunk",
            format!(
                "POST /v1/session HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{{"
            ),
            Some(BODY_TIMEOUT),
        ),
    ] {
        let mut connection = Connection::open(host);
        connection.send(bytes.as_bytes()).unwrap();
        let answer = within(CLOSED_WITHIN, claim, || reply(&mut connection));
        assert_refusal(claim, answer.as_ref(), expected);
        if answer.is_some() {
            assert!(connection.is_closed(), "{claim}: still open");
        }
    }
    instance.bare(&Ask::get("/readyz")).expect_ready();
}

#[test]
fn a_head_sent_byte_by_byte_ends_within_the_timeout() {
    let instance = impatient();
    let mut connection = Connection::open(instance.address());
    connection.send(b"GET /readyz HTTP/1.1\r\n").unwrap();
    connection.socket().set_read_timeout(Some(TIMEOUT / 10)).unwrap();
    // Send one byte after each wait without a response: each byte is in time, but the whole head is
    // not.
    let ended = within(CLOSED_WITHIN, "dripping", || {
        (0..200).any(|_| {
            let refused = connection.send(b"a").is_err();
            match connection.read() {
                Ok(answer) => panic!("the head is incomplete: {answer:?}"),
                Err(error) => {
                    refused
                        || !matches!(
                            error.kind(),
                            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                        )
                },
            }
        })
    });
    assert!(ended);
}

/// Requests whose end two parsers could find at different positions.
#[test]
fn a_body_with_an_ambiguous_end_closes_the_connection() {
    let instance = impatient();
    let made = instance.create(&json!({"name": "hidden"}));
    let hidden =
        format!("GET /v1/whoami HTTP/1.1\r\nHost: a\r\nX-API-Key: {}\r\n\r\n", made.secret);
    let post = format!(
        "POST /v1/session HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n",
        instance.address()
    );
    let length = hidden.len();
    let cases = [
        (
            "length, then encoding",
            format!(
                "{post}Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            Some(MALFORMED),
        ),
        (
            "encoding, then length",
            format!(
                "{post}Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n\r\n0\r\n\r\n"
            ),
            Some(MALFORMED),
        ),
        (
            "two lengths",
            format!("{post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"),
            Some(UNREADABLE),
        ),
        (
            "one length twice",
            format!("{post}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{{}}"),
            Some(DOUBLED),
        ),
        ("a list of lengths", format!("{post}Content-Length: 2, 2\r\n\r\n{{}}"), Some(UNREADABLE)),
        ("a signed length", format!("{post}Content-Length: +2\r\n\r\n{{}}"), Some(UNREADABLE)),
        ("a length in hex", format!("{post}Content-Length: 0x2\r\n\r\n{{}}"), Some(UNREADABLE)),
        (
            "chunked, not last",
            format!("{post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
            Some(UNREADABLE),
        ),
        (
            "chunked twice",
            format!("{post}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
            Some(MALFORMED),
        ),
        (
            "chunked misspelt",
            format!("{post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
            Some(UNREADABLE),
        ),
        (
            "a chunk of no size",
            format!("{post}Transfer-Encoding: chunked\r\n\r\nzz\r\n{{}}\r\n0\r\n\r\n"),
            Some(MALFORMED),
        ),
        (
            "a chunk beyond numbers",
            format!("{post}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{{}}"),
            Some(MALFORMED),
        ),
    ];
    for (claim, bytes, expected) in cases {
        let mut connection = refuse(&instance, claim, &format!("{bytes}{hidden}"), expected);
        // The server did not read the following bytes as a separate request.
        assert!(reply(&mut connection).is_none(), "{claim}");
    }
    assert!(instance.key(&made.id)["last_used"].is_null(), "the hidden request was answered");
}

#[test]
fn an_invalid_head_is_rejected() {
    let instance = impatient();
    let get = format!("GET /readyz HTTP/1.1\r\nHost: {}\r\n", instance.address());
    let cases = [
        ("no host", "GET /readyz HTTP/1.1\r\n\r\n".to_owned(), Some(MALFORMED)),
        ("an empty host", "GET /readyz HTTP/1.1\r\nHost:\r\n\r\n".to_owned(), Some(MALFORMED)),
        ("two hosts", format!("{get}Host: b\r\n\r\n"), Some(DOUBLED)),
        ("two equal hosts", format!("{get}Host: {}\r\n\r\n", instance.address()), Some(DOUBLED)),
        (
            "a host with a path",
            "GET /readyz HTTP/1.1\r\nHost: a/b\r\n\r\n".to_owned(),
            Some(MALFORMED),
        ),
        (
            "a host and a user",
            "GET /readyz HTTP/1.1\r\nHost: a@b\r\n\r\n".to_owned(),
            Some(MALFORMED),
        ),
        (
            "another host in the target",
            "GET http://b/readyz HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            Some(MALFORMED),
        ),
        ("a folded line", format!("{get}X-A: b\r\n c\r\n\r\n"), Some(UNREADABLE)),
        ("a space before the colon", format!("{get}X-A : b\r\n\r\n"), Some(UNREADABLE)),
        ("a line without a colon", format!("{get}X-A\r\n\r\n"), Some(UNREADABLE)),
        ("a zero byte", format!("{get}X-A: a\0b\r\n\r\n"), Some(UNREADABLE)),
        ("a carriage return alone", format!("{get}X-A: a\rb\r\n\r\n"), Some(UNREADABLE)),
        ("a line feed alone", "GET /readyz HTTP/1.1\nHost: a\n\n".to_owned(), Some(MALFORMED)),
        (
            "two spaces in the first line",
            "GET  /readyz HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            Some(UNREADABLE),
        ),
        ("HTTP/0.9", "GET /readyz\r\n\r\n".to_owned(), Some(UNREADABLE)),
        ("HTTP/2.0", "GET /readyz HTTP/2.0\r\nHost: a\r\n\r\n".to_owned(), Some(UNREADABLE)),
        ("HTTP/2's first bytes", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), None),
        ("TLS's first bytes", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0".to_owned(), Some(UNREADABLE)),
        (
            "a tunnel",
            "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n".to_owned(),
            Some((405, "method_not_allowed")),
        ),
    ];
    for (claim, bytes, expected) in cases {
        drop(refuse(&instance, claim, &bytes, expected));
    }
}

/// Sends bytes that must get this refusal, or end the connection without a response; then the next
/// client is answered.
fn refuse(
    instance: &TestServer,
    claim: &str,
    bytes: &str,
    expected: Option<Refusal>,
) -> Connection {
    let mut connection = Connection::open(instance.address());
    connection.send(bytes.as_bytes()).unwrap();
    assert_refusal(claim, reply(&mut connection).as_ref(), expected);
    assert_eq!(instance.bare(&Ask::get("/readyz")).status, 200, "after {claim}");
    connection
}

#[test]
fn many_connections_with_few_files_do_no_lasting_harm() {
    let home = Home::new();
    let wrapper = ["sh", "-c", "ulimit -n 64; exec \"$0\" \"$@\""];
    let server = Server::launch(&Launch { home: &home, wrapper: &wrapper, args: &[] })
        .unwrap_or_else(|ended| panic!("did not start: {ended:?}"));
    for _ in 0..3 {
        let mut crowd: Vec<_> = (0..CONNECTIONS).filter_map(|_| knock(server.address())).collect();
        assert!(crowd.len() > 64, "only {} got as far as the queue", crowd.len());
        let status_line = "HTTP/1.1 200";
        let mut first = [0; 12];
        crowd[0].read_exact(&mut first).unwrap();
        assert_eq!(first, status_line.as_bytes(), "those with a place are served");
        drop(crowd);
        within(Duration::from_secs(1), "the release", || {
            // A request that is refused because of a full queue could retry only after a second.
            let mut again = (0..10).filter_map(|_| knock(server.address()));
            again.next().unwrap().read_exact(&mut first).unwrap();
        });
        assert_eq!(first, status_line.as_bytes());
        // The store can still open its files: a change is applied.
        server.sign_in().make_key(&json!({"name": "after the crowd"}));
    }
    assert_eq!(server.stop().code, Some(0));
}

/// Opens a connection and sends a request; returns `None` if the system's queue is full.
fn knock(address: SocketAddr) -> Option<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok()?;
    stream.set_read_timeout(Some(CLOSED_WITHIN)).unwrap();
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    Some(stream)
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let instance = TestServer::start();
    let mut connection = Connection::open(instance.address());
    let (ready, me) =
        ("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n", "GET /v1/whoami HTTP/1.1\r\nHost: a\r\n\r\n");
    connection.send([ready, me].repeat(50).concat().as_bytes()).unwrap();
    for at in 0..50 {
        assert_eq!(connection.read().unwrap().status, 200, "{at}");
        assert_eq!(connection.read().unwrap().status, 401, "{at}");
    }
}

fn body_of(instance: &TestServer, bytes: usize, sent: bool) -> Vec<u8> {
    let mut request = format!(
        "POST /v1/keys HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nContent-Type: application/json\r\nContent-Length: {bytes}\r\n\r\n",
        instance.address(), instance.cookie()
    ).into_bytes();
    if sent {
        request.resize(request.len() + bytes, b' ');
    }
    request
}

fn chunked(instance: &TestServer, megabytes: usize) -> Vec<u8> {
    let head = format!(
        "POST /v1/keys HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        instance.address(),
        instance.cookie()
    );
    let chunk = format!("100000\r\n{}\r\n", " ".repeat(1024 * 1024));
    format!("{head}{}0\r\n\r\n", chunk.repeat(megabytes)).into_bytes()
}

/// Returns whether a server is ready.
trait Ready {
    fn expect_ready(&self);
}

impl Ready for Answer {
    fn expect_ready(&self) {
        assert_eq!(self.status, 200, "{}", self.body);
    }
}
