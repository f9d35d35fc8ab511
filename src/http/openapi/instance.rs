//! The instance itself: is it up, what is it, its page and this description.

use http::Method;

use crate::http::openapi::operation::{Asker, Operation, operation};
use crate::http::openapi::schema::{answer, anything, choice, field, nullable, text, truth};
use crate::model::role::INSTANCE_MANAGE;

pub(super) fn operations() -> Vec<Operation> {
    let url = || text("https://keys.example.com");
    let about = answer([
        field("version", text(env!("CARGO_PKG_VERSION"))),
        field("public_url", url()),
        field("endpoint_url", url()),
        field("support_url", nullable(url().into())),
        field("pricing_url", nullable(url().into())),
        field("set_up", truth(true)),
        field("prefix", text("kh")),
    ]);
    vec![
        operation(Method::GET, "/healthz", "isAlive", "Whether the process answers.")
            .asked_by(Asker::Probe)
            .answers(200, answer([field("status", choice(&["ok"]))]), "It does."),
        operation(Method::GET, "/readyz", "isReady", "Whether changes and checks work.")
            .asked_by(Asker::Probe)
            .answers(200, answer([field("status", choice(&["ready"]))]), "They do.")
            .fails(&["not_ready"]),
        operation(Method::GET, "/metrics", "showMetrics", "What there is to measure.")
            .details(
                "The text format of Prometheus. The listener of --metrics-listen serves it without a \
                 credential, and nothing else but health.",
            )
            .needs(&[INSTANCE_MANAGE])
            .answers_with(
                200,
                vec![("text/plain", text("keyhouse_ready 1\n").into())],
                "Counters, gauges and histograms.",
            ),
        operation(Method::GET, "/openapi.json", "describe", "This description.")
            .asked_by(Asker::Open)
            .answers(200, anything(serde_json::json!({"openapi": "3.1.0"})).into(), "OpenAPI 3.1."),
        operation(
            Method::GET,
            "/v1/instance",
            "showInstance",
            "What a client needs to know first.",
        )
        .asked_by(Asker::Open)
        .answers(200, about, "Version, addresses, and the prefix of its keys."),
        form("/", "showPage", "The page."),
        form("/setup", "showSetupPage", "The page, for the first start.").fails(&["not_found"]),
        form("/invitation", "showInvitationPage", "The page, for those who were invited."),
        form("/reset", "showResetPage", "The page, for a new password."),
        asset("/assets/{hash}/{file}", "showAsset"),
        asset("/assets/{hash}/{folder}/{part}", "showAssetInFolder"),
    ]
}

fn form(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation(Method::GET, path, id, summary).asked_by(Asker::Open).answers_with(
        200,
        vec![("text/html", text("<!doctype html>").into())],
        "The page.",
    )
}

fn asset(path: &'static str, id: &'static str) -> Operation {
    let kinds = ["text/css", "text/javascript", "application/json", "image/svg+xml"];
    operation(Method::GET, path, id, "A file of the page.").asked_by(Asker::Open).answers_with(
        200,
        kinds.map(|kind| (kind, text("").into())).into(),
        "The file.",
    )
}
