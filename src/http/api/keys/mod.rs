//! `/v1/keys`: make, list, show, change, revoke, switch off and on.

use std::net::IpAddr;

use ipnet::IpNet;
use rouille::Response;
use serde_json::{Map, Value, json};

use crate::actions::ActionError;
use crate::actions::keys::{KeyChange, KeyDraft, KeyKind, LIST_LIMIT_MAX, Query, Target, Wanted};
use crate::http::input::{Fields, list, number, object, parsed, text, wrong};
use crate::http::problem::Problem;
use crate::http::{App, Call, answer};
use crate::model::edit::Edit;
use crate::model::fault::Fault;
use crate::model::id::KeyId;
use crate::model::key_text::Environment;
use crate::model::limit::{
    RATE_LIMIT_CALLS_MAX, RATE_LIMIT_WINDOW_SECONDS_MAX, RATE_LIMITS_MAX, RateLimit,
};
use crate::model::moment::{Moment, parse_span};
use crate::model::name::{parse_description, parse_name};
use crate::model::network::{IpRules, NETWORKS_MAX, parse_network};
use crate::model::permission::{PATTERNS_MAX, Pattern, Patterns};
use crate::records::key::{KeyRecord, METADATA_BYTES_MAX, Status};

mod cursor;

/// How many keys a page holds unless asked otherwise.
const LIST_LIMIT_DEFAULT: usize = 50;
/// Longest text searched for.
const SEARCH_CHARACTERS_MAX: usize = 100;
/// Longest reason for revoking.
const REASON_CHARACTERS_MAX: usize = 256;

pub(in crate::http) fn list_keys(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut parameters = call.parameters();
    let limit = parameters.optional("limit", "out_of_range", |text| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let limit =
            text.parse().ok().filter(|limit| digits && (1..=LIST_LIMIT_MAX).contains(limit));
        limit.ok_or_else(|| format!("must be a whole number from 1 to {LIST_LIMIT_MAX}"))
    });
    let after = parameters.optional("cursor", "invalid_cursor", cursor::read);
    let search = parameters.optional("search", "too_long", |text| {
        let fits = text.chars().count() <= SEARCH_CHARACTERS_MAX;
        fits.then(|| text.to_owned())
            .ok_or_else(|| format!("must be at most {SEARCH_CHARACTERS_MAX} characters"))
    });
    let status = parameters.optional("status", "invalid_status", |text| match text {
        "all" => Ok(Wanted::All),
        name => name.parse().map(Wanted::Only).map_err(|error| format!("{error}, or all")),
    });
    let kind = parameters.optional("kind", "invalid_kind", parse_kind);
    parameters.finish()?;
    let query = Query {
        limit: limit.unwrap_or(LIST_LIMIT_DEFAULT),
        after,
        search: search.filter(|text| !text.is_empty()),
        status: status.unwrap_or_default(),
        kind,
    };
    let listed = app.actions.list_keys(call.actor()?, &query)?;
    let items: Vec<Value> = listed
        .keys
        .iter()
        .map(|(record, whole)| if *whole { shown(app, record) } else { hidden(app, record) })
        .collect();
    Ok(answer::json(&json!({ "items": items, "next_cursor": listed.next.map(cursor::write) })))
}

pub(in crate::http) fn create(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let now = app.actions.clock().now().wall;
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let kind = fields.optional("kind", parsed("invalid_kind", parse_kind));
    let environment =
        fields.optional("environment", parsed("invalid_environment", str::parse::<Environment>));
    let change = read_change(&mut fields);
    let expires_in = fields.optional("expires_in", |value, pointer| {
        let span = parsed("invalid_duration", parse_span)(value, pointer)?;
        let end = now.after(span);
        if end > now && end <= Moment::LATEST {
            Ok(end)
        } else {
            wrong(pointer, "out_of_range", "must end after now and before the year 10000")
        }
    });
    if expires_in.is_some() && !change.expires_at.is_keep() {
        fields.fault("expires_in", "contradiction", "must not come together with expires_at");
    }
    fields.finish().map_err(Problem::invalid)?;
    let draft = KeyDraft {
        name: change.name,
        description: change.description.unwrap_or_default(),
        kind,
        environment: environment.unwrap_or_default(),
        permissions: change.permissions.value(),
        ip_rules: change.ip_rules.value().unwrap_or_default(),
        rate_limits: change.rate_limits.value().unwrap_or_default(),
        metadata: change.metadata.value().unwrap_or_default(),
        not_before: change.not_before.value(),
        expires_at: change.expires_at.value().or(expires_in),
    };
    let (record, secret) = app.actions.create_key(call.actor()?, draft)?;
    let location = format!("/v1/keys/{}", record.id);
    let made = json!({ "key": shown(app, &record), "secret": secret.reveal() });
    Ok(with_etag(answer::created(&made), &record).with_additional_header("Location", location))
}

pub(in crate::http) fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    Ok(answer_record(app, &app.actions.key(call.actor()?, key_id(call)?)?))
}

pub(in crate::http) fn change(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let change = read_change(&mut fields);
    fields.finish().map_err(Problem::invalid)?;
    Ok(answer_record(app, &app.actions.change_key(call.actor()?, &target(call)?, &change)?))
}

pub(in crate::http) fn revoke(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let reason = fields.optional("reason", |value, pointer| {
        let reason = parsed("invalid_reason", parse_description)(value, pointer)?;
        if reason.chars().count() > REASON_CHARACTERS_MAX {
            let detail = format!("must be at most {REASON_CHARACTERS_MAX} characters");
            return wrong(pointer, "too_long", detail);
        }
        Ok(reason)
    });
    fields.finish().map_err(Problem::invalid)?;
    Ok(answer_record(
        app,
        &app.actions.revoke_key(call.actor()?, &target(call)?, reason.as_deref())?,
    ))
}

pub(in crate::http) fn delete(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.actions.revoke_key(call.actor()?, &target(call)?, None)?;
    Ok(answer::empty())
}

pub(in crate::http) fn disable(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    no_fields(call)?;
    Ok(answer_record(app, &app.actions.disable_key(call.actor()?, &target(call)?)?))
}

pub(in crate::http) fn enable(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    no_fields(call)?;
    Ok(answer_record(app, &app.actions.enable_key(call.actor()?, &target(call)?)?))
}

fn answer_record(app: &App, record: &KeyRecord) -> Response {
    with_etag(answer::json(&shown(app, record)), record)
}

fn with_etag(response: Response, record: &KeyRecord) -> Response {
    response.with_additional_header("ETag", format!("\"{}\"", record.version))
}

fn no_fields(call: &Call<'_>) -> Result<(), Problem> {
    let fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    fields.finish().map_err(Problem::invalid)
}

/// The key in the path. A text that is no id names no key.
fn key_id(call: &Call<'_>) -> Result<KeyId, Problem> {
    call.param(0).parse().map_err(|_source| ActionError::NotFound("key").into())
}

/// The key in the path, at the versions that `If-Match` names (RFC 9110, 13.1.1); `*` matches any, a
/// tag that we never gave matches none.
fn target(call: &Call<'_>) -> Result<Target, Problem> {
    let header = call.request.header("If-Match").filter(|header| header.trim() != "*");
    let versions = header.map(|header| header.split(',').filter_map(version_of_tag).collect());
    Ok(Target { id: key_id(call)?, versions })
}

fn version_of_tag(tag: &str) -> Option<u64> {
    let digits = tag.trim().strip_prefix('"')?.strip_suffix('"')?;
    let version: u64 = digits.parse().ok()?;
    (version.to_string() == digits).then_some(version)
}

fn parse_kind(text: &str) -> Result<KeyKind, &'static str> {
    match text {
        "personal" => Ok(KeyKind::Personal),
        "service" => Ok(KeyKind::Service),
        _ => Err("must be personal or service"),
    }
}

/// The fields that creating and changing have in common.
fn read_change(fields: &mut Fields) -> KeyChange {
    KeyChange {
        name: name(fields),
        description: fields
            .optional("description", parsed("invalid_description", parse_description)),
        permissions: fields.nullable("permissions", patterns),
        ip_rules: fields.nullable("ip_rules", object(|fields| Some(ip_rules(fields)))),
        rate_limits: fields.nullable("rate_limits", rate_limits),
        metadata: fields.nullable("metadata", metadata),
        not_before: fields.nullable("not_before", parsed("invalid_time", str::parse::<Moment>)),
        expires_at: fields.nullable("expires_at", parsed("invalid_time", str::parse::<Moment>)),
    }
}

fn name(fields: &mut Fields) -> Option<String> {
    let name = fields.nullable("name", parsed("invalid_name", parse_name));
    if name == Edit::Clear {
        fields.fault(
            "name",
            "required",
            "must not be null: leave it out to keep it, or to have one made",
        );
    }
    name.value()
}

fn patterns(value: Value, pointer: &str) -> Result<Patterns, Vec<Fault>> {
    let one = |value: Value, pointer: &str| {
        parsed("invalid_permission", str::parse::<Pattern>)(value, pointer)
    };
    let patterns = list(PATTERNS_MAX, one)(value, pointer)?;
    Patterns::new(&patterns).or_else(|error| wrong(pointer, "too_many", error))
}

fn ip_rules(fields: &mut Fields) -> IpRules {
    let one = |value: Value, pointer: &str| -> Result<IpNet, Vec<Fault>> {
        parsed("invalid_network", parse_network)(value, pointer)
    };
    let allow = fields.optional("allow", list(NETWORKS_MAX, one)).unwrap_or_default();
    let deny = fields.optional("deny", list(NETWORKS_MAX, one)).unwrap_or_default();
    IpRules { allow, deny }
}

fn rate_limits(value: Value, pointer: &str) -> Result<Vec<RateLimit>, Vec<Fault>> {
    let one = |value: Value, pointer: &str| object(rate_limit)(value, pointer);
    let limits = list(RATE_LIMITS_MAX, one)(value, pointer)?;
    for (at, limit) in limits.iter().enumerate() {
        if limits.iter().take(at).any(|earlier| earlier.name == limit.name) {
            return wrong(
                &format!("{pointer}/{at}/name"),
                "doubled",
                "names an earlier limit again",
            );
        }
    }
    Ok(limits)
}

fn rate_limit(fields: &mut Fields) -> Option<RateLimit> {
    let name = fields.required("name", |value, pointer| {
        let name = text(value, pointer)?;
        if RateLimit::is_name(&name) {
            Ok(name)
        } else {
            wrong(pointer, "invalid_name", "must be 1 to 32 of a-z, 0-9, _ and -")
        }
    });
    let limit = fields.required("limit", number(1, RATE_LIMIT_CALLS_MAX));
    let window = fields.required("window_seconds", number(1, RATE_LIMIT_WINDOW_SECONDS_MAX));
    Some(RateLimit { name: name?.into(), limit: limit?, window_seconds: window? })
}

fn metadata(value: Value, pointer: &str) -> Result<Map<String, Value>, Vec<Fault>> {
    match value {
        Value::Object(fields) if size(&fields) <= METADATA_BYTES_MAX => Ok(fields),
        Value::Object(_) => wrong(
            pointer,
            "too_large",
            format!("must be at most {METADATA_BYTES_MAX} bytes as JSON"),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            wrong(pointer, "wrong_type", "must be an object")
        },
    }
}

fn size(fields: &Map<String, Value>) -> usize {
    serde_json::to_vec(fields).map_or(usize::MAX, |bytes| bytes.len())
}

/// A key as those see it who may see all of it.
fn shown(app: &App, record: &KeyRecord) -> Value {
    let now = app.actions.clock().now().wall;
    let time = |moment: Option<Moment>| moment.map(|moment| moment.to_string());
    let networks =
        |networks: &[IpNet]| networks.iter().map(ToString::to_string).collect::<Vec<_>>();
    let list = record.permissions.as_ref().map(|list| list.as_set().texts().collect::<Vec<_>>());
    let permissions = list.or_else(|| record.is_service().then(Vec::new));
    let last_used = last_used(app, record);
    let limits: Vec<Value> = record
        .rate_limits
        .iter()
        .map(|limit| {
            json!({
                "name": limit.name, "limit": limit.limit, "window_seconds": limit.window_seconds,
            })
        })
        .collect();
    let secrets: Vec<Value> = record
        .secrets
        .iter()
        .map(|secret| {
            json!({
                "hint": secret.hint,
                "created_at": secret.created_at.to_string(),
                "ends_at": time(secret.ends_at),
                "last_used": last_used,
            })
        })
        .collect();
    json!({
        "id": record.id.to_string(),
        "name": record.name,
        "description": record.description,
        "kind": kind_name(record),
        "owner": record.owner.map(|owner| owner.to_string()),
        "environment": record.environment.as_str(),
        "hint": record.secrets.first().map(|secret| secret.hint.as_str()),
        "permissions": permissions,
        "teams": [],
        "ip_rules": { "allow": networks(&record.ip_allow), "deny": networks(&record.ip_deny) },
        "rate_limits": limits,
        "quota": null,
        "metadata": record.metadata,
        "status": record.status(now).name(),
        "not_before": time(record.not_before),
        "expires_at": time(record.expires_at),
        "created_at": record.created_at.to_string(),
        "created_by": record.created_by.to_string(),
        "updated_at": record.updated_at.to_string(),
        "last_used": last_used,
        "revoked_at": time(record.revoked_at),
        "revoked_reason": record.revoked_reason,
        "secrets": secrets,
        "origin": "created",
        "version": record.version,
    })
}

/// A key as all others see it: that it is there.
fn hidden(app: &App, record: &KeyRecord) -> Value {
    let status: Status = record.status(app.actions.clock().now().wall);
    json!({
        "id": record.id.to_string(),
        "kind": kind_name(record),
        "status": status.name(),
        "owner_kind": if record.is_service() { "organization" } else { "user" },
    })
}

fn kind_name(record: &KeyRecord) -> &'static str {
    if record.is_service() { "service" } else { "personal" }
}

/// The last use, from live state: it is seen here at once, written later.
fn last_used(app: &App, record: &KeyRecord) -> Value {
    let digest = record.secrets.first().map(|secret| secret.digest);
    let live = digest.and_then(|digest| {
        app.index().with_grant(&digest, |grant| grant.and_then(|grant| grant.live.last_use()))
    });
    live.map_or(Value::Null, |last| {
        json!({
            "at": last.at.to_string(),
            "ip": last.ip.map(|ip: IpAddr| ip.to_string()),
            "user_agent": app.index().agent(last.agent).map(|name| name.to_string()),
        })
    })
}
