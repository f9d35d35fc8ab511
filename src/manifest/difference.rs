//! The text of a change, as `apply` prints it: a line for the object, and `-` and `+` for its fields.

use serde_json::Value;

use crate::manifest::names::Titled;
use crate::manifest::requests::{ChangeKind, PlannedChange};

/// The lines of a change.
pub(crate) fn lines_of(change: &PlannedChange) -> Vec<String> {
    let title = Titled { name: &change.name, label: &change.label };
    let (mark, verb) = match change.kind {
        ChangeKind::Create => ('+', "create"),
        ChangeKind::Change => (' ', "change"),
        ChangeKind::Delete => ('-', "delete"),
    };
    let mut lines = vec![format!("{mark} {verb} {title}")];
    for difference in &change.fields {
        let both = [('-', &difference.before), ('+', &difference.after)];
        let shown = both.into_iter().filter_map(|(mark, value)| Some((mark, value.as_ref()?)));
        lines.extend(shown.map(|(mark, value)| {
            format!("{mark}     {} = {}", difference.field, shortened(value))
        }));
    }
    lines
}

/// A value without the fields that are null.
fn without_null(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            fields.map(|(name, value)| (name.clone(), without_null(value))).collect()
        },
        Value::Array(items) => items.iter().map(without_null).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// The most characters of a value in a line.
const VALUE_CHARACTERS_MAX: usize = 2_000;

fn shortened(value: &Value) -> String {
    let text = without_null(value).to_string();
    if text.chars().count() <= VALUE_CHARACTERS_MAX {
        return text;
    }
    let start: String = text.chars().take(VALUE_CHARACTERS_MAX).collect();
    format!("{start}..")
}
