//! The JSON body of a request.

use hyper::HeaderMap;
use hyper::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::answer::Request;
use crate::refusal::{Faults, Refusal};

const TAGS_MAX: usize = 50;
const TAG_CHARS_MAX: usize = 100;

/// Returns the body, which must be one JSON object.
pub(crate) fn object(request: &Request) -> Result<Value, Refusal> {
    if !is_json(&request.headers) {
        return Err(Refusal::MediaType);
    }
    let value: Value = serde_json::from_slice(&request.body)
        .map_err(|error| Refusal::Body(format!("the body is not JSON: {error}")))?;
    if value.is_object() { Ok(value) } else { Err(Refusal::invalid("", "must be an object")) }
}

/// Returns `data` of a body as it was written.
pub(crate) fn raw_data(request: &Request) -> Result<String, Refusal> {
    #[derive(Deserialize)]
    struct WithData<'a> {
        #[serde(borrow)]
        data: &'a RawValue,
    }
    let body: WithData<'_> = serde_json::from_slice(&request.body)
        .map_err(|error| Refusal::Body(format!("the body: {error}")))?;
    Ok(body.data.get().to_owned())
}

/// The tags of a diagram; `None` is `null`.
pub(crate) type Tags = Option<Vec<String>>;

/// Returns `tags` of a body: `None` if it is absent.
pub(crate) fn tags(body: &Value, faults: &mut Faults) -> Option<Tags> {
    let value = body.get("tags")?;
    if value.is_null() {
        return Some(None);
    }
    let entries = value.as_array().filter(|entries| entries.len() <= TAGS_MAX);
    let is_tag = |tag: &&str| tag.chars().count() <= TAG_CHARS_MAX;
    let tags: Tags = entries.and_then(|entries| {
        let text = |entry: &Value| entry.as_str().filter(is_tag).map(str::to_owned);
        entries.iter().map(text).collect()
    });
    if tags.is_none() {
        let detail = format!(
            "must be null or at most {TAGS_MAX} texts of at most {TAG_CHARS_MAX} characters"
        );
        faults.add("/tags", detail);
    }
    Some(tags)
}

/// Returns a text of a body, of 1 to `chars_max` characters.
pub(crate) fn text(
    body: &Value,
    name: &str,
    chars_max: usize,
    faults: &mut Faults,
) -> Option<String> {
    let text = body.get(name).and_then(Value::as_str);
    let text = text.filter(|text| (1..=chars_max).contains(&text.chars().count()));
    if text.is_none() {
        faults.add(format!("/{name}"), format!("must be a text of 1 to {chars_max} characters"));
    }
    text.map(str::to_owned)
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(line) = headers.get(CONTENT_TYPE).and_then(|line| line.to_str().ok()) else {
        return false;
    };
    let media_type = line.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json")
}
