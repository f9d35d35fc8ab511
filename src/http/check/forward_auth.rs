//! `/v1/forward-auth/{gate}`: nginx `auth_request`, Caddy `forward_auth`, Traefik `ForwardAuth`,
//! `HAProxy`. Reads `X-Forwarded-{Method,Proto,Host,Uri,For}` and the credential, nothing else.

use http::Method;
use rouille::Response;

use crate::http::check::{Allowed, allow};
use crate::http::problem::Problem;
use crate::http::transport::Arrival;
use crate::http::{App, forwarded};

pub(in crate::http) fn answer(
    app: &App,
    arrival: &Arrival<'_>,
    params: &[&str],
    _body: &[u8],
) -> Response {
    match decide(app, arrival, params) {
        Ok(allowed) => allow(allowed),
        Err(problem) => app.deny(problem),
    }
}

fn decide(app: &App, arrival: &Arrival<'_>, params: &[&str]) -> Result<Allowed, Problem> {
    if !matches!(arrival.parts.method, Method::GET | Method::HEAD) {
        return Err(Problem::request_refused("a proxy asks with GET or HEAD"));
    }
    let told = forwarded::read(&arrival.parts.headers, &app.settings.trusted_proxies);
    app.pass_gate(arrival, params, told)
}
