//! What the description says once: the problem, the schemes by which callers are known, and what
//! stands in a path's places.

use std::collections::BTreeSet;

use utoipa::openapi::Components;
use utoipa::openapi::schema::ComponentsBuilder;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::http::openapi::errors;
use crate::http::openapi::gates::gate_name;
use crate::http::openapi::people::role;
use crate::http::openapi::responses::alone;
use crate::http::openapi::schema::{
    Schema, answer, any_of, choice, count, each, field, id, permission, sometimes, text, the, whole,
};
use crate::http::openapi::schemas;
use crate::model::code::Code;

/// What has to be known to describe an instance.
pub(super) struct Instance<'a> {
    /// Its public URL.
    pub(super) url: &'a str,
    /// The name of the session's cookie.
    pub(super) cookie: &'static str,
}

/// The names of the schemes: the session's, and those of keys.
pub(super) const SCHEMES: (&str, [&str; 4]) =
    ("session", ["bearer", "basic", "api_key", "mc_api_key"]);

pub(super) fn components(instance: &Instance<'_>) -> Components {
    let header = |name| SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new(name)));
    let http = |scheme, says| {
        SecurityScheme::Http(HttpBuilder::new().scheme(scheme).description(Some(says)).build())
    };
    let cookie = ApiKeyValue::with_description(instance.cookie, "What signing in answers.");
    let builder = ComponentsBuilder::new()
        .security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)))
        .security_scheme("bearer", http(HttpAuthScheme::Bearer, "A key."))
        .security_scheme(
            "basic",
            http(HttpAuthScheme::Basic, "A key as the password, or as the name without password."),
        )
        .security_scheme("api_key", header("X-API-Key"))
        .security_scheme("mc_api_key", header("MC-Api-Key"))
        .schema("Problem", problem())
        .schema("CheckCode", check_code())
        .schema("ErrorCode", error_code())
        .schema("Fault", fault());
    let builder =
        schemas().into_iter().fold(builder, |builder, (name, schema)| builder.schema(name, schema));
    alone().fold(builder, |builder, (name, response)| builder.response(name, response)).build()
}

/// The outcomes of checks, in upper case.
fn check_code() -> Schema {
    let verdicts = Code::ALL.iter().map(|code| code.as_str());
    codes(verdicts.chain(errors::names().filter(|name| is_of_check(name))))
}

/// The errors of management, in lower case. Apart from the outcomes of checks, since many languages
/// tell names of an enum's values apart by their letters alone.
fn error_code() -> Schema {
    codes(errors::names().filter(|name| !is_of_check(name)))
}

fn is_of_check(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
}

fn codes(names: impl Iterator<Item = &'static str>) -> Schema {
    let names: BTreeSet<&'static str> = names.collect();
    choice(&names.into_iter().collect::<Vec<_>>()).into()
}

fn fault() -> Schema {
    answer([
        field("pointer", text("/name")),
        field("code", text("required")),
        field("detail", text("must be given")),
    ])
}

fn problem() -> Schema {
    let organization = answer([field("id", id("org")), field("name", text("Example"))]);
    answer([
        field("type", text("about:blank")),
        field("title", text("Input not valid")),
        field("status", whole(400, 599, 400)),
        field("code", any_of([the("CheckCode"), the("ErrorCode")])),
        field("request_id", text("req_00c0ffee00c0ffee")),
        sometimes("detail", text("see errors")),
        sometimes("errors", each(the("Fault"))),
        sometimes("reason", text("dot_segment")),
        sometimes("permission", text("keyhouse:keys:manage")),
        sometimes("plan", text("free")),
        sometimes("feature", text("api_access")),
        sometimes("limit", text("keys")),
        sometimes("maximum", count(10)),
        sometimes("pricing_url", text("https://example.com/plans")),
        sometimes("current_version", count(2)),
        sometimes("organizations", each(organization)),
    ])
}

/// What stands in the place of this name in a path.
pub(super) fn place(name: &str) -> (Schema, &'static str) {
    match name {
        "gate" => (gate_name(), "The gate's name."),
        "path" => (text("orders/7").into(), "The path that the client asked for."),
        "hash" => {
            (text("0123456789abcdef").into(), "The name that all files of the page have together.")
        },
        "file" | "part" => (text("style.css").into(), "The file's name."),
        "folder" => (choice(&["views", "elements", "locales", "key"]).into(), "The folder's name."),
        "key" => (id("key").into(), "The key's id."),
        "user" => (id("usr").into(), "The user's id."),
        "team" => (id("team").into(), "The team's id."),
        "role" => (role(), "One of the four, or the id of a custom role."),
        "name" => (permission("diagrams:read").into(), "The permission."),
        "organization" => (id("org").into(), "The organization's id."),
        "plan" => (choice(&["pro", "free", "enterprise"]).into(), "The plan's name."),
        "invitation" => (id("inv").into(), "The invitation's id."),
        "lockout" => (text("203.0.113.7_32").into(), "The lock-out's id."),
        "session" => (id("ses").into(), "The session's id."),
        _ => (text("").into(), ""),
    }
}
