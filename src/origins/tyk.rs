//! Tyk: session objects with their keys, from the gateway's API, the dashboard's API or Redis.
//!
//! Tyk names a session by the key itself, or by a hash of the whole key: murmur3 with 32, 64 or 128
//! bits, or SHA-256. Only a key and a SHA-256 can be imported: murmur3 is no cryptographic hash, and
//! the digest of the key does not follow from it. Policies and access rights are left out and
//! reported: an export has the limits of a session, and not those of its policies.

use serde_json::{Map, Value};

use crate::model::moment::Moment;
use crate::origins::draft::Draft;
use crate::origins::entry::ExportedKey;
use crate::origins::{Converted, UnreadableExport, entries};

/// The prefix of a key's name in Redis.
const REDIS_PREFIX: &str = "apikey-";
/// The fields that name a session, in the order in which they are read.
const NAMES: [&str; 4] = ["key_hash", "hash", "key_id", "key"];
/// The field of a session that tells it from an object of sessions.
const OF_SESSION: [&str; 4] = ["access_rights", "org_id", "quota_max", "rate"];

pub(super) fn convert(text: &str, now: Moment) -> Result<Converted, UnreadableExport> {
    let mut converted = Converted::default();
    let documents = entries::of_ordered_json(text, &["keys", "data"])?;
    let entries = documents.into_iter().flat_map(|(_, fields)| sessions(fields));
    for (fields, line) in entries.zip(1..) {
        let mut source = ExportedKey::new(line, fields).named_by(&["alias"]);
        if let Ok(Some(session)) = source.part(&["data"]) {
            source.name = session.named_by(&["alias"]).name;
        }
        let drafted = draft(&source, now);
        converted.add(&source, drafted);
    }
    Ok(converted)
}

/// The sessions of an object: the object itself, or each of its values by key, as in a dump of Redis.
fn sessions(fields: Vec<(String, Value)>) -> Vec<Map<String, Value>> {
    let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    if OF_SESSION.iter().chain(&NAMES).any(|name| names.contains(name)) {
        return vec![fields.into_iter().collect()];
    }
    let named = fields.into_iter().map(|(name, session)| {
        let fields = [("key".to_owned(), Value::String(name)), ("data".to_owned(), session)];
        fields.into_iter().collect()
    });
    named.collect()
}

fn draft(source: &ExportedKey, now: Moment) -> Result<Draft, String> {
    let mut draft = Draft::of("tyk");
    let inner = source.part(&["data"])?;
    let session = inner.as_ref().unwrap_or(source);
    if !OF_SESSION.iter().any(|name| session.has(&[name])) {
        return Err("has no session: export it with GET /tyk/keys/{hash}?hashed=true".to_owned());
    }
    identify(source, &mut draft)?;
    for (field, what) in [("jwt_data", "secret"), ("basic_auth_data", "password")] {
        if session.part(&[field])?.is_some_and(|part| part.has(&[what])) {
            return Err(format!("is not an API key: it has {field}"));
        }
    }
    if session.truth(&["hmac_enabled"])? == Some(true) {
        return Err("is not an API key: it signs requests with HMAC".to_owned());
    }
    draft.end(session.time(&["expires"])?, now)?;
    draft.name(session.text(&["alias"])?.as_deref());
    // Without a time of creation, Tyk writes the year 1.
    let created = session.time(&["date_created"])?;
    draft.set_time("created_at", created.filter(|time| time.milliseconds() > 0));
    draft.set("disabled", session.truth(&["is_inactive"])? == Some(true));
    // A rate of zero or less is no limit, whatever its window is.
    if session.number(&["rate"])?.is_none_or(|rate| rate > 0) {
        let seconds = session.positive(&["per"])?;
        let window_ms = seconds.map(|seconds| seconds.saturating_mul(1_000));
        draft.rate_limit_of("tyk", session.positive(&["rate"])?, window_ms)?;
    }
    if let Some(calls) = session.positive(&["quota_max"])? {
        let Some(seconds) = session.positive(&["quota_renewal_rate"])? else {
            return Err(format!("has a quota of {calls} calls that is never renewed"));
        };
        draft.renewed(calls, seconds)?;
        if let Some(left) = session.number(&["quota_remaining"])? {
            draft
                .leave_out(format!("the {left} calls left of the quota: the quota starts in full"));
        }
    }
    let apis: Vec<String> = session
        .object(&["access_rights"])?
        .unwrap_or_default()
        .into_iter()
        .map(|it| it.0)
        .collect();
    if !apis.is_empty() {
        draft.leave_out(format!("access_rights: {}", apis.join(", ")));
    }
    let mut policies = session.texts(&["apply_policies"])?;
    policies.extend(session.text(&["apply_policy_id"])?);
    if !policies.is_empty() {
        draft.leave_out(format!("policies with their limits: {}", policies.join(", ")));
    }
    draft.metadata(session.object(&["meta_data"])?);
    draft.fact("organization", session.text(&["org_id"])?);
    let tags = session.texts(&["tags"])?;
    draft.fact("tags", (!tags.is_empty()).then_some(tags));
    Ok(draft)
}

/// Sets the key or its SHA-256.
fn identify(source: &ExportedKey, draft: &mut Draft) -> Result<(), String> {
    let name = source.secret(&NAMES)?.ok_or("has neither key nor key_hash")?;
    let name = name.strip_prefix(REDIS_PREFIX).unwrap_or(&name);
    let murmur = |bits| {
        Err(format!(
            "is named by a murmur{bits} hash, from which no digest of the key follows: its holder \
             needs a new key"
        ))
    };
    match name.len() {
        _ if !name.bytes().all(|byte| byte.is_ascii_hexdigit()) => draft.set("key", name),
        8 => return murmur(32),
        16 => return murmur(64),
        32 => return murmur(128),
        64 => draft.sha256(name),
        _ => draft.set("key", name),
    }
    Ok(())
}
