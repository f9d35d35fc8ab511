//! `/v1/permissions`: the catalogue of permissions of protected APIs and of Keyhouse itself.

use rouille::Response;
use serde_json::json;

use crate::actions::ActionError;
use crate::actions::changes::Target;
use crate::actions::instance::catalogue::{EntryChange, Texts};
use crate::http::api::{cursor, paging_by_name, versions};
use crate::http::endpoint::{Endpoint, delete, get, patch, post};
use crate::http::input::{Fields, object};
use crate::http::problem::Problem;
use crate::http::reading::parsed;
use crate::http::schema::{self, count, line, text, truth};
use crate::http::view::{NamePage, Page, view};
use crate::http::{App, Call, answer};
use crate::model::errors;
use crate::model::fault::FaultCode;
use crate::model::name::{InvalidName, NAME_CHARACTERS_MAX, parse_name};
use crate::model::permission::{Permission, is_own};
use crate::model::role::INSTANCE_MANAGE;
use crate::records::rights::PermissionRecord;

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/permissions", list_permissions)
            .named("listPermissions", "List permissions")
            .details(
                "Returns the permission catalogue by name. Users choose the permissions of \
                 keys and roles from it.",
            )
            .query(paging_by_name::<Permission>)
            .answers::<NamePage<PermissionView>>(200, "A page of permissions."),
        post("/v1/permissions", create)
            .named("createPermission", "Create a permission")
            .details("Adds a permission to the catalogue.")
            .needs(&[INSTANCE_MANAGE])
            .takes(
                read_draft,
                json!({
                    "name": "diagrams:export", "group": "Diagrams",
                    "description": {"en": "Exports diagrams.", "fr": "Exporte les diagrammes."},
                }),
            )
            .answers::<PermissionView>(201, "The permission.")
            .with_location()
            .fails(&[errors::NAME_TAKEN, errors::TOO_MANY_PERMISSIONS]),
        get("/v1/permissions/{name}", show)
            .named("showPermission", "Show a permission")
            .answers::<PermissionView>(200, "The permission.")
            .with_etag(),
        patch("/v1/permissions/{name}", change)
            .named("changePermission", "Change a permission")
            .details("Changes the descriptions or the group of a permission in the catalogue.")
            .needs(&[INSTANCE_MANAGE])
            .versioned()
            .may_take(read_entry, json!({"description": {"es": "Lee diagramas."}}))
            .answers::<PermissionView>(200, "The changed permission.")
            .with_etag()
            .fails(&[errors::OWN_PERMISSION]),
        delete("/v1/permissions/{name}", remove)
            .named("removePermission", "Delete a permission")
            .details(
                "Removes the permission from the catalogue. The permissions of keys and roles do \
                 not change.",
            )
            .needs(&[INSTANCE_MANAGE])
            .versioned()
            .answers_empty(204, "The permission is deleted.")
            .fails(&[errors::OWN_PERMISSION]),
    ]
}

view! {
    PermissionView = "Permission" {
        /// Name of the permission.
        name: Box<str> => text("diagrams:read"),
        /// Group under which the page lists the permission.
        group: String => text("Diagrams"),
        /// Descriptions by language.
        description: TextsView,
        /// Whether it is one of Keyhouse's own permissions.
        own: bool => truth(false),
        /// Version of the object, for `If-Match`.
        version: u64 => count(1),
    }
}

view! {
    TextsView {
        /// Description in English.
        en: String => text("Reads diagrams."),
        /// Description in French.
        fr: String => text("Reads diagrams."),
        /// Description in Spanish.
        es: String => text("Reads diagrams."),
    }
}

fn read_draft(fields: &mut Fields) -> Option<(Permission, EntryChange)> {
    let reader =
        parsed(FaultCode::INVALID_PERMISSION, str::parse, || schema::permission("diagrams:read"));
    let name = fields.required("name", "Name of the permission.", reader);
    let entry = read_entry(fields);
    Some((name?, entry))
}

fn read_entry(fields: &mut Fields) -> EntryChange {
    let about = "Descriptions by language.";
    let texts = fields.optional("description", about, object(|fields| Some(read_texts(fields))));
    let about = "Group under which the page lists the permission.";
    let group =
        parsed(FaultCode::INVALID_NAME, parse_group, || line(NAME_CHARACTERS_MAX, "Diagrams"));
    let group = fields.optional("group", about, group);
    EntryChange { texts: texts.unwrap_or_default(), group }
}

fn read_texts(fields: &mut Fields) -> Texts {
    let mut text = |name, about| fields.description(name, about, "Reads diagrams.");
    Texts {
        english: text("en", "Description in English."),
        french: text("fr", "Description in French."),
        spanish: text("es", "Description in Spanish."),
    }
}

/// Parses the name of a group. An empty name means no group.
fn parse_group(text: &str) -> Result<String, InvalidName> {
    if text.trim().is_empty() { Ok(String::new()) } else { parse_name(text) }
}

fn list_permissions(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let (limit, after) = call.query(paging_by_name::<Permission>)?;
    let listed = app.actions.list_permissions(limit, after.as_ref().map(Permission::as_str))?;
    let page = Page::of(&listed, |entry| cursor::write_name(&entry.name), permission_view);
    Ok(answer::json(&NamePage(page)))
}

fn create(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let (name, entry) = call.read_required(read_draft)?;
    let record = app.actions.create_permission(call.actor()?, &name, &entry)?;
    let location = app.location(&format!("/v1/permissions/{name}"));
    Ok(answer::created_at(location, &permission_view(&record), record.version))
}

fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    Ok(answer_record(&app.actions.permission(name(call)?.as_str())?))
}

fn change(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let entry = call.read(read_entry)?;
    Ok(answer_record(&app.actions.change_permission(call.actor()?, &target(call)?, &entry)?))
}

fn remove(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.actions.remove_permission(call.actor()?, &target(call)?)?;
    Ok(answer::empty())
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
    answer::versioned(&permission_view(record), record.version)
}

fn permission_view(record: &PermissionRecord) -> PermissionView {
    PermissionView {
        name: record.name.clone(),
        group: record.group.clone(),
        description: TextsView {
            en: record.english.clone(),
            fr: record.french.clone(),
            es: record.spanish.clone(),
        },
        own: is_own(&record.name),
        version: record.version,
    }
}
