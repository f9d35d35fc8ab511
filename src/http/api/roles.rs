//! `/v1/roles`: the four built-in roles and the custom roles of the organization.

use rouille::Response;
use serde_json::{Value, json};

use crate::actions::ActionError;
use crate::actions::accounts::roles::{KnownRole, RoleChange, RoleDraft};
use crate::actions::changes::Target;
use crate::http::api::keys::patterns;
use crate::http::api::{cursor, paging, versions, with_etag};
use crate::http::input::{Fields, parsed};
use crate::http::problem::Problem;
use crate::http::{App, Call, answer};
use crate::model::id::OfRole;
use crate::model::name::parse_name;
use crate::model::permission::PatternSet;
use crate::model::role::Role;
use crate::records::rights::RoleRecord;

pub(in crate::http) fn list_roles(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut parameters = call.parameters();
    let (limit, after) = paging::<OfRole>(&mut parameters);
    parameters.finish()?;
    let listed = app.actions.list_roles(call.actor()?, limit, after)?;
    let last = listed.items.last().filter(|_last| listed.more).map(KnownRole::place_in_list);
    let items: Vec<Value> = listed.items.iter().map(role_view).collect();
    Ok(answer::json(&json!({ "items": items, "next_cursor": last.map(cursor::write) })))
}

pub(in crate::http) fn create(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let name = fields.old_required("name", parsed("invalid_name", parse_name));
    let description = fields.old_description("description");
    let permissions = fields.old_required("permissions", patterns);
    fields.finish().map_err(Problem::invalid)?;
    let (Some(name), Some(permissions)) = (name, permissions) else {
        return Err(Problem::invalid(Vec::new()));
    };
    let draft = RoleDraft { name, description: description.unwrap_or_default(), permissions };
    let record = app.actions.create_role(call.actor()?, &draft)?;
    let location = format!("/v1/roles/{}", record.id);
    let made =
        answer::created(&custom_role_view(&record)).with_additional_header("Location", location);
    Ok(with_etag(made, record.version))
}

pub(in crate::http) fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    Ok(match app.actions.role(call.actor()?, named(call)?)? {
        KnownRole::Custom(record) => answer_record(&record),
        builtin @ KnownRole::Builtin(..) => answer::json(&role_view(&builtin)),
    })
}

pub(in crate::http) fn change(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let change = RoleChange {
        name: fields.old_optional("name", parsed("invalid_name", parse_name)),
        description: fields.old_description("description"),
        permissions: fields.old_optional("permissions", patterns),
    };
    fields.finish().map_err(Problem::invalid)?;
    Ok(answer_record(&app.actions.change_role(call.actor()?, &target(call)?, &change)?))
}

pub(in crate::http) fn delete(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.actions.remove_role(call.actor()?, &target(call)?)?;
    Ok(answer::empty())
}

/// The role in the path. A malformed role gives 404.
fn named(call: &Call<'_>) -> Result<Role, Problem> {
    call.param(0).parse().map_err(|_source| ActionError::NotFound("role").into())
}

fn target(call: &Call<'_>) -> Result<Target<Role>, Problem> {
    Ok(Target { id: named(call)?, versions: versions(call) })
}

fn answer_record(record: &RoleRecord) -> Response {
    with_etag(answer::json(&custom_role_view(record)), record.version)
}

fn role_view(role: &KnownRole) -> Value {
    match role {
        KnownRole::Custom(record) => custom_role_view(record),
        KnownRole::Builtin(role, permissions) => json!({
            "id": role.name(),
            "name": role.name(),
            "description": "",
            "builtin": true,
            "permissions": texts(permissions.as_set()),
            "created_at": null,
            "version": null,
        }),
    }
}

fn custom_role_view(record: &RoleRecord) -> Value {
    json!({
        "id": record.id.to_string(),
        "name": record.name,
        "description": record.description,
        "builtin": false,
        "permissions": texts(record.permissions.as_set()),
        "created_at": record.created_at.to_string(),
        "version": record.version,
    })
}

fn texts(patterns: PatternSet<'_>) -> Vec<&str> {
    patterns.texts().collect()
}
