//! The check endpoints.

use http::Method;
use serde_json::json;

use crate::http::check::batch::REQUESTS_MAX;
use crate::http::check::identity;
use crate::http::openapi::errors::{OF_CHANGE, OF_MANAGEMENT};
use crate::http::openapi::operation::{Asker, Operation, operation};
use crate::http::openapi::schema::{
    Field, Schema, address, answer, any, any_of, choice, count, each, field, fitting, formatted,
    id, list, moment, nullable, optional, permission, request, sometimes, text, the, truth, whole,
};
use crate::model::limit::COST_MAX;
use crate::model::requirement::REQUIREMENT_NAMES_MAX;
use crate::model::role::{INSTANCE_VERIFY, KEYS_VERIFY};

pub(super) fn operations() -> Vec<Operation> {
    let results = any_of([the("Verdict"), answer([field("error", item_error())])]);
    vec![
        forward_auth(Method::GET, "forwardAuth"),
        forward_auth(Method::HEAD, "forwardAuthHead"),
        ext_authz(Method::GET, "extAuthz"),
        ext_authz(Method::HEAD, "extAuthzHead"),
        operation(Method::POST, "/v1/verify", "verify", "Verify a key")
            .details(
                "For a service to which the key was presented. Returns 200 for valid and invalid keys: \
                 read `valid` and `code`. Keys of other organizations are not found, unless the caller \
                 has `keyhouse:instance:verify`. `permissions` lists what the key is granted now; it is \
                 null if a list of 100 patterns cannot express that. The verdict does not depend on that \
                 list.",
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
                "Each check is independent of the others. A faulty check has an `error` in its result.",
            )
            .needs(&[KEYS_VERIFY, INSTANCE_VERIFY])
            .takes(
                request([field("requests", list(REQUESTS_MAX, any(json!({"key": "kh_live_one"}))))]),
                json!({"requests": [{"key": "kh_live_one"}, {"key": "kh_live_two", "cost": 0}]}),
            )
            .answers(200, answer([field("results", each(results))]), "The results, in the order of the checks."),
        introspect(),
        operation(Method::GET, "/v1/whoami", "whoAmI", "Show the presented key")
            .details(
                "`permissions` lists what the key is granted now; it is null if a list of 100 patterns \
                 cannot express that.",
            )
            .asked_by(Asker::Holder)
            .answers(200, the("Holding"), "The presented key."),
        operation(Method::POST, "/v1/whoami/revoke", "revokeMe", "Revoke the presented key")
            .details(
                "Revokes the key permanently. A limit, IP rule, role or subscription does not prevent it.",
            )
            .asked_by(Asker::Holder)
            .may_take(request([]), json!({}))
            .answers_empty(204, "The key is revoked.")
            .fails(OF_MANAGEMENT)
            .fails(OF_CHANGE),
    ]
}

fn introspect() -> Operation {
    let fields = [
        field("token", text("kh_live_what-the-client-presented").min_length(Some(1))),
        sometimes("token_type_hint", text("access_token")),
        sometimes("permissions", formatted("requirement", "diagrams:read AND diagrams:list")),
        sometimes("ip", address()),
    ];
    let told = [
        field("active", truth(true)),
        sometimes("scope", text("diagrams:read files:*")),
        sometimes("token_type", text("Bearer")),
        sometimes("client_id", id("key")),
        sometimes("sub", text("usr_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f")),
        sometimes("username", text("ada@example.com")),
        sometimes("iss", text("https://keys.example.com")),
        sometimes("iat", count(1_761_000_000)),
        sometimes("nbf", count(1_761_000_000)),
        sometimes("exp", count(1_792_000_000)),
        sometimes("organization", id("org")),
        sometimes("environment", text("live")),
    ];
    operation(Method::POST, "/v1/introspect", "introspect", "Introspect a token")
        .details(
            "Token introspection (RFC 7662) for OAuth clients, which authenticate with a key of their \
             own as Bearer or Basic. The call is not counted and draws on no limit. A key whose limits \
             are used up is active; `/v1/verify` and the gates enforce limits. With `permissions` and \
             `ip`, `active` also depends on those; a key with IP rules is active only with an allowed \
             `ip`. `scope` is left out if the key is granted no permission, or if a list of 100 patterns \
             cannot express what it is granted. For a token that is not active, the response is \
             `{\"active\": false}`. That includes keys of other organizations, unless the caller has \
             `keyhouse:instance:verify`.",
        )
        .asked_by(Asker::Program)
        .needs(&[KEYS_VERIFY, INSTANCE_VERIFY])
        .takes_form(
            request(fields),
            json!({
                "token": "kh_live_what-the-client-presented", "permissions": "diagrams:read",
            }),
        )
        .answers(200, answer(told), "The state of the token.")
}

fn forward_auth(method: Method, id: &'static str) -> Operation {
    let summary = "Authorize a request (nginx, Caddy, Traefik, HAProxy)";
    let operation = operation(method, "/v1/forward-auth/{gate}", id, summary)
        .details(
            "Called by a proxy whose address is in `trusted_proxies`, with the credential of its \
             client. Any method other than GET and HEAD is rejected with 403.",
        )
        .asked_by(Asker::Proxy)
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
            "Called by a proxy whose address is in `trusted_proxies`, with any method. The request \
             repeats the method, `Host`, path and credential of the client's request, with this prefix \
             before the path. The client's address is the last entry of `X-Forwarded-For`.",
        )
        .asked_by(Asker::Proxy)
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
        .fold(operation, |operation, (name, says)| operation.with(name, says))
}

/// The error of one check in a batch.
fn item_error() -> Schema {
    answer([
        field("code", text("invalid_input")),
        field("title", text("Invalid input")),
        sometimes("detail", text("see errors")),
        sometimes("errors", each(the("Fault"))),
        sometimes("permission", text("keyhouse:keys:read")),
    ])
}

pub(super) fn schemas() -> Vec<(&'static str, Schema)> {
    let check = request([
        field("key", text("kh_live_what-the-client-presented")),
        optional("permissions", requirement()),
        optional("ip", address()),
        optional("cost", whole(0, COST_MAX, 1)),
        optional("explain", truth(false)),
    ]);
    let patterns = || field("permissions", nullable(each(text("diagrams:*")).into()));
    let verdict = [field("valid", truth(true)), field("code", the("CheckCode"))].into_iter().chain(
        held().into_iter().chain([field("retry_after", count(7)), patterns()]).map(Field::seldom),
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
        field("id", id("key")),
        field("name", text("deploy")),
        field("kind", choice(&["personal", "service"])),
        field("environment", text("live")),
        field("expires_at", nullable(moment().into())),
    ]);
    let owner = answer([
        field("id", id("usr")),
        field("name", text("Ada")),
        field("email", nullable(text("ada@example.com").into())),
        field("role", text("user")),
    ]);
    let organization = answer([
        field("id", id("org")),
        field("name", text("example.com")),
        field("plan", text("pro")),
    ]);
    vec![
        field("key", key),
        field("owner", nullable(owner)),
        field("organization", organization),
        field("teams", each(answer([field("id", id("team")), field("name", text("Build"))]))),
        field("rate_limits", each(the("LimitState"))),
        field("quota", nullable(the("QuotaState"))),
    ]
}

/// A requirement: permissions that must all be granted, or an expression.
pub(super) fn requirement() -> Schema {
    let listed = list(REQUIREMENT_NAMES_MAX, permission("diagrams:read")).min_items(Some(1));
    any_of([listed.into(), formatted("requirement", "a:read AND (b:list OR c:list)").into()])
}

fn explanation() -> Schema {
    let stage = answer([
        field("source", text("role")),
        field("name", nullable(text("user").into())),
        field("pattern", nullable(text("*").into())),
        field("granted", truth(true)),
    ]);
    let granting = answer([
        field("permission", text("diagrams:read")),
        field("granted", truth(true)),
        field("by", each(stage)),
    ]);
    let step = answer([
        field("code", the("CheckCode")),
        field("outcome", choice(&["passed", "failed", "not_reached"])),
        field("source", text("key")),
        field("detail", nullable(text("the rule's reason").into())),
        field("permissions", each(granting)),
    ]);
    answer([
        field("code", the("CheckCode")),
        field("valid", truth(true)),
        field("source", nullable(text("key").into())),
        field("detail", nullable(text("the rule's reason").into())),
        field("rules", each(step)),
    ])
}

fn limit_state() -> Schema {
    answer([
        field("name", text("burst")),
        field("limit", count(20)),
        field("window_seconds", count(10)),
        field("remaining", count(19)),
        field("reset_seconds", count(1)),
    ])
}

fn quota_state() -> Schema {
    answer([
        field("limit", count(100_000)),
        field("period", choice(&["day", "week", "month"])),
        field("timezone", text("Europe/Paris")),
        field("used", count(1)),
        field("remaining", count(99_999)),
        field("resets_at", moment()),
    ])
}
