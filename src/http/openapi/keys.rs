//! Keys: made, found, changed, switched off and on, revoked.

use http::Method;
use serde_json::{Value, json};

use crate::http::openapi::operation::{Operation, operation};
use crate::http::openapi::schema::{
    Field, Schema, answer, any_of, anything, choice, count, each, field, fitting, id, line, list,
    moment, moment_as, name, network, nullable, optional, page, pattern, request, span, text, the,
    whole,
};
use crate::model::limit::{RATE_LIMIT_CALLS_MAX, RATE_LIMIT_WINDOW_SECONDS_MAX, RATE_LIMITS_MAX};
use crate::model::name::DESCRIPTION_CHARACTERS_MAX;
use crate::model::network::NETWORKS_MAX;
use crate::model::permission::PATTERNS_MAX;
use crate::model::role::{KEYS_CREATE, KEYS_MANAGE};

const STATUSES: [&str; 5] = ["active", "disabled", "not_yet_valid", "expired", "revoked"];
/// What changing a key that is not one's own needs.
const OTHERS: &str = "One's own key needs nothing; any other `keyhouse:keys:manage`.";

pub(super) fn operations() -> Vec<Operation> {
    [all(), one(), switched()].into_iter().flatten().collect()
}

fn all() -> Vec<Operation> {
    let wanted = ["active", "disabled", "not_yet_valid", "expired", "revoked", "all"];
    vec![
        operation(Method::GET, "/v1/keys", "listKeys", "Lists keys, the newest first.")
            .details(
                "One's own keys and those shared with one's teams whole, others as what they are \
                 alone; `keyhouse:keys:read` shows all. Revoked keys are left out unless asked for.",
            )
            .paged()
            .query("search", text("deploy").max_length(Some(100)), "Part of the name.")
            .query("status", choice(&wanted), "Only of this status.")
            .query("kind", choice(&["personal", "service"]), "Only of this kind.")
            .answers(200, page(any_of([the("Key"), the("HiddenKey")])), "A page."),
        operation(Method::POST, "/v1/keys", "createKey", "Makes a key and shows its secret, once.")
            .details(
                "A personal key needs `keyhouse:keys:create`, a service key `keyhouse:keys:manage`; \
                 both all that the key shall grant.",
            )
            .needs(&[KEYS_CREATE, KEYS_MANAGE])
            .takes(
                the("KeyDraft"),
                json!({
                    "name": "deploy", "description": "What it is for.",
                    "permissions": ["diagrams:read", "files:*"], "expires_in": "90d",
                    "ip_rules": {"allow": ["192.0.2.0/24"], "deny": []},
                    "rate_limits": [{"name": "burst", "limit": 20, "window_seconds": 10}],
                    "metadata": {"ticket": "OPS-7"},
                }),
            )
            .answers(201, answer([field("key", the("Key")), field("secret", secret())]), "Made.")
            .with_location()
            .fails(&["subscription_required", "subscription_limit"]),
    ]
}

fn one() -> Vec<Operation> {
    vec![
        operation(Method::GET, "/v1/keys/{key}", "showKey", "Shows a key.")
            .details("One's own, one shared with one's teams, or any with `keyhouse:keys:read`.")
            .answers(200, the("Key"), "The key.")
            .with_etag(),
        operation(Method::PATCH, "/v1/keys/{key}", "changeKey", "Changes a key.")
            .details(OTHERS)
            .versioned()
            .takes(the("KeyChange"), json!({"name": "deploy to staging", "expires_at": null}))
            .answers(200, the("Key"), "The key as it is now.")
            .with_etag()
            .fails(&["permission_required", "key_revoked", "own_key"]),
        operation(Method::DELETE, "/v1/keys/{key}", "deleteKey", "Revokes a key, for ever.")
            .details("The record stays for a while, with the status `revoked`.")
            .versioned()
            .answers_empty(204, "Revoked.")
            .fails(&["permission_required"]),
    ]
}

fn switched() -> Vec<Operation> {
    let switch = |path, id, summary| {
        operation(Method::POST, path, id, summary)
            .details(OTHERS)
            .versioned()
            .answers(200, the("Key"), "The key as it is now.")
            .with_etag()
            .fails(&["permission_required"])
    };
    let reason = line(256, "its laptop was stolen");
    vec![
        switch("/v1/keys/{key}/revoke", "revokeKey", "Revokes a key, for ever, and says why.")
            .may_take(request([optional("reason", reason)]), json!({"reason": "laptop stolen"})),
        switch("/v1/keys/{key}/disable", "disableKey", "Switches a key off.")
            .may_take(request([]), json!({}))
            .fails(&["key_revoked"]),
        switch("/v1/keys/{key}/enable", "enableKey", "Switches a key on again.")
            .may_take(request([]), json!({}))
            .fails(&["key_revoked", "own_key"]),
    ]
}

/// A secret of ours.
pub(super) fn secret() -> Schema {
    text("kh_live_01234567890123456789012345678901234567890123456").into()
}

pub(super) fn schemas() -> Vec<(&'static str, Schema)> {
    let mut draft = told();
    draft.extend([
        optional("kind", choice(&["personal", "service"])),
        optional("environment", fitting("^[a-z][a-z0-9]{0,15}$", "live")),
        optional("expires_in", span("90d")),
    ]);
    let hidden = answer([
        field("id", id("key")),
        field("kind", choice(&["personal", "service"])),
        field("status", choice(&STATUSES)),
        field("owner_kind", choice(&["user", "organization"])),
    ]);
    vec![
        ("Key", key()),
        ("HiddenKey", hidden),
        ("KeyDraft", request(draft)),
        ("KeyChange", request(told())),
        ("RateLimit", rate_limit()),
        ("IpRules", ip_rules()),
        ("Use", last_use()),
    ]
}

/// What a client says a key shall be, when it is made and later.
fn told() -> Vec<Field> {
    vec![
        // Leaving it out keeps it, or has one made; null says nothing that could be meant.
        field("name", name("deploy")).seldom(),
        optional("description", line(DESCRIPTION_CHARACTERS_MAX, "What it is for.")),
        optional("permissions", list(PATTERNS_MAX, pattern("diagrams:read"))),
        optional("ip_rules", the("IpRules")),
        optional("rate_limits", list(RATE_LIMITS_MAX, the("RateLimit"))),
        optional("metadata", anything(metadata())),
        optional("not_before", moment()),
        optional("expires_at", moment_as("2999-12-31T00:00:00.000Z")),
    ]
}

fn metadata() -> Value {
    json!({"ticket": "OPS-7"})
}

fn rate_limit() -> Schema {
    request([
        field("name", fitting("^[a-z0-9_-]{1,32}$", "burst")),
        field("limit", whole(1, RATE_LIMIT_CALLS_MAX, 20)),
        field("window_seconds", whole(1, RATE_LIMIT_WINDOW_SECONDS_MAX, 10)),
    ])
}

fn ip_rules() -> Schema {
    request([
        optional("allow", list(NETWORKS_MAX, network())),
        optional("deny", list(NETWORKS_MAX, network())),
    ])
}

fn last_use() -> Schema {
    answer([
        field("at", moment()),
        field("ip", nullable(text("192.0.2.7").into())),
        field("user_agent", nullable(text("curl/8.5.0").into())),
    ])
}

fn key() -> Schema {
    let secret = answer([
        field("hint", text("kh_live_0123")),
        field("created_at", moment()),
        field("ends_at", nullable(moment().into())),
        field("last_used", nullable(the("Use"))),
    ]);
    answer([
        field("id", id("key")),
        field("name", text("deploy")),
        field("description", text("What it is for.")),
        field("kind", choice(&["personal", "service"])),
        field("owner", nullable(id("usr").into())),
        field("environment", text("live")),
        field("hint", nullable(text("kh_live_0123").into())),
        field("permissions", nullable(each(text("diagrams:read")).into())),
        field("teams", each(id("team"))),
        field("ip_rules", the("IpRules")),
        field("rate_limits", each(the("RateLimit"))),
        field("quota", nullable(anything(Value::Null).into())),
        field("metadata", anything(metadata())),
        field("status", choice(&STATUSES)),
        field("not_before", nullable(moment().into())),
        field("expires_at", nullable(moment().into())),
        field("created_at", moment()),
        field("created_by", text("usr_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f")),
        field("updated_at", moment()),
        field("last_used", nullable(the("Use"))),
        field("revoked_at", nullable(moment().into())),
        field("revoked_reason", nullable(text("laptop stolen").into())),
        field("secrets", each(secret)),
        field("origin", choice(&["created", "imported"])),
        field("version", count(1)),
    ])
}
