//! The JSON Schema of configuration files, for editors, and the rows of their reference page.

use serde_json::{Map, Value, json};

use crate::http::fields::{Read as _, Schemas, object};
use crate::manifest::reading::read_file;

/// The dialect of the schema.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Where descriptions of the API keep named schemas, and where JSON Schema keeps them.
const PLACES: (&str, &str) = ("#/components/schemas/", "#/$defs/");

/// The JSON Schema of a configuration file.
pub(crate) fn json_schema() -> Value {
    let mut schemas = Schemas::new();
    let file = object(read_file).schema(&mut schemas);
    let mut schema = shown(&json!(file));
    let definitions: Map<String, Value> =
        schemas.iter().map(|(name, schema)| ((*name).to_owned(), shown(&json!(schema)))).collect();
    if let Value::Object(fields) = &mut schema {
        fields.insert("$schema".to_owned(), DIALECT.into());
        fields.insert("title".to_owned(), "Configuration of Keyhouse".into());
        fields.insert("$defs".to_owned(), definitions.into());
    }
    schema
}

/// The schema without what only descriptions of an API have.
fn shown(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| {
                let reference = value.as_str().filter(|_| name == "$ref");
                let value = match reference {
                    Some(text) => text.replacen(PLACES.0, PLACES.1, 1).into(),
                    None => shown(value),
                };
                (name.clone(), value)
            });
            Value::Object(fields.collect())
        },
        Value::Array(items) => items.iter().map(shown).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => schema.clone(),
    }
}

/// A field of the reference page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FieldRow {
    /// The table in a file, such as `organizations.teams`; empty for the file itself.
    pub(crate) table: String,
    pub(crate) field: String,
    pub(crate) required: bool,
    pub(crate) kind: String,
    pub(crate) about: String,
}

/// All fields, table by table.
pub(crate) fn field_rows() -> Vec<FieldRow> {
    let schema = json_schema();
    let mut rows = Vec::new();
    add_rows(&mut rows, &schema, &schema, "");
    rows
}

fn add_rows(rows: &mut Vec<FieldRow>, whole: &Value, object: &Value, table: &str) {
    let Some(fields) = object.get("properties").and_then(Value::as_object) else { return };
    let required: Vec<&str> =
        object["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut tables = Vec::new();
    for (field, schema) in fields {
        let target = resolved(whole, schema);
        rows.push(FieldRow {
            table: table.to_owned(),
            field: field.clone(),
            required: required.contains(&field.as_str()),
            kind: kind_of(whole, target),
            about: schema["description"].as_str().unwrap_or_default().to_owned(),
        });
        let item = target.get("items").map_or(target, |item| resolved(whole, item));
        if item.get("properties").is_some() {
            let path = if table.is_empty() { field.clone() } else { format!("{table}.{field}") };
            tables.push((path, item));
        }
    }
    for (path, item) in tables {
        add_rows(rows, whole, item, &path);
    }
}

/// The schema to which this one refers. A field that may be null refers to its schema among others.
fn resolved<'a>(whole: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = schema;
    loop {
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            let name = name.trim_start_matches(PLACES.1);
            let Some(target) = whole["$defs"].get(name) else { return schema };
            schema = target;
            continue;
        }
        let choices = schema.get("anyOf").and_then(Value::as_array).map(Vec::as_slice);
        match choices {
            Some([first, second]) if second["type"] == "null" => schema = first,
            Some(_) | None => return schema,
        }
    }
}

fn kind_of(whole: &Value, schema: &Value) -> String {
    if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
        let kinds = choices.iter().map(|choice| kind_of(whole, resolved(whole, choice)));
        return kinds.collect::<Vec<_>>().join(" or ");
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        let words = words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`"));
        return words.collect::<Vec<_>>().join(", ");
    }
    let kind = schema.get("type");
    let kind = kind.and_then(Value::as_array).map_or(kind, |kinds| kinds.first());
    let kind = kind.and_then(Value::as_str);
    match kind {
        Some("array") => {
            let item = schema.get("items").map(|item| kind_of(whole, resolved(whole, item)));
            format!("list of {}", item.unwrap_or_default())
        },
        Some("object") => "table".to_owned(),
        Some("string") if schema["format"] == "date-time" => "time".to_owned(),
        Some("string") => "text".to_owned(),
        Some("integer") => "whole number".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some(other) => other.to_owned(),
        None => "any".to_owned(),
    }
}
