//! One route: who may ask, what runs, and what it takes of what callers share.

use http::Method;
use rouille::Response;

use crate::http::problem::Problem;
use crate::http::transport::{Arrival, Lane, Part, Surface, Take};
use crate::http::{App, Call, input};

/// Runs on the event loop: answers, whatever happens.
pub(super) type CheckHandler = fn(&App, &Arrival<'_>, &[&str], &[u8]) -> Response;
/// Runs on the blocking pool.
pub(super) type ManageHandler = fn(&App, &Call<'_>) -> Result<Response, Problem>;

/// One route.
#[derive(Debug)]
pub(super) struct Route {
    /// The method; `None` is any, for check endpoints that answer in their own way.
    pub(super) method: Option<Method>,
    /// The path; `{..}` stands for one segment, `{path}` at the end for all that is left.
    pub(super) path: &'static str,
    /// Who may ask.
    pub(super) access: Access,
    /// What runs.
    pub(super) run: Run,
    /// Whether the handler reads the query; on every other route a parameter is a fault.
    pub(super) reads_query: bool,
}

/// Who may ask at all; what they may do with this or that thing is the action's to say. It is decided
/// from the head, before a body is read: see [`crate::http::admission`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Anybody; a check endpoint looks at the credential itself.
    Open,
    /// Anybody who holds a key that is known, valid or not.
    Holder,
    /// Anybody who is known.
    Actor,
    /// The same, also a user who must enrol a second factor before they may do anything else.
    Enrolling,
    /// A key alone, as OAuth clients send it.
    Client,
}

/// What runs, and what it takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Run {
    /// On the event loop.
    Check { handler: CheckHandler, body_bytes_max: Option<usize> },
    /// On the blocking pool.
    Manage { handler: ManageHandler, take: Take },
    /// On the blocking pool whoever asks: a check that is too long for the event loop.
    LongCheck { handler: ManageHandler, take: Take },
    /// On the event loop for a key; on the pool for a session, which lies in the store.
    ByCaller { check: CheckHandler, manage: ManageHandler, body_bytes_max: Option<usize> },
}

impl Run {
    /// Where it runs; `by_session` tells whether a session asks.
    pub(super) fn lane(self, surface: Surface, by_session: bool) -> Lane {
        let checks = |body_bytes_max| Take { part: Part::Checks, body_bytes_max };
        let lane = match self {
            Self::Check { body_bytes_max, .. } => Lane::Check { body: body_bytes_max.map(checks) },
            Self::Manage { take, .. } | Self::LongCheck { take, .. } => Lane::Pool { body: take },
            Self::ByCaller { body_bytes_max, .. } if by_session => {
                Lane::Pool { body: checks(body_bytes_max.unwrap_or_default()) }
            },
            Self::ByCaller { body_bytes_max, .. } => {
                Lane::Check { body: body_bytes_max.map(checks) }
            },
        };
        if surface == Surface::Control { lane.in_part(Part::Control) } else { lane }
    }
}

pub(super) const fn check(path: &'static str, handler: CheckHandler) -> Route {
    let run = Run::Check { handler, body_bytes_max: None };
    Route { method: None, path, access: Access::Open, run, reads_query: true }
}

pub(super) const fn get(path: &'static str, access: Access, handler: ManageHandler) -> Route {
    manage(Method::GET, path, access, handler)
}

/// A list, whose query says what of it.
pub(super) const fn list(path: &'static str, handler: ManageHandler) -> Route {
    asking(Method::GET, path, handler)
}

/// A list, a chart or a change that reads or writes many records.
pub(super) const fn long(method: Method, path: &'static str, handler: ManageHandler) -> Route {
    let run = Run::Manage { handler, take: take(Part::Long) };
    Route { method: Some(method), path, access: Access::Actor, run, reads_query: true }
}

/// A route whose query says more.
pub(super) const fn asking(method: Method, path: &'static str, handler: ManageHandler) -> Route {
    let run = Run::Manage { handler, take: take(Part::Management) };
    Route { method: Some(method), path, access: Access::Actor, run, reads_query: true }
}

/// Where it is open, it opens a session or uses a one-time link, and hashes a password.
pub(super) const fn post(path: &'static str, access: Access, handler: ManageHandler) -> Route {
    let part = match access {
        Access::Open => Part::SignIn,
        Access::Holder | Access::Actor | Access::Enrolling | Access::Client => Part::Management,
    };
    in_part(part, Method::POST, path, access, handler)
}

pub(super) const fn manage(
    method: Method,
    path: &'static str,
    access: Access,
    handler: ManageHandler,
) -> Route {
    let part = match access {
        Access::Open => Part::Page,
        Access::Holder | Access::Actor | Access::Enrolling | Access::Client => Part::Management,
    };
    in_part(part, method, path, access, handler)
}

pub(super) const fn in_part(
    part: Part,
    method: Method,
    path: &'static str,
    access: Access,
    handler: ManageHandler,
) -> Route {
    let run = Run::Manage { handler, take: take(part) };
    Route { method: Some(method), path, access, run, reads_query: false }
}

/// What a route of a part takes, where it says nothing else.
pub(super) const fn take(part: Part) -> Take {
    let body_bytes_max = match part {
        Part::SignIn | Part::Page => input::OPEN_BODY_BYTES_MAX,
        Part::Control | Part::Checks | Part::Batch | Part::Management | Part::Long => {
            input::BODY_BYTES_MAX
        },
    };
    Take { part, body_bytes_max }
}

pub(super) const fn probe(path: &'static str, handler: CheckHandler) -> Route {
    let run = Run::Check { handler, body_bytes_max: None };
    Route { method: Some(Method::GET), path, access: Access::Open, run, reads_query: true }
}
