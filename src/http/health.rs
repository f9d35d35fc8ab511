//! Liveness and readiness endpoints. The endpoints reveal nothing about keys.

use std::sync::atomic::Ordering;

use crate::http::endpoint::{Endpoint, probe};
use crate::http::problem::Problem;
use crate::http::schema::choice;
use crate::http::transport::PreparedResponse;
use crate::http::view::view;
use crate::http::{App, CheckCall, answer};
use crate::index::IndexState;
use crate::model::errors;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        probe("/healthz", alive)
            .named("isAlive", "Check liveness")
            .details("Returns 200 while the process is running.")
            .answers::<AliveView>(200, "The process is running."),
        probe("/readyz", ready)
            .named("isReady", "Check readiness")
            .details("Returns 200 while changes and checks work, else 503 with the reason.")
            .answers::<ReadyView>(200, "Changes and checks work.")
            .fails(&[errors::NOT_READY]),
    ]
}

view! {
    AliveView {
        /// Always `ok`.
        status: &'static str => choice(&["ok"]),
    }
}

view! {
    ReadyView {
        /// Always `ready`.
        status: &'static str => choice(&["ready"]),
    }
}

fn alive(_app: &App, _call: &CheckCall<'_>) -> PreparedResponse {
    alive_response()
}

pub(super) fn alive_response() -> PreparedResponse {
    answer::prepared(&AliveView { status: "ok" })
}

/// 200 while the index follows its store and the process is not stopping.
fn ready(app: &App, call: &CheckCall<'_>) -> PreparedResponse {
    match not_ready_reason(app) {
        None => answer::prepared(&ReadyView { status: "ready" }),
        Some(detail) => Problem::not_ready(detail).prepared(&call.id.of_head(call.arrival.parts)),
    }
}

/// Why changes or checks do not work; `None` if both work.
pub(super) fn not_ready_reason(app: &App) -> Option<&'static str> {
    match app.index().state() {
        _ if app.stopping.load(Ordering::Acquire) => Some("the server is stopping"),
        IndexState::Following if app.index().is_behind() => Some("the index is behind the store"),
        IndexState::Following => None,
        IndexState::Loading => Some("the index is loading"),
        IndexState::Unavailable(_) => Some("the store is unavailable"),
        IndexState::Ended(_) => Some("the index no longer follows the store: restart keyhouse"),
    }
}
