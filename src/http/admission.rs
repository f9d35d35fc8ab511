//! Who a request is from, as far as its head and the index show: before its body is read, and before it
//! gets a place on the pool.
//!
//! It reads no store, decides no permission and counts no call of a valid key: the handler does. A
//! request that has no credential, or one that is not known or not valid, is answered here.
//!
//! The index therefore holds sessions too, with their users; whether a session has expired is read from
//! the store by the handler.

use http::header::{COOKIE, HeaderMap};
use rouille::Response;

use crate::http::check::{Holder, introspect, malformed, user_agent};
use crate::http::client::Hops;
use crate::http::credential::{self, Credential};
use crate::http::problem::Problem;
use crate::http::router::{Access, Found, Run, find_head};
use crate::http::transport::{Arrival, Caller, Surface};
use crate::http::{App, check, path_of};
use crate::index::facts::UserFacts;
use crate::index::grant::Grant;
use crate::model::credential::CREDENTIALS;
use crate::model::secret::Secret;
use crate::verify::{Code, Request, Verdict, check as look_up, digest_of, foretell};

impl App {
    /// The caller of a request, or why it goes no further.
    pub(super) fn admit_head(&self, arrival: &Arrival<'_>) -> Result<Caller, Problem> {
        let route = match find_head(arrival.parts, arrival.surface) {
            Found::Route { route, .. } => route,
            Found::MethodNotAllowed(allowed) => return Err(Problem::method_not_allowed(&allowed)),
            Found::Nothing => return Err(Problem::not_found()),
        };
        let caller = self.stranger(arrival);
        match route.access {
            Access::Open if route.hashes() => Ok(self.in_known_browser(arrival, caller)),
            Access::Open => Ok(caller),
            Access::Actor | Access::Enrolling => match route.run {
                Run::Check { .. } | Run::ByCaller { .. } if !self.has_session(arrival) => {
                    self.admit_service(arrival, caller)
                },
                Run::Check { .. }
                | Run::ByCaller { .. }
                | Run::Manage { .. }
                | Run::LongCheck { .. } => self.admit_actor(arrival, caller),
            },
            Access::Client => {
                let text = Self::presented(&arrival.parts.headers, &CREDENTIALS)?;
                let text = introspect::unescaped(self, &arrival.parts.headers, text);
                self.admit_key(arrival, &text, caller)
            },
            Access::Holder => {
                let text = Self::presented(&arrival.parts.headers, &CREDENTIALS)?;
                self.admit_holder(&text, caller)
            },
        }
    }

    /// The answer to a request that goes no further.
    pub(super) fn refused_head(&self, arrival: &Arrival<'_>, problem: Problem) -> Response {
        let problem = match find_head(arrival.parts, arrival.surface) {
            Found::Route { route, .. } if route.access == Access::Client => {
                introspect::as_oauth(problem)
            },
            Found::Route { .. } | Found::MethodNotAllowed(_) | Found::Nothing => problem,
        };
        if check::is_check_path(path_of(arrival.parts)) {
            return self.deny(arrival, problem);
        }
        self.told(path_of(arrival.parts), problem, self.id_of(arrival.parts))
    }

    /// The caller as one of whom only the address is known; the operator on the host has no share.
    fn stranger(&self, arrival: &Arrival<'_>) -> Caller {
        match arrival.surface {
            Surface::Control => Caller::default(),
            Surface::Main | Surface::Checks | Surface::Metrics => {
                Caller::of(self.locate(&Hops::of_arrival(arrival)).address)
            },
        }
    }

    /// One who signs in, by the user who did so before in the same browser. That is no credential: it
    /// decides in whose share of the queue the request waits, so that strangers keep no user out.
    fn in_known_browser(&self, arrival: &Arrival<'_>, caller: Caller) -> Caller {
        let cookies = match arrival.surface {
            Surface::Main => text_of(&arrival.parts.headers, COOKIE.as_str()),
            Surface::Control | Surface::Checks | Surface::Metrics => None,
        };
        let device = cookies.and_then(|cookies| self.device_cookie_in(cookies));
        let user = device.and_then(|device| self.actions.user_of_device(&device));
        match user.and_then(|user| self.index().user(user)) {
            Some(user) => as_user(&user, caller),
            None => caller,
        }
    }

    fn has_session(&self, arrival: &Arrival<'_>) -> bool {
        self.is_sessions(arrival.surface, &arrival.parts.headers)
    }

    /// A caller of a check endpoint, where no session asks.
    fn admit_service(&self, arrival: &Arrival<'_>, caller: Caller) -> Result<Caller, Problem> {
        match credential::take(&arrival.parts.headers, &CREDENTIALS) {
            Credential::Presented(text) => self.admit_key(arrival, &text, caller),
            Credential::Unusable(unusable) => Err(Problem::unusable_credential(&unusable)),
            Credential::None { .. } => self.local_actor(arrival.surface).map(|_operator| caller),
        }
    }

    fn admit_actor(&self, arrival: &Arrival<'_>, caller: Caller) -> Result<Caller, Problem> {
        let headers = &arrival.parts.headers;
        let cookies = match arrival.surface {
            Surface::Main | Surface::Control => text_of(headers, COOKIE.as_str()),
            Surface::Checks | Surface::Metrics => None,
        };
        let token = self.token_in(cookies)?;
        match (credential::take(headers, &CREDENTIALS), token) {
            (Credential::Unusable(unusable), _) => {
                Err(Problem::doubled_credential(unusable.to_string()))
            },
            (Credential::Presented(_), Some(_)) => {
                Err(Problem::doubled_credential("a key and a session's cookie were sent: send one"))
            },
            (Credential::Presented(text), None) => self.admit_key(arrival, &text, caller),
            (Credential::None { .. }, Some(token)) => self.admit_session(arrival, &token, caller),
            (Credential::None { .. }, None) => match arrival.surface {
                // Which organization the query names, the handler reads.
                Surface::Control => Ok(caller),
                Surface::Main | Surface::Checks | Surface::Metrics => Err(Problem::no_credential()),
            },
        }
    }

    /// A key that would pass now. Another is decided about, counted and refused as any call is.
    fn admit_key(
        &self,
        arrival: &Arrival<'_>,
        text: &zeroize::Zeroizing<Vec<u8>>,
        caller: Caller,
    ) -> Result<Caller, Problem> {
        let address = self.locate(&Hops::of_arrival(arrival)).address;
        let (request, now) =
            (Request { ip: address, ..Request::default() }, self.actions.clock().now());
        let judge = |grant: &Grant| Ok(foretell(grant, &request, now));
        let known = look_up(self.index(), text, judge, |verdict, grant| {
            grant.filter(|_grant| verdict.is_valid()).map(|grant| named(grant, caller))
        });
        match known {
            Ok(Some(caller)) if !self.index().is_behind() => Ok(caller),
            Ok(_) | Err(_) => {
                let user_agent = user_agent(&arrival.parts.headers);
                let actor = self.caller_by_key(text, Holder { address, user_agent })?;
                // Became valid between the two looks.
                Ok(Caller { organization: Some(*actor.organization_id().bytes()), ..caller })
            },
        }
    }

    /// The holder of a key that is known, whatever a check of it would say. Whoever holds a leaked key
    /// does this on account of their network alone.
    fn admit_holder(&self, text: &[u8], caller: Caller) -> Result<Caller, Problem> {
        let digest = digest_of(self.index(), text).ok_or_else(malformed)?;
        match self.index().grant(&digest) {
            Some(_grant) => Ok(caller),
            None if self.index().is_behind() => Err(Problem::index_behind()),
            None => Err(Problem::denied(Verdict::of(Code::NotFound), None)),
        }
    }

    /// A session that the store has. Whether it has ended by time, the handler reads there.
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

/// The caller as a user.
fn as_user(user: &UserFacts, caller: Caller) -> Caller {
    Caller {
        actor: Some(*user.id.bytes()),
        organization: Some(*user.organization.bytes()),
        ..caller
    }
}

/// The caller with a key: a personal one is its owner, with all their keys.
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
