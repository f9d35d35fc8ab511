//! The list of all endpoints, the table of their routes, and `GET /openapi.json`, their description.

use std::sync::LazyLock;

use http::Method;
use rouille::Response;
use serde_json::json;

use crate::http::encoding::Encoded;
use crate::http::endpoint::{Endpoint, get};
use crate::http::input::JSON;
use crate::http::matching::Matching;
use crate::http::problem::Problem;
use crate::http::route::HttpRoute;
use crate::http::routing::Routing;
use crate::http::schema::anything;
use crate::http::transport::ListenerKind;
use crate::http::{App, Call, api, check, health, metrics, openapi, page};

/// The endpoints of the API, in no order.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let resources: [fn() -> Vec<Endpoint>; 32] = [
        api::setup::endpoints,
        api::session::endpoints,
        api::proof::endpoints,
        api::sessions::endpoints,
        api::me::endpoints,
        api::notices::endpoints,
        api::totp::endpoints,
        api::users::endpoints,
        api::user_sessions::endpoints,
        api::resets::endpoints,
        api::links::endpoints,
        api::lockouts::endpoints,
        api::invitations::endpoints,
        health::endpoints,
        metrics::endpoints,
        openapi_endpoint,
        page::endpoints,
        check::endpoints,
        api::audit::endpoints,
        api::backup::endpoints,
        api::gates::endpoints,
        api::instance::endpoints,
        api::keys::endpoints,
        api::organizations::endpoints,
        api::overview::endpoints,
        api::permissions::endpoints,
        api::plans::endpoints,
        api::probes::endpoints,
        api::roles::endpoints,
        api::seal_key::endpoints,
        api::teams::endpoints,
        api::usage::endpoints,
    ];
    resources.into_iter().flat_map(|endpoints| endpoints()).collect()
}

fn openapi_endpoint() -> Vec<Endpoint> {
    let content = vec![(JSON, anything(json!({"openapi": "3.1.0"})).into())];
    let endpoint = get("/openapi.json", show_openapi)
        .open()
        .named("describe", "Show the OpenAPI document")
        .answers_with(200, content, "The OpenAPI 3.1 document.");
    vec![endpoint]
}

#[expect(clippy::unnecessary_wraps, reason = "all handlers return a Result")]
fn show_openapi(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let description = app.description.get_or_init(|| {
        let document = openapi::describe(app, &endpoints());
        Encoded::new(document.into_bytes())
    });
    Ok(description.json(call.request.header("Accept-Encoding")))
}

/// All routes. Every GET route also serves HEAD.
pub(super) static ROUTES: LazyLock<Vec<HttpRoute>> =
    LazyLock::new(|| endpoints().into_iter().map(|endpoint| endpoint.route).collect());

static MATCHING: LazyLock<Matching> = LazyLock::new(|| Matching::new(&ROUTES));

/// Builds the table of routes, so that the first request does not wait for it.
pub(crate) fn prepare_routes() {
    LazyLock::force(&MATCHING);
}

/// Finds the route of a request: see [`Matching::find`].
pub(super) fn find(method: &Method, path: &str, listener: ListenerKind) -> Routing {
    MATCHING.find(method, path, listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_byte_for_byte() {
        for (method, path, listener, found) in [
            ("GET", "/v1/keys", ListenerKind::Main, "/v1/keys"),
            ("HEAD", "/v1/keys", ListenerKind::Main, "/v1/keys"),
            ("PATCH", "/v1/keys/key_1", ListenerKind::Main, "/v1/keys/{key}"),
            ("PATCH", "/v1/keys", ListenerKind::Main, "405"),
            ("POST", "/v1/keys/import", ListenerKind::Main, "/v1/keys/import"),
            ("GET", "/v1/keys/import", ListenerKind::Main, "405"),
            ("GET", "/v1/invitations/accept", ListenerKind::Main, "405"),
            (
                "GET",
                "/v1/keys/import/descendants",
                ListenerKind::Main,
                "/v1/keys/{key}/descendants",
            ),
            ("GET", "/v1/keys/impor", ListenerKind::Main, "/v1/keys/{key}"),
            ("GET", "/v1/keys/{key}", ListenerKind::Main, "/v1/keys/{key}"),
            ("GET", "/v1/keys/{*rest}", ListenerKind::Main, "/v1/keys/{key}"),
            ("GET", "/v1/keys/:key", ListenerKind::Main, "/v1/keys/{key}"),
            ("GET", "/v1/keys/*", ListenerKind::Main, "/v1/keys/{key}"),
            ("GET", "/v1/keys/%69mport", ListenerKind::Main, "/v1/keys/{key}"),
            ("GET", "/v1/keys/é", ListenerKind::Main, "/v1/keys/{key}"),
            ("GET", "/v1/{key}", ListenerKind::Main, ""),
            ("GET", "/v1/{*rest}", ListenerKind::Main, ""),
            ("GET", "/v1/keys//x", ListenerKind::Main, ""),
            ("GET", "/v1/keys//descendants", ListenerKind::Main, ""),
            ("GET", "/v1/keys/x/", ListenerKind::Main, ""),
            ("GET", "/v1/keys/x/descendants/", ListenerKind::Main, ""),
            ("GET", "/v1/keys/../keys", ListenerKind::Main, ""),
            ("GET", "/V1/keys", ListenerKind::Main, ""),
            ("GET", "", ListenerKind::Main, ""),
            ("OPTIONS", "*", ListenerKind::Main, ""),
            ("GET", "/", ListenerKind::Main, "/"),
            ("GET", "/assets/hash/file", ListenerKind::Main, "/assets/{hash}/{file}"),
            ("GET", "/assets/hash/a/b", ListenerKind::Main, "/assets/{hash}/{folder}/{part}"),
            ("GET", "/assets/hash//b", ListenerKind::Main, ""),
            ("GET", "/assets/hash/a/b/c", ListenerKind::Main, ""),
            ("GET", "/v1/keys/", ListenerKind::Main, ""),
            ("GET", "//v1/keys", ListenerKind::Main, ""),
            ("GET", "/v1/%6beys", ListenerKind::Main, ""),
            ("GET", "/v1/keys", ListenerKind::Checks, ""),
            ("PUT", "/v1/forward-auth/default", ListenerKind::Checks, "/v1/forward-auth/{gate}"),
            (
                "PUT",
                "/v1/ext-authz/g/a//b/../",
                ListenerKind::Checks,
                "/v1/ext-authz/{gate}/{path}",
            ),
            ("GET", "/v1/ext-authz/g/", ListenerKind::Checks, "/v1/ext-authz/{gate}/{path}"),
            ("GET", "/v1/ext-authz/g//", ListenerKind::Checks, "/v1/ext-authz/{gate}/{path}"),
            ("BREW", "/v1/ext-authz/g/{path}", ListenerKind::Main, "/v1/ext-authz/{gate}/{path}"),
            ("GET", "/v1/ext-authz//a", ListenerKind::Checks, ""),
            ("GET", "/v1/ext-authz/", ListenerKind::Checks, ""),
            ("GET", "/v1/forward-auth/", ListenerKind::Checks, ""),
            ("GET", "/v1/forward-auth/g/", ListenerKind::Checks, ""),
            ("GET", "/v1/ext-authz/g", ListenerKind::Checks, ""),
            ("GET", "/healthz", ListenerKind::Checks, "/healthz"),
            ("GET", "/metrics", ListenerKind::Main, "/metrics"),
            ("GET", "/metrics", ListenerKind::Checks, ""),
            ("GET", "/metrics", ListenerKind::Metrics, "/metrics"),
            ("GET", "/readyz", ListenerKind::Metrics, "/readyz"),
            ("GET", "/v1/forward-auth/default", ListenerKind::Metrics, ""),
            ("GET", "/v1/instance", ListenerKind::Metrics, ""),
            ("GET", "/", ListenerKind::Metrics, ""),
        ] {
            let routing = find(&method.parse().unwrap(), path, listener);
            let path_found = match routing.route {
                Some(route) => route.path,
                None if routing.allowed().is_empty() => "",
                None => "405",
            };
            assert_eq!(path_found, found, "{method} {path}");
        }
    }

    #[test]
    fn no_two_routes_are_equal() {
        let mut names: Vec<_> =
            ROUTES.iter().map(|route| format!("{:?} {}", route.method, route.path)).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), ROUTES.len());
    }
}
