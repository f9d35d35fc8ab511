//! Liveness and readiness; neither says anything about keys.

use std::sync::atomic::Ordering;

use rouille::Response;
use serde_json::json;

use crate::http::problem::Problem;
use crate::http::transport::Arrival;
use crate::http::{App, answer};
use crate::index::State;

/// The process answers.
pub(super) fn alive(
    _app: &App,
    _arrival: &Arrival<'_>,
    _params: &[&str],
    _body: &[u8],
) -> Response {
    answer::finish(answer::json(&json!({ "status": "ok" })))
}

/// Changes and checks work: the index follows its store, and nobody is stopping.
pub(super) fn ready(app: &App, arrival: &Arrival<'_>, _params: &[&str], _body: &[u8]) -> Response {
    let response = match hindrance(app) {
        None => answer::json(&json!({ "status": "ready" })),
        Some(detail) => Problem::not_ready(detail).into_response(app.id_of(arrival.parts)),
    };
    answer::finish(response)
}

/// What keeps changes or checks from working.
pub(super) fn hindrance(app: &App) -> Option<&'static str> {
    match app.index().state() {
        _ if app.stopping.load(Ordering::Acquire) => Some("stopping"),
        State::Following if app.index().is_behind() => Some("index behind its store"),
        State::Following => None,
        State::Loading => Some("index loading"),
        State::Unavailable(_) => Some("store unavailable"),
        State::Ended(_) => Some("store no longer followed"),
    }
}
