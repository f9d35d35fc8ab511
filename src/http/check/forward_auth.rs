//! `/v1/forward-auth/{gate}`: checks for nginx `auth_request`, Caddy `forward_auth`, Traefik
//! `ForwardAuth` and `HAProxy`.
//!
//! The endpoint reads only `X-Forwarded-{Method,Proto,Host,Uri,For}` and the credential.

use http::Method;
use rouille::Response;

use crate::http::App;
use crate::http::forwarded::{self, NotForwarded};
use crate::http::transport::Arrival;

pub(in crate::http) fn answer(
    app: &App,
    arrival: &Arrival<'_>,
    params: &[&str],
    _body: &[u8],
) -> Response {
    let reported = match arrival.parts.method {
        Method::GET | Method::HEAD => {
            forwarded::read(&arrival.parts.headers, &app.settings.trusted_proxies.load())
        },
        _ => Err(NotForwarded::Asked),
    };
    app.answer_proxy(arrival, params, reported)
}
