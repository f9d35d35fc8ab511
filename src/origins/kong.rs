//! Kong: credentials of the plugin key-auth, from decK or a declarative configuration (YAML or
//! JSON), or from `/key-auths` of the Admin API.
//!
//! Kong stores the keys themselves. A file may instead have a reference to a vault or to a variable
//! of the environment, and a database may be encrypted: such keys are not converted. Plugins and
//! groups belong to the consumer and not to the key, and Keyhouse has no counterpart to most of
//! them: they are left out and reported.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use saphyr::{LoadableYamlNode as _, Scalar, ScanError, Yaml};
use saphyr_parser::{Event, Parser};
use serde_json::{Map, Value};

use crate::model::moment::Moment;
use crate::origins::draft::Draft;
use crate::origins::entry::ExportedKey;
use crate::origins::{Converted, UnreadableExport, entries};

/// The deepest nesting of a document that is read.
const DEPTH_MAX: usize = 64;
/// Lists of key-auth credentials, of consumers and of the document itself.
const CREDENTIALS: [&str; 2] = ["keyauth_credentials", "keyauth_enc_credentials"];
/// What a key has instead of its text, with the reason.
const NOT_TEXTS: [(&str, &str); 4] = [
    ("{vault://", "is a reference to a vault: export the key itself"),
    ("${{", "is a variable of the environment: export the key itself"),
    ("$ke$", "is encrypted by Kong's keyring: export it through the Admin API"),
    ("$DECK_", "is a variable of the environment: export the key itself"),
];
/// The fields by which other parts of a document name a consumer.
const NAMES: [&str; 3] = ["id", "username", "custom_id"];
/// Lists of a consumer that have no counterpart at a key. A document may have them too, with the
/// consumer in each item.
const OF_CONSUMERS: [&str; 3] = ["plugins", "acls", "groups"];
const UNNAMED: &str = "without a name";
const NOT_KONG: &str = "the file is no configuration of Kong: its top is not an object, or it is \
                        nested too deeply";

type JsonObject = Map<String, Value>;
/// The lists of the document whose items name a consumer: by that name, the list and the item.
type Apart<'a> = HashMap<&'a str, Vec<(&'static str, &'a str)>>;

struct Consumer<'a> {
    fields: &'a JsonObject,
    /// The consumer without its keys.
    entry: ExportedKey,
    /// What each key of the consumer lacks, or why no key of the consumer can be converted.
    left_out: Result<Vec<String>, String>,
}

pub(super) fn convert(text: &str, now: Moment) -> Result<Converted, UnreadableExport> {
    let is_json = text.trim_start().starts_with(['{', '[']);
    let documents: Vec<JsonObject> = if is_json {
        let sources = entries::of_json(text, &[])?;
        sources.into_iter().map(ExportedKey::into_fields).collect()
    } else {
        of_yaml(text)?
    };
    let apart = listed_apart(&documents);
    let consumers = documents.iter().flat_map(|it| list(it, "consumers"));
    let consumers: Vec<Consumer<'_>> =
        consumers.map(|fields| Consumer::new(fields, &apart)).collect();
    let named = consumers.iter().flat_map(|it| names_of(it.fields).map(move |name| (name, it)));
    let by_name: HashMap<&str, &Consumer<'_>> = named.collect();
    let mut converted = Converted::default();
    let (mut line, mut rest) = (0, consumers.iter());
    for document in &documents {
        let count = list(document, "consumers").count();
        let own = rest.by_ref().take(count).flat_map(|consumer| {
            let lists = CREDENTIALS.into_iter().flat_map(move |name| list(consumer.fields, name));
            lists.map(move |key| (key, Some(consumer)))
        });
        // A page of the Admin API has the credentials in `data`.
        let lists = CREDENTIALS.into_iter().chain(["data"]).flat_map(|name| list(document, name));
        let flat = lists.map(|key| (key, consumer_of(key).and_then(|it| by_name.get(it).copied())));
        for (key, consumer) in own.chain(flat) {
            line += 1;
            let mut source = ExportedKey::new(line, key.clone());
            source.name = consumer.and_then(|it| it.entry.name.clone());
            let drafted = draft(&source, consumer, now);
            converted.add(&source, drafted);
        }
    }
    Ok(converted)
}

impl<'a> Consumer<'a> {
    fn new(fields: &'a JsonObject, apart: &Apart<'_>) -> Self {
        let others = fields.iter().filter(|(name, _)| !CREDENTIALS.contains(&name.as_str()));
        let others = others.map(|(name, value)| (name.clone(), value.clone())).collect();
        let entry = ExportedKey::new(0, others).named_by(&["username", "custom_id", "id"]);
        Self { fields, entry, left_out: left_out(fields, apart) }
    }
}

/// The names by which other parts of a document name a consumer.
fn names_of(consumer: &JsonObject) -> impl Iterator<Item = &str> {
    NAMES.into_iter().filter_map(move |name| consumer.get(name)?.as_str())
}

/// A remark for each of [`OF_CONSUMERS`] that has items of a consumer, with the names of the items.
fn left_out(consumer: &JsonObject, apart: &Apart<'_>) -> Result<Vec<String>, String> {
    let mut remarks = Vec::new();
    for field in OF_CONSUMERS {
        let own: &[Value] = match consumer.get(field) {
            None | Some(Value::Null) => &[],
            Some(Value::Array(items)) => items.as_slice(),
            Some(_) => return Err(format!("{field} is not a list")),
        };
        let own = own.iter().map(|item| {
            let name = item.as_str().or_else(|| name_of(item.as_object()?));
            name.unwrap_or(UNNAMED)
        });
        let mut items: BTreeSet<&str> = own.collect();
        for listed in names_of(consumer).filter_map(|name| apart.get(name)) {
            items.extend(listed.iter().filter(|(list, _)| *list == field).map(|(_, item)| *item));
        }
        if !items.is_empty() {
            let items: Vec<&str> = items.into_iter().collect();
            remarks.push(format!("{field} of the consumer: {}", items.join(", ")));
        }
    }
    Ok(remarks)
}

fn list<'a>(fields: &'a JsonObject, name: &str) -> impl Iterator<Item = &'a JsonObject> + use<'a> {
    fields.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

/// The consumer that an item of a document names: by a text, or by an object with its id.
fn consumer_of(item: &JsonObject) -> Option<&str> {
    let consumer = item.get("consumer")?;
    consumer.as_str().or_else(|| consumer.get("id")?.as_str())
}

/// The name of a plugin or of a group.
fn name_of(item: &JsonObject) -> Option<&str> {
    item.get("name").or_else(|| item.get("group"))?.as_str()
}

fn listed_apart(documents: &[JsonObject]) -> Apart<'_> {
    let mut apart = Apart::new();
    for document in documents {
        for field in OF_CONSUMERS {
            for item in list(document, field) {
                if let Some(consumer) = consumer_of(item) {
                    let name = name_of(item).unwrap_or(UNNAMED);
                    apart.entry(consumer).or_default().push((field, name));
                }
            }
        }
    }
    apart
}

fn draft(
    source: &ExportedKey,
    consumer: Option<&Consumer<'_>>,
    now: Moment,
) -> Result<Draft, String> {
    let mut draft = Draft::of("kong");
    let text = source.secret(&["key"])?.ok_or("has no key")?;
    if let Some((_, reason)) = NOT_TEXTS.iter().find(|(start, _)| text.starts_with(start)) {
        return Err(format!("key {reason}"));
    }
    draft.set("key", text);
    draft.set_time("created_at", source.time(&["created_at"])?);
    // Kong exports the seconds that are left.
    let ttl = source.positive(&["ttl"])?;
    draft.end(ttl.map(|seconds| now.after(Duration::from_secs(seconds))), now)?;
    draft.fact("id", source.text(&["id"])?);
    let mut tags = source.texts(&["tags"])?;
    if let Some(consumer) = consumer {
        let username = consumer.entry.text(&["username"])?;
        let custom_id = consumer.entry.text(&["custom_id"])?;
        draft.name(username.as_deref().or(custom_id.as_deref()));
        draft.fact("consumer", username);
        draft.fact("custom_id", custom_id);
        tags.extend(consumer.entry.texts(&["tags"])?);
        for remark in consumer.left_out.as_ref().map_err(String::clone)? {
            draft.leave_out(remark);
        }
    }
    draft.fact("tags", (!tags.is_empty()).then_some(tags));
    Ok(draft)
}

/// Reads the documents of a YAML text, whose top is an object.
fn of_yaml(text: &str) -> Result<Vec<JsonObject>, UnreadableExport> {
    check_depth(text)?;
    let documents = Yaml::load_from_str(text).map_err(|error| not_yaml(&error))?;
    let object = |document: &Yaml<'_>| match json_of(document, DEPTH_MAX) {
        Some(Value::Object(fields)) => Ok(fields),
        Some(_) | None => Err(UnreadableExport(NOT_KONG.to_owned())),
    };
    documents.iter().map(object).collect()
}

fn not_yaml(error: &ScanError) -> UnreadableExport {
    UnreadableExport(format!("line {} is not YAML", error.marker().line()))
}

/// Rejects a text that is nested too deeply, before a tree is built: dropping a very deep tree
/// overflows the stack.
fn check_depth(text: &str) -> Result<(), UnreadableExport> {
    let mut depth = 0_usize;
    for event in Parser::new_from_str(text) {
        let (event, _span) = event.map_err(|error| not_yaml(&error))?;
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
            Event::SequenceEnd | Event::MappingEnd => depth = depth.saturating_sub(1),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::Alias(_)
            | Event::Scalar(..) => {},
        }
        if depth > DEPTH_MAX {
            return Err(UnreadableExport(NOT_KONG.to_owned()));
        }
    }
    Ok(())
}

/// The JSON value of a YAML value; `None` if it is nested too deeply. A value without a counterpart,
/// such as a broken alias, is null.
fn json_of(value: &Yaml<'_>, depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    Some(match value {
        Yaml::Value(Scalar::Boolean(truth)) => Value::Bool(*truth),
        Yaml::Value(Scalar::Integer(number)) => Value::from(*number),
        Yaml::Value(Scalar::FloatingPoint(number)) => Value::from(number.into_inner()),
        Yaml::Value(Scalar::String(text)) | Yaml::Representation(text, ..) => {
            Value::String(text.to_string())
        },
        Yaml::Sequence(items) => {
            Value::Array(items.iter().map(|item| json_of(item, depth)).collect::<Option<_>>()?)
        },
        Yaml::Mapping(fields) => {
            let named = fields.iter().map(|(name, value)| {
                let name = name.as_str().unwrap_or_default().to_owned();
                Some((name, json_of(value, depth)?))
            });
            Value::Object(named.collect::<Option<_>>()?)
        },
        Yaml::Tagged(_, value) => json_of(value, depth)?,
        Yaml::Value(Scalar::Null) | Yaml::Alias(_) | Yaml::BadValue => Value::Null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_nested_very_deeply_is_an_error() {
        let text = "- ".repeat(200_000);
        let error = convert(&text, Moment::BEGINNING).err().unwrap().to_string();
        assert!(error.ends_with("nested too deeply"), "{error}");
    }

    #[test]
    fn plugins_apart_from_their_consumers_are_reported() {
        let text = "consumers: [{id: c1, keyauth_credentials: [{key: k}]}]\n\
                    plugins: [{name: one, consumer: {id: c1}}, {name: cors}]\n\
                    acls: [{group: gold, consumer: c1}]\n";
        let converted = convert(text, Moment::BEGINNING).ok().unwrap();
        let reasons: Vec<_> = converted.left_out.iter().map(|it| &*it.reason).collect();
        assert_eq!(reasons, ["plugins of the consumer: one", "acls of the consumer: gold"]);
    }
}
