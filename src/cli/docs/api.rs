//! The pages on the API. Operations and headers come from the `OpenAPI` document, codes from the
//! table of errors.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Table, code, codes as in_code};
use crate::http::{error_codes, identity_headers};
use crate::model::code::Code;
use crate::model::fault::FaultCode;

const OPERATIONS: &str = "\
# API

The complete description, with schemas and examples, is the OpenAPI 3.1 document at `/openapi.json`. This
page lists the operations.

- Bodies are JSON in UTF-8. Times are RFC 3339 in UTC. Lists are `{items, next_cursor}`. Errors are
  `application/problem+json` with a stable [`code`](codes.md).
- `HEAD` is accepted where `GET` is. A JSON response to `GET` over 1 KiB is compressed (br, gzip); a response
  with a secret never is. Every response has `X-Request-Id`.
- A body has at most 64 KiB: 1 MiB for import and batch, 4 KiB for sign-in and one-time links. Unknown fields
  and parameters are rejected. A whole number may be written `2.0`.
- Credentials: `Authorization: Bearer KEY`, Basic with the key as the password, `X-API-Key` or
  `MC-Api-Key`; browsers use the session cookie. A key in the URL is never read.
- A change that sends `If-Match` with the `ETag` of an earlier response is rejected with 412
  `version_conflict` if the object has changed since.
- \"Needs\" names the [permission](permissions.md): one of those listed. `none` is any signed-in user or
  valid key, `session` a signed-in user, `key` the presented key itself, `open` needs no credential.
";

const CODES: &str = "\
# Codes

Every error has a stable `code`, in the body and in the header `X-Keyhouse-Code`. Codes of checks are in
upper case, codes of management in lower case.

Errors that a client of a gate can receive also have the members `error` and `error_description`, for clients that read only these. `error`
is `invalid_token` or `insufficient_scope` where RFC 6750 has a code, otherwise `code` in lower case, such as
`rate_limited`. `error_description` is `detail`, or `title` without one.

## Order of a check

A check returns the first code that applies:

";

const FAULTS: &str = "
## Invalid fields

Each item of `errors` has one of these codes:

";

const HEADERS: &str = "\
# Headers

";

const IDENTITY: &str = "\
## Identity headers

For the application behind a gate. Values are percent-encoded outside `A-Za-z0-9._~@:*-`. A header without
a value is `-`, so that the header that a client sent is always replaced.

";

const REFUSALS: &str = "
## Responses to rejected requests

| header | meaning |
| --- | --- |
| `X-Keyhouse-Code` | The [code](codes.md). |
| `X-Keyhouse-Reason` | The form in the path that is not accepted, such as `encoded_slash`. |
| `X-Keyhouse-Challenge` | All challenges but the first, for nginx before 1.23. |
| `RateLimit`, `RateLimit-Policy` | State and policy of each limit (draft-ietf-httpapi-ratelimit-headers). Checks that pass have them too. |
| `grpc-status`, `grpc-message` | The same for a [gRPC](../grpc.md) call. |

Every response has `X-Request-Id`, which the log repeats. Responses of checks have `Cache-Control: no-store`.
";

pub(super) fn operations(description: &Value) -> String {
    let mut tags: BTreeMap<&str, Table> = BTreeMap::new();
    for (path, method, operation) in each(description) {
        let tag = operation.pointer("/tags/0").and_then(Value::as_str).unwrap_or("other");
        let table =
            tags.entry(tag).or_insert_with(|| Table::new(["operation", "purpose", "needs"]));
        let needs = operation.get("x-permission").and_then(Value::as_array);
        let needs = needs.into_iter().flatten().filter_map(Value::as_str);
        table.row([
            &code(&format!("{} {path}", method.to_uppercase())),
            text(operation, "summary"),
            &in_code(needs, ", "),
        ]);
    }
    let mut page = OPERATIONS.to_owned();
    for (tag, table) in tags {
        page.extend(["\n## ", tag, "\n\n", &table.text]);
    }
    page
}

pub(super) fn codes() -> String {
    let mut page = CODES.to_owned();
    for (at, code) in Code::ALL.into_iter().enumerate() {
        page.extend([&(at + 1).to_string(), ". ", &super::code(code.as_str()), "\n"]);
    }
    let (checks, management): (Vec<_>, Vec<_>) = error_codes()
        .partition(|(_, code, _)| code.starts_with(|it: char| it.is_ascii_uppercase()));
    for (heading, rows) in [("Checks", checks), ("Management and transport", management)] {
        let mut table = Table::new(["status", "code", "meaning"]);
        for (status, name, means) in rows {
            table.row([&status.to_string(), &code(name), means]);
        }
        page.extend(["\n## ", heading, "\n\n", &table.text]);
    }
    let mut table = Table::new(["code", "meaning"]);
    for fault in FaultCode::ALL {
        table.row([&code(fault.name), fault.meaning]);
    }
    page.extend([FAULTS, &table.text]);
    page
}

pub(super) fn headers(description: &Value) -> String {
    let (mut sent, mut returned) = (BTreeMap::new(), BTreeMap::new());
    for (_, _, operation) in each(description) {
        let parameters = operation.get("parameters").and_then(Value::as_array);
        for parameter in parameters.into_iter().flatten() {
            if parameter.get("in").and_then(Value::as_str) == Some("header") {
                sent.insert(text(parameter, "name"), text(parameter, "description"));
            }
        }
        let responses = operation.get("responses").and_then(Value::as_object);
        returned.extend(responses.into_iter().flatten().flat_map(|(_, it)| headers_of(it)));
    }
    let shared = description.pointer("/components/responses").and_then(Value::as_object);
    returned.extend(shared.into_iter().flatten().flat_map(|(_, it)| headers_of(it)));
    returned.retain(|name, _| !name.starts_with("X-Keyhouse-"));
    let rows = |rows: &mut dyn Iterator<Item = (&str, &str)>| {
        let mut table = Table::new(["header", "meaning"]);
        rows.for_each(|(name, means)| table.row([&code(name), means]));
        table.text
    };
    format!(
        "{HEADERS}{IDENTITY}{}\n## Other request headers\n\n{}\n## Other response headers\n\n{}{REFUSALS}",
        rows(&mut identity_headers()),
        rows(&mut sent.into_iter()),
        rows(&mut returned.into_iter()),
    )
}

/// Every operation with its path and method.
fn each(description: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = description.get("paths").and_then(Value::as_object);
    paths.into_iter().flatten().flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

/// Name and description of each header of a response.
fn headers_of(response: &Value) -> impl Iterator<Item = (&str, &str)> {
    let headers = response.get("headers").and_then(Value::as_object);
    headers.into_iter().flatten().map(|(name, header)| (name.as_str(), text(header, "description")))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
