//! What a request's path, method and listener determine, found once for each request.

use http::Method;

use crate::http::metrics::counts::CheckEndpoint;
use crate::http::path_params::PathParams;
use crate::http::problem::Problem;
use crate::http::request_id::RequestId;
use crate::http::route::{HttpRoute, RequiredCaller, Run};
use crate::http::transport::{Executor, ListenerKind, Part, Take};

/// The routing of a request: its route, its path parameters and where it runs. The transport hands
/// it from step to step, so that no step looks at the path again.
#[derive(Clone, Copy, Debug)]
pub struct Routing {
    pub(super) listener: ListenerKind,
    /// The routes of the path, also those that this listener does not serve.
    pub(super) path: Option<&'static PathRoutes>,
    /// The route. `None`: no route has the path, or none of them this method on this listener.
    pub(super) route: Option<&'static HttpRoute>,
    /// The values of the path parameters. Without a route, a path below the gates has the gate's
    /// name.
    pub(super) params: PathParams,
    /// The check endpoint of the path, whatever the method and the listener.
    pub(super) endpoint: Option<CheckEndpoint>,
    /// Whether the caller of a route for sessions and keys uses a session.
    pub(super) by_session: bool,
    /// The id of the request.
    pub(super) id: RequestId,
}

/// The routes with one path, in the order of the table.
#[derive(Clone, Debug)]
pub(super) struct PathRoutes {
    pub(super) routes: Vec<&'static HttpRoute>,
    pub(super) endpoint: Option<CheckEndpoint>,
}

impl PathRoutes {
    /// The routes that a listener serves.
    pub(super) fn served_on(
        &self,
        listener: ListenerKind,
    ) -> impl Iterator<Item = &'static HttpRoute> {
        self.routes.iter().copied().filter(move |route| route.is_served_on(listener))
    }
}

impl Routing {
    /// The route, or the error of a request without one.
    pub(super) fn require_route(&self) -> Result<&'static HttpRoute, Problem> {
        self.route.ok_or_else(|| match self.allowed() {
            allowed if allowed.is_empty() => Problem::not_found(),
            allowed => Problem::method_not_allowed(&allowed),
        })
    }

    /// The methods of the path on this listener.
    pub(super) fn allowed(&self) -> Vec<Method> {
        let served = self.path.into_iter().flat_map(|path| path.served_on(self.listener));
        served.filter_map(|route| route.method.clone()).collect()
    }

    /// The place where the request runs.
    pub(super) fn executor(&self) -> Executor {
        match self.route {
            Some(route) => route.run.executor(self.listener, self.by_session),
            None if self.is_below_gates() => Executor::Check { body: None },
            // Admission rejects the request.
            None => Executor::Pool { body: Take { part: Part::Page, body_bytes_max: 0 } },
        }
    }

    pub(super) fn is_check(&self) -> bool {
        self.endpoint.is_some()
    }

    /// Whether the path belongs to the endpoints that proxies call.
    pub(super) fn is_below_gates(&self) -> bool {
        self.endpoint.is_some_and(CheckEndpoint::has_gate)
    }

    /// The name of the gate in the path from which this was found.
    pub(super) fn gate<'a>(&self, path: &'a str) -> Option<&'a str> {
        self.params.get(0, path).filter(|_name| self.is_below_gates())
    }

    /// The gate that the metrics count; empty if the path names none. No forward-auth path is longer
    /// than the name of its gate.
    pub(super) fn counted_gate<'a>(&self, path: &'a str) -> &'a str {
        match self.endpoint {
            Some(CheckEndpoint::ForwardAuth) if self.path.is_none() => "",
            _ => self.gate(path).unwrap_or_default(),
        }
    }

    /// Whether a 401 offers every accepted scheme. Keyhouse's own page calls the other routes, and
    /// an offer of Basic would make browsers open a dialog.
    pub(super) fn offers_all(&self) -> bool {
        self.is_check() || self.route.is_some_and(|route| route.access == RequiredCaller::Holder)
    }

    /// Whether the route runs on the event loop for keys, and on the pool for sessions.
    pub(super) fn is_by_caller(&self) -> bool {
        self.route.is_some_and(|route| matches!(route.run, Run::ByCaller { .. }))
    }
}
