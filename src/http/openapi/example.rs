//! Builds the example of a response from the examples of its parts.

use serde_json::{Map, Value};
use utoipa::openapi::Components;

use crate::http::schema::Schema;

/// Deepest nesting that is followed, so that a recursive schema cannot loop.
const DEPTH_MAX: usize = 16;

/// The schemas of the components, to resolve references.
pub(super) struct Examples {
    schemas: Value,
}

impl Examples {
    pub(super) fn of(components: &Components) -> Self {
        let schemas = serde_json::to_value(&components.schemas).unwrap_or_default();
        Self { schemas }
    }

    pub(super) fn of_schema(&self, schema: &Schema) -> Value {
        let schema = serde_json::to_value(schema).unwrap_or_default();
        self.make(&schema, DEPTH_MAX)
    }

    fn make(&self, schema: &Value, depth: usize) -> Value {
        let Some(left) = depth.checked_sub(1) else { return Value::Null };
        let list = |name: &str| schema.get(name).and_then(Value::as_array);
        if let Some(given) = list("examples").and_then(|all| all.first()) {
            return given.clone();
        }
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            let name = name.rsplit('/').next().unwrap_or_default();
            return self.schemas.get(name).map_or(Value::Null, |it| self.make(it, left));
        }
        if let Some(given) = list("enum").and_then(|all| all.first()) {
            return given.clone();
        }
        if let Some(first) = list("anyOf").and_then(|all| all.first()) {
            return self.make(first, left);
        }
        if let Some(parts) = list("allOf") {
            let objects = parts.iter().map(|part| self.make(part, left));
            let fields = objects.filter_map(|made| made.as_object().cloned()).flatten();
            return Value::Object(fields.collect());
        }
        if let Some(item) = schema.get("items") {
            return Value::Array(vec![self.make(item, left)]);
        }
        let fields = schema.get("properties").and_then(Value::as_object);
        let made = fields.map(|fields| {
            fields.iter().map(|(name, part)| (name.clone(), self.make(part, left))).collect()
        });
        made.map_or(Value::Null, |fields: Map<String, Value>| Value::Object(fields))
    }
}
