//! `GET /v1/instance`: facts about the instance that clients need before sign-in.

use rouille::Response;
use serde_json::json;

use crate::http::problem::Problem;
use crate::http::{App, Call, answer};
use crate::model::public_url::WebUrl;

#[expect(clippy::unnecessary_wraps, reason = "all handlers in the route table return a Result")]
pub(in crate::http) fn show(app: &App, _call: &Call<'_>) -> Result<Response, Problem> {
    let url = app.settings.public_url.to_string();
    let links = app.links.load();
    let link = |url: Option<&WebUrl>| url.map(ToString::to_string);
    Ok(answer::json(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "public_url": url,
        "endpoint_url": link(links.endpoint.as_ref()).unwrap_or_else(|| url.clone()),
        "support_url": link(links.support.as_ref()),
        "pricing_url": link(links.pricing.as_ref()),
        "set_up": app.index().has_organizations(),
        "prefix": app.actions.prefix().as_str(),
    })))
}
