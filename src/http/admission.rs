//! Identifies the caller from a request's head and the index, before the body is read and before the
//! request enters the pool's queue.
//!
//! Admission rejects requests whose credential is missing, unknown or invalid. Admission reads no
//! store, decides no permission and counts no call of a valid key: the handler does.
//!
//! The index also holds sessions with their users, so that admission knows the user of a session.
//! The handler reads the session from the store, to find out whether it has expired.

use http::header::{COOKIE, HeaderMap};

use crate::http::check::{introspect, malformed};
use crate::http::client::Hops;
use crate::http::credential::{self, Credential};
use crate::http::problem::Problem;
use crate::http::route::{RequiredCaller, Run};
use crate::http::routing::Routing;
use crate::http::transport::{Arrival, Caller, ListenerKind, PreparedResponse};
use crate::http::{App, probes};
use crate::index::facts::UserFacts;
use crate::index::grant::Grant;
use crate::model::credential::CREDENTIALS;
use crate::model::secret::Secret;
use crate::verify::{Code, Request, Verdict, digest_of};

impl App {
    /// The caller of a request, or the error that ends it.
    pub(super) fn admit_head(
        &self,
        arrival: &Arrival<'_>,
        routing: &Routing,
    ) -> Result<Caller, Problem> {
        let route = routing.require_route()?;
        let caller = self.stranger(arrival);
        match route.access {
            RequiredCaller::Open if route.hashes() => Ok(self.in_known_browser(arrival, caller)),
            RequiredCaller::Open => Ok(caller),
            RequiredCaller::Actor | RequiredCaller::Enrolling => match route.run {
                Run::Check { .. } | Run::ByCaller { .. } if !routing.by_session => {
                    self.admit_service(arrival, caller)
                },
                Run::Check { .. }
                | Run::ByCaller { .. }
                | Run::Manage { .. }
                | Run::LongCheck { .. } => self.admit_actor(arrival, caller),
            },
            RequiredCaller::Client => {
                let text = Self::presented(&arrival.parts.headers, &CREDENTIALS)?;
                let text = introspect::unescaped(self, &arrival.parts.headers, text);
                self.admit_key(arrival, &text, caller)
            },
            RequiredCaller::Holder => {
                let text = Self::presented(&arrival.parts.headers, &CREDENTIALS)?;
                self.admit_holder(&text, caller)
            },
        }
    }

    /// The response to a request that admission rejects.
    pub(super) fn refused_head(
        &self,
        arrival: &Arrival<'_>,
        routing: &Routing,
        problem: Problem,
    ) -> PreparedResponse {
        if routing.route.is_some_and(|route| route.path == probes::PATH) {
            self.note_probe(arrival, routing.params.get(0, arrival.parts.uri.path()));
        }
        let is_client = routing.route.is_some_and(|it| it.access == RequiredCaller::Client);
        let problem = if is_client { introspect::as_oauth(problem) } else { problem };
        if routing.is_check() {
            let gate = routing.gate(arrival.parts.uri.path());
            return self.deny(arrival, routing.id, gate, &problem);
        }
        self.reported(routing, problem).prepared(&routing.id.of_head(arrival.parts))
    }

    /// The caller, known only by its address. The local operator has no share.
    fn stranger(&self, arrival: &Arrival<'_>) -> Caller {
        match arrival.listener {
            ListenerKind::Control => Caller::default(),
            ListenerKind::Main | ListenerKind::Checks | ListenerKind::Metrics => {
                Caller::of(self.locate(&Hops::of_arrival(arrival)).address)
            },
        }
    }

    /// The caller of a sign-in: the user who signed in with the same browser before. The device
    /// cookie is not a credential. The cookie only selects the share of the queue in which the
    /// request waits, so that strangers cannot block known users.
    fn in_known_browser(&self, arrival: &Arrival<'_>, caller: Caller) -> Caller {
        let cookies = match arrival.listener {
            ListenerKind::Main => text_of(&arrival.parts.headers, COOKIE.as_str()),
            ListenerKind::Control | ListenerKind::Checks | ListenerKind::Metrics => None,
        };
        let device = cookies.and_then(|cookies| self.device_cookie_in(cookies));
        let user = device.and_then(|device| self.actions.user_of_device(&device));
        match user.and_then(|user| self.index().user(user)) {
            Some(user) => as_user(&user, caller),
            None => caller,
        }
    }

    /// The caller of a check endpoint without a session.
    fn admit_service(&self, arrival: &Arrival<'_>, caller: Caller) -> Result<Caller, Problem> {
        match credential::take(&arrival.parts.headers, &CREDENTIALS) {
            Credential::Presented(text) => self.admit_key(arrival, &text, caller),
            Credential::Unusable(unusable) => Err(Problem::unusable_credential(&unusable)),
            Credential::None { .. } => self.local_actor(arrival.listener).map(|_operator| caller),
        }
    }

    fn admit_actor(&self, arrival: &Arrival<'_>, caller: Caller) -> Result<Caller, Problem> {
        let headers = &arrival.parts.headers;
        let cookies = match arrival.listener {
            ListenerKind::Main | ListenerKind::Control => text_of(headers, COOKIE.as_str()),
            ListenerKind::Checks | ListenerKind::Metrics => None,
        };
        let token = self.token_in(cookies)?;
        match (credential::take(headers, &CREDENTIALS), token) {
            (Credential::Unusable(unusable), _) => {
                Err(Problem::doubled_credential(unusable.to_string()))
            },
            (Credential::Presented(_), Some(_)) => {
                Err(Problem::doubled_credential("a key and a session cookie were sent: send one"))
            },
            (Credential::Presented(text), None) => self.admit_key(arrival, &text, caller),
            (Credential::None { .. }, Some(token)) => self.admit_session(arrival, &token, caller),
            (Credential::None { .. }, None) => match arrival.listener {
                // The handler reads the organization from the query.
                ListenerKind::Control => Ok(caller),
                ListenerKind::Main | ListenerKind::Checks | ListenerKind::Metrics => {
                    Err(Problem::no_credential())
                },
            },
        }
    }

    /// The caller of a key that is valid now. A key that is not valid is checked, counted and
    /// rejected like any other call.
    fn admit_key(
        &self,
        arrival: &Arrival<'_>,
        text: &zeroize::Zeroizing<Vec<u8>>,
        caller: Caller,
    ) -> Result<Caller, Problem> {
        let origin = self.direct_origin(arrival);
        let known = self.checker.preview(text, &Request::from_holder(origin), |decision| {
            decision.grant.filter(|_grant| decision.verdict.is_valid()).map(|it| named(it, caller))
        });
        if let Ok(Some(caller)) = known {
            return Ok(caller);
        }
        let actor = self.caller_by_key(text, origin)?;
        // The key became valid between the two checks.
        Ok(Caller { organization: Some(*actor.organization_id().bytes()), ..caller })
    }

    /// The holder of a known key, valid or not. The request uses only the share of its network, so
    /// that the holder of a leaked key cannot use up the share of the key's owner.
    fn admit_holder(&self, text: &[u8], caller: Caller) -> Result<Caller, Problem> {
        let digest = digest_of(self.index(), text).ok_or_else(malformed)?;
        match self.index().grant(&digest) {
            Some(_grant) => Ok(caller),
            None if self.index().is_behind() => Err(Problem::index_behind()),
            None => Err(Problem::denied(Verdict::of(Code::NotFound), None)),
        }
    }

    /// The user of a session in the index. The handler reads the session from the store, to find
    /// out whether it has expired.
    fn admit_session(
        &self,
        arrival: &Arrival<'_>,
        token: &Secret,
        caller: Caller,
    ) -> Result<Caller, Problem> {
        let header = |name: &str| text_of(&arrival.parts.headers, name);
        self.guard_host(header("host"))?;
        if !arrival.parts.method.is_safe() {
            self.guard_origin(header)?;
        }
        let user = self.index().session_user(&token.digest());
        let user = user.and_then(|user| self.index().user(user));
        match user {
            Some(user) => Ok(as_user(&user, caller)),
            None if self.index().is_behind() => Err(Problem::index_behind()),
            None => Err(Problem::session_ended()),
        }
    }
}

fn as_user(user: &UserFacts, caller: Caller) -> Caller {
    Caller {
        actor: Some(*user.id.bytes()),
        organization: Some(*user.organization.bytes()),
        ..caller
    }
}

/// The caller with a key. All personal keys of a user are one caller.
fn named(grant: &Grant, caller: Caller) -> Caller {
    let owner = grant.owner.as_ref().map(|owner| *owner.facts().id.bytes());
    Caller {
        actor: Some(owner.unwrap_or(*grant.live.key.bytes())),
        by_key: true,
        organization: Some(*grant.organization.load().id.bytes()),
        ..caller
    }
}

fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
