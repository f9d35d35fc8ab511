//! Liveness and readiness endpoints. The endpoints reveal nothing about keys.

use std::sync::atomic::Ordering;

use rouille::Response;
use serde_json::json;

use crate::http::problem::Problem;
use crate::http::{App, CheckCall, answer};
use crate::index::IndexState;

/// `/healthz`: 200 while the process runs.
pub(super) fn alive(_app: &App, _call: &CheckCall<'_>) -> Response {
    answer::finish(answer::json(&json!({ "status": "ok" })))
}

/// `/readyz`: 200 while changes and checks work, that is, while the index follows its store and the
/// process is not stopping.
pub(super) fn ready(app: &App, call: &CheckCall<'_>) -> Response {
    let response = match not_ready_reason(app) {
        None => answer::json(&json!({ "status": "ready" })),
        Some(detail) => Problem::not_ready(detail).into_response(app.id_of(call.arrival.parts)),
    };
    answer::finish(response)
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
