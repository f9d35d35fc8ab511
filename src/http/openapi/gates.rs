//! Gates: the access policies of protected APIs.

use http::Method;
use serde_json::json;

use crate::http::openapi::checks::requirement;
use crate::http::openapi::operation::{Operation, operation};
use crate::http::schema::{
    Field, Schema, address, answer, choice, count, each, field, fitting, id, line, list, moment,
    name_cursor, nullable, optional, page_by_name, request, text, the, truth, whole,
};
use crate::model::credential::CREDENTIALS_MAX;
use crate::model::gate::{ACCEPTED_MAX, ROUTES_MAX};
use crate::model::limit::COST_MAX;
use crate::model::name::DESCRIPTION_CHARACTERS_MAX;
use crate::model::role::INSTANCE_MANAGE;
use crate::model::route::{Ambiguity, METHODS_MAX};

const ACCESS: [&str; 3] = ["key", "public", "denied"];
const PREFLIGHT: [&str; 2] = ["check", "allow"];

pub(super) fn operations() -> Vec<Operation> {
    let description = "Name of the gate, which proxies use in their check URL.";
    let name = field("name", gate_name(), description);
    vec![
        operation(Method::GET, "/v1/gates", "listGates", "List gates")
            .details(
                "Returns gates by name. The built-in gate `default`, which accepts any valid key \
                 on any route, is not listed.",
            )
            .needs(&[INSTANCE_MANAGE])
            .paged_by(name_cursor())
            .answers(200, page_by_name(the("Gate")), "A page of gates."),
        operation(Method::POST, "/v1/gates", "createGate", "Create a gate")
            .details(
                "A request that matches no route is denied, so a gate without routes denies every \
                 request.\n\n\
                 **Routes.** The most specific route applies: by host, then by path from the \
                 left, then by methods. A path consists of literal segments, `{name}` or `*` for \
                 any one segment, and a trailing `**` for zero or more segments. A trailing slash \
                 is ignored. Paths are case-sensitive: if the upstream serves `/admin` for \
                 `/Admin` too, add a route for each. Two routes that match the same requests are \
                 rejected.\n\n\
                 **Credentials.** `credentials` lists the places of a request that may hold the \
                 key: `authorization` (Bearer and Basic); `authorization:bearer`, \
                 `authorization:basic` or another scheme, such as `authorization:token`; the name \
                 of a header that holds only the key; `cookie:NAME`; `websocket-protocol:PREFIX`, \
                 an entry of `Sec-WebSocket-Protocol` with this prefix. A 401 offers exactly the \
                 accepted schemes; without Basic, browsers open no dialog. Browsers send a cookie \
                 with cross-site requests too, so the application must reject those itself.\n\n\
                 **CORS.** With `preflight` set to `allow`, a CORS preflight (OPTIONS with \
                 `Origin` and `Access-Control-Request-Method`) passes without a key if the \
                 announced request has a route, so that the application can answer it. A route \
                 for OPTIONS takes precedence.\n\n\
                 **Ambiguous paths.** Paths that programs interpret differently are rejected, \
                 unless `allow` of the route lists the reason: `encoded_slash` (`%2F`, which \
                 never separates segments), `double_slash`, `semicolon`, `utf8` (not \
                 percent-encoded), `trailing_dot` (or a trailing space of a segment), \
                 `compatibility_form` (of `.` or `/`). If another interpretation of the path \
                 matches a more specific route, the request is still rejected.",
            )
            .needs(&[INSTANCE_MANAGE])
            .takes(
                request([name].into_iter().chain(policy())),
                json!({
                    "name": "orders",
                    "routes": [
                        {"path": "/health", "access": "public"},
                        {"path": "/orders/**", "methods": ["GET"], "permissions": "orders:read"},
                        {"path": "/orders/**", "permissions": "orders:write", "cost": 5},
                    ],
                }),
            )
            .answers(201, the("Gate"), "The gate.")
            .with_location()
            .fails(&["name_taken", "too_many_gates"]),
        operation(Method::GET, "/v1/gates/{gate}", "showGate", "Show a gate")
            .needs(&[INSTANCE_MANAGE])
            .answers(200, the("Gate"), "The gate.")
            .with_etag(),
        operation(Method::PATCH, "/v1/gates/{gate}", "changeGate", "Change a gate")
            .details(
                "The change applies to the next check. The name cannot be changed, because \
                 proxies use it in their check URL.",
            )
            .needs(&[INSTANCE_MANAGE])
            .versioned()
            .may_take(request(policy()), json!({"cost": 2}))
            .answers(200, the("Gate"), "The changed gate.")
            .with_etag(),
        operation(Method::DELETE, "/v1/gates/{gate}", "removeGate", "Delete a gate")
            .details("Proxies that still use the gate get `GATE_NOT_FOUND`.")
            .needs(&[INSTANCE_MANAGE])
            .versioned()
            .answers_empty(204, "The gate is deleted."),
        operation(Method::POST, "/v1/gates/{gate}/test", "testGate", "Explain a request to a gate")
            .details(
                "Dry-runs a request against the gate, which may be `default`, and explains the \
                 result. No call is counted. With `key`, the caller also needs \
                 `keyhouse:instance:verify` and `keyhouse:keys:read`.",
            )
            .needs(&[INSTANCE_MANAGE])
            .takes(trial(), json!({"method": "GET", "url": "https://api.example.com/orders/7"}))
            .answers(200, the("GateTest"), "The response that a proxy would get.")
            .fails(&["index_behind"]),
    ]
}

fn trial() -> Schema {
    const URL: &str = r"^(https?://[a-z0-9]{1,9}(\.[a-z0-9]{1,9}){0,3})?/[a-z0-9/._~%?=&-]{0,99}$";
    request([
        field("method", method(), "Method of the request."),
        field(
            "url",
            fitting(URL, "https://api.example.com/orders/7"),
            "URL or path of the request. Without a host, only routes without a host match.",
        ),
        optional(
            "key",
            text("kh_live_what-the-client-presents"),
            "Key of the request. Without it, the request has no credential.",
        ),
        optional("ip", address(), "IP address of the client, for IP rules."),
        optional(
            "preflight_for",
            method(),
            "Method that the request announces, if it is a CORS preflight.",
        ),
    ])
}

pub(super) fn gate_name() -> Schema {
    fitting("^[a-z][a-z0-9-]{0,62}$", "default").into()
}

fn method() -> Schema {
    fitting("^[A-Z-]{1,32}$", "GET").into()
}

/// The fields of a gate that a client can set, without its name.
fn policy() -> Vec<Field> {
    let route = request([
        optional(
            "host",
            fitting(r"^(\*\.)?[a-z0-9]{1,9}(\.[a-z0-9]{1,9}){0,3}$", "api.example.com"),
            "Host, or `*.` and a domain. Default: any host.",
        ),
        field(
            "path",
            fitting(r"^(/[a-z0-9]{1,9}){1,5}(/\*\*)?$", "/orders/**"),
            "Path, with `{name}` or `*` for one segment and a trailing `**` for the rest.",
        ),
        optional(
            "methods",
            list(METHODS_MAX, method()).min_items(Some(1)),
            "Methods. Default: all.",
        ),
        optional(
            "access",
            choice(&ACCESS),
            "`key` requires a valid key, `public` lets every request pass, `denied` none. \
             Default: `key`.",
        ),
        optional(
            "permissions",
            requirement(),
            "Required permissions: a list, or an expression. Default: none.",
        ),
        optional(
            "cost",
            whole(0, COST_MAX, 1),
            "Number of calls to count. Default: the cost of the gate.",
        ),
        optional(
            "allow",
            list(Ambiguity::ALL.len(), choice(&ambiguities())),
            "Ambiguities that the paths of this route may contain.",
        ),
    ]);
    let credential = fitting(
        "^(authorization(:[a-z]{1,9}x)?|x-[a-z]{1,20}-key|cookie:[a-z]{1,9}-key|websocket-protocol:[a-z]{1,9}[.])$",
        "x-api-key",
    );
    let environment = fitting("^[a-z][a-z0-9]{0,15}$", "live");
    vec![
        optional(
            "description",
            line(DESCRIPTION_CHARACTERS_MAX, "The shop's orders."),
            "Description for people.",
        ),
        optional(
            "credentials",
            list(CREDENTIALS_MAX, credential).min_items(Some(1)),
            "Places of a request that may hold the key. Default: the standard headers.",
        ),
        optional("routes", list(ROUTES_MAX, route), "Routes of the gate."),
        optional(
            "organizations",
            list(ACCEPTED_MAX, id("org")).min_items(Some(1)),
            "Organizations whose keys are accepted. Default: all.",
        ),
        optional(
            "environments",
            list(ACCEPTED_MAX, environment).min_items(Some(1)),
            "Environments whose keys are accepted. Default: all.",
        ),
        optional(
            "cost",
            whole(0, COST_MAX, 1),
            "Number of calls to count for each request. Default: 1.",
        ),
        optional(
            "preflight",
            choice(&PREFLIGHT),
            "Whether CORS preflights are checked like other requests, or pass without a key. \
             Default: `check`.",
        ),
    ]
}

fn ambiguities() -> [&'static str; 6] {
    Ambiguity::ALL.map(Ambiguity::name)
}

pub(super) fn schemas() -> Vec<(&'static str, Schema)> {
    let route = answer([
        field(
            "host",
            nullable(text("api.example.com").into()),
            "Host, or `*.` and a domain. Null: any host.",
        ),
        field(
            "path",
            text("/orders/{id}"),
            "Path, with `{name}` or `*` for one segment and a trailing `**` for the rest.",
        ),
        field("methods", nullable(each(text("GET")).into()), "Methods. Null: all."),
        field(
            "access",
            choice(&ACCESS),
            "`key` requires a valid key, `public` lets every request pass, `denied` none.",
        ),
        field(
            "permissions",
            nullable(text("orders:read").into()),
            "Required permissions, as an expression. Null: none.",
        ),
        field(
            "cost",
            nullable(count(1).into()),
            "Number of calls to count. Null: the cost of the gate.",
        ),
        field(
            "allow",
            each(choice(&ambiguities())),
            "Ambiguities that the paths of this route may contain.",
        ),
    ]);
    let gate = answer([
        field("id", id("gate"), "Id of the gate."),
        field("name", text("orders"), "Name of the gate."),
        field("description", text("The shop's orders."), "Description for people."),
        field("credentials", each(text("x-api-key")), "Places of a request that may hold the key."),
        field("routes", each(the("Route")), "Routes of the gate."),
        field(
            "organizations",
            nullable(each(id("org")).into()),
            "Organizations whose keys are accepted. Null: all.",
        ),
        field(
            "environments",
            nullable(each(text("live")).into()),
            "Environments whose keys are accepted. Null: all.",
        ),
        field("cost", count(1), "Number of calls to count for each request."),
        field(
            "preflight",
            choice(&PREFLIGHT),
            "Whether CORS preflights are checked like other requests, or pass without a key.",
        ),
        field("created_at", moment(), "Time of creation."),
        field("version", count(1), "Version of the object, for `If-Match`."),
    ]);
    let test = answer([
        field("allowed", truth(false), "Whether the request would pass."),
        field("status", whole(200, 599, 403), "HTTP status that the proxy would get."),
        field("code", text("ROUTE_NOT_ALLOWED"), "Code of the decision."),
        field(
            "detail",
            nullable(text("the path contains a dot segment").into()),
            "Explanation of a denial. Null if the request would pass.",
        ),
        field(
            "reason",
            nullable(text("dot_segment").into()),
            "Machine-readable reason of a denial, if it has one.",
        ),
        field("route", nullable(the("Route")), "Matching route. Null if there is none."),
        field(
            "explain",
            nullable(the("Explanation")),
            "Explanation of the check of the key. Null if no key was checked.",
        ),
    ]);
    vec![("Route", route), ("Gate", gate), ("GateTest", test)]
}
