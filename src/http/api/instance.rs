//! `GET /v1/instance`: what a page or a client needs to know before anybody signs in.

use rouille::Response;
use serde_json::json;

use crate::http::problem::Problem;
use crate::http::{App, Call, answer};

#[expect(clippy::unnecessary_wraps, reason = "a handler of the table")]
pub(in crate::http) fn show(app: &App, _call: &Call<'_>) -> Result<Response, Problem> {
    let url = app.settings.public_url.to_string();
    Ok(answer::json(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "public_url": url,
        "endpoint_url": url,
        "support_url": null,
        "pricing_url": null,
        "prefix": app.actions.prefix().as_str(),
    })))
}
