//! Roles, teams, and the catalogue of permissions.

use http::Method;
use serde_json::json;

use crate::http::openapi::operation::{Operation, operation};
use crate::http::openapi::schema::{
    Schema, answer, choice, count, each, email, field, id, line, list, moment, name, name_cursor,
    nullable, optional, page, page_by_name, pattern, permission, request, text, the, truth, whole,
};
use crate::model::name::DESCRIPTION_CHARACTERS_MAX;
use crate::model::permission::PATTERNS_MAX;
use crate::model::role::{INSTANCE_MANAGE, ROLES_MANAGE, ROLES_READ, TEAMS_MANAGE};

pub(super) fn operations() -> Vec<Operation> {
    [roles(), teams(), members(), catalogue()].into_iter().flatten().collect()
}

fn description() -> Schema {
    line(DESCRIPTION_CHARACTERS_MAX, "Who may deploy.").into()
}

fn patterns() -> Schema {
    list(PATTERNS_MAX, pattern("diagrams:read")).into()
}

fn roles() -> Vec<Operation> {
    vec![
        operation(Method::GET, "/v1/roles", "listRoles", "Lists roles: the built-in four, and custom ones.")
            .needs(&[ROLES_READ, ROLES_MANAGE])
            .paged()
            .answers(200, page(the("Role")), "A page."),
        operation(Method::POST, "/v1/roles", "createRole", "Makes a custom role.")
            .details("Of nothing but what one holds oneself.")
            .needs(&[ROLES_MANAGE])
            .takes(
                request([
                    field("name", name("Deployer")),
                    optional("description", description()),
                    field("permissions", patterns()),
                ]),
                json!({"name": "Deployer", "permissions": ["diagrams:*", "keyhouse:keys:create"]}),
            )
            .answers(201, the("Role"), "The role.")
            .with_location()
            .fails(&["name_taken", "too_many_roles"]),
        operation(Method::GET, "/v1/roles/{role}", "showRole", "Shows a role.")
            .needs(&[ROLES_READ, ROLES_MANAGE])
            .answers(200, the("Role"), "The role.")
            .with_etag(),
        operation(Method::PATCH, "/v1/roles/{role}", "changeRole", "Changes a custom role.")
            .details("Counts on the very next check. Nobody changes a role that holds more than they do.")
            .needs(&[ROLES_MANAGE])
            .versioned()
            .may_take(
                request([
                    optional("name", name("Deployer")),
                    optional("description", description()),
                    optional("permissions", patterns()),
                ]),
                json!({"permissions": ["diagrams:read"]}),
            )
            .answers(200, the("Role"), "The role as it is now.")
            .with_etag()
            .fails(&["name_taken", "builtin_role"]),
        operation(Method::DELETE, "/v1/roles/{role}", "removeRole", "Removes a custom role.")
            .needs(&[ROLES_MANAGE])
            .versioned()
            .answers_empty(204, "Removed.")
            .fails(&["role_in_use", "builtin_role"]),
    ]
}

fn teams() -> Vec<Operation> {
    let visibility = || choice(&["visible", "secret"]);
    vec![
        operation(Method::GET, "/v1/teams", "listTeams", "Lists teams.")
            .details(
                "Visible ones, and those one is in; `keyhouse:teams:read` shows secret ones too. A \
                 key needs that permission in its list.",
            )
            .paged()
            .answers(200, page(the("Team")), "A page.")
            .fails(&["permission_required"]),
        operation(Method::POST, "/v1/teams", "createTeam", "Makes a team.")
            .details("A visible one unless said.")
            .needs(&[TEAMS_MANAGE])
            .takes(
                request([
                    field("name", name("Build")),
                    optional("description", description()),
                    optional("visibility", visibility()),
                ]),
                json!({"name": "Build", "visibility": "visible"}),
            )
            .answers(201, the("Team"), "The team.")
            .with_location()
            .fails(&["subscription_required", "name_taken", "too_many_teams"]),
        operation(Method::GET, "/v1/teams/{team}", "showTeam", "Shows a team.")
            .details("A secret team is not there for those outside.")
            .answers(200, the("Team"), "The team.")
            .with_etag()
            .fails(&["permission_required"]),
        operation(Method::PATCH, "/v1/teams/{team}", "changeTeam", "Changes a team.")
            .needs(&[TEAMS_MANAGE])
            .versioned()
            .may_take(
                request([
                    optional("name", name("Build")),
                    optional("description", description()),
                    optional("visibility", visibility()),
                ]),
                json!({"description": "Who builds."}),
            )
            .answers(200, the("Team"), "The team as it is now.")
            .with_etag()
            .fails(&["name_taken"]),
        operation(Method::DELETE, "/v1/teams/{team}", "removeTeam", "Removes a team.")
            .details("Keys stay; they are just shared with it no longer.")
            .needs(&[TEAMS_MANAGE])
            .versioned()
            .answers_empty(204, "Removed."),
    ]
}

fn members() -> Vec<Operation> {
    let member = answer([
        field("id", id("usr")),
        field("name", text("Grace")),
        field("email", email("grace@example.com")),
    ]);
    let path = "/v1/teams/{team}/members/{user}";
    vec![
        operation(Method::GET, "/v1/teams/{team}/members", "listMembers", "Who is in a team?")
            .details("For its members, and with `keyhouse:teams:read`.")
            .paged()
            .answers(200, page(member), "A page.")
            .fails(&["permission_required"]),
        operation(Method::PUT, path, "addMember", "Puts a user into a team.")
            .needs(&[TEAMS_MANAGE])
            .may_take(request([]), json!({}))
            .answers_empty(204, "They are in it.")
            .fails(&["too_many_teams"]),
        operation(Method::DELETE, path, "removeMember", "Takes a user out of a team.")
            .needs(&[TEAMS_MANAGE])
            .answers_empty(204, "They are not in it."),
    ]
}

fn catalogue() -> Vec<Operation> {
    let texts = || {
        let text = || line(DESCRIPTION_CHARACTERS_MAX, "Reads diagrams.");
        request([optional("en", text()), optional("fr", text()), optional("es", text())])
    };
    let entry = || {
        [
            optional("description", texts()),
            optional("group", line(crate::model::name::NAME_CHARACTERS_MAX, "Diagrams")),
        ]
    };
    let named = [field("name", permission("diagrams:read"))].into_iter().chain(entry());
    vec![
        operation(
            Method::GET,
            "/v1/permissions",
            "listPermissions",
            "The catalogue of permissions.",
        )
        .query("limit", whole(1, 100, 50), "How many a page holds; 50 unless given.")
        .query("cursor", name_cursor(), "The `next_cursor` of the page before.")
        .answers(200, page_by_name(the("Permission")), "A page, by name."),
        operation(Method::POST, "/v1/permissions", "createPermission", "Adds to the catalogue.")
            .needs(&[INSTANCE_MANAGE])
            .takes(
                request(named),
                json!({
                    "name": "diagrams:export", "group": "Diagrams",
                    "description": {"en": "Exports diagrams.", "fr": "Exporte les diagrammes."},
                }),
            )
            .answers(201, the("Permission"), "The entry.")
            .with_location()
            .fails(&["name_taken", "too_many_permissions"]),
        operation(Method::GET, "/v1/permissions/{name}", "showPermission", "Shows an entry.")
            .answers(200, the("Permission"), "The entry.")
            .with_etag(),
        operation(Method::PATCH, "/v1/permissions/{name}", "changePermission", "Changes an entry.")
            .needs(&[INSTANCE_MANAGE])
            .versioned()
            .may_take(request(entry()), json!({"description": {"es": "Lee diagramas."}}))
            .answers(200, the("Permission"), "The entry as it is now.")
            .with_etag()
            .fails(&["own_permission"]),
        operation(
            Method::DELETE,
            "/v1/permissions/{name}",
            "removePermission",
            "Removes an entry.",
        )
        .details("What keys and roles grant stays as it is.")
        .needs(&[INSTANCE_MANAGE])
        .versioned()
        .answers_empty(204, "Removed.")
        .fails(&["own_permission"]),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Schema)> {
    let role = answer([
        field("id", text("role_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f")),
        field("name", text("Deployer")),
        field("description", text("Who may deploy.")),
        field("builtin", truth(false)),
        field("permissions", each(text("diagrams:*"))),
        field("created_at", nullable(moment().into())),
        field("version", nullable(count(1).into())),
    ]);
    let team = answer([
        field("id", id("team")),
        field("name", text("Build")),
        field("description", text("Who builds.")),
        field("visibility", choice(&["visible", "secret"])),
        field("is_member", truth(true)),
        field("created_at", moment()),
        field("version", count(1)),
    ]);
    let texts = ["en", "fr", "es"].map(|name| field(name, text("Reads diagrams.")));
    let permission = answer([
        field("name", text("diagrams:read")),
        field("group", text("Diagrams")),
        field("description", answer(texts)),
        field("own", truth(false)),
        field("version", count(1)),
    ]);
    vec![("Role", role), ("Team", team), ("Permission", permission)]
}
