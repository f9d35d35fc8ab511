//! Gates: the access policies of protected APIs.

use http::Method;
use serde_json::json;

use crate::http::openapi::operation::{Operation, operation};
use crate::http::schema::{
    Schema, address, answer, field, fitting, nullable, optional, request, text, the, truth, whole,
};
use crate::model::role::INSTANCE_MANAGE;

pub(super) fn operations() -> Vec<Operation> {
    vec![
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

fn method() -> Schema {
    fitting("^[A-Z-]{1,32}$", "GET").into()
}

pub(super) fn schemas() -> Vec<(&'static str, Schema)> {
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
    vec![("GateTest", test)]
}
