//! The shapes of response bodies: each is compared with a snapshot file in the folder `snapshots`
//! beside the test. `INSTA_UPDATE=always` rewrites the files.
//!
//! Values that differ between runs are replaced by their form, such as `key_[id]` or `[time]`, so a
//! snapshot also checks that an id has the right prefix and a time has milliseconds.

use jiff::{Timestamp, ToSpan as _};
use serde_json::Value;
use uuid::Uuid;

use crate::deadlines::seconds_since_1970;

/// Compares a JSON body with the snapshot of this name.
macro_rules! assert_shape {
    ($name:literal, $body:expr) => {
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false, sort_maps => true }, {
            insta::assert_json_snapshot!($name, $crate::shape::of($body));
        })
    };
}

pub(crate) use assert_shape;

/// Returns the body with the form of each value that differs between runs.
pub(crate) fn of(body: &Value) -> Value {
    match body {
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), of_field(name, value))).collect()
        },
        Value::Array(items) => items.iter().map(of).collect(),
        Value::String(text) => of_text(text).into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => body.clone(),
    }
}

fn of_field(name: &str, value: &Value) -> Value {
    match (name, value) {
        // Seconds since 1970 (RFC 7662).
        ("iat", Value::Number(_)) => "[seconds]".into(),
        ("next_cursor", Value::String(_)) => "[cursor]".into(),
        // Texts for people are not part of the contract.
        ("title" | "detail", Value::String(text)) if !text.is_empty() => "[text]".into(),
        ("version", Value::String(text)) if text == env!("CARGO_PKG_VERSION") => "[release]".into(),
        _ => of(value),
    }
}

fn of_text(text: &str) -> String {
    let known = [id, key_text, link, time].into_iter().find_map(|form| form(text));
    known.unwrap_or_else(|| text.to_owned())
}

fn id(text: &str) -> Option<String> {
    let (kind, id) = text.split_once('_')?;
    let is_request = kind == "req" && id.len() == 16 && u64::from_str_radix(id, 16).is_ok();
    (is_request || Uuid::try_parse(id).is_ok()).then(|| format!("{kind}_[id]"))
}

fn key_text(text: &str) -> Option<String> {
    let (environment, rest) = text.strip_prefix("kh_")?.split_once('_')?;
    let form = match rest.len() {
        4 => "[hint]",
        49 => "[secret]",
        _ => return None,
    };
    Some(format!("kh_{environment}_{form}"))
}

/// A URL of the instance, with or without a one-time token.
fn link(text: &str) -> Option<String> {
    let rest = text.strip_prefix("http://127.0.0.1:")?;
    let path = rest.trim_start_matches(|it: char| it.is_ascii_digit());
    let (path, token) = match path.split_once("token=") {
        Some((path, _)) => (path, "token=[token]"),
        None => (path, ""),
    };
    Some(format!("http://127.0.0.1:[port]{path}{token}"))
}

/// A time near the start of the test. Fixed times of a test are far from it.
fn time(text: &str) -> Option<String> {
    let time: Timestamp = text.parse().ok()?;
    let now = Timestamp::from_second(seconds_since_1970().try_into().ok()?).ok()?;
    let distance = (24 * 100).hours();
    let is_near = (now - distance..now + distance).contains(&time);
    let has_milliseconds = text.len() == "2026-01-01T00:00:00.000Z".len() && text.ends_with('Z');
    (is_near && has_milliseconds).then(|| "[time]".to_owned())
}
