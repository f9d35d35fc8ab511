//! Checks: a credential and a request in, a decision out.

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
        operation(Method::POST, "/v1/verify", "verify", "May this key do that?")
            .details(
                "For a service to which the key was presented. The answer is 200 whatever the key \
                 is worth: `valid` and `code` say it. Keys of other organizations are unknown, \
                 unless an operator gave `keyhouse:instance:verify`. `permissions` is the list of \
                 what the key is granted today, or null where no list of 100 patterns says it: the \
                 verdict does not depend on that list.",
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
        operation(Method::POST, "/v1/verify/batch", "verifyBatch", "Many questions at once.")
            .details("Each is answered as if it were asked alone; what is wrong with one is its `error`.")
            .needs(&[KEYS_VERIFY, INSTANCE_VERIFY])
            .takes(
                request([field("requests", list(REQUESTS_MAX, any(json!({"key": "kh_live_one"}))))]),
                json!({"requests": [{"key": "kh_live_one"}, {"key": "kh_live_two", "cost": 0}]}),
            )
            .answers(200, answer([field("results", each(results))]), "In their order."),
        introspect(),
        operation(Method::GET, "/v1/whoami", "whoAmI", "What this key is and may do.")
            .details(
                "`permissions` is what the key is granted today, or null where no list of 100 \
                 patterns says it.",
            )
            .asked_by(Asker::Holder)
            .answers(200, the("Holding"), "The presented key."),
        operation(Method::POST, "/v1/whoami/revoke", "revokeMe", "Revokes this key, for ever.")
            .details("Nothing keeps a key that leaked alive: no limit, network, role or subscription.")
            .asked_by(Asker::Holder)
            .may_take(request([]), json!({}))
            .answers_empty(204, "Revoked.")
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
    operation(Method::POST, "/v1/introspect", "introspect", "Is this token active, by RFC 7662?")
        .details(
            "For OAuth clients, with a key of their own as Bearer or Basic. It counts no call and \
             draws on no limit, and a key whose limits are used up is active: `/v1/verify` and the \
             gates hold keys to their limits. With `permissions` and `ip`, `active` says whether \
             the key may do that from there; a key with address rules is active nowhere but where \
             `ip` says. `scope` is what the key is granted, wildcards as they are, and left out \
             where that is nothing or no list of 100 patterns says it; `client_id` is \
             the key, `sub` its owner or, of a service key, its organization, `iat` when the key \
             was made. Whatever is not active is `{\"active\": false}` and no more, a key of \
             another organization too, unless an operator gave `keyhouse:instance:verify`.",
        )
        .asked_by(Asker::Program)
        .needs(&[KEYS_VERIFY, INSTANCE_VERIFY])
        .takes_form(
            request(fields),
            json!({
                "token": "kh_live_what-the-client-presented", "permissions": "diagrams:read",
            }),
        )
        .answers(200, answer(told), "Whether it is active and, if so, what it is.")
}

fn forward_auth(method: Method, id: &'static str) -> Operation {
    let summary = "May this request pass? For nginx, Caddy, Traefik and HAProxy.";
    let operation = operation(method, "/v1/forward-auth/{gate}", id, summary)
        .details(
            "Asked by a proxy whose address is among `trusted_proxies`, with the credential of its \
             client. Other methods are refused with 403 like everything that is no clear yes.",
        )
        .asked_by(Asker::Proxy)
        .header("X-Forwarded-Method", fitting("^[A-Z]+$", "GET"), "The client's method.")
        .header("X-Forwarded-Proto", choice(&["https", "http"]), "The client's scheme.")
        .header(
            "X-Forwarded-Host",
            fitting("^[!-~]{1,255}$", "app.example.com"),
            "The host asked for.",
        )
        .header("X-Forwarded-Uri", fitting("^/[!-~]*$", "/diagrams/7"), "Path and query asked for.")
        .header(
            "X-Forwarded-For",
            fitting("^[0-9a-fA-F.:, ]+$", "192.0.2.7"),
            "The client's address.",
        );
    passing(operation)
}

fn ext_authz(method: Method, id: &'static str) -> Operation {
    let summary = "May this request pass? For Envoy, which repeats it below this path.";
    let operation = operation(method, "/v1/ext-authz/{gate}/{path}", id, summary)
        .details(
            "Asked with any method by a proxy whose address is among `trusted_proxies`. The client's \
             request is this one without the prefix: its method, `Host`, path and credential. Of \
             `X-Forwarded-For` the last entry counts.",
        )
        .asked_by(Asker::Proxy)
        .header(
            "X-Forwarded-For",
            fitting("^[0-9a-fA-F.:, ]+$", "192.0.2.7"),
            "The client's address.",
        );
    passing(operation)
}

fn passing(operation: Operation) -> Operation {
    let operation = operation
        .answers_empty(200, "It may. Every header is there; `-` where it says nothing.")
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

/// What is wrong with one of many questions.
fn item_error() -> Schema {
    answer([
        field("code", text("invalid_input")),
        field("title", text("Input not valid")),
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

/// What is told of a key to its holder, and to a service that may ask about it.
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

/// What is required of a key: names that it must all have, or the language.
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
        field("detail", nullable(text("what decided").into())),
        field("permissions", each(granting)),
    ]);
    answer([
        field("code", the("CheckCode")),
        field("valid", truth(true)),
        field("source", nullable(text("key").into())),
        field("detail", nullable(text("what decided").into())),
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
