//! Schemas of keys: as returned, as created or changed, and as imported.

use serde_json::json;

use crate::actions::keys::TEAMS_A_KEY_MAX;
use crate::http::schema::{
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
    let mut draft = settable();
    draft.extend(spans());
    draft.extend([
        optional(
            "kind",
            choice(&["personal", "service"]),
            "A personal key belongs to a user, a service key to the organization. Default: \
             `personal`.",
        ),
        optional(
            "environment",
            fitting("^[a-z][a-z0-9]{0,15}$", "live"),
            "Environment of the key. Default: `live`.",
        ),
        preset(),
        optional("teams", list(TEAMS_A_KEY_MAX, share()), "Teams with which the key is shared."),
    ]);
    let hidden = answer([
        field("id", id("key"), "Id of the key."),
        field(
            "kind",
            choice(&["personal", "service"]),
            "A personal key belongs to a user, a service key to the organization.",
        ),
        field("status", choice(&STATUSES), "Status of the key."),
        field("owner_kind", choice(&["user", "organization"]), "Kind of the owner."),
    ]);
    vec![
        ("Key", key()),
        ("HiddenKey", hidden),
        ("KeyDraft", request(draft)),
        ("KeyChange", request(settable().into_iter().chain(spans()).chain([preset()]))),
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
fn settable() -> Vec<Field> {
    vec![
        // An absent name is kept, or generated. Null is rejected, because it has no meaning.
        field("name", name("deploy"), "Name of the key. Generated if it is left out at creation.")
            .seldom(),
        optional(
            "description",
            line(DESCRIPTION_CHARACTERS_MAX, "What it is for."),
            "Description for people.",
        ),
        optional(
            "permissions",
            list(PATTERNS_MAX, pattern("diagrams:read")),
            "Granted permission patterns. Default for a personal key: the permissions of its \
             owner outside `keyhouse:`.",
        ),
        optional(
            "ip_rules",
            the("IpRules"),
            "Networks from which the key may be used. Default: all.",
        ),
        optional("quota", the("Quota"), "Quota of the key. Null: none."),
        optional("rate_limits", list(RATE_LIMITS_MAX, the("RateLimit")), "Rate limits of the key."),
        optional("metadata", the("Metadata"), "Any JSON object, for your own use."),
        optional("not_before", moment(), "Time from which the key is valid. Null: at once."),
        optional(
            "expires_at",
            moment_as("2999-12-31T00:00:00.000Z"),
            "Time of expiry. Null: never.",
        ),
    ]
}

/// Start and expiry as durations from now.
fn spans() -> [Field; 2] {
    [
        optional(
            "not_before_in",
            span("1h"),
            "Duration after which the key becomes valid, instead of `not_before`.",
        ),
        optional(
            "expires_in",
            span("90d"),
            "Duration after which the key expires, instead of `expires_at`.",
        ),
    ]
}

/// A predefined set of permissions.
fn preset() -> Field {
    optional(
        "preset",
        choice(&["read", "read-write"]),
        "Predefined set of permissions, instead of `permissions`.",
    )
}

fn share() -> Schema {
    request([
        field("id", id("team"), "Id of the team."),
        field(
            "access",
            choice(&["read", "write"]),
            "`read` shows the key and its usage to members; `write` also lets them rename, \
             disable and revoke it.",
        ),
    ])
}

fn quota() -> Schema {
    request([
        field("limit", long(1, QUOTA_CALLS_MAX, 100_000), "Calls per period."),
        field("period", choice(&["month", "week", "day"]), "Calendar period of the quota."),
        field(
            "timezone",
            formatted("timezone", "Europe/Paris"),
            "IANA name of the time zone in which the periods start.",
        ),
    ])
}

/// A key of another system, by its digest or as plain text.
fn foreign() -> Schema {
    let more = || {
        settable().into_iter().chain([
            optional(
                "owner",
                any_of([id("usr").into(), email("ada@example.com").into()]),
                "Owner of a personal key: a user id or an email address. Default: a service key.",
            ),
            optional("organization", id("org"), "Organization of the key. Default: the caller's."),
            optional(
                "environment",
                fitting("^[a-z][a-z0-9]{0,15}$", "live"),
                "Environment of the key. Default: `live`.",
            ),
            optional(
                "hint",
                fitting("^[!-~]{1,16}$", "sk_old_"),
                "Text that identifies the key to people.",
            ),
        ])
    };
    let hash = fitting("^[0-9a-f]{64}$", HASH);
    let by_digest = [
        field("algorithm", choice(&["sha256", "blake3"]), "Hash algorithm of `digest`."),
        field("digest", hash, "Digest of the key, in hexadecimal."),
    ];
    let as_it_is = [field(
        "key",
        formatted("foreign-key", "sk_old_0123456789abcdef0123456789"),
        "The key as plain text. It is hashed on arrival and not stored.",
    )];
    any_of([
        request(by_digest.into_iter().chain(more())),
        request(as_it_is.into_iter().chain(more())),
    ])
}

fn rate_limit() -> Schema {
    request([
        field("name", fitting("^[a-z0-9_-]{1,32}$", "burst"), "Name of the rate limit."),
        field("limit", whole(1, RATE_LIMIT_CALLS_MAX, 20), "Calls per window."),
        field(
            "window_seconds",
            whole(1, RATE_LIMIT_WINDOW_SECONDS_MAX, 10),
            "Length of the window in seconds.",
        ),
    ])
}

fn ip_rules() -> Schema {
    request([
        optional(
            "allow",
            list(NETWORKS_MAX, network()),
            "Networks from which the key may be used. Empty: all.",
        ),
        optional(
            "deny",
            list(NETWORKS_MAX, network()),
            "Networks from which the key may not be used.",
        ),
    ])
}

fn last_use() -> Schema {
    answer([
        field("at", moment(), "Time of the call."),
        field(
            "ip",
            nullable(text("192.0.2.7").into()),
            "IP address of the client. Null if it is unknown.",
        ),
        field(
            "user_agent",
            nullable(text("curl/8.5.0").into()),
            "`User-Agent` of the client. Null if it is unknown.",
        ),
    ])
}

fn key() -> Schema {
    answer([field("id", id("key"), "Id of the key.")].into_iter().chain(of_key()))
}

/// The schema of an imported key, whose id is null in a dry run.
fn imported() -> Schema {
    answer(
        [field("id", nullable(id("key").into()), "Id of the key. Null in a dry run.")]
            .into_iter()
            .chain(of_key()),
    )
}

fn of_key() -> Vec<Field> {
    let team = answer([
        field("id", id("team"), "Id of the team."),
        field("name", text("Build"), "Name of the team."),
        field(
            "visibility",
            choice(&["visible", "secret"]),
            "Secret teams are shown only to members and managers.",
        ),
        field("access", choice(&["read", "write"]), "Access of the team's members."),
    ]);
    let secret = answer([
        field("hint", text("kh_live_0123"), "Beginning of the secret, to identify it."),
        field("created_at", moment(), "Time of creation."),
        field(
            "ends_at",
            nullable(moment().into()),
            "Time at which the secret stops working. Null: with the key.",
        ),
        field(
            "last_used",
            nullable(the("Use")),
            "Last call with this secret. Null if there was none.",
        ),
    ]);
    vec![
        field("name", text("deploy"), "Name of the key."),
        field("description", text("What it is for."), "Description for people."),
        field(
            "kind",
            choice(&["personal", "service"]),
            "A personal key belongs to a user, a service key to the organization.",
        ),
        field("owner", nullable(id("usr").into()), "Id of the owner. Null for a service key."),
        field(
            "owner_name",
            nullable(text("Ada").into()),
            "Name of the owner. Null for a service key.",
        ),
        field("environment", text("live"), "Environment of the key."),
        field(
            "hint",
            nullable(text("kh_live_0123").into()),
            "Beginning of the newest secret, to identify it.",
        ),
        field(
            "permissions",
            nullable(each(text("diagrams:read")).into()),
            "Granted permission patterns. Null: the permissions of the owner outside `keyhouse:`.",
        ),
        field("teams", each(team), "Teams with which the key is shared."),
        field("ip_rules", the("IpRules"), "Networks from which the key may be used."),
        field("rate_limits", each(the("RateLimit")), "Rate limits of the key."),
        field("quota", nullable(the("Quota")), "Quota of the key. Null: none."),
        field("metadata", the("Metadata"), "JSON object that a client has set."),
        field("status", choice(&STATUSES), "Status of the key."),
        field(
            "not_before",
            nullable(moment().into()),
            "Time from which the key is valid. Null: at once.",
        ),
        field("expires_at", nullable(moment().into()), "Time of expiry. Null: never."),
        field("created_at", moment(), "Time of creation."),
        field(
            "created_by",
            text("usr_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f"),
            "Id of the user or key that created the key, or `local`.",
        ),
        field(
            "created_by_name",
            nullable(text("Ada").into()),
            "Name of the creator. Null if it is not available.",
        ),
        field("updated_at", moment(), "Time of the last change."),
        field("last_used", nullable(the("Use")), "Last call with the key. Null if there was none."),
        field(
            "revoked_at",
            nullable(moment().into()),
            "Time of the revocation. Null if the key is not revoked.",
        ),
        field(
            "revoked_reason",
            nullable(text("laptop stolen").into()),
            "Reason of the revocation. Null if none was given.",
        ),
        field("secrets", each(secret), "Secrets of the key; two during a rotation with overlap."),
        sometimes("rotation_advised", truth(false), "Whether the key should be rotated."),
        field(
            "origin",
            choice(&["created", "imported"]),
            "Whether the key was created here or imported.",
        ),
        field("version", count(1), "Version of the object, for `If-Match`."),
    ]
}
