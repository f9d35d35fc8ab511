//! Builds the responses of an operation: success responses, and errors by status.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::{Ref, RefOr, Response, ResponseBuilder, Responses, ResponsesBuilder};

use crate::http::challenge;
use crate::http::endpoint::{Answer, CallerKind, Endpoint};
use crate::http::input::JSON;
use crate::http::openapi::example::Examples;
use crate::http::schema::{text, the};
use crate::model::errors::{self, ErrorCode, check};

const PROBLEM: &str = "application/problem+json";
/// Extension with the codes of one response. A separate enum per response would give a generated client
/// about three hundred types for one field.
const CODES: &str = "x-codes";
/// Name and description of a header.
type HeaderText = (&'static str, &'static str);
const CHALLENGES: HeaderText = (
    "WWW-Authenticate",
    "The accepted authentication schemes, one a line (RFC 9110, RFC 6750, RFC 7617).",
);
const OTHER_CHALLENGES: HeaderText = (
    challenge::OTHERS,
    "All challenges of `WWW-Authenticate` but the first, joined by commas: nginx before 1.23 passes on \
     the first line of a header only.",
);

/// The responses of an operation. Responses to HEAD have no content.
pub(super) fn responses(endpoint: &Endpoint, method: &Method, examples: &Examples) -> Responses {
    let bare = *method == Method::HEAD;
    let mut responses = ResponsesBuilder::new();
    for answer in &endpoint.operation.answers {
        responses = responses.response(answer.status.to_string(), good(answer, examples, bare));
    }
    for (status, codes) in codes_by_status(endpoint) {
        let response = match codes.as_slice() {
            [reported] if is_only_of_status(reported) && !bare => {
                Ref::from_response_name(reported.name).into()
            },
            codes => RefOr::T(bad(codes, challenges(endpoint), bare)),
        };
        responses = responses.response(status.to_string(), response);
    }
    responses.build()
}

/// Errors of the transport, on every operation.
const OF_TRANSPORT: &[&ErrorCode] = &[
    errors::MALFORMED_REQUEST,
    errors::DOUBLED_HEADER,
    errors::METHOD_NOT_ALLOWED,
    errors::BODY_TIMEOUT,
    errors::BODY_TOO_LARGE,
    errors::HEAD_TOO_LARGE,
    errors::INTERNAL,
    errors::BUSY,
];

/// Errors of operations that accept a key.
const OF_KEY: &[&ErrorCode] = &[
    check::NO_CREDENTIAL,
    check::MALFORMED,
    check::NOT_FOUND,
    check::REVOKED,
    check::DISABLED,
    check::NOT_YET_VALID,
    check::EXPIRED,
    check::OWNER_DISABLED,
    check::ORGANIZATION_SUSPENDED,
    check::SUBSCRIPTION_REQUIRED,
    check::NOT_ACCEPTED_HERE,
    check::IP_NOT_ALLOWED,
    check::RATE_LIMITED,
    check::QUOTA_EXCEEDED,
    errors::INDEX_BEHIND,
];

/// Errors of operations that accept a session.
const OF_SESSION: &[&ErrorCode] = &[
    errors::SESSION_ENDED,
    errors::SECOND_FACTOR_REQUIRED,
    errors::DOUBLED_CREDENTIAL,
    errors::CROSS_SITE,
    errors::MISDIRECTED_REQUEST,
];

/// The errors of an operation: its own, and those of its kind, by name.
pub(super) fn errors_of(endpoint: &Endpoint) -> Vec<&'static ErrorCode> {
    let operation = &endpoint.operation;
    let on_check = endpoint.is_check();
    let mut all = OF_TRANSPORT.to_vec();
    let (by_session, by_key) = match operation.caller {
        CallerKind::Probe | CallerKind::Open | CallerKind::Visitor => (false, false),
        CallerKind::Known | CallerKind::Person => (true, true),
        CallerKind::Program | CallerKind::Holder | CallerKind::Proxy => (false, true),
    };
    all.extend(by_key.then_some(OF_KEY).into_iter().flatten());
    all.extend(by_session.then_some(OF_SESSION).into_iter().flatten());
    if by_session || matches!(operation.caller, CallerKind::Open | CallerKind::Visitor) {
        all.extend([errors::INVALID_INPUT, errors::STORAGE_UNAVAILABLE]);
        if !endpoint.reads() {
            all.extend([errors::STORAGE_FULL, errors::OUTCOME_UNKNOWN]);
            if by_session && !on_check {
                all.push(errors::TOO_MANY_CHANGES);
            }
            if operation.caller == CallerKind::Known && !on_check {
                all.push(errors::BEYOND_KEY);
            }
        }
    }
    if operation.caller == CallerKind::Person {
        all.push(errors::SESSION_REQUIRED);
    }
    match &operation.body {
        Some(body) if body.kind == JSON => {
            all.extend([errors::INVALID_JSON, errors::UNSUPPORTED_MEDIA_TYPE]);
        },
        Some(_form) => all.extend([errors::INVALID_INPUT, errors::UNSUPPORTED_MEDIA_TYPE]),
        None => {},
    }
    if !operation.permissions.is_empty() {
        all.push(errors::PERMISSION_REQUIRED);
    }
    if endpoint.route.path.contains('{') && operation.caller != CallerKind::Proxy {
        all.push(errors::NOT_FOUND);
    }
    all.extend(&operation.errors);
    if on_check {
        // Clients of checks retry after a 503.
        all.retain(|error| *error != errors::INTERNAL);
        all.push(errors::INTERNAL_ON_CHECK);
    }
    all.sort_unstable_by_key(|error| error.name);
    all.dedup();
    all
}

/// Error responses with only one code, which are the same for every operation and so are components.
pub(super) fn alone() -> impl Iterator<Item = (&'static str, Response)> {
    let single = all_errors().filter(|reported| is_only_of_status(reported));
    single.map(|reported| (reported.name, bad(&[reported], &[CHALLENGES], false)))
}

fn all_errors() -> impl Iterator<Item = &'static ErrorCode> {
    errors::ALL.iter().chain(check::ALL).copied()
}

fn is_only_of_status(reported: &ErrorCode) -> bool {
    all_errors().filter(|other| other.status == reported.status).count() == 1
}

fn codes_by_status(endpoint: &Endpoint) -> BTreeMap<u16, Vec<&'static ErrorCode>> {
    let mut by_status: BTreeMap<u16, Vec<&'static ErrorCode>> = BTreeMap::new();
    for reported in errors_of(endpoint) {
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

fn challenges(endpoint: &Endpoint) -> &'static [HeaderText] {
    if endpoint.is_check() { &[CHALLENGES, OTHER_CHALLENGES] } else { &[CHALLENGES] }
}

fn bad(codes: &[&'static ErrorCode], challenges: &[HeaderText], bare: bool) -> Response {
    let status = codes.first().map_or(500, |reported| reported.status);
    let means: Vec<String> = codes
        .iter()
        .map(|reported| format!("- `{}`: {}", reported.name, reported.meaning))
        .collect();
    let names: Vec<&'static str> = codes.iter().map(|reported| reported.name).collect();
    let mut response = ResponseBuilder::new().description(means.join("\n"));
    let headers: &[HeaderText] = match status {
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
