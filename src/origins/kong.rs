//! Kong: credentials of the plugin key-auth, from decK or a declarative configuration (YAML or
//! JSON), or from `/key-auths` of the Admin API.
//!
//! Kong stores the keys themselves. A file may instead have a reference to a vault or to a variable
//! of the environment, and a database may be encrypted: such keys are not converted.

use std::collections::HashMap;
use std::time::Duration;

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
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
/// Fields of a consumer that have no counterpart at a key.
const OF_CONSUMERS: [&str; 3] = ["plugins", "acls", "groups"];

type Consumers = HashMap<String, Map<String, Value>>;
/// The fields of a key, and those of its consumer.
type ConsumerKey<'a> = (&'a Map<String, Value>, Option<&'a Map<String, Value>>);

pub(super) fn convert(text: &str, now: Moment) -> Result<Converted, UnreadableExport> {
    let is_json = text.trim_start().starts_with(['{', '[']);
    let documents = if is_json {
        let sources = entries::of_json(text, &[])?;
        sources.into_iter().map(ExportedKey::into_fields).collect()
    } else {
        of_yaml(text)?
    };
    let consumers: Consumers = documents.iter().flat_map(consumers_of).collect();
    let mut converted = Converted::default();
    let mut line = 0;
    for (credential, consumer) in documents.iter().flat_map(|it| credentials_of(it, &consumers)) {
        line += 1;
        let mut source = ExportedKey::new(line, credential.clone());
        let consumer = consumer.map(|fields| ExportedKey::new(line, fields.clone()));
        let named = consumer.map(|it| it.named_by(&["username", "custom_id", "id"]));
        source.name = named.as_ref().and_then(|it| it.name.clone());
        let drafted = draft(&source, named.as_ref(), now);
        converted.add(&source, drafted);
    }
    Ok(converted)
}

fn list<'a>(
    fields: &'a Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = &'a Map<String, Value>> {
    fields.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

/// The consumers of a document, by each of their names.
fn consumers_of(document: &Map<String, Value>) -> Vec<(String, Map<String, Value>)> {
    let named = |consumer: &Map<String, Value>| {
        let texts =
            ["id", "username", "custom_id"].map(|name| consumer.get(name).and_then(Value::as_str));
        let names = texts.into_iter().flatten().map(str::to_owned);
        names.map(|name| (name, consumer.clone())).collect::<Vec<_>>()
    };
    list(document, "consumers").flat_map(named).collect()
}

/// The credentials of a document, each with its consumer. A page of the Admin API has them in
/// `data`.
fn credentials_of<'a>(
    document: &'a Map<String, Value>,
    consumers: &'a Consumers,
) -> Vec<ConsumerKey<'a>> {
    let mut found = Vec::new();
    for consumer in list(document, "consumers") {
        let own = CREDENTIALS.iter().flat_map(|name| list(consumer, name));
        found.extend(own.map(|credential| (credential, Some(consumer))));
    }
    let flat = CREDENTIALS.iter().chain(&["data"]).flat_map(|name| list(document, name));
    found.extend(flat.map(|credential| {
        let consumer = credential.get("consumer");
        let name = consumer.and_then(|it| it.as_str().or_else(|| it.get("id")?.as_str()));
        (credential, name.and_then(|name| consumers.get(name)))
    }));
    found
}

fn draft(
    source: &ExportedKey,
    consumer: Option<&ExportedKey>,
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
        let username = consumer.text(&["username"])?;
        let custom_id = consumer.text(&["custom_id"])?;
        draft.name(username.as_deref().or(custom_id.as_deref()));
        draft.fact("consumer", username);
        draft.fact("custom_id", custom_id);
        tags.extend(consumer.texts(&["tags"])?);
        for field in OF_CONSUMERS {
            let names = consumer.list(&[field])?;
            let names =
                names.iter().filter_map(|it| it.get("name").or_else(|| it.get("group"))?.as_str());
            let names: Vec<&str> = names.collect();
            if !names.is_empty() {
                draft.leave_out(format!("{field} of the consumer: {}", names.join(", ")));
            }
        }
    }
    draft.fact("tags", (!tags.is_empty()).then_some(tags));
    Ok(draft)
}

/// Reads the documents of a YAML text, whose top is an object.
fn of_yaml(text: &str) -> Result<Vec<Map<String, Value>>, UnreadableExport> {
    let documents = Yaml::load_from_str(text)
        .map_err(|error| UnreadableExport(format!("line {} is not YAML", error.marker().line())))?;
    let object = |document: &Yaml<'_>| match json_of(document, DEPTH_MAX) {
        Some(Value::Object(fields)) => Ok(fields),
        Some(_) | None => Err(UnreadableExport(
            "the file is no configuration of Kong: its top is not an object, or it is nested too \
             deeply"
                .to_owned(),
        )),
    };
    documents.iter().map(object).collect()
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
