//! The resources of the API, by which the document groups its operations, in the order of the API reference.

use serde_json::{Value, json};
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::tag::{Tag, TagBuilder};

/// The name, title and description of a tag.
type ApiResource = (&'static str, &'static str, &'static str);

/// The titles of the parts of the API reference, each with its resources.
const PARTS: [(&str, &[ApiResource]); 7] = [
    (
        "Keys",
        &[
            ("keys", "Keys", "Create, change, rotate, share and revoke API keys."),
            ("permissions", "Permissions", "The catalogue of the permissions that keys can have."),
            ("usage", "Usage", "The number of calls by key, time and outcome."),
        ],
    ),
    (
        "Checks",
        &[
            ("checks", "Checks", "Check a request or a key, for proxies and services."),
            (
                "gates",
                "Gates",
                "The routes that proxies protect, and the permissions that each requires.",
            ),
        ],
    ),
    (
        "People",
        &[
            ("users", "Users", "The people of an organization, their sessions and their keys."),
            (
                "invitations",
                "Invitations",
                "One-time links with which people join an organization.",
            ),
            ("teams", "Teams", "Groups of people that share keys."),
            ("roles", "Roles", "Built-in and custom sets of permissions."),
        ],
    ),
    (
        "Own account",
        &[
            ("me", "Own account", "The account and the second factor of the signed-in user."),
            ("session", "Own session", "Sign in, sign out and confirm the identity."),
            ("sessions", "Own sessions", "All sessions of the signed-in user."),
        ],
    ),
    (
        "Organization",
        &[
            ("organization", "Organization", "The organization of the caller."),
            ("overview", "Overview", "Facts that need the attention of owners and operators."),
            ("subscription", "Subscription", "The plan of the organization and its state."),
            ("audit", "Audit log", "The recorded changes, and the verification of the log."),
        ],
    ),
    (
        "Instance",
        &[
            ("instance", "Instance", "Health, metrics and settings of the server."),
            ("organizations", "Organizations", "All organizations of the instance."),
            ("plans", "Plans", "The features and limits of each plan."),
            (
                "sign-in-lockouts",
                "Sign-in lockouts",
                "Accounts and networks that are locked out for a time.",
            ),
            ("backup", "Backup", "A copy of all data in one file."),
            ("seal-key", "Seal key", "The key that encrypts the secrets of second factors."),
        ],
    ),
    (
        "Web page",
        &[
            ("setup", "Setup", "The first owner of an instance."),
            ("links", "One-time links", "The organization and the user of a one-time link."),
            ("reset", "Password reset", "Set a new password with a one-time link."),
            ("pages", "Pages", "The web page and its files."),
        ],
    ),
];

/// The tags of the document. `x-displayName` is the title of a tag, as several readers of `OpenAPI` show it.
pub(super) fn tags() -> impl Iterator<Item = Tag> {
    PARTS.into_iter().flat_map(|(_, resources)| resources).map(|(tag, title, about)| {
        let title = ExtensionsBuilder::new().add("x-displayName", *title).build();
        TagBuilder::new().name(*tag).description(Some(*about)).extensions(Some(title)).build()
    })
}

/// The value of the extension `x-tagGroups`, which several readers of `OpenAPI` show as headings.
pub(super) fn parts() -> Value {
    let part = |(title, resources): (&str, &[ApiResource])| {
        let tags: Vec<&str> = resources.iter().map(|(tag, _, _)| *tag).collect();
        json!({"name": title, "tags": tags})
    };
    PARTS.into_iter().map(part).collect()
}

/// The tag of the operations of a path.
pub(super) fn tag(path: &str) -> &str {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty() && *segment != "v1");
    match segments.next() {
        None | Some("assets" | "docs") => "pages",
        Some("invitation" | "reset" | "setup") if !path.starts_with("/v1/") => "pages",
        Some("forward-auth" | "ext-authz" | "verify" | "whoami" | "introspect") => "checks",
        Some("healthz" | "readyz" | "metrics" | "openapi.json") => "instance",
        Some(resource) => resource,
    }
}
