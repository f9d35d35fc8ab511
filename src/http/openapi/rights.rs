//! Roles, teams, and the catalogue of permissions.

use http::Method;
use serde_json::json;

use crate::http::openapi::operation::{Operation, operation};
use crate::http::schema::{
    Schema, answer, count, each, field, line, list, moment, name, name_cursor, nullable, optional,
    page, page_by_name, pattern, permission, request, text, the, truth,
};
use crate::model::name::DESCRIPTION_CHARACTERS_MAX;
use crate::model::permission::PATTERNS_MAX;
use crate::model::role::{INSTANCE_MANAGE, ROLES_MANAGE, ROLES_READ};

pub(super) fn operations() -> Vec<Operation> {
    [roles(), catalogue()].into_iter().flatten().collect()
}

/// The languages of a permission's description.
const LANGUAGES: [(&str, &str); 3] = [
    ("en", "Description in English."),
    ("fr", "Description in French."),
    ("es", "Description in Spanish."),
];

fn description() -> Schema {
    line(DESCRIPTION_CHARACTERS_MAX, "Who may deploy.").into()
}

fn patterns() -> Schema {
    list(PATTERNS_MAX, pattern("diagrams:read")).into()
}

fn roles() -> Vec<Operation> {
    vec![
        operation(Method::GET, "/v1/roles", "listRoles", "List roles")
            .details("Returns the four built-in roles, then the custom roles.")
            .needs(&[ROLES_READ, ROLES_MANAGE])
            .paged()
            .answers(200, page(the("Role")), "A page of roles."),
        operation(Method::POST, "/v1/roles", "createRole", "Create a role")
            .details("The caller must have every permission of the role.")
            .needs(&[ROLES_MANAGE])
            .takes(
                request([
                    field("name", name("Deployer"), "Name of the role."),
                    optional("description", description(), "Description for people."),
                    field("permissions", patterns(), "Permission patterns of the role."),
                ]),
                json!({"name": "Deployer", "permissions": ["diagrams:*", "keyhouse:keys:create"]}),
            )
            .answers(201, the("Role"), "The role.")
            .with_location()
            .fails(&["name_taken", "too_many_roles"]),
        operation(Method::GET, "/v1/roles/{role}", "showRole", "Show a role")
            .needs(&[ROLES_READ, ROLES_MANAGE])
            .answers(200, the("Role"), "The role.")
            .with_etag(),
        operation(Method::PATCH, "/v1/roles/{role}", "changeRole", "Change a role")
            .details(
                "Only custom roles can be changed. The caller must have every permission \
                 that the role has before and after the change. The change applies to the \
                 next check.",
            )
            .needs(&[ROLES_MANAGE])
            .versioned()
            .may_take(
                request([
                    optional("name", name("Deployer"), "Name of the role."),
                    optional("description", description(), "Description for people."),
                    optional("permissions", patterns(), "Permission patterns of the role."),
                ]),
                json!({"permissions": ["diagrams:read"]}),
            )
            .answers(200, the("Role"), "The changed role.")
            .with_etag()
            .fails(&["name_taken", "builtin_role"]),
        operation(Method::DELETE, "/v1/roles/{role}", "removeRole", "Delete a role")
            .details("Only custom roles without users and invitations can be deleted.")
            .needs(&[ROLES_MANAGE])
            .versioned()
            .answers_empty(204, "The role is deleted.")
            .fails(&["role_in_use", "builtin_role"]),
    ]
}

fn catalogue() -> Vec<Operation> {
    let texts = || {
        let text = || line(DESCRIPTION_CHARACTERS_MAX, "Reads diagrams.");
        request(LANGUAGES.map(|(name, description)| optional(name, text(), description)))
    };
    let entry = || {
        [
            optional("description", texts(), "Descriptions by language."),
            optional(
                "group",
                line(crate::model::name::NAME_CHARACTERS_MAX, "Diagrams"),
                "Group under which the page lists the permission.",
            ),
        ]
    };
    let named = [field("name", permission("diagrams:read"), "Name of the permission.")]
        .into_iter()
        .chain(entry());
    vec![
        operation(Method::GET, "/v1/permissions", "listPermissions", "List permissions")
            .details(
                "Returns the permission catalogue by name. Users choose the permissions of \
                 keys and roles from it.",
            )
            .paged_by(name_cursor())
            .answers(200, page_by_name(the("Permission")), "A page of permissions."),
        operation(Method::POST, "/v1/permissions", "createPermission", "Create a permission")
            .details("Adds a permission to the catalogue.")
            .needs(&[INSTANCE_MANAGE])
            .takes(
                request(named),
                json!({
                    "name": "diagrams:export", "group": "Diagrams",
                    "description": {"en": "Exports diagrams.", "fr": "Exporte les diagrammes."},
                }),
            )
            .answers(201, the("Permission"), "The permission.")
            .with_location()
            .fails(&["name_taken", "too_many_permissions"]),
        operation(Method::GET, "/v1/permissions/{name}", "showPermission", "Show a permission")
            .answers(200, the("Permission"), "The permission.")
            .with_etag(),
        operation(
            Method::PATCH,
            "/v1/permissions/{name}",
            "changePermission",
            "Change a permission",
        )
        .details("Changes the descriptions or the group of a permission in the catalogue.")
        .needs(&[INSTANCE_MANAGE])
        .versioned()
        .may_take(request(entry()), json!({"description": {"es": "Lee diagramas."}}))
        .answers(200, the("Permission"), "The changed permission.")
        .with_etag()
        .fails(&["own_permission"]),
        operation(
            Method::DELETE,
            "/v1/permissions/{name}",
            "removePermission",
            "Delete a permission",
        )
        .details(
            "Removes the permission from the catalogue. The permissions of keys and roles do \
             not change.",
        )
        .needs(&[INSTANCE_MANAGE])
        .versioned()
        .answers_empty(204, "The permission is deleted.")
        .fails(&["own_permission"]),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Schema)> {
    let role = answer([
        field(
            "id",
            text("role_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f"),
            "Name of a built-in role, or id of a custom role.",
        ),
        field("name", text("Deployer"), "Name of the role."),
        field("description", text("Who may deploy."), "Description for people."),
        field("builtin", truth(false), "Whether the role is built in."),
        field("permissions", each(text("diagrams:*")), "Permission patterns of the role."),
        field(
            "created_at",
            nullable(moment().into()),
            "Time of creation. Null for a built-in role.",
        ),
        field(
            "version",
            nullable(count(1).into()),
            "Version of the object, for `If-Match`. Null for a built-in role.",
        ),
    ]);
    let texts =
        LANGUAGES.map(|(name, description)| field(name, text("Reads diagrams."), description));
    let permission = answer([
        field("name", text("diagrams:read"), "Name of the permission."),
        field("group", text("Diagrams"), "Group under which the page lists the permission."),
        field("description", answer(texts), "Descriptions by language."),
        field("own", truth(false), "Whether it is one of Keyhouse's own permissions."),
        field("version", count(1), "Version of the object, for `If-Match`."),
    ]);
    vec![("Role", role), ("Permission", permission)]
}
