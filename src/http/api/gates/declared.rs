//! The fields of a gate as configuration files declare them.

use serde_json::{Map, Value, json};

use crate::actions::instance::gates::check_routes;
use crate::http::api::gates::reading::read_policy;
use crate::http::api::gates::view::route_view;
use crate::http::input::Fields;

/// Reads the fields of a gate that name no other object, in the form in which responses show them.
/// Fields that are not given are absent.
pub(crate) fn declared_gate(fields: &mut Fields) -> Map<String, Value> {
    let policy = read_policy(fields);
    let mut read = Map::new();
    let mut add = |name: &str, value: Option<Value>| {
        read.extend(value.map(|value| (name.to_owned(), value)));
    };
    add("description", policy.description.map(Value::from));
    add("credentials", policy.credentials.as_deref().map(texts));
    if let Some(routes) = &policy.routes {
        for fault in check_routes(routes) {
            fields.fault_at(fault);
        }
        add("routes", Some(routes.iter().map(|route| json!(route_view(route))).collect()));
    }
    // Their order means nothing.
    let environments = policy.environments.value().map(|names| {
        let mut names: Vec<String> = names.iter().map(ToString::to_string).collect();
        names.sort_unstable();
        Value::from(names)
    });
    add("environments", environments);
    add("cost", policy.cost.map(Value::from));
    add("preflight", policy.preflight.map(|preflight| preflight.to_string().into()));
    read
}

fn texts<T: ToString>(values: &[T]) -> Value {
    values.iter().map(|value| Value::String(value.to_string())).collect()
}
