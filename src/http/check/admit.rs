//! Applies a gate to a proxy's request, for forward-auth and `ext_authz` alike.
//!
//! A gate decides before the key is read. The two endpoints differ only in the way in which they
//! read the request. A request that no route matches is denied. The gate `default` is part of the
//! program and cannot be changed, so that the examples for proxies work on every instance.

use std::sync::atomic::Ordering;

use crate::http::check::identity::{HEADERS, IdentityLines};
use crate::http::check::{Allowed, allow, user_agent};
use crate::http::endpoint::Endpoint;
use crate::http::forwarded::{self, ForwardedRequest, NotForwarded};
use crate::http::problem::Problem;
use crate::http::schema::{Field, field, fitting};
use crate::http::transport::{Arrival, PreparedResponse};
use crate::http::{App, CheckCall};
use crate::index::CallOrigin;
use crate::model::errors;
use crate::model::gate::GateDecision;
use crate::verify::{CallGate, Request};

/// The address of the client, which both endpoints read.
pub(super) fn forwarded_for() -> Field {
    let addresses = fitting("^[0-9a-fA-F.:, ]+$", "192.0.2.7");
    field("X-Forwarded-For", addresses, "Address of the client.")
}

/// Describes the responses of both endpoints.
pub(super) fn passing(endpoint: Endpoint) -> Endpoint {
    let endpoint = endpoint
        .answers_empty(200, "The request may pass. Every header is present; `-` means no value.")
        .fails(&[
            errors::check::REQUEST_REFUSED,
            errors::check::GATE_NOT_FOUND,
            errors::check::ROUTE_NOT_ALLOWED,
            errors::check::INSUFFICIENT_PERMISSIONS,
        ]);
    HEADERS.into_iter().fold(endpoint, |endpoint, (name, about)| endpoint.with(name, about))
}

impl App {
    /// Answers a proxy's check of its client's request.
    pub(super) fn answer_proxy(
        &self,
        call: &CheckCall<'_>,
        reported: Result<ForwardedRequest<'_>, NotForwarded>,
    ) -> PreparedResponse {
        match self.pass_gate(call, reported) {
            Ok(allowed) => allow(allowed),
            Err(problem) => {
                self.note_gate_probe(call.arrival);
                self.deny(call.arrival, call.id, call.gate(), &problem)
            },
        }
    }

    /// The gate's routes are evaluated before the key. A public route reads no credential.
    fn pass_gate(
        &self,
        call: &CheckCall<'_>,
        reported: Result<ForwardedRequest<'_>, NotForwarded>,
    ) -> Result<Allowed, Problem> {
        let arrival = call.arrival;
        if !self.is_trusted(arrival.peer) {
            let detail = "the address of the proxy is not in trusted_proxies: add the address";
            self.warn_refused(arrival, &detail);
            return Err(Problem::request_refused(detail).reason("proxy_not_trusted"));
        }
        let headers = &arrival.parts.headers;
        let refused = |fault| self.refused(arrival, fault);
        let reported = reported.map_err(refused)?;
        if self.index().is_behind() {
            return Err(Problem::index_behind());
        }
        let gate = call.gate().and_then(|name| self.index().gate(name));
        let gate = gate.ok_or_else(Problem::gate_not_found)?;
        forwarded::refuse_aliases(headers, &gate.credentials).map_err(refused)?;
        match gate.decision(reported.route_query(), forwarded::announced_method(headers)) {
            GateDecision::NotAllowed(doubt) => Err(Problem::route_not_allowed(doubt)),
            GateDecision::Refused(doubt) => Err(refused(doubt.into())),
            GateDecision::Public => Ok(Allowed(IdentityLines::anonymous())),
            GateDecision::Key { requirement, cost } => {
                let presented = Self::presented(headers, &gate.credentials)?;
                let (ip, acceptance) = (Some(reported.client), gate.acceptance());
                let origin =
                    CallOrigin { ip, user_agent: user_agent(headers), ..CallOrigin::default() };
                let holder = Request::from_holder(origin);
                let name = call.gate().unwrap_or_default();
                let gate = Some(CallGate { name, number: gate.number });
                let request = Request { gate, requirement, acceptance, cost, ..holder };
                self.decide_presented(&presented, &request)
            },
        }
    }

    fn refused(&self, arrival: &Arrival<'_>, fault: NotForwarded) -> Problem {
        self.warn_refused(arrival, &fault);
        Problem::request_refused(fault.to_string()).reason(fault.reason())
    }

    /// Logs why a proxy request was rejected, at most once a second, so that such requests cannot fill
    /// the log.
    fn warn_refused(&self, arrival: &Arrival<'_>, fault: &dyn std::fmt::Display) {
        let second = self.actions.clock().now().ticks / 1_000_000_000;
        if self.warned_at.swap(second, Ordering::Relaxed) != second {
            tracing::warn!(peer = ?arrival.peer, %fault, "rejected a proxy request (logged at \
                                                          most once per second)");
        }
    }
}
