//! `GET /openapi.json`: the `OpenAPI` document, made from the router's table.
//!
//! Each resource has one file with the descriptions of its routes. A route without a description, or a
//! description without a route, fails the tests.

#![expect(clippy::too_many_lines, reason = "lists of operations and fields, without branches")]

mod account;
mod audit;
mod checks;
mod components;
mod document;
mod errors;
mod example;
mod explanation;
mod gates;
mod instance;
mod key;
mod keys;
mod lockouts;
mod operation;
mod organizations;
mod people;
mod responses;
mod rights;
mod schema;
mod usage;

use rouille::Response;

use crate::http::encoding::Encoded;
use crate::http::problem::Problem;
use crate::http::router::ROUTES;
use crate::http::session::cookie_name;
use crate::http::{App, Call};
use components::DescribedInstance;
use operation::Operation;
use schema::Schema;

#[expect(clippy::unnecessary_wraps, reason = "all handlers in the route table return a Result")]
pub(super) fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let description = app.description.get_or_init(|| Encoded::new(describe(app).into_bytes()));
    Ok(description.json(call.request.header("Accept-Encoding")))
}

/// Every error: its status, its code and what it means.
pub(crate) fn error_codes() -> impl Iterator<Item = (u16, &'static str, &'static str)> {
    errors::ERRORS.iter().map(|error| (error.status, error.code, error.means))
}

/// The identity headers, and what each says.
pub(crate) fn identity_headers() -> impl Iterator<Item = (&'static str, &'static str)> {
    crate::http::check::identity::HEADERS.into_iter()
}

fn describe(app: &App) -> String {
    let url = app.settings.public_url.to_string();
    let cookie = cookie_name(&app.settings.public_url);
    let document =
        document::document(ROUTES, &operations(), &DescribedInstance { url: &url, cookie });
    // Serialization cannot fail: the document has only maps, strings and numbers.
    document.to_json().unwrap_or_default()
}

fn operations() -> Vec<Operation> {
    let resources = [
        checks::operations(),
        instance::operations(),
        account::operations(),
        keys::operations(),
        gates::operations(),
        people::operations(),
        lockouts::operations(),
        rights::operations(),
        organizations::operations(),
        audit::operations(),
        usage::operations(),
    ];
    resources.into_iter().flatten().collect()
}

/// The schemas of the components.
fn schemas() -> Vec<(&'static str, Schema)> {
    let resources = [
        checks::schemas(),
        account::schemas(),
        key::schemas(),
        gates::schemas(),
        people::schemas(),
        lockouts::schemas(),
        rights::schemas(),
        organizations::schemas(),
        audit::schemas(),
        usage::schemas(),
    ];
    resources.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use serde_json::Value;

    use super::*;
    use crate::http::router::{HttpRoute, RequiredCaller};
    use crate::model::role::OWN_PERMISSIONS;
    use crate::verify::Code;
    use document::{described_by, needs, places};
    use errors::{ERRORS, error};
    use operation::CallerKind;

    /// Summaries begin with one of these, so that they stay imperative and consistent.
    const VERBS: [&str; 25] = [
        "Accept",
        "Acknowledge",
        "Add",
        "Authorize",
        "Change",
        "Check",
        "Count",
        "Create",
        "Delete",
        "Disable",
        "Enable",
        "End",
        "Explain",
        "Import",
        "Introspect",
        "Lift",
        "List",
        "Remove",
        "Reset",
        "Revoke",
        "Rotate",
        "Share",
        "Show",
        "Sign",
        "Verify",
    ];

    fn described() -> Value {
        let instance = DescribedInstance { url: "https://keys.example.com", cookie: "keyhouse" };
        serde_json::to_value(document::document(ROUTES, &operations(), &instance)).unwrap()
    }

    /// Every operation of the document, by its name, such as `GET /v1/keys`.
    fn documented() -> Vec<(String, Value)> {
        let document = described();
        let paths = document["paths"].as_object().unwrap();
        let each = paths.iter().flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(move |(method, operation)| {
                (format!("{} {path}", method.to_uppercase()), operation.clone())
            })
        });
        each.collect()
    }

    #[test]
    fn every_route_is_described_exactly_once() {
        let routed: BTreeSet<String> = ROUTES
            .iter()
            .flat_map(described_by)
            .map(|(method, path)| format!("{method} {path}"))
            .collect();
        let written: Vec<String> =
            operations().iter().map(|it| format!("{} {}", it.method, it.path)).collect();
        let once: BTreeSet<String> = written.iter().cloned().collect();
        assert_eq!(once, routed, "left: described; right: routed");
        assert_eq!(written.len(), once.len(), "an operation is described twice");
        let names: BTreeSet<String> = documented().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, routed, "left: in the document; right: routed");
    }

    #[test]
    fn every_operation_has_permissions_errors_and_examples() {
        let mut ids = BTreeSet::new();
        for (name, operation) in documented() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            assert!(ids.insert(id), "{name}: another operation has its id");
            let summary = operation["summary"].as_str().unwrap_or_default();
            let verb = summary.split(' ').next().unwrap_or_default();
            assert!(VERBS.contains(&verb), "{name}: {summary:?} does not begin with a known verb");
            assert!(!summary.ends_with(['.', '?']), "{name}: {summary:?}");
            for needed in operation["x-permission"].as_array().unwrap() {
                let word = needed.as_str().unwrap();
                let known = ["open", "none", "session", "key"].contains(&word)
                    || OWN_PERMISSIONS.contains(&word);
                assert!(known, "{name}: unknown permission {word}");
            }
            let responses = operation["responses"].as_object().unwrap();
            let good: Vec<_> = responses.keys().filter(|it| it.starts_with('2')).collect();
            assert!(!good.is_empty(), "{name}: no success response");
            assert!(responses.len() > good.len(), "{name}: no errors");
            let sends = !operation["requestBody"].is_null();
            let sent = operation["requestBody"]["content"].as_object().cloned().unwrap_or_default();
            let whole = sent.values().all(|content| content["example"].is_object());
            assert!(!sends || (whole && sent.len() == 1), "{name}: no example of the request body");
            let contents = responses[good[0]]["content"].as_object().cloned().unwrap_or_default();
            for (kind, content) in contents {
                assert!(!content["example"].is_null(), "{name}: no example of {kind}");
            }
        }
    }

    #[test]
    fn authentication_is_described_as_the_router_requires_it() {
        let of = |route: &HttpRoute| -> Vec<CallerKind> {
            let operations = operations();
            operations
                .iter()
                .filter(|it| {
                    it.path == route.path
                        && described_by(route).iter().any(|(method, _)| *method == it.method)
                })
                .map(|it| it.caller)
                .collect()
        };
        for route in ROUTES {
            for caller in of(route) {
                let known =
                    matches!(caller, CallerKind::Known | CallerKind::Person | CallerKind::Program);
                let asked = matches!(
                    route.access,
                    RequiredCaller::Actor | RequiredCaller::Enrolling | RequiredCaller::Client
                );
                assert_eq!(known, asked, "{route:?} {caller:?}");
            }
        }
        for operation in operations() {
            let open = !matches!(
                operation.caller,
                CallerKind::Known | CallerKind::Person | CallerKind::Program
            );
            assert!(!open || operation.permissions.is_empty(), "{}", operation.id);
            assert!(!needs(&operation).is_empty(), "{}", operation.id);
        }
    }

    #[test]
    fn every_path_parameter_and_every_reference_is_defined() {
        let document = described();
        for route in ROUTES {
            for place in places(route.path) {
                let (_, description) = components::place(place);
                assert!(!description.is_empty(), "{}: {place} is not described", route.path);
            }
        }
        let text = document.to_string();
        for reference in
            text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next())
        {
            assert!(document.pointer(reference).is_some(), "{reference} leads nowhere");
        }
        for (name, _) in document["components"]["schemas"].as_object().unwrap() {
            let used = text.contains(&format!("\"#/components/schemas/{name}\""));
            assert!(used, "no schema refers to {name}");
        }
    }

    #[test]
    fn every_parameter_and_field_has_a_description() {
        let document = described();
        let mut left = vec![(String::new(), &document)];
        while let Some((at, value)) = left.pop() {
            let parts: Vec<(String, &Value)> = match value {
                Value::Object(fields) => {
                    fields.iter().map(|(name, it)| (format!("{at}/{name}"), it)).collect()
                },
                Value::Array(items) => {
                    items.iter().enumerate().map(|(nth, it)| (format!("{at}/{nth}"), it)).collect()
                },
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
            };
            if at.ends_with("/properties") || at.ends_with("/parameters") {
                for (name, part) in &parts {
                    let description = part["description"].as_str().unwrap_or_default();
                    assert!(description.ends_with('.'), "{name}: {description:?}");
                }
            }
            left.extend(parts);
        }
    }

    /// Two values of one enum differed in case only, and generators of clients stopped with an error.
    #[test]
    fn no_enum_has_two_values_that_differ_in_case_only() {
        let mut left = vec![described()];
        while let Some(value) = left.pop() {
            if let Some(values) = value["enum"].as_array() {
                let folded: BTreeSet<String> =
                    values.iter().map(|value| value.to_string().to_lowercase()).collect();
                assert_eq!(folded.len(), values.len(), "{value}");
            }
            match value {
                Value::Object(fields) => left.extend(fields.into_iter().map(|(_, value)| value)),
                Value::Array(items) => left.extend(items),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {},
            }
        }
    }

    #[test]
    fn the_described_codes_are_those_that_the_code_returns() {
        let mut codes = BTreeSet::new();
        for reported in ERRORS {
            assert!(
                codes.insert((reported.status, reported.code)),
                "{} is listed twice",
                reported.code
            );
        }
        for operation in operations() {
            for code in responses::codes(&operation) {
                assert!(error(code, false).is_some(), "{}: unknown error {code}", operation.id);
            }
        }
        let named: BTreeSet<(u16, String)> =
            codes.into_iter().map(|(status, code)| (status, code.to_owned())).collect();
        assert_eq!(named, answered(), "left: described; right: in the code");
    }

    /// Every status and code in the source.
    fn answered() -> BTreeSet<(u16, String)> {
        let files = ["problem.rs", "action_errors.rs", "check/problem.rs"];
        let read = |file| fs::read_to_string(format!("src/http/{file}")).unwrap();
        let problems: String = files.map(read).concat();
        let mut found = BTreeSet::new();
        for (start, status) in [("::new(", None), ("unavailable(", Some(503))] {
            for rest in problems.split(start).skip(1) {
                let mut words = rest.split(',').map(str::trim);
                let status = status.or_else(|| words.next().and_then(|word| word.parse().ok()));
                let code = words.next().and_then(|word| word.strip_prefix('"')?.strip_suffix('"'));
                if let (Some(status), Some(code)) = (status, code) {
                    found.insert((status, code.to_owned()));
                }
            }
        }
        for code in Code::ALL.into_iter().filter(|code| *code != Code::Valid) {
            let start = format!("Code::{code:?} => (");
            let status = problems.split(&start).nth(1).unwrap().split(',').next().unwrap();
            found.insert((status.parse().unwrap(), code.as_str().to_owned()));
        }
        let mut conflicts = Vec::new();
        conflicts_in(Path::new("src/actions"), &mut conflicts);
        found.extend(conflicts.into_iter().map(|code| (409, code)));
        found
    }

    /// The codes of every `ActionError::Conflict` in the source.
    fn conflicts_in(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                conflicts_in(&path, found);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let codes = text.split("Conflict {").skip(1).filter_map(|rest| {
                let (_, rest) = rest.split_once("code: \"")?;
                rest.split('"').next()
            });
            found.extend(codes.map(str::to_owned));
        }
    }
}
