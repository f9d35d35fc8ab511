//! One key of an export, whose fields may have several names and forms.
//!
//! A database writes a time as a number or a text, and CSV writes every value as a text, so the
//! readers accept each form. A value of any other form is an error, which names the field.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use crate::model::moment::Moment;
use crate::model::text::printable_line;

/// A number of seconds since 1970 is smaller, a number of milliseconds is larger: the year 5138 and
/// March 1973.
const MILLISECONDS_MIN: i64 = 100_000_000_000;
/// The longest name of a key in a remark, in characters.
const NAME_CHARACTERS_MAX: usize = 64;

pub(super) struct ExportedKey {
    pub(super) line: usize,
    /// The name of the key in remarks.
    pub(super) name: Option<String>,
    fields: Map<String, Value>,
}

impl ExportedKey {
    pub(super) fn new(line: usize, fields: Map<String, Value>) -> Self {
        Self { line, name: None, fields }
    }

    /// Names the key in remarks by the first of these fields.
    pub(super) fn named_by(mut self, names: &[&str]) -> Self {
        let name = self.text(names).ok().flatten();
        self.name =
            name.map(|name| printable_line(&name).chars().take(NAME_CHARACTERS_MAX).collect());
        self
    }

    /// The first of these fields that has a value. A name such as `createdAt` also finds
    /// `created_at`.
    fn value<'a>(&self, names: &[&'a str]) -> Option<(&'a str, &Value)> {
        names.iter().find_map(|name| {
            let value = self.fields.get(*name).or_else(|| self.fields.get(&snake_case(name)))?;
            let is_empty = value.is_null() || value.as_str().is_some_and(str::is_empty);
            (!is_empty).then_some((*name, value))
        })
    }

    pub(super) fn has(&self, names: &[&str]) -> bool {
        self.value(names).is_some()
    }

    /// A text. A number is read as a text, since some databases number users.
    pub(super) fn text(&self, names: &[&str]) -> Result<Option<String>, String> {
        self.value(names)
            .map(|(name, value)| match value {
                Value::String(text) => Ok(text.clone()),
                Value::Number(number) => Ok(number.to_string()),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                    Err(format!("{name} is not a text"))
                },
            })
            .transpose()
    }

    /// A key or a hash. A number is an error: as a text, it may have had other digits.
    pub(super) fn secret(&self, names: &[&str]) -> Result<Option<String>, String> {
        let Some((name, value)) = self.value(names) else { return Ok(None) };
        let text =
            value.as_str().ok_or_else(|| format!("{name} is not a text: put it in quotes"))?;
        Ok(Some(text.to_owned()))
    }

    /// A whole number. A fraction is cut off.
    pub(super) fn number(&self, names: &[&str]) -> Result<Option<i64>, String> {
        self.value(names)
            .map(|(name, value)| whole(value).ok_or_else(|| format!("{name} is not a number")))
            .transpose()
    }

    /// A positive number; `None` also for zero and negative numbers, by which some systems mean that
    /// there is no limit.
    pub(super) fn positive(&self, names: &[&str]) -> Result<Option<u64>, String> {
        Ok(self.number(names)?.and_then(|number| u64::try_from(number).ok()).filter(|it| *it > 0))
    }

    pub(super) fn truth(&self, names: &[&str]) -> Result<Option<bool>, String> {
        self.value(names)
            .map(|(name, value)| {
                let word = match value {
                    Value::Bool(truth) => return Ok(*truth),
                    Value::String(text) => text.to_ascii_lowercase(),
                    Value::Number(number) => number.to_string(),
                    Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
                };
                match &*word {
                    "true" | "t" | "yes" | "1" => Ok(true),
                    "false" | "f" | "no" | "0" => Ok(false),
                    _ => Err(format!("{name} is neither true nor false")),
                }
            })
            .transpose()
    }

    /// A time: seconds or milliseconds since 1970, RFC 3339, or the form of a database, in UTC if it
    /// has no offset. Zero and negative numbers mean that there is no time.
    pub(super) fn time(&self, names: &[&str]) -> Result<Option<Moment>, String> {
        let Some((name, value)) = self.value(names) else { return Ok(None) };
        let read = match value {
            Value::String(text) => time_of(text).map(Some),
            Value::Number(_) => whole(value).map(of_number),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        read.ok_or_else(|| format!("{name} is not a time"))
    }

    /// An object, or the text of one.
    pub(super) fn object(&self, names: &[&str]) -> Result<Option<Map<String, Value>>, String> {
        let Some((name, value)) = self.value(names) else { return Ok(None) };
        let parsed = match value {
            Value::Object(fields) => Some(fields.clone()),
            Value::String(text) => match serde_json::from_str(text) {
                Ok(Value::Object(fields)) => Some(fields),
                Ok(Value::Null) => return Ok(None),
                Ok(_) | Err(_) => None,
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
        };
        parsed.map(Some).ok_or_else(|| format!("{name} is not an object"))
    }

    /// The part of the key in an object.
    pub(super) fn part(&self, names: &[&str]) -> Result<Option<Self>, String> {
        Ok(self.object(names)?.map(|fields| Self::new(self.line, fields)))
    }

    pub(super) fn list(&self, names: &[&str]) -> Result<Vec<Value>, String> {
        match self.value(names) {
            None => Ok(Vec::new()),
            Some((_, Value::Array(items))) => Ok(items.clone()),
            Some((name, _)) => Err(format!("{name} is not a list")),
        }
    }

    /// A list of texts. Items of an object are named by its field `name`.
    pub(super) fn texts(&self, names: &[&str]) -> Result<Vec<String>, String> {
        let text =
            |item: &Value| item.as_str().or_else(|| item.get("name")?.as_str()).map(str::to_owned);
        let what = names.first().copied().unwrap_or_default();
        let items = self.list(names)?;
        let texts = items
            .iter()
            .map(|item| text(item).ok_or_else(|| format!("{what} is not a list of texts")));
        texts.collect()
    }

    pub(super) fn into_fields(self) -> Map<String, Value> {
        self.fields
    }
}

/// The name that databases give to a field: `created_at` for `createdAt`.
fn snake_case(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(character.to_ascii_lowercase());
    }
    text
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let text = format!("{:.0}", number.as_f64()?.trunc());
            text.parse().ok()
        }),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn of_number(number: i64) -> Option<Moment> {
    let is_milliseconds = number >= MILLISECONDS_MIN;
    let milliseconds = if is_milliseconds { number } else { number.saturating_mul(1_000) };
    (number > 0).then(|| Moment::from_milliseconds(milliseconds).min(Moment::LATEST))
}

fn time_of(text: &str) -> Option<Moment> {
    let text = text.trim();
    if let Ok(number) = text.parse() {
        return of_number(number);
    }
    let by_offset = text.parse::<Timestamp>().ok();
    let in_utc = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    let timestamp = by_offset.or_else(|| Some(in_utc()?.timestamp()))?;
    Some(Moment::from_milliseconds(timestamp.as_millisecond()).min(Moment::LATEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn source(value: &Value) -> ExportedKey {
        ExportedKey::new(1, json!({ "atTime": value }).as_object().unwrap().clone())
    }

    #[test]
    fn a_time_reads_in_every_form_that_exports_have() {
        let expected = Some("2024-05-06T07:08:09Z".parse().unwrap());
        for value in [
            json!(1_714_979_289),
            json!(1_714_979_289_000_i64),
            json!(1_714_979_289.5),
            json!("1714979289000"),
            json!("2024-05-06T07:08:09Z"),
            json!("2024-05-06T09:08:09+02:00"),
            json!("2024-05-06 07:08:09"),
            json!("2024-05-06 07:08:09.000"),
            json!("2024-05-06 07:08:09.000+00"),
        ] {
            assert_eq!(source(&value).time(&["atTime"]), Ok(expected), "{value}");
        }
        for none in [json!(null), json!(""), json!(0), json!(-1)] {
            assert_eq!(source(&none).time(&["atTime"]), Ok(None), "{none}");
        }
        for wrong in [json!("soon"), json!(true), json!([1]), json!("0")] {
            assert_eq!(source(&wrong).time(&["atTime"]), Err("atTime is not a time".to_owned()));
        }
    }

    #[test]
    fn a_field_is_found_under_the_name_that_a_database_gives_it() {
        let source =
            ExportedKey::new(1, json!({"rate_limit_max": "7"}).as_object().unwrap().clone());
        assert_eq!(source.positive(&["rateLimitMax"]), Ok(Some(7)));
        assert_eq!(source.positive(&["rateLimit"]), Ok(None));
    }
}
