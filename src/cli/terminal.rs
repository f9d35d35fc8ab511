//! Makes values printable on a terminal.

use serde_json::Value;

use crate::model::text::printable_line;

/// A text field, printable on one line; empty if it is missing.
pub(super) fn text(value: &Value, name: &str) -> String {
    printable_line(value.get(name).and_then(Value::as_str).unwrap_or_default())
}

/// A value, printable on one line: `-` for none, a list with spaces between its values.
pub(super) fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => printable_line(text),
        Some(Value::Array(values)) => {
            let texts: Vec<_> = values.iter().map(|value| cell(Some(value))).collect();
            texts.join(" ")
        },
        Some(value @ (Value::Bool(_) | Value::Number(_) | Value::Object(_))) => value.to_string(),
    }
}
