//! Long JSON is compressed for clients that accept it. A response with a secret is never
//! compressed.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::test_server::{PASSWORD, TestServer};

/// Returns the head of a response in lower case, and its body without decompression.
fn raw(instance: &TestServer, ask: &Ask) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(instance.address()).unwrap();
    let mut head =
        format!("{} {} HTTP/1.1\r\nHost: {}\r\n", ask.method, ask.target, instance.address());
    for (name, value) in ask.lines() {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    write!(head, "Content-Length: {}\r\nConnection: close\r\n\r\n", ask.body.len()).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&ask.body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let cut = answer.windows(4).position(|it| it == b"\r\n\r\n").unwrap();
    let body = answer.split_off(cut + 4);
    (String::from_utf8(answer).unwrap().to_lowercase(), body)
}

fn decoded(encoding: &str, body: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match encoding {
        "br" => drop(brotli::Decompressor::new(body, 4096).read_to_end(&mut plain).unwrap()),
        "gzip" => drop(flate2::read::GzDecoder::new(body).read_to_end(&mut plain).unwrap()),
        _ => plain.extend_from_slice(body),
    }
    plain
}

#[test]
fn long_json_is_compressed_for_clients_that_accept_it() {
    let instance = TestServer::start();
    for number in 0..20 {
        instance.create(&json!({"name": format!("key {number}")}));
    }
    for path in ["/v1/keys?sort=name", "/openapi.json"] {
        let ask = instance.as_owner(Ask::get(path));
        let (_, plain) = raw(&instance, &ask);
        for encoding in ["br", "gzip"] {
            let (head, body) = raw(&instance, &ask.clone().header("Accept-Encoding", encoding));
            assert!(
                head.contains(&format!("\r\ncontent-encoding: {encoding}\r\n")),
                "{path}: {head}"
            );
            assert!(head.contains("\r\nvary: accept-encoding\r\n"), "{path}: {head}");
            assert!(body.len() * 2 < plain.len(), "{path}: {} of {}", body.len(), plain.len());
            assert_eq!(decoded(encoding, &body), plain, "{path}: {encoding}");
        }
        let (head, body) = raw(&instance, &ask.clone().header("Accept-Encoding", "identity"));
        assert!(!head.contains("content-encoding"), "{path}: {head}");
        assert_eq!(body, plain, "{path}");
    }
}

/// The compressed length of a secret beside text that an attacker chose would reveal the secret.
#[test]
fn an_answer_with_a_secret_is_never_compressed() {
    let instance = TestServer::start();
    let note = json!({ "note": "x".repeat(2_000) });
    let fields = json!({"kind": "service", "metadata": note, "permissions": ["a:b"]});
    let (made, other) = (instance.create(&fields), instance.create(&fields));
    let invitation = json!({"email": "long@example.com", "role": "user"});
    for (ask, status) in [
        (Ask::post("/v1/keys", &fields), 201),
        (Ask::post(&format!("/v1/keys/{}/rotate", made.id), &json!({})), 200),
        (Ask::post("/v1/me/totp", &json!({ "current_password": PASSWORD })), 201),
        (Ask::post("/v1/invitations", &invitation), 201),
        (Ask::get("/v1/whoami").bearer(&other.secret), 200),
    ] {
        let path = ask.target.clone();
        let whoami = path == "/v1/whoami";
        let ask = ask.header("Accept-Encoding", "br, gzip");
        let ask = if whoami { ask } else { instance.as_owner(ask) };
        let (head, _) = raw(&instance, &ask);
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{path}: {head}");
        assert!(!head.contains("content-encoding"), "{path}: {head}");
    }
    // The same key without its secret is compressed.
    let shown = Ask::get(&format!("/v1/keys/{}", made.id)).header("Accept-Encoding", "br");
    let (head, _) = raw(&instance, &instance.as_owner(shown));
    assert!(head.contains("\r\ncontent-encoding: br\r\n"), "{head}");
    instance.ask(&Ask::get(&format!("/v1/keys/{}", made.id))).expect(200);
}
