//! `/v1/forward-auth/{gate}`: checks for nginx `auth_request`, Caddy `forward_auth`, Traefik
//! `ForwardAuth` and `HAProxy`.
//!
//! The endpoint reads only `X-Forwarded-{Method,Proto,Host,Uri,For}` and the credential.

use http::Method;

use crate::http::check::admit::{forwarded_for, passing};
use crate::http::endpoint::{Endpoint, check};
use crate::http::forwarded::{self, NotForwarded};
use crate::http::schema::{choice, field, fitting};
use crate::http::transport::PreparedResponse;
use crate::http::{App, CheckCall};

pub(super) fn endpoint() -> Endpoint {
    let summary = "Authorize a request (nginx, Caddy, Traefik, HAProxy)";
    let endpoint = check("/v1/forward-auth/{gate}", answer)
        .named("forwardAuth", summary)
        .details(
            "Called by a proxy whose address is in `trusted_proxies`, with the credential of \
             its client. Any method other than GET and HEAD is rejected with 403.",
        )
        .header(field(
            "X-Forwarded-Method",
            fitting("^[A-Z]+$", "GET"),
            "Method of the client's request.",
        ))
        .header(field(
            "X-Forwarded-Proto",
            choice(&["https", "http"]),
            "Scheme of the client's request.",
        ))
        .header(field(
            "X-Forwarded-Host",
            fitting("^[!-~]{1,255}$", "app.example.com"),
            "Host of the client's request.",
        ))
        .header(field(
            "X-Forwarded-Uri",
            fitting("^/[!-~]*$", "/diagrams/7"),
            "Path and query of the client's request.",
        ))
        .header(forwarded_for());
    passing(endpoint)
}

fn answer(app: &App, call: &CheckCall<'_>) -> PreparedResponse {
    let parts = call.arrival.parts;
    let reported = match parts.method {
        Method::GET | Method::HEAD => {
            forwarded::read(&parts.headers, &app.settings.trusted_proxies.load())
        },
        _ => Err(NotForwarded::Asked),
    };
    app.answer_proxy(call, reported)
}
