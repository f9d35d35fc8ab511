//! Builds successful responses, and adds the headers that every response has.

use std::borrow::Cow;
use std::sync::LazyLock;

use http::header::CONTENT_TYPE;
use rouille::{Response, ResponseBody};
use serde::Serialize;

use crate::http::transport::{HeaderLines, PreparedResponse};

pub(super) type Header = (Cow<'static, str>, Cow<'static, str>);

/// 200 with a JSON object.
pub(super) fn json(value: &impl Serialize) -> Response {
    with_status(200, value)
}

/// 201 with a JSON object.
pub(super) fn created(value: &impl Serialize) -> Response {
    with_status(201, value)
}

/// 200 with a JSON object that has a version.
pub(super) fn versioned(value: &impl Serialize, version: u64) -> Response {
    with_etag(json(value), version)
}

/// 201 with a new JSON object that has a version and a URL.
pub(super) fn created_at(location: String, value: &impl Serialize, version: u64) -> Response {
    with_etag(created(value).with_additional_header("Location", location), version)
}

fn with_etag(response: Response, version: u64) -> Response {
    response.with_additional_header("ETag", format!("\"{version}\""))
}

pub(super) fn empty() -> Response {
    Response { status_code: 204, headers: Vec::new(), data: ResponseBody::empty(), upgrade: None }
}

pub(super) fn with_status(status_code: u16, value: &impl Serialize) -> Response {
    // Serialization cannot fail: views have only texts, numbers, lists and maps with text keys.
    let headers = vec![("Content-Type".into(), MEDIA_TYPE.into())];
    let body = ResponseBody::from_data(serde_json::to_vec(value).unwrap_or_default());
    Response { status_code, headers, data: body, upgrade: None }
}

/// The headers that every response has. `no-store` keeps check responses and personal data out of
/// caches between Keyhouse and the client.
const EVERYWHERE: [(&str, &str); 5] = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
];
/// Bytes of the header lines of most responses of checks.
const LINES_BYTES: usize = 1_024;
const MEDIA_TYPE: &str = "application/json";

/// The lines of [`EVERYWHERE`], written once.
static LINES: LazyLock<HeaderLines> = LazyLock::new(|| {
    let mut lines = HeaderLines::default();
    for (name, value) in EVERYWHERE {
        lines.push_named(name, value);
    }
    lines
});

/// Adds the headers that every response has, except those that it has already.
pub(super) fn finish(mut response: Response) -> Response {
    for (name, value) in EVERYWHERE {
        if !response.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            response.headers.push((name.into(), value.into()));
        }
    }
    response
}

/// The header lines that every response has.
pub(super) fn lines() -> HeaderLines {
    let mut lines = HeaderLines::with_capacity(LINES_BYTES);
    lines.append(&LINES);
    lines
}

/// 200 with a JSON object, as header lines and a body.
pub(super) fn prepared(value: &impl Serialize) -> PreparedResponse {
    let mut lines = lines();
    lines.push(&CONTENT_TYPE, MEDIA_TYPE);
    PreparedResponse::new(200, lines, serde_json::to_vec(value).unwrap_or_default())
}
