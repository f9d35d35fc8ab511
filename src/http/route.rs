//! One route of the table: its access, its handler, and the shared capacity that it uses.

use http::Method;
use rouille::Response;

use crate::http::problem::Problem;
use crate::http::transport::{Executor, ListenerKind, Part, PreparedResponse, Take};
use crate::http::{App, Call, CheckCall, input};

/// The path of the metrics, which have a listener of their own.
pub(super) const METRICS: &str = "/metrics";

/// A handler on the event loop, which always returns a response.
pub(super) type CheckHandler = fn(&App, &CheckCall<'_>) -> PreparedResponse;
/// A handler on the blocking pool.
pub(super) type ManageHandler = fn(&App, &Call<'_>) -> Result<Response, Problem>;

#[derive(Clone, Debug)]
pub(super) struct HttpRoute {
    /// The method. `None` matches any method, for check endpoints that handle all methods.
    pub(super) method: Option<Method>,
    /// The path. `{name}` matches one segment, and `{path}` at the end matches the rest of the
    /// path.
    pub(super) path: &'static str,
    pub(super) access: RequiredCaller,
    pub(super) run: Run,
    /// Whether the handler reads the query. On every other route a parameter is a fault.
    pub(super) reads_query: bool,
}

impl HttpRoute {
    /// Whether the route serves a method.
    pub(super) fn accepts(&self, method: &Method) -> bool {
        let Some(own) = &self.method else { return true };
        own == method || (*own == Method::GET && *method == Method::HEAD)
    }

    /// Whether responses of the route contain no secret. Only the change that creates a secret
    /// returns it, once.
    pub(super) fn has_no_secret(&self) -> bool {
        match self.run {
            Run::Manage { .. } => self.method == Some(Method::GET),
            Run::LongCheck { .. } => true,
            Run::Check { .. } | Run::ByCaller { .. } => false,
        }
    }

    /// Whether requests of the route hash a password.
    pub(super) fn hashes(&self) -> bool {
        matches!(self.run, Run::Manage { take, .. } if take.part == Part::SignIn)
    }

    /// Whether requests of the route count as changes: the route runs on the blocking pool and is
    /// not a GET.
    pub(super) fn is_change(&self) -> bool {
        let reads = matches!(self.method, Some(Method::GET | Method::HEAD));
        matches!(self.run, Run::Manage { .. }) && !reads
    }

    /// Whether a listener serves the route. The listener for checks serves only checks and health,
    /// the listener for metrics only metrics and health.
    pub(super) fn is_served_on(&self, listener: ListenerKind) -> bool {
        match listener {
            ListenerKind::Main | ListenerKind::Control => true,
            ListenerKind::Metrics => [METRICS, "/healthz", "/readyz"].contains(&self.path),
            ListenerKind::Checks if self.path == METRICS => false,
            ListenerKind::Checks => match self.run {
                Run::Check { .. } | Run::LongCheck { .. } | Run::ByCaller { .. } => true,
                Run::Manage { .. } => false,
            },
        }
    }
}

/// The authentication that a route requires. Admission checks the authentication before the body is
/// read: see [`crate::http::admission`]. The action checks permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequiredCaller {
    /// No authentication. A check endpoint reads the credential itself.
    Open,
    /// A known key, valid or not.
    Holder,
    /// A session or a valid key.
    Actor,
    /// A session or a valid key, including the session of a user who must first enrol a second
    /// factor.
    Enrolling,
    /// A valid key, as OAuth clients send it. Sessions are not accepted.
    Client,
}

/// The handler, and the place where it runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Run {
    /// A handler that runs on the event loop.
    Check { handler: CheckHandler, body_bytes_max: Option<usize> },
    /// A handler that runs on the blocking pool.
    Manage { handler: ManageHandler, take: Take },
    /// A check that is too long for the event loop, and runs on the blocking pool.
    LongCheck { handler: ManageHandler, take: Take },
    /// A route that runs on the event loop for a key, and on the pool for a session, because
    /// sessions are in the store.
    ByCaller { check: CheckHandler, manage: ManageHandler, body_bytes_max: Option<usize> },
}

impl Run {
    /// The place where the request runs. `by_session`: the caller uses a session.
    pub(super) fn executor(self, listener: ListenerKind, by_session: bool) -> Executor {
        let checks = |body_bytes_max| Take { part: Part::Checks, body_bytes_max };
        let executor = match self {
            Self::Manage { take, .. } | Self::LongCheck { take, .. } => {
                Executor::Pool { body: take }
            },
            Self::ByCaller { body_bytes_max, .. } if by_session => {
                Executor::Pool { body: checks(body_bytes_max.unwrap_or_default()) }
            },
            Self::Check { body_bytes_max, .. } | Self::ByCaller { body_bytes_max, .. } => {
                Executor::Check { body: body_bytes_max.map(checks) }
            },
        };
        if listener == ListenerKind::Control { executor.in_part(Part::Control) } else { executor }
    }
}

/// The default capacity of a route in this part.
pub(super) const fn take(part: Part) -> Take {
    let body_bytes_max = match part {
        Part::SignIn | Part::Page => input::OPEN_BODY_BYTES_MAX,
        Part::Control | Part::Checks | Part::Batch | Part::Management | Part::Long => {
            input::BODY_BYTES_MAX
        },
    };
    Take { part, body_bytes_max }
}
