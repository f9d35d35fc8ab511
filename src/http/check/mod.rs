//! Check endpoints, which decide whether a credential allows a request.
//!
//! Each endpoint reads one fixed set of inputs. Only the function [`allow`] builds the response
//! that lets a request through. [`allow`] takes an [`Allowed`], which only a valid verdict or a
//! gate's public route creates. Every error denies the request. No check endpoint redirects.

mod admit;
mod batch;
pub(super) mod explained;
mod ext_authz;
mod forward_auth;
mod grpc;
mod held;
pub(super) mod identity;
pub(super) mod introspect;
mod problem;
pub(super) mod verify;
mod whoami;

use http::HeaderMap;

use crate::actions::ActionError;
use crate::actions::actor::Actor;
use crate::clock::Now;
use crate::http::App;
use crate::http::client::Hops;
use crate::http::credential::{self, Credential};
use crate::http::endpoint::Endpoint;
use crate::http::problem::Problem;
use crate::http::refusal;
use crate::http::request_id::RequestId;
use crate::http::routing::Routing;
use crate::http::transport::{Arrival, BlockInPlace, Caller, PreparedResponse, TransportRefusal};
use crate::index::CallOrigin;
use crate::index::grant::Grant;
use crate::model::credential::{CREDENTIALS, CredentialSource};
use crate::verify::{
    CheckUnavailable, Code, Decision, Request, ReservationWait, Verdict, WaitPayer, digest_of,
};
use identity::IdentityLines;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let checks = [
        forward_auth::endpoint(),
        ext_authz::endpoint(),
        verify::endpoint(),
        batch::endpoint(),
        introspect::endpoint(),
    ];
    checks.into_iter().chain(whoami::endpoints()).collect()
}

/// A request that may pass, with its identity. Only [`App::decide_presented`] and, for public
/// routes, [`App::pass_gate`] create this type.
struct Allowed(IdentityLines);

/// Builds the only response that lets a request through, with every identity header.
fn allow(allowed: Allowed) -> PreparedResponse {
    PreparedResponse::new(200, allowed.0.into_lines(), "")
}

impl App {
    /// Denies a request that the transport rejects.
    pub(super) fn deny_refusal(
        &self,
        arrival: &Arrival<'_>,
        routing: &Routing,
        refusal: &TransportRefusal,
    ) -> PreparedResponse {
        let is_asked = routing.is_below_gates();
        // Not every proxy forwards a 431, and no proxy explains it.
        let problem = if is_asked && matches!(refusal, TransportRefusal::HeadTooLarge { .. }) {
            Problem::request_refused(refusal::detail(refusal))
        } else {
            Problem::check_refused(refusal)
        };
        self.deny(arrival, routing.id, routing.gate(arrival.parts.uri.path()), &problem)
    }

    /// Denies a path that names no gate.
    pub(super) fn deny_path(&self, arrival: &Arrival<'_>, routing: &Routing) -> PreparedResponse {
        let gate = routing.gate(arrival.parts.uri.path());
        self.deny(arrival, routing.id, gate, &Problem::gate_not_found())
    }

    /// Denies a request, and offers the schemes that its gate or endpoint accepts. `gate`: the name
    /// in the path, for endpoints that proxies call.
    pub(super) fn deny(
        &self,
        arrival: &Arrival<'_>,
        id: RequestId,
        gate: Option<&str>,
        problem: &Problem,
    ) -> PreparedResponse {
        let known = gate.and_then(|name| self.index().gate(name));
        let sources = known.as_ref().map_or(CREDENTIALS.as_slice(), |gate| &*gate.credentials);
        let kind = grpc::content_type(&arrival.parts.headers);
        match kind.filter(|_kind| gate.is_some()) {
            Some(kind) => grpc::refusal(problem, kind, sources),
            None => problem.prepared_offering(Some(sources), &id.of_head(arrival.parts)),
        }
    }

    /// Decides about a presented text, and returns its identity.
    fn decide_presented(&self, text: &[u8], request: &Request<'_>) -> Result<Allowed, Problem> {
        self.decide(text, request, |grant, _now| Allowed(IdentityLines::of(self.index(), grant)))
    }

    /// The actor of a management key, which is checked like any other key.
    pub(super) fn caller_by_key(
        &self,
        text: &[u8],
        origin: CallOrigin<'_>,
    ) -> Result<Actor, Problem> {
        let request = Request::from_holder(origin);
        let secret = digest_of(self.index(), text).ok_or_else(malformed)?;
        self.decide(text, &request, |grant, _now| Actor::key(secret, grant, origin.ip))
    }

    /// Checks a presented text and counts the call. Returns what `valid` makes of a valid key's
    /// grant, or the denial.
    fn decide<T>(
        &self,
        text: &[u8],
        request: &Request<'_>,
        valid: impl FnOnce(&Grant, Now) -> T,
    ) -> Result<T, Problem> {
        self.checker.check(text, request, |decision| match decision.grant {
            Some(grant) if decision.verdict.is_valid() => Ok(valid(grant, decision.now)),
            _ => Err(denied(&decision, request)),
        })?
    }

    /// The credential of a check request, or the denial of the request.
    pub(super) fn presented(
        headers: &HeaderMap,
        sources: &[CredentialSource],
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, Problem> {
        match credential::take(headers, sources) {
            Credential::Presented(text) => Ok(text),
            Credential::None { authorization_ignored } => {
                Err(Problem::no_credential_in(sources, authorization_ignored))
            },
            Credential::Unusable(unusable) => Err(Problem::unusable_credential(&unusable)),
        }
    }

    /// The client's address and program, for endpoints that clients call themselves.
    pub(super) fn direct_origin<'a>(&self, arrival: &Arrival<'a>) -> CallOrigin<'a> {
        let ip = self.locate(&Hops::of_arrival(arrival)).address;
        CallOrigin { ip, user_agent: user_agent(&arrival.parts.headers), ..CallOrigin::default() }
    }
}

impl ReservationWait for BlockInPlace {
    fn wait(&self, payer: WaitPayer, wait: impl FnOnce() -> bool) -> Option<bool> {
        self.run(&caller_that_waits(payer), wait)
    }
}

/// The caller on whose shares the wait of a check draws: those of the key and its organization.
fn caller_that_waits(payer: WaitPayer) -> Caller {
    Caller {
        actor: Some(*payer.key.bytes()),
        by_key: true,
        organization: Some(*payer.organization.bytes()),
        ..Caller::default()
    }
}

impl From<CheckUnavailable> for Problem {
    fn from(unavailable: CheckUnavailable) -> Self {
        match unavailable {
            CheckUnavailable::IndexBehind => Self::index_behind(),
            CheckUnavailable::Unreserved => ActionError::StorageUnavailable.into(),
        }
    }
}

/// The denial of a malformed key.
pub(super) fn malformed() -> Problem {
    Problem::denied(Verdict::of(Code::Malformed), None)
}

/// The denial for a verdict, with the state of the limits if one of them decided.
pub(in crate::http) fn denied(decision: &Decision<'_>, request: &Request<'_>) -> Problem {
    let Decision { verdict, grant, now } = *decision;
    let scope = request.requirement.map(|requirement| {
        requirement.names().map(crate::model::permission::Permission::as_str).collect::<Vec<_>>()
    });
    let problem = Problem::denied(verdict, scope.map(|names| names.join(" ")).as_deref());
    let limited = matches!(verdict.code, Code::RateLimited | Code::QuotaExceeded);
    match grant.filter(|_grant| limited) {
        Some(grant) => identity::limit_headers(grant, now)
            .into_iter()
            .fold(problem, |problem, (name, value)| problem.header(name, value)),
        None => problem,
    }
}

/// The `User-Agent` of a request, if it is text.
pub(super) fn user_agent(headers: &HeaderMap) -> Option<&str> {
    headers.get(http::header::USER_AGENT)?.to_str().ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unavailable_check_has_one_code_in_process_and_over_http() {
        for unavailable in [CheckUnavailable::IndexBehind, CheckUnavailable::Unreserved] {
            assert_eq!(Problem::from(unavailable).code(), unavailable.code());
        }
    }
}
