//! Heads that two programs could read differently: the server refuses each head and closes its
//! connection, so that no following bytes count as a separate request.

use crate::double::TestInstance;

/// The second request, for which every smuggling attempt tries to get a response.
const SECOND: &str = "GET /check/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn ambiguous_framing_is_refused_and_ends_the_connection() {
    let cases = [
        ("CL then TE", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("TE then CL", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"),
        (
            "TE then CL in capitals",
            "Transfer-Encoding: chunked\r\nCONTENT-LENGTH:4\r\n\r\n0\r\n\r\n",
        ),
        ("TE then CL 0", "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n"),
        ("TE then broken CL", "Transfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n0\r\n\r\n"),
        ("CLs that differ", "Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody"),
        ("CLs that are equal", "Content-Length: 4\r\nContent-Length: 4\r\n\r\nbody"),
        ("CL list", "Content-Length: 4, 4\r\n\r\nbody"),
        ("CL with a sign", "Content-Length: +4\r\n\r\nbody"),
        ("CL in hexadecimal", "Content-Length: 0x4\r\n\r\nbody"),
        ("CL below zero", "Content-Length: -1\r\n\r\n"),
        ("CL without a number", "Content-Length: \r\n\r\n"),
        ("CL beyond 64 bits", "Content-Length: 99999999999999999999999\r\n\r\n"),
        ("TE twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (
            "TE chunked, then identity",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        ),
        ("TE identity", "Transfer-Encoding: identity\r\n\r\n"),
        ("TE gzip, chunked", "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        ("TE chunked, chunked", "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
        ("TE xchunked", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        ("TE quoted", "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
        ("TE with a vertical tab", "Transfer-Encoding: \u{b}chunked\r\n\r\n0\r\n\r\n"),
        ("space before the colon", "Content-Length : 4\r\n\r\nbody"),
        ("TE, space before the colon", "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        ("folded line", "X: a\r\n b\r\n\r\n"),
        ("folded TE", "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
        ("bare line feed between headers", "X: a\nContent-Length: 4\r\n\r\nbody"),
        ("bare line feed at the end", "X: a\r\n\n"),
        ("bare line feeds", "X: a\n\n"),
        ("bare carriage return", "X: a\rContent-Length: 4\r\n\r\nbody"),
        ("NUL in a value", "X: a\0b\r\n\r\n"),
        ("header without a colon", "X\r\n\r\n"),
        ("empty header name", ": x\r\n\r\n"),
        ("space in a header name", "X Y: z\r\n\r\n"),
    ];
    let instance = TestInstance::start();
    for path in ["/check", "/echo"] {
        for (name, rest) in cases {
            let mut client = instance.connect();
            let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\n{rest}{SECOND}");
            assert_eq!(client.ask(head).status, 400, "{name} on {path}");
            assert!(client.is_closed(), "{name} on {path}");
        }
    }
}

#[test]
fn broken_chunks_are_refused_and_end_the_connection() {
    let cases = [
        ("size with a sign", "+3\r\nabc\r\n0\r\n\r\n"),
        ("size with a prefix", "0x3\r\nabc\r\n0\r\n\r\n"),
        ("no size", "\r\nabc\r\n0\r\n\r\n"),
        ("size beyond 64 bits", "fffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
        ("bare line feed after the size", "3\nabc\r\n0\r\n\r\n"),
        ("bare line feed in an extension", "3;a\nabc\r\n0\r\n\r\n"),
        ("bare line feed after the data", "3\r\nabc\n0\r\n\r\n"),
        ("more data than the size", "3\r\nabcd\r\n0\r\n\r\n"),
    ];
    let instance = TestInstance::start();
    for (name, chunks) in cases {
        let mut client = instance.connect();
        let head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let reply = client.ask(format!("{head}{chunks}{SECOND}"));
        assert_eq!((reply.status, &*reply.body), (400, "BodyBroken"), "{name}");
        assert!(client.is_closed(), "{name}");
    }
}

#[test]
fn framing_of_pipelined_requests_is_checked_too() {
    let bad = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\
               Content-Length: 4\r\n\r\n0\r\n\r\n";
    let befores = [
        ("nothing", String::new()),
        ("a request", "GET /check HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        ("empty lines", "\r\n\r\n".to_owned()),
        (
            "a body",
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\r\n\r\n".to_owned(),
        ),
        (
            "a body that looks like a head",
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n"
                .to_owned(),
        ),
    ];
    let instance = TestInstance::start();
    for (name, before) in befores {
        let bytes = format!("{before}{bad}{SECOND}");
        for size in [1, 7, 64, bytes.len()] {
            let mut client = instance.connect();
            for piece in bytes.as_bytes().chunks(size) {
                client.send_until_refused(piece);
            }
            let mut reply = client.reply();
            if reply.status == 200 {
                reply = client.reply();
            }
            assert_eq!(reply.body, "LengthAndEncoding", "after {name}, pieces of {size}");
            assert!(client.is_closed(), "after {name}, pieces of {size}");
        }
    }
}

#[test]
fn invalid_heads_are_refused() {
    let doubled = |name: &str| format!("DoubledHeader {{ name: \"{name}\" }}");
    let twice =
        |name: &str| format!("GET {{}} HTTP/1.1\r\nHost: a\r\n{name}: x\r\n{name}: x\r\n\r\n");
    let both = ["/check", "/x"].as_slice();
    let pool = ["/x"].as_slice();
    let mut cases = vec![
        ("GET {} HTTP/1.1\r\n\r\n".to_owned(), "NoHost".to_owned(), both),
        ("GET {} HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n".to_owned(), doubled("host"), both),
        ("GET {} HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(), doubled("host"), both),
        ("GET {} HTTP/1.1\r\nHost:\r\n\r\n".to_owned(), "HostNotValid".to_owned(), both),
        ("GET {} HTTP/1.1\r\nHost: a/b\r\n\r\n".to_owned(), "HostNotValid".to_owned(), both),
        ("GET {} HTTP/1.1\r\nHost: a@b\r\n\r\n".to_owned(), "HostNotValid".to_owned(), both),
        ("GET {} HTTP/1.1\r\nHost: a, b\r\n\r\n".to_owned(), "HostNotValid".to_owned(), both),
        ("GET http://b{} HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "HostMismatch".to_owned(), both),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n".to_owned(), "TunnelAsked".to_owned(), pool),
        (
            "GET {} HTTP/1.1\r\nHost: a\r\nX: \u{80}\r\n\r\n".replace('\u{80}', "\u{1}"),
            String::new(),
            both,
        ),
    ];
    for name in ["authorization", "x-api-key", "mc-api-key"] {
        cases.push((twice(name), doubled(name), both));
    }
    for name in [
        "cookie",
        "origin",
        "content-type",
        "x-forwarded-proto",
        "x-forwarded-uri",
        "forwarded",
        "sec-fetch-site",
        "if-match",
    ] {
        cases.push((twice(name), doubled(name), pool));
    }
    let instance = TestInstance::start();
    for (request, refusal, paths) in cases {
        for path in paths {
            let reply = instance.ask(request.replace("{}", path));
            assert_eq!((reply.status, &reply.body), (400, &refusal), "{request:?} {path}");
        }
    }
}

#[test]
fn header_value_that_is_not_text_is_refused_where_text_is_needed() {
    let instance = TestInstance::start();
    let request = |path: &[u8]| {
        [b"GET ".as_slice(), path, b" HTTP/1.1\r\nHost: a\r\nX: \xff\r\n\r\n"].concat()
    };
    assert_eq!(instance.ask(request(b"/x")).body, "HeaderNotText { name: \"x\" }");
    assert_eq!(instance.ask(request(b"/check")).status, 200);
}

#[test]
fn doubled_credential_keeps_the_connection_of_the_proxy() {
    let instance = TestInstance::start();
    let mut client = instance.connect();
    let head = "GET /check HTTP/1.1\r\nHost: a\r\n";
    let reply = client.ask(format!("{head}Authorization: a\r\nAuthorization: b\r\n\r\n"));
    assert_eq!((reply.status, reply.header("connection")), (400, None));
    assert_eq!(client.ask(format!("{head}\r\n")).status, 200);
}

#[test]
fn http_1_0_may_leave_out_the_host() {
    let instance = TestInstance::start();
    let mut client = instance.connect();
    assert_eq!(client.ask("GET /check HTTP/1.0\r\n\r\n").status, 200);
    assert!(client.is_closed());
}

#[test]
fn other_protocols_than_http_1_are_not_answered_as_http_1() {
    let instance = TestInstance::start();
    for bytes in [
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /check\r\n\r\n",
        "\u{16}\u{3}\u{1}\r\n\r\n",
        "GET /check HTTP/1.2\r\n\r\n",
        "GET  /check HTTP/1.1\r\n\r\n",
        "GET /che ck HTTP/1.1\r\n\r\n",
    ] {
        let mut client = instance.connect();
        client.send(bytes);
        if !client.is_closed() {
            assert_eq!(client.reply().status, 400, "{bytes:?}");
            assert!(client.is_closed(), "{bytes:?}");
        }
    }
}
