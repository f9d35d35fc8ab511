//! Builds successful responses, and adds the headers that every response has.

use std::borrow::Cow;

use rouille::{Response, ResponseBody};
use serde_json::Value;

pub(super) type Header = (Cow<'static, str>, Cow<'static, str>);

/// 200 with a JSON object.
pub(super) fn json(value: &Value) -> Response {
    with_status(200, value)
}

/// 201 with a JSON object.
pub(super) fn created(value: &Value) -> Response {
    with_status(201, value)
}

pub(super) fn empty() -> Response {
    Response { status_code: 204, headers: Vec::new(), data: ResponseBody::empty(), upgrade: None }
}

/// 200 with headers and an empty body.
pub(super) fn headers_only(headers: Vec<Header>) -> Response {
    Response { status_code: 200, headers, data: ResponseBody::empty(), upgrade: None }
}

pub(super) fn with_status(status_code: u16, value: &Value) -> Response {
    let headers = vec![("Content-Type".into(), "application/json".into())];
    let body = ResponseBody::from_data(value.to_string());
    Response { status_code, headers, data: body, upgrade: None }
}

/// Adds the headers that every response has. `no-store` keeps check responses and personal data out
/// of caches between Keyhouse and the client.
pub(super) fn finish(mut response: Response) -> Response {
    for (name, value) in [
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Frame-Options", "DENY"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    ] {
        if !response.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            response.headers.push((name.into(), value.into()));
        }
    }
    response
}
