//! Descriptions of the check endpoints.

use http::Method;
use serde_json::json;

use crate::http::check::batch::REQUESTS_MAX;
use crate::http::check::identity;
const OF_MANAGEMENT: &[&str] = &["invalid_input", "storage_unavailable"];
const OF_CHANGE: &[&str] = &["storage_full", "outcome_unknown"];
use crate::http::openapi::explanation::explanation;
use crate::http::openapi::operation::{CallerKind, Operation, operation};
use crate::http::schema::{
    Field, Schema, address, answer, any, any_of, choice, count, each, field, fitting, formatted,
    id, list, moment, nullable, optional, request, requirement, sometimes, text, the, truth, whole,
};
use crate::model::limit::COST_MAX;
use crate::model::role::{INSTANCE_VERIFY, KEYS_VERIFY};

pub(super) fn operations() -> Vec<Operation> {
    let results = any_of([
        the("Verdict"),
        answer([field("error", item_error(), "Error of a faulty check.")]),
    ]);
    vec![
        forward_auth(Method::GET, "forwardAuth"),
        forward_auth(Method::HEAD, "forwardAuthHead"),
        ext_authz(Method::GET, "extAuthz"),
        ext_authz(Method::HEAD, "extAuthzHead"),
        operation(Method::POST, "/v1/verify", "verify", "Verify a key")
            .details(
                "For a service to which the key was presented. Returns 200 for valid and \
                 invalid keys: read `valid` and `code`. Keys of other organizations are not \
                 found, unless the caller has `keyhouse:instance:verify`. `permissions` \
                 lists what the key is granted now; it is null if a list of 100 patterns \
                 cannot express that. The verdict does not depend on that list. `owner` is \
                 null for a service key, and for a secret that a former owner may have: one \
                 that is older than the first rotation after a transfer.",
            )
            .needs(&[KEYS_VERIFY, INSTANCE_VERIFY])
            .takes(
                the("Check"),
                json!({
                    "key": "kh_live_what-the-client-presented", "permissions": ["diagrams:read"],
                    "ip": "192.0.2.7", "cost": 1,
                }),
            )
            .answers(200, the("Verdict"), "The verdict."),
        operation(Method::POST, "/v1/verify/batch", "verifyBatch", "Verify many keys")
            .details(
                "Each check is independent of the others. A faulty check has an `error` in \
                 its result.",
            )
            .needs(&[KEYS_VERIFY, INSTANCE_VERIFY])
            .takes(
                request([field(
                    "requests",
                    list(REQUESTS_MAX, any(json!({"key": "kh_live_one"}))),
                    "Checks, each as in `POST /v1/verify`.",
                )]),
                json!({"requests": [{"key": "kh_live_one"}, {"key": "kh_live_two", "cost": 0}]}),
            )
            .answers(
                200,
                answer([field("results", each(results), "A verdict or an error for each check.")]),
                "The results, in the order of the checks.",
            ),
        introspect(),
        operation(Method::GET, "/v1/whoami", "whoAmI", "Show the presented key")
            .details(
                "`permissions` lists what the key is granted now; it is null if a list of \
                 100 patterns cannot express that. `owner` is null as for `POST /v1/verify`.",
            )
            .called_by(CallerKind::Holder)
            .answers(200, the("Holding"), "The presented key."),
        operation(Method::POST, "/v1/whoami/revoke", "revokeMe", "Revoke the presented key")
            .details(
                "Revokes the key permanently. A limit, IP rule, role or subscription does \
                 not prevent it.",
            )
            .called_by(CallerKind::Holder)
            .may_take(request([]), json!({}))
            .answers_empty(204, "The key is revoked.")
            .fails(OF_MANAGEMENT)
            .fails(OF_CHANGE),
    ]
}

fn introspect() -> Operation {
    let fields = [
        field(
            "token",
            text("kh_live_what-the-client-presented").min_length(Some(1)),
            "Presented key.",
        ),
        sometimes("token_type_hint", text("access_token"), "Ignored."),
        sometimes(
            "permissions",
            formatted("requirement", "diagrams:read AND diagrams:list"),
            "Required permissions, as an expression.",
        ),
        sometimes("ip", address(), "IP address of the client that presented the key."),
    ];
    let state = [
        field("active", truth(true), "Whether the key is valid."),
        sometimes(
            "scope",
            text("diagrams:read files:*"),
            "Granted permission patterns, separated by spaces.",
        ),
        sometimes("token_type", text("Bearer"), "Always `Bearer`."),
        sometimes("client_id", id("key"), "Id of the key."),
        sometimes(
            "sub",
            text("usr_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f"),
            "Id of the key's owner, or of the organization for a service key.",
        ),
        sometimes(
            "username",
            text("ada@example.com"),
            "Verified email address of the key's owner.",
        ),
        sometimes("iss", text("https://keys.example.com"), "Public URL of the instance."),
        sometimes("iat", count(1_761_000_000), "Time of creation, in Unix seconds."),
        sometimes(
            "nbf",
            count(1_761_000_000),
            "Time from which the key is valid, in Unix seconds.",
        ),
        sometimes("exp", count(1_792_000_000), "Time of expiry, in Unix seconds."),
        sometimes("organization", id("org"), "Id of the organization."),
        sometimes("environment", text("live"), "Environment of the key."),
    ];
    operation(Method::POST, "/v1/introspect", "introspect", "Introspect a token")
        .details(
            "Token introspection (RFC 7662) for OAuth clients, which authenticate with a key \
             of their own as Bearer or Basic. The call is not counted and draws on no limit. \
             A key whose limits are used up is active; `/v1/verify` and the gates enforce \
             limits. With `permissions` and `ip`, `active` also depends on those; a key with \
             IP rules is active only with an allowed `ip`. `scope` is left out if the key is \
             granted no permission, or if a list of 100 patterns cannot express what it is \
             granted. For a token that is not active, the response is `{\"active\": false}`. \
             That includes keys of other organizations, unless the caller has \
             `keyhouse:instance:verify`.",
        )
        .called_by(CallerKind::Program)
        .needs(&[KEYS_VERIFY, INSTANCE_VERIFY])
        .takes_form(
            request(fields),
            json!({
                "token": "kh_live_what-the-client-presented", "permissions": "diagrams:read",
            }),
        )
        .answers(200, answer(state), "The state of the token.")
}

fn forward_auth(method: Method, id: &'static str) -> Operation {
    let summary = "Authorize a request (nginx, Caddy, Traefik, HAProxy)";
    let operation = operation(method, "/v1/forward-auth/{gate}", id, summary)
        .details(
            "Called by a proxy whose address is in `trusted_proxies`, with the credential of \
             its client. Any method other than GET and HEAD is rejected with 403.",
        )
        .called_by(CallerKind::Proxy)
        .header("X-Forwarded-Method", fitting("^[A-Z]+$", "GET"), "Method of the client's request.")
        .header("X-Forwarded-Proto", choice(&["https", "http"]), "Scheme of the client's request.")
        .header(
            "X-Forwarded-Host",
            fitting("^[!-~]{1,255}$", "app.example.com"),
            "Host of the client's request.",
        )
        .header(
            "X-Forwarded-Uri",
            fitting("^/[!-~]*$", "/diagrams/7"),
            "Path and query of the client's request.",
        )
        .header(
            "X-Forwarded-For",
            fitting("^[0-9a-fA-F.:, ]+$", "192.0.2.7"),
            "Address of the client.",
        );
    passing(operation)
}

fn ext_authz(method: Method, id: &'static str) -> Operation {
    let summary = "Authorize a request (Envoy)";
    let operation = operation(method, "/v1/ext-authz/{gate}/{path}", id, summary)
        .details(
            "Called by a proxy whose address is in `trusted_proxies`, with any method. The \
             request repeats the method, `Host`, path and credential of the client's \
             request, with this prefix before the path. The client's address is the last \
             entry of `X-Forwarded-For`.",
        )
        .called_by(CallerKind::Proxy)
        .header(
            "X-Forwarded-For",
            fitting("^[0-9a-fA-F.:, ]+$", "192.0.2.7"),
            "Address of the client.",
        );
    passing(operation)
}

fn passing(operation: Operation) -> Operation {
    let operation = operation
        .answers_empty(200, "The request may pass. Every header is present; `-` means no value.")
        .fails(&[
            "REQUEST_REFUSED",
            "GATE_NOT_FOUND",
            "ROUTE_NOT_ALLOWED",
            "INSUFFICIENT_PERMISSIONS",
        ]);
    identity::HEADERS
        .into_iter()
        .fold(operation, |operation, (name, description)| operation.with(name, description))
}

/// The error of one check in a batch.
fn item_error() -> Schema {
    answer([
        field("code", text("invalid_input"), "Code of the error."),
        field("title", text("Invalid input"), "Short description of the error."),
        sometimes("detail", text("see errors"), "Explanation of this error."),
        sometimes("errors", each(the("Fault")), "Invalid fields."),
        sometimes("permission", text("keyhouse:keys:read"), "Missing permission."),
    ])
}

pub(super) fn schemas() -> Vec<(&'static str, Schema)> {
    let check = request([
        field("key", text("kh_live_what-the-client-presented"), "Presented key."),
        optional(
            "permissions",
            requirement(),
            "Required permissions: a list, or an expression. Default: none.",
        ),
        optional("ip", address(), "IP address of the client that presented the key, for IP rules."),
        optional(
            "cost",
            whole(0, COST_MAX, 1),
            "Number of calls to count. Default: 1. With 0 the check draws on no limit.",
        ),
        optional(
            "explain",
            truth(false),
            "Whether to return an explanation. The call is then not counted.",
        ),
    ]);
    let patterns = || {
        field(
            "permissions",
            nullable(each(text("diagrams:*")).into()),
            "Permission patterns that the key is granted now. Null if a short list cannot express \
             them.",
        )
    };
    let verdict = [
        field("valid", truth(true), "Whether the key is valid for this check."),
        field("code", the("CheckCode"), "Code of the verdict."),
    ]
    .into_iter()
    .chain(
        held()
            .into_iter()
            .chain([
                field("retry_after", count(7), "Seconds until a limit allows the next call."),
                patterns(),
            ])
            .map(Field::seldom),
    );
    let holding = held().into_iter().chain([patterns()]);
    vec![
        ("Check", check),
        ("Verdict", answer(verdict)),
        ("Holding", answer(holding)),
        ("Explanation", explanation()),
        ("LimitState", limit_state()),
        ("QuotaState", quota_state()),
    ]
}

/// The description of a key for its holder, and for services that may check it.
fn held() -> Vec<Field> {
    let key = answer([
        field("id", id("key"), "Id of the key."),
        field("name", text("deploy"), "Name of the key."),
        field(
            "kind",
            choice(&["personal", "service"]),
            "A personal key belongs to a user, a service key to the organization.",
        ),
        field("environment", text("live"), "Environment of the key."),
        field("expires_at", nullable(moment().into()), "Time of expiry. Null: never."),
    ]);
    let owner = answer([
        field("id", id("usr"), "Id of the user."),
        field("name", text("Ada"), "Name of the user."),
        field(
            "email",
            nullable(text("ada@example.com").into()),
            "Verified email address. Null if there is none.",
        ),
        field("role", text("user"), "Name of a built-in role, or id of a custom role."),
    ]);
    let organization = answer([
        field("id", id("org"), "Id of the organization."),
        field("name", text("example.com"), "Name of the organization."),
        field("plan", text("pro"), "Name of the plan."),
    ]);
    vec![
        field("key", key, "The key."),
        field("owner", nullable(owner), "Owner of a personal key. Null for a service key."),
        field("organization", organization, "Organization of the key."),
        field(
            "teams",
            each(answer([
                field("id", id("team"), "Id of the team."),
                field("name", text("Build"), "Name of the team."),
            ])),
            "Teams with which the key is shared.",
        ),
        field("rate_limits", each(the("LimitState")), "State of the key's rate limits."),
        field(
            "quota",
            nullable(the("QuotaState")),
            "State of the key's quota. Null without a quota.",
        ),
    ]
}

fn limit_state() -> Schema {
    answer([
        field("name", text("burst"), "Name of the rate limit."),
        field("limit", count(20), "Calls per window."),
        field("window_seconds", count(10), "Length of the window in seconds."),
        field("remaining", count(19), "Calls that are left now."),
        field("reset_seconds", count(1), "Seconds until the full limit is available."),
    ])
}

fn quota_state() -> Schema {
    answer([
        field("limit", count(100_000), "Calls per period."),
        field("period", choice(&["day", "week", "month"]), "Calendar period of the quota."),
        field(
            "timezone",
            text("Europe/Paris"),
            "IANA name of the time zone in which the periods start.",
        ),
        field("used", count(1), "Calls in the current period."),
        field("remaining", count(99_999), "Calls that are left in the current period."),
        field("resets_at", moment(), "Time at which the next period starts."),
    ])
}
