//! `/v1/permissions`: the catalogue of permissions of protected APIs and of Keyhouse itself.

use rouille::Response;
use serde_json::{Value, json};

use crate::actions::ActionError;
use crate::actions::changes::Target;
use crate::actions::instance::catalogue::{EntryChange, Texts};
use crate::http::api::{cursor, page_limit, versions, with_etag};
use crate::http::input::{Fields, object, parsed};
use crate::http::problem::Problem;
use crate::http::{App, Call, answer};
use crate::model::name::{InvalidName, parse_name};
use crate::model::permission::{Permission, is_own};
use crate::records::rights::PermissionRecord;

pub(in crate::http) fn list_permissions(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut parameters = call.parameters();
    let limit = page_limit(&mut parameters);
    let after =
        parameters.old_optional("cursor", "invalid_cursor", cursor::read_text::<Permission>);
    parameters.finish()?;
    let after = after.as_ref().map(Permission::as_str);
    let listed = app.actions.list_permissions(limit, after)?;
    let last = listed.items.last().filter(|_last| listed.more);
    let next = last.map(|entry| cursor::write_name(&entry.name));
    let items: Vec<Value> = listed.items.iter().map(permission_view).collect();
    Ok(answer::json(&json!({ "items": items, "next_cursor": next })))
}

pub(in crate::http) fn create(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let name = fields.old_required("name", parsed("invalid_permission", str::parse::<Permission>));
    let entry = read_entry(&mut fields);
    fields.finish().map_err(Problem::invalid)?;
    let name = name.ok_or_else(|| Problem::invalid(Vec::new()))?;
    let record = app.actions.create_permission(call.actor()?, &name, &entry)?;
    let location = format!("/v1/permissions/{name}");
    let made =
        answer::created(&permission_view(&record)).with_additional_header("Location", location);
    Ok(with_etag(made, record.version))
}

pub(in crate::http) fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    Ok(answer_record(&app.actions.permission(name(call)?.as_str())?))
}

pub(in crate::http) fn change(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let entry = read_entry(&mut fields);
    fields.finish().map_err(Problem::invalid)?;
    Ok(answer_record(&app.actions.change_permission(call.actor()?, &target(call)?, &entry)?))
}

pub(in crate::http) fn delete(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.actions.remove_permission(call.actor()?, &target(call)?)?;
    Ok(answer::empty())
}

fn read_entry(fields: &mut Fields) -> EntryChange {
    let texts = fields.old_optional(
        "description",
        object(|fields| {
            let mut text = |name| fields.old_description(name);
            Some(Texts { english: text("en"), french: text("fr"), spanish: text("es") })
        }),
    );
    let group = fields.old_optional("group", parsed("invalid_name", parse_group));
    EntryChange { texts: texts.unwrap_or_default(), group }
}

/// Parses the name of a group. An empty name means no group.
fn parse_group(text: &str) -> Result<String, InvalidName> {
    if text.trim().is_empty() { Ok(String::new()) } else { parse_name(text) }
}

/// The permission in the path. Clients may percent-encode its colons; its other characters need no
/// encoding.
fn name(call: &Call<'_>) -> Result<Permission, Problem> {
    let text = call.param(0).replace("%3A", ":").replace("%3a", ":");
    text.parse().map_err(|_source| ActionError::NotFound("permission in the catalogue").into())
}

fn target(call: &Call<'_>) -> Result<Target<Permission>, Problem> {
    Ok(Target { id: name(call)?, versions: versions(call) })
}

fn answer_record(record: &PermissionRecord) -> Response {
    with_etag(answer::json(&permission_view(record)), record.version)
}

fn permission_view(record: &PermissionRecord) -> Value {
    json!({
        "name": record.name,
        "group": record.group,
        "description": {
            "en": record.english,
            "fr": record.french,
            "es": record.spanish,
        },
        "own": is_own(&record.name),
        "version": record.version,
    })
}
