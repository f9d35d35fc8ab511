//! `/v1/roles`: the four built-in roles and the custom roles of the organization.

use rouille::Response;
use serde_json::json;

use crate::actions::ActionError;
use crate::actions::accounts::roles::{KnownRole, RoleChange, RoleDraft};
use crate::actions::changes::Target;
use crate::http::api::{cursor, paging, versions};
use crate::http::endpoint::{Endpoint, delete, get, patch, post};
use crate::http::input::Fields;
use crate::http::problem::Problem;
use crate::http::reading::{name, patterns};
use crate::http::schema::{count, each, nullable, text, truth};
use crate::http::view::{Page, view};
use crate::http::{App, Call, answer};
use crate::model::errors;
use crate::model::id::OfRole;
use crate::model::moment::Moment;
use crate::model::permission::PatternSet;
use crate::model::role::{ROLES_MANAGE, ROLES_READ, Role};
use crate::records::rights::RoleRecord;

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/roles", list_roles)
            .named("listRoles", "List roles")
            .details("Returns the four built-in roles, then the custom roles.")
            .needs(&[ROLES_READ, ROLES_MANAGE])
            .query(paging::<OfRole>)
            .answers::<Page<RoleView>>(200, "A page of roles."),
        post("/v1/roles", create)
            .named("createRole", "Create a role")
            .details("The caller must have every permission of the role.")
            .needs(&[ROLES_MANAGE])
            .takes(
                read_draft,
                json!({"name": "Deployer", "permissions": ["diagrams:*", "keyhouse:keys:create"]}),
            )
            .answers::<RoleView>(201, "The role.")
            .with_location()
            .fails(&[errors::NAME_TAKEN, errors::TOO_MANY_ROLES]),
        get("/v1/roles/{role}", show)
            .named("showRole", "Show a role")
            .needs(&[ROLES_READ, ROLES_MANAGE])
            .answers::<RoleView>(200, "The role.")
            .with_etag(),
        patch("/v1/roles/{role}", change)
            .named("changeRole", "Change a role")
            .details(
                "Only custom roles can be changed. The caller must have every permission \
                 that the role has before and after the change. The change applies to the \
                 next check.",
            )
            .needs(&[ROLES_MANAGE])
            .versioned()
            .may_take(read_change, json!({"permissions": ["diagrams:read"]}))
            .answers::<RoleView>(200, "The changed role.")
            .with_etag()
            .fails(&[errors::NAME_TAKEN, errors::BUILTIN_ROLE]),
        delete("/v1/roles/{role}", remove)
            .named("removeRole", "Delete a role")
            .details("Only custom roles without users and invitations can be deleted.")
            .needs(&[ROLES_MANAGE])
            .versioned()
            .answers_empty(204, "The role is deleted.")
            .fails(&[errors::ROLE_IN_USE, errors::BUILTIN_ROLE]),
    ]
}

view! {
    RoleView = "Role" {
        /// Name of a built-in role, or id of a custom role.
        id: String => text("role_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f"),
        /// Name of the role.
        name: String => text("Deployer"),
        /// Description for people.
        description: String => text("Who may deploy."),
        /// Whether the role is built in.
        builtin: bool => truth(false),
        /// Permission patterns of the role.
        permissions: Vec<String> => each(text("diagrams:*")),
        /// Time of creation. Null for a built-in role.
        created_at: Option<Moment>,
        /// Version of the object, for `If-Match`. Null for a built-in role.
        version: Option<u64> => nullable(count(1).into()),
    }
}

fn read_draft(fields: &mut Fields) -> Option<RoleDraft> {
    let name = fields.required("name", "Name of the role.", name("Deployer"));
    let description = read_description(fields);
    let permissions = fields.required("permissions", PERMISSIONS, patterns("diagrams:read"));
    Some(RoleDraft {
        name: name?,
        description: description.unwrap_or_default(),
        permissions: permissions?,
    })
}

fn read_change(fields: &mut Fields) -> RoleChange {
    RoleChange {
        name: fields.optional("name", "Name of the role.", name("Deployer")),
        description: read_description(fields),
        permissions: fields.optional("permissions", PERMISSIONS, patterns("diagrams:read")),
    }
}

const PERMISSIONS: &str = "Permission patterns of the role.";

fn read_description(fields: &mut Fields) -> Option<String> {
    fields.description("description", "Description for people.", "Who may deploy.")
}

fn list_roles(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let (limit, after) = call.query(paging::<OfRole>)?;
    let listed = app.actions.list_roles(call.actor()?, limit, after)?;
    let page = Page::of(&listed, |role| cursor::write(role.place_in_list()), role_view);
    Ok(answer::json(&page))
}

fn create(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let draft = call.read_required(read_draft)?;
    let record = app.actions.create_role(call.actor()?, &draft)?;
    let location = app.location(&format!("/v1/roles/{}", record.id));
    Ok(answer::created_at(location, &custom_role_view(&record), record.version))
}

fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    Ok(match app.actions.role(call.actor()?, named(call)?)? {
        KnownRole::Custom(record) => answer_record(&record),
        builtin @ KnownRole::Builtin(..) => answer::json(&role_view(&builtin)),
    })
}

fn change(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let change = call.read(read_change)?;
    Ok(answer_record(&app.actions.change_role(call.actor()?, &target(call)?, &change)?))
}

fn remove(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
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
    answer::versioned(&custom_role_view(record), record.version)
}

fn role_view(role: &KnownRole) -> RoleView {
    match role {
        KnownRole::Custom(record) => custom_role_view(record),
        KnownRole::Builtin(role, permissions) => RoleView {
            id: role.to_string(),
            name: role.to_string(),
            description: String::new(),
            builtin: true,
            permissions: texts(permissions.as_set()),
            created_at: None,
            version: None,
        },
    }
}

fn custom_role_view(record: &RoleRecord) -> RoleView {
    RoleView {
        id: record.id.to_string(),
        name: record.name.clone(),
        description: record.description.clone(),
        builtin: false,
        permissions: texts(record.permissions.as_set()),
        created_at: Some(record.created_at),
        version: Some(record.version),
    }
}

fn texts(patterns: PatternSet<'_>) -> Vec<String> {
    patterns.texts().map(str::to_owned).collect()
}
