//! The check endpoints: a credential and a request in, a decision out.
//!
//! Each has one fixed set of inputs. Exactly one function here makes the answer that lets a request
//! through, [`allow`], and it takes an [`Allowed`], which only a valid verdict or a gate's public route
//! makes. Every error denies; nothing redirects; health lives elsewhere.

mod admit;
pub(super) mod batch;
pub(super) mod explained;
pub(super) mod ext_authz;
pub(super) mod forward_auth;
mod grpc;
pub(super) mod identity;
mod in_process;
pub(super) mod introspect;
mod problem;
pub(super) mod verify;
pub(super) mod whoami;

use std::cell::Cell;
use std::net::IpAddr;
use std::time::Duration;

use http::HeaderMap;
use http::request::Parts;
use rouille::Response;

use crate::actions::ActionError;
use crate::actions::actor::Actor;
use crate::clock::Now;
use crate::http::client::Hops;
use crate::http::credential::{self, Credential};
use crate::http::problem::Problem;
use crate::http::refusal::said;
use crate::http::transport::{Arrival, Caller, Refusal};
use crate::http::{App, answer, path_of};
use crate::index::Origin;
use crate::index::grant::Grant;
use crate::index::quota::Unreserved;
use crate::model::credential::{CREDENTIALS, CredentialSource};
use crate::verify::{Code, Request, Verdict, check, decide, digest_of};
use identity::Identity;

/// How long a check waits for the store to hold a quota's reservation.
const RESERVATION_WAIT: Duration = Duration::from_secs(2);
/// How often it decides anew because others were faster to use up what it had waited for. Each time
/// another call was let through.
const RESERVATION_TRIES_MAX: usize = 1_000;

/// Who presents a credential, as far as last use and address rules want to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder<'a> {
    /// The address.
    pub(super) address: Option<IpAddr>,
    /// The program, as it names itself.
    pub(super) user_agent: Option<&'a str>,
}

/// What is presented, and by which program. From where, the request tells.
struct Presented<'a> {
    text: &'a [u8],
    user_agent: Option<&'a str>,
}

/// Whether a request's path is a check endpoint's.
pub(super) fn is_check(parts: &Parts) -> bool {
    is_check_path(path_of(parts))
}

/// Whether a path is a check endpoint's.
pub(super) fn is_check_path(path: &str) -> bool {
    is_below_gates(path) || CHECKS.contains(&path)
}

/// Whether a path is where proxies ask.
pub(super) fn is_below_gates(path: &str) -> bool {
    path.starts_with(FORWARD_AUTH) || path.starts_with(EXT_AUTHZ)
}

/// Whether a 401 at this address offers all that is accepted. Elsewhere browsers ask, for Keyhouse's
/// own page, and would open a dialog where Basic is offered.
pub(super) fn offers_all(raw_url: &str) -> bool {
    let path = raw_url.split_once('?').map_or(raw_url, |(path, _)| path);
    is_check_path(path) || path == REVOKE
}

/// The name of the gate that a path asks.
fn gate_of(path: &str) -> Option<&str> {
    let below = path.strip_prefix(FORWARD_AUTH).or_else(|| path.strip_prefix(EXT_AUTHZ))?;
    below.split('/').next()
}

/// Where a holder ends their key: no check, but asked by the same clients.
const REVOKE: &str = "/v1/whoami/revoke";
/// Checks that are no gate's.
const CHECKS: [&str; 4] = ["/v1/verify", "/v1/verify/batch", "/v1/introspect", "/v1/whoami"];
/// Below these lie the gates.
pub(super) const FORWARD_AUTH: &str = "/v1/forward-auth/";
pub(super) const EXT_AUTHZ: &str = "/v1/ext-authz/";

/// A request that may pass, and as whom. Made by [`App::decide_presented`] and for public routes by
/// [`App::pass_gate`], and by nothing else.
struct Allowed(Identity);

/// The one answer that lets a request through: every identity header, none empty.
fn allow(allowed: Allowed) -> Response {
    answer::finish(answer::headers_only(allowed.0.into_headers()))
}

impl App {
    /// Denies for a refusal of the transport.
    pub(super) fn deny_refusal(&self, arrival: &Arrival<'_>, refusal: &Refusal) -> Response {
        let is_asked = is_below_gates(path_of(arrival.parts));
        // Not every proxy can pass 431 on, and none explains it.
        let problem = if is_asked && matches!(refusal, Refusal::HeadTooLarge { .. }) {
            Problem::request_refused(said(refusal))
        } else {
            Problem::check_refused(refusal)
        };
        self.deny(arrival, problem)
    }

    /// Denies for a path that is no gate's.
    pub(super) fn deny_path(&self, arrival: &Arrival<'_>) -> Response {
        self.deny(arrival, Problem::gate_not_found())
    }

    /// Denies what a request asks, and offers what is accepted where it asked.
    pub(super) fn deny(&self, arrival: &Arrival<'_>, problem: Problem) -> Response {
        let name = gate_of(path_of(arrival.parts));
        let gate = name.and_then(|name| self.index().gate(name));
        let problem = problem.offering(gate.as_ref().map_or(&CREDENTIALS, |it| &it.credentials));
        let kind = grpc::content_type(&arrival.parts.headers);
        let answer = match kind.filter(|_kind| name.is_some()) {
            Some(kind) => grpc::refusal(problem, kind, self.id_of(arrival.parts)),
            None => problem.into_response(self.id_of(arrival.parts)),
        };
        answer::finish(answer)
    }

    /// Decides about a presented text, and tells as whom it passes.
    fn decide_presented(
        &self,
        text: &[u8],
        request: &Request<'_>,
        caller: Holder<'_>,
    ) -> Result<Allowed, Problem> {
        self.judge(text, request, caller, |grant, _now| Allowed(Identity::of(self.index(), grant)))
    }

    /// The actor behind a management key, decided like any other check.
    pub(super) fn caller_by_key(&self, text: &[u8], caller: Holder<'_>) -> Result<Actor, Problem> {
        let request = Request { ip: caller.address, ..Request::default() };
        let secret = digest_of(self.index(), text).ok_or_else(malformed)?;
        self.judge(text, &request, caller, |grant, _now| Actor::key(secret, grant, caller.address))
    }

    fn judge<T>(
        &self,
        text: &[u8],
        request: &Request<'_>,
        caller: Holder<'_>,
        valid: impl Fn(&Grant, Now) -> T,
    ) -> Result<T, Problem> {
        let presented = Presented { text, user_agent: caller.user_agent };
        let anybodys = |_: &Grant| true;
        self.decide_counted(&presented, request, anybodys, |verdict, grant, now| match grant {
            Some(grant) if verdict.is_valid() => Ok(valid(grant, now)),
            grant => Err(denied(verdict, request, grant, now)),
        })?
    }

    /// Decides about a presented text, and counts the call: every one that a grant decided, valid or
    /// not, and nothing else anywhere. A key that the asker may not know of, by `is_known`, is as
    /// good as none, and untouched.
    fn decide_counted<T>(
        &self,
        presented: &Presented<'_>,
        request: &Request<'_>,
        is_known: impl Fn(&Grant) -> bool,
        answer: impl Fn(Verdict, Option<&Grant>, Now) -> T,
    ) -> Result<T, Problem> {
        let origin = Origin { ip: request.ip, user_agent: presented.user_agent };
        // Whose check may have to wait.
        let waits = Cell::new(Caller::default());
        self.until_reserved(&waits, |now| {
            let judge = |grant: &Grant| {
                if !is_known(grant) {
                    return Ok(Verdict::of(Code::NotFound));
                }
                decide(grant, request, now).inspect_err(|_unreserved| waits.set(key_alone(grant)))
            };
            check(self.index(), presented.text, judge, |verdict, grant| {
                if let Some(grant) = grant {
                    self.index().note_call(grant, verdict.code, now.wall, origin);
                }
                answer(verdict, grant, now)
            })
        })
    }

    /// Makes an attempt, and makes it again where it had to wait for the store to hold a
    /// reservation: outside of the index's guard, and without stopping the event loop.
    fn until_reserved<T>(
        &self,
        waits: &Cell<Caller>,
        attempt: impl Fn(Now) -> Result<T, Unreserved>,
    ) -> Result<T, Problem> {
        for _ in 0..RESERVATION_TRIES_MAX {
            if self.index().is_behind() {
                return Err(Problem::index_behind());
            }
            let unreserved = match attempt(self.actions.clock().now()) {
                Ok(answer) => return Ok(answer),
                Err(unreserved) => unreserved,
            };
            match self.waiting.run(&waits.get(), || unreserved.wait(RESERVATION_WAIT)) {
                Some(true) => {},
                // The store does not answer, or too many wait for it: nothing is let through that
                // a crash could forget.
                Some(false) | None => break,
            }
        }
        Err(ActionError::StorageUnavailable.into())
    }

    /// The credential of a check request, or its denial.
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

    /// The client's address of a request that is about nobody else's.
    fn direct_address(&self, arrival: &Arrival<'_>) -> Option<IpAddr> {
        self.locate(&Hops::of_arrival(arrival)).address
    }
}

/// Whose share a check of a key draws on: its own and its organization's.
fn key_alone(grant: &Grant) -> Caller {
    Caller {
        actor: Some(*grant.live.key.bytes()),
        by_key: true,
        organization: Some(*grant.organization.load().id.bytes()),
        ..Caller::default()
    }
}

/// Two credentials, or one that can't be read, on a check endpoint.
pub(super) fn malformed() -> Problem {
    Problem::denied(Verdict::of(Code::Malformed), None)
}

/// The denial of a verdict, with the state of the limits where one of them decided.
pub(in crate::http) fn denied(
    verdict: Verdict,
    request: &Request<'_>,
    grant: Option<&Grant>,
    now: Now,
) -> Problem {
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

/// The user agent of a request, as far as it is text.
pub(super) fn user_agent(headers: &HeaderMap) -> Option<&str> {
    headers.get(http::header::USER_AGENT)?.to_str().ok().filter(|text| !text.is_empty())
}
