//! The shapes of requests and answers that ordinary clients and applications use.

use super::message::Body;

const KIB: usize = 1024;
const MIB: usize = 1024 * 1024;

/// A request without its key.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) name: &'static str,
    pub(super) method: &'static str,
    pub(super) target: String,
    pub(super) version: &'static str,
    pub(super) lines: Vec<(String, String)>,
    pub(super) body: Body,
    /// Whether the client waits for 100 Continue.
    pub(super) expects: bool,
    /// Whether Keyhouse refuses a request that the bare proxy accepts, because its target is longer
    /// than Keyhouse reads in a proxy's request.
    pub(super) is_over_limit: bool,
}

/// Returns all shapes. Shapes that take seconds are included only in the long form.
pub(super) fn shapes(is_long: bool) -> Vec<Shape> {
    let mut shapes = plain();
    shapes.extend(heads());
    shapes.extend(bodies());
    shapes.push(sent("a body of 200 MiB", Body::Length(200 * MIB)));
    if is_long {
        shapes.push(sent("a body of 200 MiB in chunks", Body::Chunked(200 * MIB)));
        let big = sent("a body of 200 MiB that waits", Body::Length(200 * MIB));
        shapes.push(Shape { expects: true, ..big });
    }
    shapes
}

fn plain() -> Vec<Shape> {
    let websocket = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    vec![
        got("GET", "/echo"),
        Shape { method: "HEAD", ..got("HEAD", "/echo") },
        Shape { method: "OPTIONS", ..got("OPTIONS", "/echo") },
        Shape { method: "DELETE", ..got("DELETE", "/echo") },
        Shape { method: "PROPFIND", ..got("another method", "/echo") },
        Shape { version: "1.0", ..got("HTTP/1.0", "/echo") },
        Shape { version: "1.0", ..sent("HTTP/1.0 with a body", Body::Length(64 * KIB)) },
        got("a long answer", "/long"),
        got("an answer in chunks", "/chunks"),
        got("trailers of an answer", "/trailers"),
        got("events", "/events"),
        lined("a change to WebSocket", websocket),
        lined(
            "a change to WebSocket, capitals",
            [
                ("connection", "keep-alive, Upgrade"),
                ("upgrade", "WebSocket"),
                ("sec-websocket-version", "13"),
                ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ],
        ),
    ]
}

fn heads() -> Vec<Shape> {
    let cookie = |name, bytes| lined(name, [("Cookie", "c".repeat(bytes).as_str())]);
    let many = |name, count: usize, bytes: usize| {
        let line = |at| (format!("X-Filler-{at}"), "f".repeat(bytes));
        Shape { lines: (0..count).map(line).collect(), ..got(name, "/echo") }
    };
    let cookies = |name, count: usize, bytes: usize| {
        let line = |at| ("Cookie".to_owned(), format!("c{at}={}", "v".repeat(bytes)));
        Shape { lines: (0..count).map(line).collect(), ..got(name, "/echo") }
    };
    let query = |name, bytes| got(name, &format!("/echo?q={}", "q".repeat(bytes)));
    vec![
        cookie("a cookie of 7 KiB", 7 * KIB),
        cookie("a cookie of 13 KiB", 13 * KIB),
        cookie("a cookie of 30 KiB", 30 * KIB),
        cookie("a cookie of 55 KiB", 55 * KIB),
        cookies("30 lines of cookies", 30, KIB),
        many("13 KiB of headers", 13, KIB),
        many("60 headers", 60, 10),
        many("90 headers", 90, 100),
        many("200 headers", 200, 10),
        many("200 headers, 50 KiB", 200, 240),
        lined("a User-Agent of 7 KiB", [("User-Agent", "u".repeat(7 * KIB).as_str())]),
        lined(
            "a referrer and languages",
            [
                ("Referer", "https://app.example.com/from?where=1"),
                ("Accept-Language", "en;q=0.9, fr"),
                ("Accept-Encoding", "gzip, br"),
                ("If-None-Match", "\"abc\""),
                ("Range", "bytes=0-9"),
                ("Origin", "https://app.example.com"),
            ],
        ),
        query("a query of 7 KiB", 7 * KIB),
        query("a query of 13 KiB", 13 * KIB),
        query("a query of 17 KiB", 17 * KIB),
        query("a query of 30 KiB", 30 * KIB),
        query("a query of 55 KiB", 55 * KIB),
        Shape { is_over_limit: true, ..query("a query of 100 KiB", 100 * KIB) },
        Shape { is_over_limit: true, ..query("a query of 900 KiB", 900 * KIB) },
    ]
}

fn bodies() -> Vec<Shape> {
    let waits = |shape: Shape| Shape { expects: true, ..shape };
    vec![
        sent("a body of no byte", Body::Length(0)),
        sent("a body of 1 byte", Body::Length(1)),
        sent("a body of 64 KiB", Body::Length(64 * KIB)),
        sent("a body of 1 MiB", Body::Length(MIB)),
        sent("a body of 3 MiB", Body::Length(3 * MIB)),
        sent("a body of no byte in chunks", Body::Chunked(0)),
        sent("a body of 1 byte in chunks", Body::Chunked(1)),
        sent("a body of 64 KiB in chunks", Body::Chunked(64 * KIB)),
        sent("a body of 1 MiB in chunks", Body::Chunked(MIB)),
        sent("a body of 3 MiB in chunks", Body::Chunked(3 * MIB)),
        sent("trailers", Body::Trailers(10)),
        waits(sent("a body that waits", Body::Length(64 * KIB))),
        waits(sent("a body in chunks that waits", Body::Chunked(64 * KIB))),
        Shape { method: "GET", ..sent("a GET with a body", Body::Length(10)) },
    ]
}

fn got(name: &'static str, target: &str) -> Shape {
    Shape {
        name,
        method: "GET",
        target: target.to_owned(),
        version: "1.1",
        lines: Vec::new(),
        body: Body::None,
        expects: false,
        is_over_limit: false,
    }
}

fn lined<'a>(name: &'static str, lines: impl IntoIterator<Item = (&'a str, &'a str)>) -> Shape {
    let lines = lines.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    Shape { lines: lines.collect(), ..got(name, "/echo") }
}

fn sent(name: &'static str, body: Body) -> Shape {
    Shape { method: "POST", body, ..got(name, "/echo") }
}
