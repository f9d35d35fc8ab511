//! The instance: health, metrics, its facts, the page and this document.

use http::Method;

use crate::http::openapi::operation::{CallerKind, Operation, operation};
use crate::http::schema::{answer, anything, choice, field, nullable, text, truth};
use crate::model::role::INSTANCE_MANAGE;

pub(super) fn operations() -> Vec<Operation> {
    let url = || text("https://keys.example.com");
    let about = answer([
        field("version", text(env!("CARGO_PKG_VERSION")), "Version of Keyhouse."),
        field("public_url", url(), "URL of the page and the API."),
        field("endpoint_url", url(), "URL of the API that keys are for. Default: `public_url`."),
        field(
            "support_url",
            nullable(url().into()),
            "URL for questions. Null if it is not configured.",
        ),
        field(
            "pricing_url",
            nullable(url().into()),
            "URL of the plans and prices. Null if it is not configured.",
        ),
        field("set_up", truth(true), "Whether the setup is completed."),
        field("prefix", text("kh"), "Prefix of new keys."),
    ]);
    vec![
        operation(Method::GET, "/healthz", "isAlive", "Check liveness")
            .details("Returns 200 while the process is running.")
            .called_by(CallerKind::Probe)
            .answers(
                200,
                answer([field("status", choice(&["ok"]), "Always `ok`.")]),
                "The process is running.",
            ),
        operation(Method::GET, "/readyz", "isReady", "Check readiness")
            .details("Returns 200 while changes and checks work, else 503 with the reason.")
            .called_by(CallerKind::Probe)
            .answers(
                200,
                answer([field("status", choice(&["ready"]), "Always `ready`.")]),
                "Changes and checks work.",
            )
            .fails(&["not_ready"]),
        operation(Method::GET, "/metrics", "showMetrics", "Show metrics")
            .details(
                "Returns the metrics in the Prometheus text format. The listener of \
                 --metrics-listen serves them without a credential.",
            )
            .needs(&[INSTANCE_MANAGE])
            .answers_with(
                200,
                vec![("text/plain", text("keyhouse_ready 1\n").into())],
                "Counters, gauges and histograms.",
            ),
        operation(Method::GET, "/openapi.json", "describe", "Show the OpenAPI document")
            .called_by(CallerKind::Open)
            .answers(
                200,
                anything(serde_json::json!({"openapi": "3.1.0"})).into(),
                "The OpenAPI 3.1 document.",
            ),
        operation(Method::GET, "/v1/instance", "showInstance", "Show the instance")
            .called_by(CallerKind::Open)
            .details("Returns the facts that a client needs before sign-in.")
            .answers(200, about, "Version, URLs and key prefix."),
        form("/", "showPage", "Show the page"),
        form("/setup", "showSetupPage", "Show the setup form").fails(&["not_found"]),
        form("/invitation", "showInvitationPage", "Show the form of an invitation"),
        form("/reset", "showResetPage", "Show the form for a new password"),
        asset("/assets/{hash}/{file}", "showAsset"),
        asset("/assets/{hash}/{folder}/{part}", "showAssetInFolder"),
    ]
}

fn form(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation(Method::GET, path, id, summary).called_by(CallerKind::Open).answers_with(
        200,
        vec![("text/html", text("<!doctype html>").into())],
        "The page.",
    )
}

fn asset(path: &'static str, id: &'static str) -> Operation {
    let kinds = ["text/css", "text/javascript", "application/json", "image/svg+xml"];
    operation(Method::GET, path, id, "Show a file of the page")
        .called_by(CallerKind::Open)
        .answers_with(200, kinds.map(|kind| (kind, text("").into())).into(), "The file.")
}
