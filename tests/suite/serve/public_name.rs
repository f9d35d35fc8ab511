//! An instance with a public name behind a proxy on the same host: the client's address, and the
//! headers for browsers.

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::server::Server;
use crate::server::wire::{Answer, Connection};
use crate::test_server::{EMAIL, PASSWORD};

const NAME: &str = "keys.example.com";
const URL: &str = "https://keys.example.com";

fn start() -> Server {
    Server::start_with(&["--public-url", URL])
}

fn ask(server: &Server, ask: &Ask) -> Answer {
    let mut connection = Connection::open(server.address());
    connection.ask(&ask.method, &ask.target, &ask.lines(), &ask.body)
}

fn sign_in(password: &str) -> Ask {
    let body = json!({"email": EMAIL, "password": password});
    Ask::post("/v1/session", &body).header("Host", NAME)
}

/// Creates a key through the command line; returns its secret.
fn key(server: &Server, words: &[&str]) -> String {
    let made = server.run_cli(&[&["key", "create", "--name", "any"], words].concat(), "");
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    made.stdout.trim().to_owned()
}

/// In an earlier version, every client behind a plain `proxy_pass` counted as a client on this
/// host, whose failures are counted separately and without limit: five guesses without the header
/// did not count for the account.
#[test]
fn a_client_behind_a_proxy_without_headers_is_not_local() {
    let server = start();
    for _ in 0..5 {
        ask(&server, &sign_in("not the password")).problem(401, "sign_in_failed");
    }
    let far = sign_in("not the password").header("X-Forwarded-For", "203.0.113.9");
    ask(&server, &far).problem(429, "too_many_attempts");
    ask(&server, &sign_in(PASSWORD)).problem(429, "too_many_attempts");
}

/// In an earlier version, the proxy's own address matched the rules of a key that may be used only
/// on this host.
#[test]
fn the_address_of_a_proxy_without_headers_matches_no_rule() {
    let server = start();
    let secret = key(&server, &["--permission", "a:b", "--allow", "127.0.0.0/8"]);
    let whoami = |lines: &[(&str, &str)]| {
        let bare = Ask::get("/v1/whoami").bearer(&secret);
        ask(&server, &lines.iter().fold(bare, |ask, (name, value)| ask.header(name, value)))
    };
    whoami(&[("Host", NAME)]).problem(403, "IP_NOT_ALLOWED");
    whoami(&[("Host", "other.example.com")]).problem(403, "IP_NOT_ALLOWED");
    whoami(&[("Host", "127.0.0.1"), ("X-Real-IP", "127.0.0.1")]).problem(403, "IP_NOT_ALLOWED");
    whoami(&[("Host", NAME), ("X-Forwarded-For", "127.0.0.1")]).expect(200);
    whoami(&[]).expect(200);
    let line = server.log().wait_for("X-Forwarded-For").unwrap();
    assert!(line.contains("proxy_set_header X-Forwarded-For") && line.contains(NAME), "{line}");
    let whole = server.log().whole();
    assert_eq!(whole.matches("sent no X-Forwarded-For").count(), 1, "once an hour: {whole}");
}

/// In an earlier version, the response named only `--public-url` as the cause. `--public-url` was
/// correct: the proxy had sent the name of its upstream.
#[test]
fn a_wrong_host_gets_an_answer_with_both_hosts_and_the_proxy_setting() {
    let server = start();
    for host in ["127.0.0.1:7117", "keyhouse:7117"] {
        let wrong = sign_in(PASSWORD).without("Host").header("Host", host);
        let problem = ask(&server, &wrong).problem(421, "misdirected_request");
        let detail = problem["detail"].as_str().unwrap();
        for words in [host, URL, "proxy_set_header Host", "--public-url"] {
            assert!(detail.contains(words), "{words}: {detail}");
        }
    }
    let line = server.log().wait_for("rejected with 421").unwrap();
    assert!(line.contains("127.0.0.1:7117"), "{line}");
    let whole = server.log().whole();
    assert_eq!(whole.matches("rejected with 421").count(), 1, "once an hour: {whole}");
}

#[test]
fn browsers_on_tls_get_strict_transport_security() {
    let server = start();
    let reported = |ask_: &Ask| {
        let answer = ask(&server, ask_);
        answer.header("strict-transport-security").map(str::to_owned)
    };
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/nothing"),
        ("GET", "/v1/keys"),
        ("GET", "/v1/whoami"),
        ("GET", "/openapi.json"),
        ("POST", "/v1/session"),
        ("GET", "/healthz"),
    ] {
        let year = Some("max-age=31536000".to_owned());
        assert_eq!(reported(&Ask::new(method, path).header("Host", NAME)), year, "{path}");
    }
    // A proxy returns a denial as its own response, so this header would apply to another host.
    assert_eq!(reported(&Ask::forwarded()), None);
    let plain = Server::start();
    assert_eq!(ask(&plain, &Ask::get("/")).header("strict-transport-security"), None);
}
