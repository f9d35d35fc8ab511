//! `/v1/forward-auth/{gate}`: nginx `auth_request`, Caddy `forward_auth`, Traefik `ForwardAuth`,
//! `HAProxy`. Reads `X-Forwarded-{Method,Proto,Host,Uri,For}` and the credential, nothing else.

use std::sync::atomic::Ordering;

use http::Method;
use rouille::Response;

use crate::http::check::{Allowed, Caller, DEFAULT_GATE, allow, user_agent};
use crate::http::problem::Problem;
use crate::http::transport::Arrival;
use crate::http::{App, forwarded};
use crate::verify::Request;

pub(in crate::http) fn answer(
    app: &App,
    arrival: &Arrival<'_>,
    params: &[&str],
    _body: &[u8],
) -> Response {
    match decide(app, arrival, params) {
        Ok(allowed) => allow(allowed),
        Err(problem) => app.deny(arrival, problem),
    }
}

fn decide(app: &App, arrival: &Arrival<'_>, params: &[&str]) -> Result<Allowed, Problem> {
    if !matches!(arrival.parts.method, Method::GET | Method::HEAD) {
        return Err(Problem::request_refused("a proxy asks with GET or HEAD"));
    }
    if !app.is_trusted(arrival.peer) {
        let detail = "this address is none of trusted_proxies";
        app.warn_refused(arrival, &detail);
        return Err(Problem::request_refused(detail));
    }
    let headers = &arrival.parts.headers;
    let client = forwarded::read(headers, &app.settings.trusted_proxies).map_err(|fault| {
        app.warn_refused(arrival, &fault);
        Problem::request_refused(fault.to_string())
    })?;
    if params.first() != Some(&DEFAULT_GATE) {
        return Err(Problem::gate_not_found());
    }
    let presented = App::presented(headers)?;
    let request = Request { ip: Some(client), ..Request::default() };
    let caller = Caller { address: Some(client), user_agent: user_agent(headers) };
    app.decide_presented(&presented, &request, caller)
}

impl App {
    /// Says why a proxy's question was refused, at most once a second: whoever sends such requests
    /// must not be able to fill the log.
    fn warn_refused(&self, arrival: &Arrival<'_>, fault: &dyn std::fmt::Display) {
        let second = self.actions.clock().now().ticks / 1_000_000_000;
        if self.warned_at.swap(second, Ordering::Relaxed) != second {
            tracing::warn!(peer = ?arrival.peer, %fault, "forward-auth refused; others may be too");
        }
    }
}
