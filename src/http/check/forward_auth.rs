//! `/v1/forward-auth/{gate}`: checks for nginx `auth_request`, Caddy `forward_auth`, Traefik
//! `ForwardAuth` and `HAProxy`.
//!
//! The endpoint reads only `X-Forwarded-{Method,Proto,Host,Uri,For}` and the credential.

use http::Method;
use rouille::Response;

use crate::http::forwarded::{self, NotForwarded};
use crate::http::{App, CheckCall};

pub(in crate::http) fn answer(app: &App, call: &CheckCall<'_>) -> Response {
    let parts = call.arrival.parts;
    let reported = match parts.method {
        Method::GET | Method::HEAD => {
            forwarded::read(&parts.headers, &app.settings.trusted_proxies.load())
        },
        _ => Err(NotForwarded::Asked),
    };
    app.answer_proxy(call, reported)
}
