//! `keyhouse schema` describes the files: a small validator of the keywords that it uses.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::apply::{apply, succeeded, whole};
use crate::server::{BINARY, run};
use crate::test_server::TestServer;

/// The keywords that the validator checks, and those that only inform.
const CHECKED: [&str; 13] = [
    "$ref",
    "additionalProperties",
    "anyOf",
    "enum",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "properties",
    "required",
];
const INFORMING: [&str; 8] =
    ["$defs", "$schema", "title", "description", "examples", "format", "pattern", "type"];

/// The faults of a value, each with its place.
fn faults(whole: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    if schema == &Value::Bool(true) {
        return Vec::new();
    }
    let schema = schema.as_object().unwrap();
    let mut found = Vec::new();
    for keyword in schema.keys() {
        let is_known = CHECKED.contains(&&**keyword) || INFORMING.contains(&&**keyword);
        assert!(is_known, "{place}: the validator does not know {keyword}");
    }
    if let Some(target) = schema.get("$ref") {
        let name = target.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
        found.extend(faults(whole, &whole["$defs"][name], value, place));
    }
    if let Some(choices) = schema.get("anyOf") {
        let fits = |choice: &Value| faults(whole, choice, value, place).is_empty();
        if !choices.as_array().unwrap().iter().any(fits) {
            found.push(format!("{place}: {value} fits no choice of {choices}"));
        }
    }
    let kinds: Vec<&str> = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().map(|kind| kind.as_str().unwrap()).collect(),
        Some(kind) => vec![kind.as_str().unwrap()],
        None => Vec::new(),
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !kinds.is_empty() && !kinds.contains(&kind) {
        found.push(format!("{place}: {value} is not of {kinds:?}"));
    }
    if let Some(words) = schema.get("enum")
        && !words.as_array().unwrap().contains(value)
    {
        found.push(format!("{place}: {value} is not of {words}"));
    }
    let size = match value {
        Value::Number(number) => number.as_f64().map(|size| (size, "minimum", "maximum")),
        Value::String(text) => Some((count(text.chars().count()), "minLength", "maxLength")),
        Value::Array(items) => Some((count(items.len()), "minItems", "maxItems")),
        Value::Null | Value::Bool(_) | Value::Object(_) => None,
    };
    if let Some((size, min, max)) = size {
        let bound = |name: &str| schema.get(name).map(|bound| bound.as_f64().unwrap());
        if bound(min).is_some_and(|min| size < min) || bound(max).is_some_and(|max| size > max) {
            found.push(format!("{place}: {value} is out of bounds"));
        }
    }
    if let (Some(item), Value::Array(items)) = (schema.get("items"), value) {
        for (at, value) in items.iter().enumerate() {
            found.extend(faults(whole, item, value, &format!("{place}/{at}")));
        }
    }
    if let Value::Object(fields) = value {
        let none = json!({});
        let properties = schema.get("properties").unwrap_or(&none);
        let required = schema.get("required").and_then(Value::as_array);
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                found.push(format!("{place}: {name} is missing"));
            }
        }
        for (name, value) in fields {
            let place = format!("{place}/{name}");
            match (properties.get(name), schema.get("additionalProperties")) {
                (Some(property), _) => found.extend(faults(whole, property, value, &place)),
                (None, Some(Value::Bool(false))) => found.push(format!("{place}: is unknown")),
                (None, Some(rest)) => found.extend(faults(whole, rest, value, &place)),
                (None, None) => {},
            }
        }
    }
    found
}

#[test]
fn the_schema_accepts_the_example_and_what_an_export_writes() {
    let instance = TestServer::start();
    let home = instance.home();
    let path = whole(home);
    apply(home, &[&path]);
    let mut command = Command::new(BINARY);
    command.arg("schema");
    let schema: Value = succeeded(&run(command, b""));
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let toml = |path: &str| -> Value {
        let text = fs::read_to_string(path).unwrap();
        let mut value =
            serde_json::to_value(toml::from_str::<toml::Value>(&text).unwrap()).unwrap();
        plain_moments(&mut value);
        value
    };
    let exported = succeeded(&home.run_cli(&["export", "--format", "json"], ""));
    for (name, file) in [
        ("export", exported),
        ("example", toml("examples/configuration.toml")),
        ("whole", toml(&path)),
    ] {
        let found = faults(&schema, &schema, &file, name);
        assert!(found.is_empty(), "{found:#?}");
    }
    for (wrong, place) in [
        (json!({"gates": [{}]}), "/gates/0: name"),
        (json!({"plan": []}), "/plan: is unknown"),
        (json!({"plans": [{"name": "gold"}]}), "/plans/0/name"),
        (json!({"organizations": [{"name": "a", "first": "yes"}]}), "/organizations/0/first"),
        (
            json!({"organizations": [{"name": "a", "teams": [{"name": "b", "visibility": "x"}]}]}),
            "/visibility",
        ),
    ] {
        let found = faults(&schema, &schema, &wrong, "");
        assert!(found.iter().any(|it| it.contains(place)), "{wrong}: {found:#?}");
    }
}

/// TOML's times are texts in JSON.
fn plain_moments(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(moment) = fields.get("$__toml_private_datetime") {
                *value = moment.clone();
                return;
            }
            fields.values_mut().for_each(plain_moments);
        },
        Value::Array(items) => items.iter_mut().for_each(plain_moments),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {},
    }
}

fn count(items: usize) -> f64 {
    f64::from(u32::try_from(items).unwrap())
}
