//! `GET /v1/instance`: facts about the instance that clients need before sign-in.

use rouille::Response;

use crate::http::endpoint::{Endpoint, get};
use crate::http::problem::Problem;
use crate::http::schema::{Schema, nullable, text, truth};
use crate::http::view::view;
use crate::http::{App, Call, answer};
use crate::model::public_url::WebUrl;

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    let endpoint = get("/v1/instance", show)
        .open()
        .named("showInstance", "Show the instance")
        .details("Returns the facts that a client needs before sign-in.")
        .answers::<InstanceView>(200, "Version, URLs and key prefix.");
    vec![endpoint]
}

view! {
    InstanceView {
        /// Version of Keyhouse.
        version: &'static str => text(env!("CARGO_PKG_VERSION")),
        /// URL of the page and the API.
        public_url: String => url(),
        /// URL of the API that keys are for. Default: `public_url`.
        endpoint_url: String => url(),
        /// URL for questions. Null if it is not configured.
        support_url: Option<String> => nullable(url()),
        /// URL of the plans and prices. Null if it is not configured.
        pricing_url: Option<String> => nullable(url()),
        /// Whether the setup is completed.
        set_up: bool => truth(true),
        /// Prefix of new keys.
        prefix: String => text("kh"),
    }
}

fn url() -> Schema {
    text("https://keys.example.com").into()
}

#[expect(clippy::unnecessary_wraps, reason = "all handlers in the route table return a Result")]
fn show(app: &App, _call: &Call<'_>) -> Result<Response, Problem> {
    let url = app.settings.public_url.to_string();
    let links = app.links.load();
    let link = |url: Option<&WebUrl>| url.map(ToString::to_string);
    Ok(answer::json(&InstanceView {
        version: env!("CARGO_PKG_VERSION"),
        endpoint_url: link(links.endpoint.as_ref()).unwrap_or_else(|| url.clone()),
        public_url: url,
        support_url: link(links.support.as_ref()),
        pricing_url: link(links.pricing.as_ref()),
        set_up: app.index().has_organizations(),
        prefix: app.actions.prefix().as_str().to_owned(),
    }))
}
