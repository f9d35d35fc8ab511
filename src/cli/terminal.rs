//! Text on its way in from files and stdin, and on its way out to a terminal.

use serde_json::Value;

use crate::cli::exit::{Exit, Failure};
use crate::model::text::{decode, printable_line};

/// What a file or stdin holds as text; `what` names it in the failure.
pub(super) fn decoded<'a>(bytes: &'a [u8], what: &str) -> Result<&'a str, Failure> {
    decode(bytes).map_err(|error| Failure::new(Exit::Usage, format!("{what} {error}")))
}

/// A field as text for one line of a terminal; nothing where there is none.
pub(super) fn text(value: &Value, name: &str) -> String {
    printable_line(value.get(name).and_then(Value::as_str).unwrap_or_default())
}

/// A value for one line of a terminal: `-` for none, a list with spaces between.
pub(super) fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => printable_line(text),
        Some(Value::Array(values)) => {
            let texts: Vec<_> = values.iter().map(|value| shown(Some(value))).collect();
            texts.join(" ")
        },
        Some(value @ (Value::Bool(_) | Value::Number(_) | Value::Object(_))) => value.to_string(),
    }
}
