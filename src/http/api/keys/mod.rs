//! `/v1/keys`: creates, lists, shows, changes, revokes, disables, enables and shares keys.

use rouille::Response;
use serde_json::{Value, json};

use crate::actions::ActionError;
use crate::actions::actor::Actor;
use crate::actions::changes::Target;
use crate::actions::keys::{KeyDraft, ListedKeys, Position, Query, Sort, Wanted};
use crate::http::api::teams::team_id;
use crate::http::api::{cursor, no_fields, page_limit, versions, with_etag};
use crate::http::input::{Fields, boolean, parsed, wrong};
use crate::http::problem::Problem;
use crate::http::{App, Call, answer};
use crate::model::id::{KeyId, TeamId};
use crate::model::key_text::Environment;
use crate::model::moment::moment_after;
use crate::model::name::parse_description;
use crate::records::key::{KeyRecord, ShareRecord};

pub(in crate::http) mod explain;
pub(in crate::http) mod import;
mod reading;
pub(in crate::http) mod rotate;
mod shape;

use reading::{access, parse_kind, parse_owner, read_change_from, shares};
use shape::{hidden_key_view, key_view};

const SEARCH_CHARACTERS_MAX: usize = 100;
const REASON_CHARACTERS_MAX: usize = 256;

pub(in crate::http) fn list_keys(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let now = app.actions.clock().now().wall;
    let mut parameters = call.parameters();
    let limit = page_limit(&mut parameters);
    let sort = parameters.old_optional("sort", "invalid_sort", str::parse::<Sort>);
    let sort = sort.unwrap_or(Sort::NEWEST_FIRST);
    let by_id = sort == Sort::NEWEST_FIRST;
    let (mut after, mut position) = (None, None);
    if by_id {
        after = parameters.old_optional("cursor", "invalid_cursor", cursor::read);
    } else {
        position = parameters.old_optional("cursor", "invalid_cursor", |text| {
            let position = cursor::read_text::<Position>(text)?;
            (position.sort() == sort)
                .then_some(position)
                .ok_or("belongs to a list with another sort: restart without cursor")
        });
    }
    let search = parameters.old_optional("search", "too_long", |text| {
        let fits = text.chars().count() <= SEARCH_CHARACTERS_MAX;
        fits.then(|| text.to_owned())
            .ok_or_else(|| format!("must be at most {SEARCH_CHARACTERS_MAX} characters"))
    });
    let status = parameters.old_optional("status", "invalid_status", |text| match text {
        "all" => Ok(Wanted::All),
        name => name.parse().map(Wanted::Only).map_err(|error| format!("{error}, or all")),
    });
    let kind = parameters.old_optional("kind", "invalid_kind", parse_kind);
    let owner = parameters.old_optional("owner", "invalid_id", parse_owner);
    let team = parameters.old_optional("team", "invalid_id", str::parse::<TeamId>);
    let unused = parameters.old_optional("used", "invalid_used", |text| match text {
        "never" => Ok(true),
        _ => Err("must be never"),
    });
    let expires_before = parameters
        .old_optional("expires_within", "invalid_duration", |text| moment_after(now, text));
    parameters.finish()?;
    let query = Query {
        limit,
        after,
        search: search.filter(|text| !text.is_empty()),
        status: status.unwrap_or_default(),
        kind,
        owner,
        team,
        unused: unused.unwrap_or_default(),
        expires_before,
    };
    let actor = call.actor()?;
    if by_id {
        return Ok(page(app, actor, &app.actions.list_keys(actor, &query)?));
    }
    let sorted = app.actions.list_keys_sorted(actor, &query, sort, position.as_ref())?;
    let next = sorted.next.map(|next| cursor::write_name(&next.to_string()));
    Ok(answer::json(&json!({ "items": items(app, actor, &sorted.keys), "next_cursor": next })))
}

/// A page of keys, each with the fields that the actor may see.
pub(super) fn page(app: &App, actor: &Actor, listed: &ListedKeys) -> Response {
    let next = listed.next.map(cursor::write);
    answer::json(&json!({ "items": items(app, actor, &listed.keys), "next_cursor": next }))
}

fn items(app: &App, actor: &Actor, keys: &[(KeyRecord, bool)]) -> Vec<Value> {
    keys.iter()
        .map(
            |(record, whole)| {
                if *whole { key_view(app, actor, record) } else { hidden_key_view(app, record) }
            },
        )
        .collect()
}

pub(in crate::http) fn create(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let now = app.actions.clock().now().wall;
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let kind = fields.old_optional("kind", parsed("invalid_kind", parse_kind));
    let environment = fields
        .old_optional("environment", parsed("invalid_environment", str::parse::<Environment>));
    let change = read_change_from(&mut fields, now);
    let teams = fields.old_optional("teams", shares);
    fields.finish().map_err(Problem::invalid)?;
    let draft = KeyDraft {
        name: change.name,
        description: change.description.unwrap_or_default(),
        kind,
        environment: environment.unwrap_or_default(),
        permissions: change.permissions.value(),
        preset: change.preset,
        teams: teams.unwrap_or_default(),
        ip_rules: change.ip_rules.value().unwrap_or_default(),
        rate_limits: change.rate_limits.value().unwrap_or_default(),
        quota: change.quota.value(),
        metadata: change.metadata.value().unwrap_or_default(),
        not_before: change.not_before.value(),
        expires_at: change.expires_at.value(),
    };
    let actor = call.actor()?;
    let (record, secret) = app.actions.create_key(actor, draft)?;
    let location = format!("/v1/keys/{}", record.id);
    let made = json!({ "key": key_view(app, actor, &record), "secret": secret.reveal() });
    Ok(with_etag(answer::created(&made), record.version)
        .with_additional_header("Location", location))
}

pub(in crate::http) fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let actor = call.actor()?;
    Ok(answer_record(app, actor, &app.actions.key(actor, key_id(call)?)?))
}

pub(in crate::http) fn change(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let now = app.actions.clock().now().wall;
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let change = read_change_from(&mut fields, now);
    fields.finish().map_err(Problem::invalid)?;
    let actor = call.actor()?;
    Ok(answer_record(app, actor, &app.actions.change_key(actor, &target(call)?, &change)?))
}

pub(in crate::http) fn revoke(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let reason = fields.old_optional("reason", |value, pointer| {
        let reason = parsed("invalid_reason", parse_description)(value, pointer)?;
        if reason.chars().count() > REASON_CHARACTERS_MAX {
            let detail = format!("must be at most {REASON_CHARACTERS_MAX} characters");
            return wrong(pointer, "too_long", detail);
        }
        Ok(reason)
    });
    let descendants = fields.old_optional("descendants", boolean).unwrap_or_default();
    fields.finish().map_err(Problem::invalid)?;
    let (actor, target) = (call.actor()?, target(call)?);
    if descendants {
        let (revoked, with) =
            app.actions.revoke_with_descendants(actor, &target, reason.as_deref())?;
        let mut reported = key_view(app, actor, &revoked);
        let descendants = json!({"revoked": with.revoked, "left": with.left, "more": with.more});
        if let Some(fields) = reported.as_object_mut() {
            fields.insert("descendants".to_owned(), descendants);
        }
        return Ok(with_etag(answer::json(&reported), revoked.version));
    }
    let revoked = app.actions.revoke_key(actor, &target, reason.as_deref())?;
    Ok(answer_record(app, actor, &revoked))
}

/// Counts the keys that a revocation with `descendants` would include.
pub(in crate::http) fn descendants(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let count = app.actions.count_descendants(call.actor()?, key_id(call)?)?;
    Ok(answer::json(&json!({ "count": count })))
}

pub(in crate::http) fn delete(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.actions.revoke_key(call.actor()?, &target(call)?, None)?;
    Ok(answer::empty())
}

pub(in crate::http) fn disable(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    no_fields(call)?;
    let actor = call.actor()?;
    Ok(answer_record(app, actor, &app.actions.disable_key(actor, &target(call)?)?))
}

pub(in crate::http) fn enable(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    no_fields(call)?;
    let actor = call.actor()?;
    Ok(answer_record(app, actor, &app.actions.enable_key(actor, &target(call)?)?))
}

pub(in crate::http) fn share(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let access = access(&mut fields);
    fields.finish().map_err(Problem::invalid)?;
    let access = access.ok_or_else(|| Problem::invalid(Vec::new()))?;
    let (actor, team) = (call.actor()?, team_id(call, 1)?);
    let share = ShareRecord { team, access };
    Ok(answer_record(app, actor, &app.actions.share_key(actor, &target(call)?, share)?))
}

pub(in crate::http) fn unshare(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.actions.unshare_key(call.actor()?, &target(call)?, team_id(call, 1)?)?;
    Ok(answer::empty())
}

fn answer_record(app: &App, actor: &Actor, record: &KeyRecord) -> Response {
    with_etag(answer::json(&key_view(app, actor, record)), record.version)
}

/// The id of the key in the path. A malformed id gives 404.
fn key_id(call: &Call<'_>) -> Result<KeyId, Problem> {
    call.param(0).parse().map_err(|_source| ActionError::NotFound("key").into())
}

/// The key in the path, with the versions of `If-Match`.
fn target(call: &Call<'_>) -> Result<Target<KeyId>, Problem> {
    Ok(Target { id: key_id(call)?, versions: versions(call) })
}
