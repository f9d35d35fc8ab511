//! Gates: what stands before protected APIs.

use http::Method;
use serde_json::json;

use crate::http::openapi::checks::requirement;
use crate::http::openapi::operation::{Operation, operation};
use crate::http::openapi::schema::{
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
    vec![
        operation(Method::GET, "/v1/gates", "listGates", "Lists gates.")
            .details("Without `default`, which every instance has: any valid key, on any route.")
            .needs(&[INSTANCE_MANAGE])
            .query("limit", whole(1, 100, 50), "How many a page holds; 50 unless given.")
            .query("cursor", name_cursor(), "The `next_cursor` of the page before.")
            .answers(200, page_by_name(the("Gate")), "A page."),
        operation(Method::POST, "/v1/gates", "createGate", "Makes a gate.")
            .details(
                "What no route is for is denied, so a gate without routes lets nothing through. The \
                 most specific route wins: by its host, then its path from the left, then its \
                 methods. A path is literal segments, `{name}` or `*` for one segment, and a last \
                 `**` for none or more; a last slash says nothing. Capitals count: where an \
                 upstream serves `/Admin` from `/admin`, a route for the one says nothing of the \
                 other. Two routes that no request tells apart are refused. `credentials` are where a \
                 request may carry the key: `authorization` (Bearer and Basic), \
                 `authorization:bearer`, `authorization:basic` or another scheme before the key, \
                 such as `authorization:token`; a header that holds nothing else; `cookie:NAME`; \
                 `websocket-protocol:PREFIX`, an entry of `Sec-WebSocket-Protocol` that begins so. \
                 A 401 offers exactly the schemes that are accepted: without Basic, browsers open \
                 no dialog. A cookie goes with every request that another site makes a browser \
                 send: the application must then refuse those itself. With `preflight` `allow` a \
                 CORS preflight (OPTIONS with `Origin` and `Access-Control-Request-Method`) passes \
                 without a key where the request that it announces could, so that the application \
                 answers it; a route that names OPTIONS goes first. `allow` of a route names what \
                 its paths may hold that programs read differently, and that is refused elsewhere: \
                 `encoded_slash` (`%2F`, which never separates segments), `double_slash`, \
                 `semicolon`, `utf8` (not percent-encoded), `trailing_dot` (or space, of a \
                 segment), `compatibility_form` (of `.` or `/`). Where another reading of the path \
                 belongs to a more specific route, it is refused all the same.",
            )
            .needs(&[INSTANCE_MANAGE])
            .takes(
                request([field("name", gate_name())].into_iter().chain(policy())),
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
        operation(Method::GET, "/v1/gates/{gate}", "showGate", "Shows a gate.")
            .needs(&[INSTANCE_MANAGE])
            .answers(200, the("Gate"), "The gate.")
            .with_etag(),
        operation(Method::PATCH, "/v1/gates/{gate}", "changeGate", "Changes a gate.")
            .details("Counts for the very next check. The name stays: proxies ask by it.")
            .needs(&[INSTANCE_MANAGE])
            .versioned()
            .may_take(request(policy()), json!({"cost": 2}))
            .answers(200, the("Gate"), "The gate as it is now.")
            .with_etag(),
        operation(Method::DELETE, "/v1/gates/{gate}", "removeGate", "Removes a gate.")
            .details("From then on proxies that ask by its name are answered `GATE_NOT_FOUND`.")
            .needs(&[INSTANCE_MANAGE])
            .versioned()
            .answers_empty(204, "Removed."),
        operation(Method::POST, "/v1/gates/{gate}/test", "testGate", "What would it say, and why?")
            .details(
                "Counts nothing. `default` can be asked too. `preflight_for` is the method that an \
                 OPTIONS request announces as a CORS preflight. With a `key` it also needs \
                 `keyhouse:instance:verify` and `keyhouse:keys:read`.",
            )
            .needs(&[INSTANCE_MANAGE])
            .takes(
                request([
                    field("method", method()),
                    field(
                        "url",
                        fitting(
                            r"^(https?://[a-z0-9]{1,9}(\.[a-z0-9]{1,9}){0,3})?/[a-z0-9/._~%?=&-]{0,99}$",
                            "https://api.example.com/orders/7",
                        ),
                    ),
                    optional("key", text("kh_live_what-the-client-presents")),
                    optional("ip", address()),
                    optional("preflight_for", method()),
                ]),
                json!({"method": "GET", "url": "https://api.example.com/orders/7"}),
            )
            .answers(200, the("GateTest"), "What a proxy would be answered.")
            .fails(&["index_behind"]),
    ]
}

pub(super) fn gate_name() -> Schema {
    fitting("^[a-z][a-z0-9-]{0,62}$", "default").into()
}

fn method() -> Schema {
    fitting("^[A-Z-]{1,32}$", "GET").into()
}

/// What a gate is beside its name, as it is sent.
fn policy() -> Vec<Field> {
    let route = request([
        optional(
            "host",
            fitting(r"^(\*\.)?[a-z0-9]{1,9}(\.[a-z0-9]{1,9}){0,3}$", "api.example.com"),
        ),
        field("path", fitting(r"^(/[a-z0-9]{1,9}){1,5}(/\*\*)?$", "/orders/**")),
        optional("methods", list(METHODS_MAX, method()).min_items(Some(1))),
        optional("access", choice(&ACCESS)),
        optional("permissions", requirement()),
        optional("cost", whole(0, COST_MAX, 1)),
        optional("allow", list(Ambiguity::ALL.len(), choice(&ambiguities()))),
    ]);
    let credential = fitting(
        "^(authorization(:[a-z]{1,9}x)?|x-[a-z]{1,20}-key|cookie:[a-z]{1,9}-key|websocket-protocol:[a-z]{1,9}[.])$",
        "x-api-key",
    );
    let environment = fitting("^[a-z][a-z0-9]{0,15}$", "live");
    vec![
        optional("description", line(DESCRIPTION_CHARACTERS_MAX, "The shop's orders.")),
        optional("credentials", list(CREDENTIALS_MAX, credential).min_items(Some(1))),
        optional("routes", list(ROUTES_MAX, route)),
        optional("organizations", list(ACCEPTED_MAX, id("org")).min_items(Some(1))),
        optional("environments", list(ACCEPTED_MAX, environment).min_items(Some(1))),
        optional("cost", whole(0, COST_MAX, 1)),
        optional("preflight", choice(&PREFLIGHT)),
    ]
}

fn ambiguities() -> [&'static str; 6] {
    Ambiguity::ALL.map(Ambiguity::name)
}

pub(super) fn schemas() -> Vec<(&'static str, Schema)> {
    let route = answer([
        field("host", nullable(text("api.example.com").into())),
        field("path", text("/orders/{id}")),
        field("methods", nullable(each(text("GET")).into())),
        field("access", choice(&ACCESS)),
        field("permissions", nullable(text("orders:read").into())),
        field("cost", nullable(count(1).into())),
        field("allow", each(choice(&ambiguities()))),
    ]);
    let gate = answer([
        field("id", id("gate")),
        field("name", text("orders")),
        field("description", text("The shop's orders.")),
        field("credentials", each(text("x-api-key"))),
        field("routes", each(the("Route"))),
        field("organizations", nullable(each(id("org")).into())),
        field("environments", nullable(each(text("live")).into())),
        field("cost", count(1)),
        field("preflight", choice(&PREFLIGHT)),
        field("created_at", moment()),
        field("version", count(1)),
    ]);
    let test = answer([
        field("allowed", truth(false)),
        field("status", whole(200, 599, 403)),
        field("code", text("ROUTE_NOT_ALLOWED")),
        field("detail", nullable(text("the path holds a dot segment").into())),
        field("reason", nullable(text("dot_segment").into())),
        field("route", nullable(the("Route"))),
        field("explain", nullable(the("Explanation"))),
    ]);
    vec![("Route", route), ("Gate", gate), ("GateTest", test)]
}
