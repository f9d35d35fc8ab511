//! Shared components of the document: the problem, the security schemes and the path parameters.

use std::collections::BTreeSet;

use utoipa::openapi::Components;
use utoipa::openapi::schema::ComponentsBuilder;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::http::endpoint::Endpoint;
use crate::http::openapi::responses::alone;
use crate::http::schema::{
    Schema, answer, any_of, choice, count, each, field, fitting, gate_name, id, permission, role,
    sometimes, text, the, whole,
};
use crate::model::code::Code;
use crate::model::errors::{self, ErrorCode};

/// Facts about the instance that the document contains.
pub(super) struct DescribedInstance<'a> {
    pub(super) url: &'a str,
    /// The name of the session cookie.
    pub(super) cookie: &'static str,
}

/// The names of the security schemes: the one of sessions, and those of keys.
pub(super) const SCHEMES: (&str, [&str; 4]) =
    ("session", ["bearer", "basic", "api_key", "mc_api_key"]);

pub(super) fn components(endpoints: &[Endpoint], instance: &DescribedInstance<'_>) -> Components {
    let header = |name| {
        let value = ApiKeyValue::with_description(name, "A key, without a scheme before it.");
        SecurityScheme::ApiKey(ApiKey::Header(value))
    };
    let http = |scheme, description| {
        SecurityScheme::Http(
            HttpBuilder::new().scheme(scheme).description(Some(description)).build(),
        )
    };
    let cookie =
        ApiKeyValue::with_description(instance.cookie, "The session cookie that a sign-in sets.");
    let builder = ComponentsBuilder::new()
        .security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)))
        .security_scheme("bearer", http(HttpAuthScheme::Bearer, "A key as the bearer token."))
        .security_scheme(
            "basic",
            http(
                HttpAuthScheme::Basic,
                "A key as the password, or as the user name with an empty password.",
            ),
        )
        .security_scheme("api_key", header("X-API-Key"))
        .security_scheme("mc_api_key", header("MC-Api-Key"))
        .schema("Problem", problem())
        .schema("CheckCode", check_code())
        .schema("ErrorCode", error_code());
    let schemas = endpoints.iter().flat_map(|endpoint| &endpoint.operation.schemas);
    let builder =
        schemas.fold(builder, |builder, (name, schema)| builder.schema(*name, schema.clone()));
    alone().fold(builder, |builder, (name, response)| builder.response(name, response)).build()
}

/// The codes of checks, in upper case.
fn check_code() -> Schema {
    let verdicts = Code::ALL.iter().map(|code| code.as_str());
    codes(verdicts.chain(names(errors::check::ALL)))
}

/// The error codes of the management API, in lower case. They are a separate enum, because generators for
/// many languages cannot have two enum values that differ in case only.
fn error_code() -> Schema {
    codes(names(errors::ALL))
}

fn names(errors: &[&'static ErrorCode]) -> impl Iterator<Item = &'static str> {
    errors.iter().map(|error| error.name)
}

fn codes(names: impl Iterator<Item = &'static str>) -> Schema {
    let names: BTreeSet<&'static str> = names.collect();
    choice(&names.into_iter().collect::<Vec<_>>()).into()
}

fn problem() -> Schema {
    let organization = answer([
        field("id", id("org"), "Id of the organization."),
        field("name", text("Example"), "Name of the organization."),
    ]);
    answer([
        field("type", text("about:blank"), "Always `about:blank`."),
        field("title", text("Invalid input"), "Short description of the error."),
        field("status", whole(400, 599, 400), "HTTP status."),
        field("code", any_of([the("CheckCode"), the("ErrorCode")]), "Stable code of the error."),
        field(
            "request_id",
            text("req_00c0ffee00c0ffee"),
            "Id of the request, for questions to the operator.",
        ),
        sometimes("detail", text("see errors"), "Explanation of this error, with a remedy."),
        sometimes(
            "error",
            text("insufficient_scope"),
            "Of an error that a client of a gate can receive: the code of RFC 6750 if one applies, otherwise `code` in lower case.",
        ),
        sometimes(
            "error_description",
            text("Insufficient permissions"),
            "With `error`: `detail`, or `title` without one.",
        ),
        sometimes("errors", each(the("Fault")), "Invalid fields and parameters."),
        sometimes("reason", text("dot_segment"), "Machine-readable reason of a denial."),
        sometimes("permission", text("keyhouse:keys:manage"), "Missing permission."),
        sometimes("plan", text("free"), "Plan that lacks the feature, or whose limit is reached."),
        sometimes("feature", text("api_access"), "Feature that the plan does not include."),
        sometimes("limit", text("keys"), "Limit of the plan that is reached."),
        sometimes("maximum", count(10), "Value of the limit."),
        sometimes("pricing_url", text("https://example.com/plans"), "URL of the plans and prices."),
        sometimes("current_version", count(2), "Current version of the object."),
        sometimes(
            "organizations",
            each(organization),
            "Organizations in which the password is correct.",
        ),
    ])
}

/// Schema and description of a path parameter.
pub(super) fn place(name: &str) -> (Schema, &'static str) {
    match name {
        "gate" => (gate_name(), "Name of the gate."),
        "path" => (text("orders/7").into(), "Path that the client requested."),
        "hash" => (text("0123456789abcdef").into(), "Hash of all files of the page."),
        "file" | "part" => (text("style.css").into(), "Name of the file."),
        "folder" => (fitting("^[a-z]+$", "locales").into(), "Name of the folder."),
        "key" => (id("key").into(), "Id of the key."),
        "user" => (id("usr").into(), "Id of the user."),
        "team" => (id("team").into(), "Id of the team."),
        "role" => (role(), "Name of a built-in role, or id of a custom role."),
        "name" => (permission("diagrams:read").into(), "Name of the permission."),
        "organization" => (id("org").into(), "Id of the organization."),
        "plan" => (choice(&["pro", "free", "enterprise"]).into(), "Name of the plan."),
        "invitation" => (id("inv").into(), "Id of the invitation."),
        "probe" => (
            fitting("^[0-9a-fA-F]{32}$", "5d1c0f3a9be277410123456789abcdef").into(),
            "Random id of the probe: 32 hexadecimal digits.",
        ),
        "lockout" => (text("203.0.113.7_32").into(), "Id of the lockout."),
        "session" => (id("ses").into(), "Id of the session."),
        _ => (text("").into(), ""),
    }
}
