//! `/v1/forward-auth/{gate}`: nginx `auth_request`, Caddy `forward_auth`, Traefik `ForwardAuth`,
//! `HAProxy`. Reads `X-Forwarded-{Method,Proto,Host,Uri,For}` and the credential, nothing else.

use http::Method;
use rouille::Response;

use crate::http::check::{Allowed, Caller, allow, user_agent};
use crate::http::problem::Problem;
use crate::http::transport::Arrival;
use crate::http::{App, forwarded};
use crate::verify::Request;

/// The gate that takes any valid key.
const DEFAULT_GATE: &str = "default";

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
    if !app.is_trusted(arrival.peer) {
        let detail = "this address is none of trusted_proxies";
        tracing::warn!(peer = ?arrival.peer, "forward-auth refused: {detail}");
        return Err(Problem::request_refused(detail));
    }
    let headers = &arrival.parts.headers;
    let asked = forwarded::read(headers, &app.settings.trusted_proxies).map_err(|fault| {
        tracing::warn!(%fault, "forward-auth refused");
        Problem::request_refused(fault.to_string())
    })?;
    if params.first() != Some(&DEFAULT_GATE) {
        return Err(Problem::gate_not_found());
    }
    let presented = App::presented(headers)?;
    let request = Request { ip: Some(asked.client), ..Request::default() };
    let caller = Caller { address: Some(asked.client), user_agent: user_agent(headers) };
    app.decide_presented(&presented, &request, caller)
}
