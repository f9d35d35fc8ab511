//! A request of a command to the API of an instance, and the parts of its target.

use serde_json::Value;

use crate::cli::exit::Failure;

pub(super) const USER_AGENT: &str = concat!("keyhouse-cli/", env!("CARGO_PKG_VERSION"));

#[derive(Debug)]
pub(super) struct ApiRequest<'a> {
    pub(super) method: &'a str,
    /// The path with its query.
    pub(super) target: String,
    pub(super) body: Option<Value>,
    /// The version that the object must have (`If-Match`).
    pub(super) version: Option<u64>,
}

/// Sends a request and returns the status and the JSON of any response.
pub(super) type SendRequest<'a> =
    dyn Fn(&ApiRequest<'_>) -> Result<(u16, Value), Failure> + Sync + 'a;

/// The entity tag of a version.
pub(super) fn tag(version: u64) -> String {
    format!("\"{version}\"")
}

/// The query string of the pairs that have a value, including the `?`.
pub(super) fn query(pairs: &[(&str, Option<&str>)]) -> String {
    let mut text = form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        if let Some(value) = value {
            text.append_pair(name, value);
        }
    }
    let text = text.finish();
    if text.is_empty() { text } else { format!("?{text}") }
}

/// Encodes a text as one segment of a path.
pub(super) fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
