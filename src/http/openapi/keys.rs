//! Keys: create, list, change, disable, enable, rotate, share, import, revoke.

use http::Method;
use serde_json::json;

use crate::actions::keys::IMPORT_KEYS_MAX;
use crate::http::openapi::key::secret;
use crate::http::openapi::operation::{Operation, operation};
use crate::http::schema::{
    address, answer, any_of, both, choice, count, each, field, gate_name, id, line, list, optional,
    page, request, requirement, sometimes, span, text, the, truth,
};
use crate::model::role::{INSTANCE_IMPORT, KEYS_CREATE, KEYS_MANAGE};

/// The permission to change a key.
const OTHERS: &str = "The caller's own key needs no permission, any other key \
                      `keyhouse:keys:manage`.";

pub(super) fn operations() -> Vec<Operation> {
    [all(), one(), switched(), renewed(), shared()].into_iter().flatten().collect()
}

/// Sort orders. A leading `-` means descending.
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
        operation(Method::GET, "/v1/keys", "listKeys", "List keys")
            .details(
                "Returns the newest keys first. The caller's own keys, and keys that are \
                 shared with the caller's teams, have all fields. Other keys are \
                 `HiddenKey`, unless the caller has `keyhouse:keys:read`. Revoked keys are \
                 returned only with `status`.",
            )
            .paged()
            .query(
                "search",
                text("deploy").max_length(Some(100)),
                "Only keys whose name contains this text.",
            )
            .query(
                "status",
                choice(&wanted),
                "Only keys with this status. Default: all except revoked keys.",
            )
            .query("kind", choice(&["personal", "service"]), "Only keys of this kind.")
            .query(
                "owner",
                any_of([choice(&["me"]).into(), id("usr").into()]),
                "Only keys of this user; `me` is the caller.",
            )
            .query("team", id("team"), "Only keys that are shared with this team.")
            .query("used", choice(&["never"]), "Only keys that were never used.")
            .query(
                "expires_within",
                span("7d"),
                "Only keys that expire within this duration from now.",
            )
            .query(
                "sort",
                choice(&SORTS),
                "Sort order. Keys without a value are last, and hidden keys after those.",
            )
            .answers(200, page(any_of([the("Key"), the("HiddenKey")])), "A page of keys."),
        operation(Method::POST, "/v1/keys", "createKey", "Create a key")
            .details(
                "Returns the secret, which cannot be shown again. A personal key needs \
                 `keyhouse:keys:create`, a service key `keyhouse:keys:manage`. The caller \
                 must have everything that the key grants.",
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
            .answers(
                201,
                answer([
                    field("key", the("Key"), "The new key."),
                    field("secret", secret(), "Secret of the key. It cannot be shown again."),
                ]),
                "The key and its secret.",
            )
            .with_location()
            .fails(&["subscription_required", "subscription_limit"]),
    ]
}

fn one() -> Vec<Operation> {
    vec![
        operation(Method::GET, "/v1/keys/{key}", "showKey", "Show a key")
            .details(
                "The caller's own key and a key that is shared with the caller's teams need \
                 no permission, any other key `keyhouse:keys:read`.",
            )
            .answers(200, the("Key"), "The key.")
            .with_etag(),
        operation(Method::PATCH, "/v1/keys/{key}", "changeKey", "Change a key")
            .details(OTHERS)
            .versioned()
            .may_take(the("KeyChange"), json!({"name": "deploy to staging"}))
            .answers(200, the("Key"), "The changed key.")
            .with_etag()
            .fails(&["permission_required", "key_revoked", "own_key"]),
        operation(Method::DELETE, "/v1/keys/{key}", "deleteKey", "Delete a key")
            .details(
                "Revokes the key permanently. Its record is kept for a while, with the \
                 status `revoked`.",
            )
            .versioned()
            .answers_empty(204, "The key is revoked.")
            .fails(&["permission_required"]),
    ]
}

fn switched() -> Vec<Operation> {
    let switch = |path, id, summary| {
        operation(Method::POST, path, id, summary)
            .details(OTHERS)
            .versioned()
            .answers(200, the("Key"), "The changed key.")
            .with_etag()
            .fails(&["permission_required"])
    };
    let reason = line(256, "its laptop was stolen");
    let descendants = answer([
        field("revoked", count(3), "Number of revoked descendants."),
        field("left", count(0), "Number of descendants that the caller may not revoke."),
        field(
            "more",
            truth(false),
            "Whether descendants remain, so that the request must be repeated.",
        ),
    ]);
    vec![
        operation(
            Method::GET,
            "/v1/keys/{key}/descendants",
            "countDescendants",
            "Count the descendants of a key",
        )
        .details(
            "Descendants are the keys that the key created, and the keys that those created. \
             Revoked keys are not counted.",
        )
        .answers(
            200,
            answer([field("count", count(3), "Number of descendants.")]),
            "Number of descendants.",
        )
        .fails(&["permission_required"]),
        operation(Method::POST, "/v1/keys/{key}/revoke", "revokeKey", "Revoke a key")
            .details(
                "Revokes the key permanently. The caller's own key needs no permission, any \
                 other key `keyhouse:keys:manage`. With `descendants`, the keys that it \
                 created, and the keys that those created, are revoked too, at most 1,000 \
                 per request. `descendants` in the response counts them; `left` are those \
                 that the caller may not revoke. While `more` is true, repeat the request.",
            )
            .versioned()
            .may_take(
                request([
                    optional("reason", reason, "Reason of the revocation, for the record."),
                    optional("descendants", truth(true), "Whether to revoke the descendants too."),
                ]),
                json!({"reason": "laptop stolen"}),
            )
            .answers(
                200,
                both(
                    the("Key"),
                    answer([sometimes("descendants", descendants, "Result for the descendants.")]),
                ),
                "The changed key.",
            )
            .with_etag()
            .fails(&["permission_required"]),
        switch("/v1/keys/{key}/disable", "disableKey", "Disable a key")
            .may_take(request([]), json!({}))
            .fails(&["key_revoked"]),
        switch("/v1/keys/{key}/enable", "enableKey", "Enable a key")
            .may_take(request([]), json!({}))
            .fails(&["key_revoked", "own_key"]),
    ]
}

fn renewed() -> Vec<Operation> {
    let explained = request([
        optional(
            "permissions",
            requirement(),
            "Required permissions: a list, or an expression. Default: none.",
        ),
        optional("ip", address(), "IP address of the client, for IP rules."),
        optional(
            "gate",
            gate_name(),
            "Gate whose accepted organizations and environments apply. Default: none.",
        ),
    ]);
    let import = request([
        field(
            "keys",
            list(IMPORT_KEYS_MAX, the("ForeignKey")).min_items(Some(1)),
            "Keys to import.",
        ),
        optional("dry_run", truth(false), "Whether to validate without importing."),
    ]);
    let imported = || {
        let keys = each(the("ImportedKey"));
        answer([
            field("dry_run", truth(false), "Whether this was a dry run."),
            field("imported", count(1), "Number of imported keys."),
            field("keys", keys, "The keys, in the order of the request."),
        ])
    };
    let overlap = "Duration for which the old secret still works. Default: none.";
    let rotation = request([optional("overlap", span("24h"), overlap)]);
    let rotated = answer([
        field("key", the("Key"), "The key."),
        field("secret", secret(), "New secret of the key. It cannot be shown again."),
    ]);
    vec![
        operation(
            Method::POST,
            "/v1/keys/{key}/rotate",
            "rotateKey",
            "Rotate a key",
        )
        .details(
            "Creates a new secret, which cannot be shown again. The old secret works for \
             `overlap`, at most 30 days; without it, the old secret stops working at once. Only \
             the owner can rotate a personal key. The caller must have everything that a service \
             key grants.",
        )
        .versioned()
        .may_take(rotation, json!({"overlap": "24h"}))
        .answers(200, rotated, "The key and its new secret.")
        .with_etag()
        .fails(&["permission_required", "key_revoked", "key_expired", "own_key"])
        .fails(&["subscription_required"]),
        operation(
            Method::POST,
            "/v1/keys/{key}/explain",
            "explainKey",
            "Explain a check",
        )
        .details("Dry-runs a check of the key and explains the verdict. The call is not counted.")
        .may_take(explained, json!({"permissions": ["diagrams:read"], "ip": "192.0.2.7"}))
        .answers(200, the("Explanation"), "The verdict, the rule that decided, and all rules.")
        .fails(&["permission_required"]),
        operation(
            Method::POST,
            "/v1/keys/import",
            "importKeys",
            "Import keys",
        )
        .details(
            "Imports keys of another system, all or none. Each is given by `algorithm` and \
             `digest`, or as plain text in `key`, which is hashed on arrival. A dry run returns \
             the result without importing.",
        )
        .needs(&[INSTANCE_IMPORT])
        .takes(
            import,
            json!({"keys": [{
                "algorithm": "sha256", "name": "old deploy key", "permissions": ["diagrams:read"],
                "digest": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
            }]}),
        )
        .answers(200, imported(), "Result of a dry run.")
        .answers(201, imported(), "The imported keys.")
        .fails(&["subscription_required", "subscription_limit"]),
    ]
}

fn shared() -> Vec<Operation> {
    let path = "/v1/keys/{key}/teams/{team}";
    vec![
        operation(Method::PUT, path, "shareKey", "Share a key with a team")
            .details(
                "The caller must be a member of the team, or have `keyhouse:teams:manage`. \
                 If the key is shared with the team already, the access is changed.",
            )
            .versioned()
            .takes(
                request([field(
                    "access",
                    choice(&["read", "write"]),
                    "`read` shows the key and its usage to members; `write` also lets them \
                     rename, disable and revoke it.",
                )]),
                json!({"access": "read"}),
            )
            .answers(200, the("Key"), "The changed key.")
            .with_etag()
            .fails(&["permission_required", "subscription_required", "key_revoked", "own_key"])
            .fails(&["too_many_teams"]),
        operation(Method::DELETE, path, "unshareKey", "Remove a key from a team")
            .details("Stops sharing the key with the team.")
            .versioned()
            .answers_empty(204, "The key is no longer shared with the team.")
            .fails(&["permission_required", "key_revoked", "own_key"]),
    ]
}
