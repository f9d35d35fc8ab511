//! Builds the responses of an operation: success responses, and errors by status.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::{Ref, RefOr, Response, ResponseBuilder, Responses, ResponsesBuilder};

use crate::http::challenge;
use crate::http::input::JSON;
use crate::http::openapi::errors::{self, ERRORS, ErrorDescription, error};
use crate::http::openapi::example::Examples;
use crate::http::openapi::operation::{Answer, CallerKind, Operation};
use crate::http::openapi::schema::{text, the};

const PROBLEM: &str = "application/problem+json";
/// Extension with the codes of one response. A separate enum per response would give a generated client
/// about three hundred types for one field.
const CODES: &str = "x-codes";
/// Name and description of a header.
type Header = (&'static str, &'static str);
const CHALLENGES: Header = (
    "WWW-Authenticate",
    "The accepted authentication schemes, one a line (RFC 9110, RFC 6750, RFC 7617).",
);
const OTHER_CHALLENGES: Header = (
    challenge::OTHERS,
    "All challenges of `WWW-Authenticate` but the first, joined by commas: nginx before 1.23 passes on \
     the first line of a header only.",
);

pub(super) fn responses(operation: &Operation, examples: &Examples) -> Responses {
    let bare = operation.method == Method::HEAD;
    let mut responses = ResponsesBuilder::new();
    for answer in &operation.answers {
        responses = responses.response(answer.status.to_string(), good(answer, examples, bare));
    }
    for (status, codes) in codes_by_status(operation) {
        let response = match codes.as_slice() {
            [reported] if is_only_of_status(reported) && !bare => {
                Ref::from_response_name(reported.code).into()
            },
            codes => RefOr::T(bad(codes, challenges(operation), bare)),
        };
        responses = responses.response(status.to_string(), response);
    }
    responses.build()
}

/// The error codes of an operation: its own, and those of its kind.
pub(super) fn codes(operation: &Operation) -> Vec<&'static str> {
    let mut codes: Vec<&'static str> = errors::OF_TRANSPORT.to_vec();
    match operation.caller {
        CallerKind::Probe | CallerKind::Open | CallerKind::Visitor => {},
        CallerKind::Known | CallerKind::Person => {
            codes.extend(errors::OF_KEY);
            codes.extend(errors::OF_SESSION);
        },
        CallerKind::Program | CallerKind::Holder | CallerKind::Proxy => {
            codes.extend(errors::OF_KEY);
        },
    }
    if !matches!(
        operation.caller,
        CallerKind::Probe | CallerKind::Program | CallerKind::Holder | CallerKind::Proxy
    ) {
        codes.extend(errors::OF_MANAGEMENT);
        if !operation.reads() {
            codes.extend(errors::OF_CHANGE);
            if matches!(operation.caller, CallerKind::Known | CallerKind::Person)
                && !operation.is_check()
            {
                codes.push("too_many_changes");
            }
            if operation.caller == CallerKind::Known && !operation.is_check() {
                codes.push("beyond_key");
            }
        }
    }
    if operation.caller == CallerKind::Person {
        codes.push("session_required");
    }
    match &operation.body {
        Some(body) if body.kind == JSON => codes.extend(errors::OF_BODY),
        Some(_) => codes.extend(errors::OF_FORM),
        None => {},
    }
    if !operation.permissions.is_empty() {
        codes.push("permission_required");
    }
    if operation.path.contains('{') && operation.caller != CallerKind::Proxy {
        codes.push("not_found");
    }
    codes.extend(&operation.errors);
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// Error responses with only one code, which are the same for every operation and so are components.
pub(super) fn alone() -> impl Iterator<Item = (&'static str, Response)> {
    let single = ERRORS.iter().filter(|reported| is_only_of_status(reported));
    single.map(|reported| (reported.code, bad(&[reported], &[CHALLENGES], false)))
}

fn is_only_of_status(reported: &ErrorDescription) -> bool {
    ERRORS.iter().filter(|other| other.status == reported.status).count() == 1
}

fn codes_by_status(operation: &Operation) -> BTreeMap<u16, Vec<&'static ErrorDescription>> {
    let on_check = operation.is_check();
    let mut by_status: BTreeMap<u16, Vec<&'static ErrorDescription>> = BTreeMap::new();
    for reported in codes(operation).into_iter().filter_map(|code| error(code, on_check)) {
        by_status.entry(reported.status).or_default().push(reported);
    }
    by_status
}

fn good(answer: &Answer, examples: &Examples, bare: bool) -> Response {
    let mut response = ResponseBuilder::new().description(answer.description);
    for (name, description) in &answer.headers {
        let header = HeaderBuilder::new().schema(Some(text(""))).description(Some(*description));
        response = response.header(*name, header.build());
    }
    for (kind, schema) in answer.content.iter().filter(|_content| !bare) {
        let example = examples.of_schema(schema);
        let content = ContentBuilder::new().schema(Some(schema.clone())).example(Some(example));
        response = response.content(*kind, content.build());
    }
    response.build()
}

fn challenges(operation: &Operation) -> &'static [Header] {
    if operation.is_check() { &[CHALLENGES, OTHER_CHALLENGES] } else { &[CHALLENGES] }
}

fn bad(codes: &[&'static ErrorDescription], challenges: &[Header], bare: bool) -> Response {
    let status = codes.first().map_or(500, |reported| reported.status);
    let means: Vec<String> =
        codes.iter().map(|reported| format!("- `{}`: {}", reported.code, reported.means)).collect();
    let names: Vec<&'static str> = codes.iter().map(|reported| reported.code).collect();
    let mut response = ResponseBuilder::new().description(means.join("\n"));
    let headers: &[Header] = match status {
        401 => challenges,
        405 => &[("Allow", "Methods that the path supports.")],
        429 | 503 => &[("Retry-After", "Seconds to wait before a retry.")],
        _ => &[],
    };
    for (name, description) in headers {
        let header = HeaderBuilder::new().schema(Some(text(""))).description(Some(*description));
        response = response.header(*name, header.build());
    }
    if bare {
        return response.build();
    }
    let content = ContentBuilder::new()
        .schema(Some(the("Problem")))
        .example(Some(example(status, names.first().copied().unwrap_or_default())))
        .build();
    let codes = ExtensionsBuilder::new().add(CODES, names).build();
    response.content(PROBLEM, content).extensions(Some(codes)).build()
}

fn example(status: u16, code: &str) -> Value {
    json!({
        "type": "about:blank", "title": "Short description of the error", "status": status,
        "code": code, "request_id": "req_00c0ffee00c0ffee",
    })
}
