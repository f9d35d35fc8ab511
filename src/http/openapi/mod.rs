//! The `OpenAPI` document, made from the endpoints.
//!
//! Each resource describes its endpoints beside their handlers.

mod components;
mod document;
mod example;
mod resources;
mod responses;

use crate::http::App;
use crate::http::endpoint::Endpoint;
use crate::http::session::cookie_name;
use crate::model::errors;
use components::DescribedInstance;

/// Every error: its status, its code and what it means.
pub(crate) fn error_codes() -> impl Iterator<Item = (u16, &'static str, &'static str)> {
    errors::ALL
        .iter()
        .chain(errors::check::ALL)
        .map(|error| (error.status, error.name, error.meaning))
}

/// The identity headers, and what each says.
pub(crate) fn identity_headers() -> impl Iterator<Item = (&'static str, &'static str)> {
    crate::http::check::identity::HEADERS.into_iter()
}

/// The document of these endpoints, as JSON.
pub(super) fn describe(app: &App, endpoints: &[Endpoint]) -> String {
    let url = app.settings.public_url.to_string();
    let cookie = cookie_name(&app.settings.public_url);
    let instance = DescribedInstance { url: &url, cookie };
    let document = document::document(endpoints, &instance);
    // Serialization cannot fail: the document has only maps, strings and numbers.
    document.to_json().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::http::endpoint::CallerKind;
    use crate::http::openapi::responses::errors_of;
    use crate::http::route::RequiredCaller;
    use crate::http::router;
    use crate::http::router::ROUTES;
    use crate::model::role::OWN_PERMISSIONS;
    use document::{needs, places};

    /// Summaries begin with one of these, so that they stay imperative and consistent.
    const VERBS: [&str; 27] = [
        "Accept",
        "Acknowledge",
        "Add",
        "Authorize",
        "Change",
        "Check",
        "Confirm",
        "Count",
        "Create",
        "Delete",
        "Disable",
        "Enable",
        "End",
        "Explain",
        "Export",
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
        serde_json::to_value(document::document(&router::endpoints(), &instance)).unwrap()
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
    fn every_resource_is_described_and_has_operations() {
        let document = described();
        let tags = document["tags"].as_array().unwrap();
        let known: Vec<&str> = tags.iter().map(|tag| tag["name"].as_str().unwrap()).collect();
        let used: BTreeSet<String> = documented()
            .into_iter()
            .map(|(_, operation)| operation["tags"][0].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(known.iter().map(|&tag| tag.to_owned()).collect::<BTreeSet<_>>(), used);
        assert_eq!(known.len(), used.len(), "a tag is described twice");
        let parts = document["x-tagGroups"].as_array().unwrap();
        let grouped = parts.iter().flat_map(|part| part["tags"].as_array().unwrap());
        assert_eq!(grouped.map(|tag| tag.as_str().unwrap()).collect::<Vec<_>>(), known);
        for tag in tags {
            assert!(tag["description"].as_str().unwrap().ends_with('.'), "{tag}");
            assert!(tag["x-displayName"].is_string(), "{tag}");
        }
    }

    #[test]
    fn every_route_is_described_exactly_once() {
        let mut names: Vec<String> = documented().into_iter().map(|(name, _)| name).collect();
        let documented = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), documented);
        let endpoints = router::endpoints();
        assert_eq!(endpoints.iter().flat_map(Endpoint::operations).count(), documented);
        assert_eq!(endpoints.len(), ROUTES.len());
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
        for endpoint in router::endpoints() {
            let (route, operation) = (&endpoint.route, &endpoint.operation);
            let known = matches!(
                operation.caller,
                CallerKind::Known | CallerKind::Person | CallerKind::Program
            );
            let required = matches!(
                route.access,
                RequiredCaller::Actor | RequiredCaller::Enrolling | RequiredCaller::Client
            );
            assert_eq!(known, required, "{route:?} {:?}", operation.caller);
            assert!(known || operation.permissions.is_empty(), "{}", operation.id);
            assert!(!needs(operation).is_empty(), "{}", operation.id);
        }
    }

    #[test]
    fn every_path_parameter_and_every_reference_is_defined() {
        let document = described();
        for route in ROUTES.iter() {
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
    fn every_error_is_an_error_of_an_operation() {
        let endpoints = router::endpoints();
        let named: BTreeSet<_> =
            endpoints.iter().flat_map(errors_of).map(|error| (error.status, error.name)).collect();
        // Before the setup, only the command line can call the API, through the control socket.
        let known = errors::ALL.iter().chain(errors::check::ALL);
        let known = known.filter(|error| **error != errors::NOT_SET_UP);
        let known: BTreeSet<_> = known.map(|error| (error.status, error.name)).collect();
        assert_eq!(named, known, "left: of operations; right: in the table");
    }
}
