//! Schemas of keys: as returned, as created or changed, and as imported.

use serde_json::json;

use crate::actions::keys::TEAMS_A_KEY_MAX;
use crate::http::openapi::schema::{
    Field, Schema, answer, any_of, anything, choice, count, each, email, field, fitting, formatted,
    id, line, list, long, moment, moment_as, name, network, nullable, optional, pattern, request,
    sometimes, span, text, the, truth, whole,
};
use crate::model::limit::{
    QUOTA_CALLS_MAX, RATE_LIMIT_CALLS_MAX, RATE_LIMIT_WINDOW_SECONDS_MAX, RATE_LIMITS_MAX,
};
use crate::model::name::DESCRIPTION_CHARACTERS_MAX;
use crate::model::network::NETWORKS_MAX;
use crate::model::permission::PATTERNS_MAX;

pub(super) const STATUSES: [&str; 5] =
    ["active", "disabled", "not_yet_valid", "expired", "revoked"];
const HASH: &str = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

/// A secret that Keyhouse generated.
pub(super) fn secret() -> Schema {
    text("kh_live_01234567890123456789012345678901234567890123456").into()
}

pub(super) fn schemas() -> Vec<(&'static str, Schema)> {
    let mut draft = told();
    draft.extend(spans());
    draft.extend([
        optional("kind", choice(&["personal", "service"])),
        optional("environment", fitting("^[a-z][a-z0-9]{0,15}$", "live")),
        preset(),
        optional("teams", list(TEAMS_A_KEY_MAX, share())),
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
        ("KeyChange", request(told().into_iter().chain(spans()).chain([preset()]))),
        ("ForeignKey", foreign()),
        ("ImportedKey", imported()),
        ("Quota", quota()),
        ("RateLimit", rate_limit()),
        ("IpRules", ip_rules()),
        ("Use", last_use()),
        // A component, because client generators create two types for an inline nullable object.
        ("Metadata", anything(json!({"ticket": "OPS-7"})).into()),
    ]
}

/// The fields of a key that a client can set, at creation and later.
fn told() -> Vec<Field> {
    vec![
        // An absent name is kept, or generated. Null is rejected, because it has no meaning.
        field("name", name("deploy")).seldom(),
        optional("description", line(DESCRIPTION_CHARACTERS_MAX, "What it is for.")),
        optional("permissions", list(PATTERNS_MAX, pattern("diagrams:read"))),
        optional("ip_rules", the("IpRules")),
        optional("quota", the("Quota")),
        optional("rate_limits", list(RATE_LIMITS_MAX, the("RateLimit"))),
        optional("metadata", the("Metadata")),
        optional("not_before", moment()),
        optional("expires_at", moment_as("2999-12-31T00:00:00.000Z")),
    ]
}

/// Start and expiry as durations from now.
fn spans() -> [Field; 2] {
    [optional("not_before_in", span("1h")), optional("expires_in", span("90d"))]
}

/// A predefined set of permissions.
fn preset() -> Field {
    optional("preset", choice(&["read", "read-write"]))
}

fn share() -> Schema {
    request([field("id", id("team")), field("access", choice(&["read", "write"]))])
}

fn quota() -> Schema {
    request([
        field("limit", long(1, QUOTA_CALLS_MAX, 100_000)),
        field("period", choice(&["month", "week", "day"])),
        field("timezone", formatted("timezone", "Europe/Paris")),
    ])
}

/// A key of another system, by its digest or as plain text.
fn foreign() -> Schema {
    let more = || {
        told().into_iter().chain([
            optional("owner", any_of([id("usr").into(), email("ada@example.com").into()])),
            optional("organization", id("org")),
            optional("environment", fitting("^[a-z][a-z0-9]{0,15}$", "live")),
            optional("hint", fitting("^[!-~]{1,16}$", "sk_old_")),
        ])
    };
    let hash = fitting("^[0-9a-f]{64}$", HASH);
    let by_digest = [field("algorithm", choice(&["sha256", "blake3"])), field("digest", hash)];
    let as_it_is = [field("key", formatted("foreign-key", "sk_old_0123456789abcdef0123456789"))];
    any_of([
        request(by_digest.into_iter().chain(more())),
        request(as_it_is.into_iter().chain(more())),
    ])
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
    answer([field("id", id("key"))].into_iter().chain(of_key()))
}

/// The same, with a null id in a dry run.
fn imported() -> Schema {
    answer([field("id", nullable(id("key").into()))].into_iter().chain(of_key()))
}

fn of_key() -> Vec<Field> {
    let team = answer([
        field("id", id("team")),
        field("name", text("Build")),
        field("visibility", choice(&["visible", "secret"])),
        field("access", choice(&["read", "write"])),
    ]);
    let secret = answer([
        field("hint", text("kh_live_0123")),
        field("created_at", moment()),
        field("ends_at", nullable(moment().into())),
        field("last_used", nullable(the("Use"))),
    ]);
    vec![
        field("name", text("deploy")),
        field("description", text("What it is for.")),
        field("kind", choice(&["personal", "service"])),
        field("owner", nullable(id("usr").into())),
        field("owner_name", nullable(text("Ada").into())),
        field("environment", text("live")),
        field("hint", nullable(text("kh_live_0123").into())),
        field("permissions", nullable(each(text("diagrams:read")).into())),
        field("teams", each(team)),
        field("ip_rules", the("IpRules")),
        field("rate_limits", each(the("RateLimit"))),
        field("quota", nullable(the("Quota"))),
        field("metadata", the("Metadata")),
        field("status", choice(&STATUSES)),
        field("not_before", nullable(moment().into())),
        field("expires_at", nullable(moment().into())),
        field("created_at", moment()),
        field("created_by", text("usr_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f")),
        field("created_by_name", nullable(text("Ada").into())),
        field("updated_at", moment()),
        field("last_used", nullable(the("Use"))),
        field("revoked_at", nullable(moment().into())),
        field("revoked_reason", nullable(text("laptop stolen").into())),
        field("secrets", each(secret)),
        sometimes("rotation_advised", truth(false)),
        field("origin", choice(&["created", "imported"])),
        field("version", count(1)),
    ]
}
