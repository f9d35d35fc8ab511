//! The content of a diagram: what is checked when it is stored.
//!
//! Unknown members, lists and types are kept as they are. What a picture needs in addition is checked by the
//! renderer.

use serde_json::{Map, Value};

use crate::refusal::Faults;

const NAME_CHARS_MAX: usize = 255;
/// The most elements of all lists together.
const ELEMENTS_MAX: usize = 10_000;
/// Farther positions have no use, and their pictures would have no precision.
const COORDINATE_MAX: f64 = 1_000_000.0;
/// The lists whose elements are objects.
const LISTS: [&str; 8] =
    ["nodes", "edges", "groups", "surfaces", "icons", "text", "images", "connectors"];

/// Checks `data` of a body, and returns the name of the diagram.
pub(crate) fn check<'a>(content: Option<&'a Value>, faults: &mut Faults) -> &'a str {
    let Some(content) = content.and_then(Value::as_object) else {
        faults.add("/data", "must be an object");
        return "";
    };
    let mut left = ELEMENTS_MAX;
    for list in LISTS {
        check_list(content, list, &mut left, faults);
    }
    if content.get("version").is_some_and(|version| version.as_u64().is_none()) {
        faults.add("/data/version", "must be a whole number");
    }
    for name in ["grid", "projection"] {
        if content.get(name).is_some_and(|value| !value.is_string()) {
            faults.add(format!("/data/{name}"), "must be a text");
        }
    }
    match content.get("name").and_then(Value::as_str) {
        Some(name) if (1..=NAME_CHARS_MAX).contains(&name.chars().count()) => name,
        _ => {
            let detail = format!("must be a text of 1 to {NAME_CHARS_MAX} characters");
            faults.add("/data/name", detail);
            ""
        },
    }
}

fn check_list(content: &Map<String, Value>, list: &str, left: &mut usize, faults: &mut Faults) {
    let Some(value) = content.get(list) else { return };
    let Some(elements) = value.as_array() else {
        faults.add(format!("/data/{list}"), "must be a list");
        return;
    };
    let Some(rest) = left.checked_sub(elements.len()) else {
        let detail = format!("a diagram has at most {ELEMENTS_MAX} elements");
        faults.add(format!("/data/{list}"), detail);
        return;
    };
    *left = rest;
    for (at, element) in elements.iter().enumerate() {
        let pointer = format!("/data/{list}/{at}");
        match element.as_object() {
            Some(element) => check_element(element, list, &pointer, faults),
            None => faults.add(pointer, "must be an object"),
        }
    }
}

fn check_element(element: &Map<String, Value>, list: &str, pointer: &str, faults: &mut Faults) {
    if element.get("type").is_some_and(|kind| !kind.is_string()) {
        faults.add(format!("{pointer}/type"), "must be a text");
    }
    if element.get("id").is_some_and(|id| !id.is_string() && !id.is_number()) {
        faults.add(format!("{pointer}/id"), "must be a text");
    }
    if element.get("mapPos").is_some_and(|place| !is_place(place)) {
        let detail = format!("must be two numbers from -{COORDINATE_MAX} to {COORDINATE_MAX}");
        faults.add(format!("{pointer}/mapPos"), detail);
    }
    let texts = |value: &Value| {
        value.as_array().is_some_and(|entries| entries.iter().all(Value::is_string))
    };
    if list == "groups" && element.get("nodes").is_some_and(|nodes| !texts(nodes)) {
        faults.add(format!("{pointer}/nodes"), "must be a list of ids");
    }
    for end in ["from", "to"] {
        if list == "edges" && element.get(end).is_some_and(|id| !id.is_string()) {
            faults.add(format!("{pointer}/{end}"), "must be an id");
        }
    }
}

/// Two numbers, which may be texts.
fn is_place(value: &Value) -> bool {
    let is_coordinate = |value: &Value| {
        number(value).is_some_and(|it| (-COORDINATE_MAX..=COORDINATE_MAX).contains(&it))
    };
    value.as_array().is_some_and(|pair| pair.len() == 2 && pair.iter().all(is_coordinate))
}

/// A number, which clients may write as text.
pub(crate) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
    .filter(|it: &f64| it.is_finite())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn first_fault(data: &Value) -> Option<String> {
        let mut faults = Faults::default();
        check(Some(data), &mut faults);
        let refusal = faults.none_or(()).err()?;
        let body: Value = serde_json::from_slice(refusal.into_answer().body()).unwrap();
        Some(body["errors"][0]["pointer"].as_str().unwrap().to_owned())
    }

    #[test]
    fn a_fault_is_reported_with_its_place() {
        for (data, pointer) in [
            (json!({"name": "a"}), None),
            (json!({"name": "a", "new": [1], "nodes": [{"type": "new", "x": {}}]}), None),
            (json!({"name": "a", "nodes": [{"mapPos": ["1.5", -2]}]}), None),
            (json!([]), Some("/data")),
            (json!({}), Some("/data/name")),
            (json!({"name": ""}), Some("/data/name")),
            (json!({"name": 7}), Some("/data/name")),
            (json!({"name": "x".repeat(256)}), Some("/data/name")),
            (json!({"name": "a", "nodes": {}}), Some("/data/nodes")),
            (json!({"name": "a", "nodes": [{}, 1]}), Some("/data/nodes/1")),
            (json!({"name": "a", "nodes": [{"type": 1}]}), Some("/data/nodes/0/type")),
            (json!({"name": "a", "text": [{"id": []}]}), Some("/data/text/0/id")),
            (json!({"name": "a", "nodes": [{"mapPos": [1]}]}), Some("/data/nodes/0/mapPos")),
            (json!({"name": "a", "nodes": [{"mapPos": [1e7, 0]}]}), Some("/data/nodes/0/mapPos")),
            (json!({"name": "a", "nodes": [{"mapPos": ["NaN", 0]}]}), Some("/data/nodes/0/mapPos")),
            (json!({"name": "a", "groups": [{"nodes": [1]}]}), Some("/data/groups/0/nodes")),
            (json!({"name": "a", "edges": [{"from": 1}]}), Some("/data/edges/0/from")),
            (json!({"name": "a", "version": -1}), Some("/data/version")),
            (json!({"name": "a", "grid": 1}), Some("/data/grid")),
        ] {
            assert_eq!(first_fault(&data).as_deref(), pointer, "{data}");
        }
    }

    #[test]
    fn the_elements_of_all_lists_are_bounded_together() {
        let half = vec![json!({}); ELEMENTS_MAX / 2];
        let data = json!({"name": "a", "nodes": half, "edges": half});
        assert_eq!(first_fault(&data), None);
        let data = json!({"name": "a", "nodes": half, "edges": half, "icons": [{}]});
        assert_eq!(first_fault(&data).as_deref(), Some("/data/icons"));
    }
}
