//! Writes the objects of an instance as a configuration file, in an order that does not change.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::manifest::current::{Current, CurrentObject};
use crate::manifest::names::{ObjectKind, ObjectName};
use crate::manifest::reading::NONE;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExportFormat {
    Toml,
    Json,
}

/// The longest hint that an import takes, in characters.
const HINT_CHARACTERS_MAX: usize = crate::model::foreign::HINT_CHARACTERS_MAX;

/// The fields that TOML lists first; the other fields follow by name, then tables.
const FIRST_FIELDS: [&str; 6] = ["name", "email", "first", "owner", "digest", "description"];

/// Writes all objects in a format. Fields with their default are left out.
pub(crate) fn export(current: &Current, format: ExportFormat) -> String {
    let document = document(current);
    match format {
        ExportFormat::Json => format!("{:#}\n", Value::Object(document)),
        ExportFormat::Toml => {
            let mut text = String::new();
            write_table(&mut text, "", &document);
            text
        },
    }
}

fn document(current: &Current) -> Map<String, Value> {
    let mut document = Map::new();
    for kind in [ObjectKind::Permission, ObjectKind::Plan, ObjectKind::Gate] {
        document.insert(kind.list().to_owned(), listed(current, kind, None));
    }
    let organizations = current.objects.iter();
    let organizations = organizations.filter(|(name, _)| name.kind == ObjectKind::Organization);
    let organizations = organizations.map(|(name, object)| organization(current, name, object));
    document.insert(ObjectKind::Organization.list().to_owned(), organizations.collect());
    document.retain(|_list, objects| objects.as_array().is_none_or(|objects| !objects.is_empty()));
    document
}

fn organization(current: &Current, name: &ObjectName, object: &CurrentObject) -> Value {
    let mut fields = written(name, object);
    if current.first.as_ref() == Some(&name.name) {
        fields.insert("first".to_owned(), true.into());
    } else if let Some(owner) = &object.owner {
        fields.insert("owner".to_owned(), owner.as_str().into());
    }
    let subscription = ObjectName::within(ObjectKind::Subscription, &name.name, "");
    if let Some(object) = current.objects.get(&subscription) {
        fields.insert("subscription".to_owned(), written(&subscription, object).into());
    }
    for kind in [ObjectKind::Role, ObjectKind::User, ObjectKind::Team, ObjectKind::Key] {
        let objects = listed(current, kind, Some(&name.name));
        if objects.as_array().is_some_and(|objects| !objects.is_empty()) {
            fields.insert(kind.list().to_owned(), objects);
        }
    }
    Value::Object(fields)
}

fn listed(current: &Current, kind: ObjectKind, organization: Option<&str>) -> Value {
    let objects = current.listed(kind, organization);
    let mut objects: Vec<_> = objects.filter(|(_, object)| object.exported).collect();
    if kind == ObjectKind::Key {
        // The name of a key object is its digest; people look for its label.
        objects.sort_by_key(|(name, object)| (&object.label, &name.name));
    }
    objects.into_iter().map(|(name, object)| Value::Object(written(name, object))).collect()
}

/// The fields of an object as a file has them.
fn written(name: &ObjectName, object: &CurrentObject) -> Map<String, Value> {
    let defaults = name.kind.defaults();
    let mut fields = object.fields.clone();
    fields.retain(|field, value| defaults.get(field) != Some(value));
    match name.kind {
        ObjectKind::Key => {
            let part =
                |field: &str| object.fields.get(field).and_then(Value::as_str).unwrap_or_default();
            fields.remove("algorithm");
            let digest = format!("{}:{}", part("algorithm"), part("digest"));
            fields.insert("digest".to_owned(), digest.into());
            let hint: String = part("hint").chars().take(HINT_CHARACTERS_MAX).collect();
            fields.insert("hint".to_owned(), hint.into());
        },
        ObjectKind::User => {
            fields.insert("email".to_owned(), name.name.clone().into());
        },
        ObjectKind::Subscription => {},
        ObjectKind::Organization
        | ObjectKind::Permission
        | ObjectKind::Plan
        | ObjectKind::Role
        | ObjectKind::Team
        | ObjectKind::Gate => {
            fields.insert("name".to_owned(), name.name.clone().into());
        },
    }
    let clears =
        matches!(name.kind, ObjectKind::Organization | ObjectKind::Subscription | ObjectKind::Plan);
    for (field, value) in &mut fields {
        if field == "metadata" && !fits_toml(value) {
            *value = value.to_string().into();
        } else {
            without_null(value, clears);
        }
    }
    if let Some(Value::Array(routes)) = fields.get_mut("routes") {
        for route in routes.iter_mut().filter_map(Value::as_object_mut) {
            route.retain(|field, value| {
                !(field == "allow" && value == &json!([]) || field == "access" && value == "key")
            });
        }
    }
    fields.retain(|_field, value| !value.is_null());
    fields
}

/// Writes each null as `none`, or leaves its field out.
fn without_null(value: &mut Value, clears: bool) {
    match value {
        Value::Null if clears => *value = NONE.into(),
        Value::Object(fields) => {
            for value in fields.values_mut() {
                without_null(value, clears);
            }
            fields.retain(|_field, value| !value.is_null());
        },
        Value::Array(items) => {
            for item in items {
                without_null(item, clears);
            }
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {},
    }
}

/// Whether TOML can hold a value: it has no null, and no whole number beyond 63 bits.
fn fits_toml(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Number(number) => number.as_i64().is_some() || number.is_f64(),
        Value::Object(fields) => fields.values().all(fits_toml),
        Value::Array(items) => items.iter().all(fits_toml),
        Value::Bool(_) | Value::String(_) => true,
    }
}

/// Whether a value is written as tables of its own, under a heading.
fn is_section(path: &str, field: &str, value: &Value) -> bool {
    let lists = [
        "permissions",
        "plans",
        "gates",
        "organizations",
        "roles",
        "users",
        "teams",
        "keys",
        "routes",
        "rate_limits",
    ];
    let is_table = |value: &Value| value.is_object();
    match value {
        Value::Array(items) => {
            lists.contains(&field) && !items.is_empty() && items.iter().all(is_table)
        },
        Value::Object(_) => field == "subscription" && path == "organizations",
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Writes the fields of a table, then its sections, each with its full path.
fn write_table(text: &mut String, path: &str, table: &Map<String, Value>) {
    let mut names: Vec<&String> = table.keys().collect();
    let rank = |name: &String| FIRST_FIELDS.iter().position(|first| first == name);
    names.sort_by_key(|name| (rank(name).unwrap_or(FIRST_FIELDS.len()), *name));
    let fields = names.iter().filter_map(|name| Some((*name, table.get(*name)?)));
    let (sections, plain): (Vec<_>, Vec<_>) =
        fields.partition(|(name, value)| is_section(path, name, value));
    for (name, value) in plain {
        // Writing to a String does not fail.
        let (Ok(()) | Err(_)) = writeln!(text, "{} = {}", key(name), inline(value));
    }
    for (name, value) in sections {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let (tables, heading) = match value {
            Value::Array(items) => (items.as_slice(), format!("[[{path}]]")),
            Value::Object(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_) => (std::slice::from_ref(value), format!("[{path}]")),
        };
        for table in tables.iter().filter_map(Value::as_object) {
            if !text.is_empty() {
                text.push('\n');
            }
            text.extend([heading.as_str(), "\n"]);
            write_table(text, &path, table);
        }
    }
}

/// A value in one line of TOML.
fn inline(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{} = {}", key(name), inline(value)))
                .collect();
            if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join(", ")) }
        },
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        },
        Value::String(text) => quoted(text),
        Value::Null => json!(NONE).to_string(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// The name of a field, quoted if TOML requires it.
fn key(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !name.is_empty() && name.bytes().all(is_bare) { name.to_owned() } else { basic(name) }
}

/// A basic string: a key must not be a multi-line string.
fn basic(name: &str) -> String {
    let mut text = String::from('"');
    for character in name.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            control if control.is_control() => {
                let (Ok(()) | Err(_)) = write!(text, "\\U{:08X}", u32::from(control));
            },
            plain => text.push(plain),
        }
    }
    text.push('"');
    text
}
