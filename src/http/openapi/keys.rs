//! Keys: made, found, changed, switched off and on, rotated, shared, imported, revoked.

use http::Method;
use serde_json::json;

use crate::actions::keys::IMPORT_KEYS_MAX;
use crate::http::openapi::checks::requirement;
use crate::http::openapi::gates::gate_name;
use crate::http::openapi::key::secret;
use crate::http::openapi::operation::{Operation, operation};
use crate::http::openapi::schema::{
    address, answer, any_of, both, choice, count, each, field, id, line, list, optional, page,
    request, sometimes, span, text, the, truth,
};
use crate::model::role::{INSTANCE_IMPORT, KEYS_CREATE, KEYS_MANAGE};

/// What changing a key that is not one's own needs.
const OTHERS: &str = "One's own key needs nothing; any other `keyhouse:keys:manage`.";

pub(super) fn operations() -> Vec<Operation> {
    [all(), one(), switched(), renewed(), shared()].into_iter().flatten().collect()
}

/// A `-` before it is descending.
const SORTS: [&str; 8] = [
    "-created_at",
    "created_at",
    "name",
    "-name",
    "last_used",
    "-last_used",
    "expires_at",
    "-expires_at",
];

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
            .query("owner", any_of([choice(&["me"]).into(), id("usr").into()]), "Of this user, or one's own.")
            .query("team", id("team"), "Only those shared with this team.")
            .query("used", choice(&["never"]), "Only those never used.")
            .query("expires_within", span("7d"), "Only those that end within this span from now.")
            .query("sort", choice(&SORTS), "In which order; what has no value comes last, then keys that one only knows to be there.")
            .answers(200, page(any_of([the("Key"), the("HiddenKey")])), "A page."),
        operation(Method::POST, "/v1/keys", "createKey", "Makes a key and shows its secret, once.")
            .details(
                "A personal key needs `keyhouse:keys:create`, a service key `keyhouse:keys:manage`; \
                 both all that the key shall grant.",
            )
            .needs(&[KEYS_CREATE, KEYS_MANAGE])
            .may_take(
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
            .may_take(the("KeyChange"), json!({"name": "deploy to staging"}))
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
    let descendants =
        answer([field("revoked", count(3)), field("left", count(0)), field("more", truth(false))]);
    vec![
        operation(Method::GET, "/v1/keys/{key}/descendants", "countDescendants", "Counts the keys that a key created.")
            .details("Those that are not revoked, and those that they created in turn.")
            .answers(200, answer([field("count", count(3))]), "How many there are.")
            .fails(&["permission_required"]),
        operation(Method::POST, "/v1/keys/{key}/revoke", "revokeKey", "Revokes a key, for ever.")
            .details(
                "One's own key needs nothing; any other `keyhouse:keys:manage`. With `descendants` \
                 every key that it created is revoked too, and what those created: at most 1,000 a \
                 request. `descendants` of the answer counts them, and those that are `left` because \
                 the actor may not revoke them; while `more` is true, send the request again.",
            )
            .versioned()
            .may_take(
                request([optional("reason", reason), optional("descendants", truth(true))]),
                json!({"reason": "laptop stolen"}),
            )
            .answers(200, both(the("Key"), answer([sometimes("descendants", descendants)])), "The key as it is now.")
            .with_etag()
            .fails(&["permission_required"]),
        switch("/v1/keys/{key}/disable", "disableKey", "Switches a key off.")
            .may_take(request([]), json!({}))
            .fails(&["key_revoked"]),
        switch("/v1/keys/{key}/enable", "enableKey", "Switches a key on again.")
            .may_take(request([]), json!({}))
            .fails(&["key_revoked", "own_key"]),
    ]
}

fn renewed() -> Vec<Operation> {
    let explained = request([
        optional("permissions", requirement()),
        optional("ip", address()),
        optional("gate", gate_name()),
    ]);
    let import = request([
        field("keys", list(IMPORT_KEYS_MAX, the("ForeignKey")).min_items(Some(1))),
        optional("dry_run", truth(false)),
    ]);
    let imported = || {
        let keys = each(the("ImportedKey"));
        answer([field("dry_run", truth(false)), field("imported", count(1)), field("keys", keys)])
    };
    vec![
        operation(
            Method::POST,
            "/v1/keys/{key}/rotate",
            "rotateKey",
            "Makes a new secret, shown once.",
        )
        .details(
            "A personal key is rotated by its owner alone, a service key by one who holds all \
                 that it grants. The old secret goes on for `overlap`, at most 30 days.",
        )
        .versioned()
        .may_take(request([optional("overlap", span("24h"))]), json!({"overlap": "24h"}))
        .answers(200, answer([field("key", the("Key")), field("secret", secret())]), "Rotated.")
        .with_etag()
        .fails(&["permission_required", "key_revoked", "key_expired", "own_key"])
        .fails(&["subscription_required"]),
        operation(
            Method::POST,
            "/v1/keys/{key}/explain",
            "explainKey",
            "What would a check say, and why?",
        )
        .details("Counts nothing.")
        .may_take(explained, json!({"permissions": ["diagrams:read"], "ip": "192.0.2.7"}))
        .answers(200, the("Explanation"), "The rule that decided, and every other.")
        .fails(&["permission_required"]),
        operation(
            Method::POST,
            "/v1/keys/import",
            "importKeys",
            "Takes over keys of other systems.",
        )
        .details(
            "All or none. Each by `algorithm` and `digest`, or as it is in `key`, which is \
                 hashed on arrival. A dry run says what would be done.",
        )
        .needs(&[INSTANCE_IMPORT])
        .takes(
            import,
            json!({"keys": [{
                "algorithm": "sha256", "name": "old deploy key", "permissions": ["diagrams:read"],
                "digest": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
            }]}),
        )
        .answers(200, imported(), "What would be imported.")
        .answers(201, imported(), "Imported.")
        .fails(&["subscription_required", "subscription_limit"]),
    ]
}

fn shared() -> Vec<Operation> {
    let path = "/v1/keys/{key}/teams/{team}";
    vec![
        operation(Method::PUT, path, "shareKey", "Shares a key with a team.")
            .details("With a team one is in, or any with `keyhouse:teams:manage`.")
            .versioned()
            .takes(
                request([field("access", choice(&["read", "write"]))]),
                json!({"access": "read"}),
            )
            .answers(200, the("Key"), "The key as it is now.")
            .with_etag()
            .fails(&["permission_required", "subscription_required", "key_revoked", "own_key"])
            .fails(&["too_many_teams"]),
        operation(Method::DELETE, path, "unshareKey", "Ends that a key is shared with a team.")
            .versioned()
            .answers_empty(204, "It is not.")
            .fails(&["permission_required", "key_revoked", "own_key"]),
    ]
}
