//! The one table of routes: method, path, who may ask, and what runs.

use http::Method;
use http::request::Parts;
use rouille::Response;

use crate::http::problem::Problem;
use crate::http::transport::{Arrival, Lane, Part, Surface, Take};
use crate::http::{App, Call, api, check, health, input, metrics, openapi, page, path_of};

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

const fn check(path: &'static str, handler: CheckHandler) -> Route {
    let run = Run::Check { handler, body_bytes_max: None };
    Route { method: None, path, access: Access::Open, run, reads_query: true }
}

const fn get(path: &'static str, access: Access, handler: ManageHandler) -> Route {
    manage(Method::GET, path, access, handler)
}

/// A list, whose query says what of it.
const fn list(path: &'static str, handler: ManageHandler) -> Route {
    asking(Method::GET, path, handler)
}

/// A list, a chart or a change that reads or writes many records.
const fn long(method: Method, path: &'static str, handler: ManageHandler) -> Route {
    let run = Run::Manage { handler, take: take(Part::Long) };
    Route { method: Some(method), path, access: Access::Actor, run, reads_query: true }
}

/// A route whose query says more.
const fn asking(method: Method, path: &'static str, handler: ManageHandler) -> Route {
    let run = Run::Manage { handler, take: take(Part::Management) };
    Route { method: Some(method), path, access: Access::Actor, run, reads_query: true }
}

/// Where it is open, it opens a session or uses a one-time link, and hashes a password.
const fn post(path: &'static str, access: Access, handler: ManageHandler) -> Route {
    let part = match access {
        Access::Open => Part::SignIn,
        Access::Holder | Access::Actor | Access::Enrolling | Access::Client => Part::Management,
    };
    in_part(part, Method::POST, path, access, handler)
}

const fn manage(
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

const fn in_part(
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
const fn take(part: Part) -> Take {
    let body_bytes_max = match part {
        Part::SignIn | Part::Page => input::OPEN_BODY_BYTES_MAX,
        Part::Control | Part::Checks | Part::Batch | Part::Management | Part::Long => {
            input::BODY_BYTES_MAX
        },
    };
    Take { part, body_bytes_max }
}

const fn probe(path: &'static str, handler: CheckHandler) -> Route {
    let run = Run::Check { handler, body_bytes_max: None };
    Route { method: Some(Method::GET), path, access: Access::Open, run, reads_query: true }
}

/// All routes, the busiest first. HEAD is answered wherever GET is.
pub(super) static ROUTES: &[Route] = &[
    check("/v1/forward-auth/{gate}", check::forward_auth::answer),
    check("/v1/ext-authz/{gate}/{path}", check::ext_authz::answer),
    Route {
        method: Some(Method::POST),
        path: "/v1/verify",
        access: Access::Actor,
        run: Run::ByCaller {
            check: check::verify::answer,
            manage: check::verify::answer_session,
            body_bytes_max: Some(input::BODY_BYTES_MAX),
        },
        reads_query: false,
    },
    Route {
        method: Some(Method::POST),
        path: "/v1/verify/batch",
        access: Access::Actor,
        run: Run::LongCheck {
            handler: check::batch::answer,
            take: Take { part: Part::Batch, body_bytes_max: input::LARGE_BODY_BYTES_MAX },
        },
        reads_query: false,
    },
    Route {
        method: Some(Method::POST),
        path: "/v1/introspect",
        access: Access::Client,
        run: Run::Check {
            handler: check::introspect::answer,
            body_bytes_max: Some(input::BODY_BYTES_MAX),
        },
        reads_query: false,
    },
    probe("/v1/whoami", check::whoami::answer),
    post("/v1/whoami/revoke", Access::Holder, check::whoami::revoke),
    probe("/healthz", health::alive),
    probe("/readyz", health::ready),
    Route {
        method: Some(Method::GET),
        path: metrics::PATH,
        access: Access::Actor,
        run: Run::ByCaller {
            check: metrics::answer,
            manage: metrics::answer_session,
            body_bytes_max: None,
        },
        reads_query: false,
    },
    get("/openapi.json", Access::Open, openapi::show),
    get("/v1/instance", Access::Open, api::instance::show),
    post("/v1/setup", Access::Open, api::setup::create),
    post("/v1/session", Access::Open, api::session::create),
    get("/v1/session", Access::Enrolling, api::session::show),
    manage(Method::DELETE, "/v1/session", Access::Open, api::session::delete),
    list("/v1/sessions", api::sessions::list_sessions),
    manage(Method::DELETE, "/v1/sessions/{session}", Access::Actor, api::sessions::delete),
    get("/v1/me", Access::Enrolling, api::me::show),
    in_part(Part::SignIn, Method::PATCH, "/v1/me", Access::Actor, api::me::change),
    asking(Method::DELETE, "/v1/me/notices", api::notices::acknowledge),
    in_part(Part::SignIn, Method::POST, "/v1/me/totp", Access::Enrolling, api::totp::create),
    in_part(Part::SignIn, Method::DELETE, "/v1/me/totp", Access::Actor, api::totp::delete),
    in_part(
        Part::SignIn,
        Method::POST,
        "/v1/me/totp/backup-codes",
        Access::Actor,
        api::totp::renew_codes,
    ),
    long(Method::GET, "/v1/keys", api::keys::list_keys),
    post("/v1/keys", Access::Actor, api::keys::create),
    Route {
        method: Some(Method::POST),
        path: "/v1/keys/import",
        access: Access::Actor,
        run: Run::Manage {
            handler: api::keys::import::import,
            take: Take {
                part: Part::Long,
                body_bytes_max: api::keys::import::IMPORT_BODY_BYTES_MAX,
            },
        },
        reads_query: false,
    },
    get("/v1/keys/{key}", Access::Actor, api::keys::show),
    manage(Method::PATCH, "/v1/keys/{key}", Access::Actor, api::keys::change),
    manage(Method::DELETE, "/v1/keys/{key}", Access::Actor, api::keys::delete),
    post("/v1/keys/{key}/explain", Access::Actor, api::keys::explain::explain),
    get("/v1/keys/{key}/descendants", Access::Actor, api::keys::descendants),
    post("/v1/keys/{key}/revoke", Access::Actor, api::keys::revoke),
    post("/v1/keys/{key}/rotate", Access::Actor, api::keys::rotate::rotate),
    post("/v1/keys/{key}/disable", Access::Actor, api::keys::disable),
    post("/v1/keys/{key}/enable", Access::Actor, api::keys::enable),
    long(Method::GET, "/v1/usage", api::usage::show),
    long(Method::GET, "/v1/audit", api::audit::list_events),
    get("/v1/audit/head", Access::Actor, api::audit::show_head),
    in_part(Part::Long, Method::POST, "/v1/audit/check", Access::Actor, api::audit::check),
    manage(Method::PUT, "/v1/keys/{key}/teams/{team}", Access::Actor, api::keys::share),
    manage(Method::DELETE, "/v1/keys/{key}/teams/{team}", Access::Actor, api::keys::unshare),
    list("/v1/roles", api::roles::list_roles),
    post("/v1/roles", Access::Actor, api::roles::create),
    get("/v1/roles/{role}", Access::Actor, api::roles::show),
    manage(Method::PATCH, "/v1/roles/{role}", Access::Actor, api::roles::change),
    manage(Method::DELETE, "/v1/roles/{role}", Access::Actor, api::roles::delete),
    list("/v1/teams", api::teams::list_teams),
    post("/v1/teams", Access::Actor, api::teams::create),
    get("/v1/teams/{team}", Access::Actor, api::teams::show),
    manage(Method::PATCH, "/v1/teams/{team}", Access::Actor, api::teams::change),
    manage(Method::DELETE, "/v1/teams/{team}", Access::Actor, api::teams::delete),
    list("/v1/teams/{team}/members", api::teams::list_members),
    manage(Method::PUT, "/v1/teams/{team}/members/{user}", Access::Actor, api::teams::add_member),
    manage(
        Method::DELETE,
        "/v1/teams/{team}/members/{user}",
        Access::Actor,
        api::teams::remove_member,
    ),
    list("/v1/permissions", api::permissions::list_permissions),
    post("/v1/permissions", Access::Actor, api::permissions::create),
    get("/v1/permissions/{name}", Access::Actor, api::permissions::show),
    manage(Method::PATCH, "/v1/permissions/{name}", Access::Actor, api::permissions::change),
    manage(Method::DELETE, "/v1/permissions/{name}", Access::Actor, api::permissions::delete),
    list("/v1/gates", api::gates::list_gates),
    post("/v1/gates", Access::Actor, api::gates::create),
    get("/v1/gates/{gate}", Access::Actor, api::gates::show),
    manage(Method::PATCH, "/v1/gates/{gate}", Access::Actor, api::gates::change),
    manage(Method::DELETE, "/v1/gates/{gate}", Access::Actor, api::gates::delete),
    post("/v1/gates/{gate}/test", Access::Actor, api::gates::trial::test),
    list("/v1/users", api::users::list_users),
    get("/v1/users/{user}", Access::Actor, api::users::show),
    manage(Method::PATCH, "/v1/users/{user}", Access::Actor, api::users::change),
    long(Method::DELETE, "/v1/users/{user}", api::users::delete),
    long(Method::GET, "/v1/users/{user}/keys", api::users::list_keys),
    list("/v1/users/{user}/sessions", api::user_sessions::list_sessions),
    manage(Method::DELETE, "/v1/users/{user}/sessions", Access::Actor, api::user_sessions::end_all),
    manage(
        Method::DELETE,
        "/v1/users/{user}/sessions/{session}",
        Access::Actor,
        api::user_sessions::end_one,
    ),
    post("/v1/users/{user}/reset", Access::Actor, api::resets::create),
    post("/v1/reset", Access::Open, api::resets::set_password),
    post("/v1/links", Access::Open, api::links::show),
    list("/v1/sign-in-lockouts", api::lockouts::list_lockouts),
    manage(Method::DELETE, "/v1/sign-in-lockouts/{lockout}", Access::Actor, api::lockouts::lift),
    list("/v1/invitations", api::invitations::list_invitations),
    post("/v1/invitations", Access::Actor, api::invitations::create),
    post("/v1/invitations/accept", Access::Open, api::invitations::accept),
    get("/v1/invitations/{invitation}", Access::Actor, api::invitations::show),
    manage(Method::DELETE, "/v1/invitations/{invitation}", Access::Actor, api::invitations::delete),
    get("/v1/organization", Access::Actor, api::organizations::show_own),
    manage(Method::PATCH, "/v1/organization", Access::Actor, api::organizations::change_own),
    get("/v1/subscription", Access::Actor, api::organizations::show_own_subscription),
    list("/v1/organizations", api::organizations::list_all),
    post("/v1/organizations", Access::Actor, api::organizations::create),
    get("/v1/organizations/{organization}", Access::Actor, api::organizations::show),
    manage(
        Method::PATCH,
        "/v1/organizations/{organization}",
        Access::Actor,
        api::organizations::change,
    ),
    get(
        "/v1/organizations/{organization}/subscription",
        Access::Actor,
        api::organizations::show_subscription,
    ),
    manage(
        Method::PATCH,
        "/v1/organizations/{organization}/subscription",
        Access::Actor,
        api::organizations::change_subscription,
    ),
    list("/v1/plans", api::plans::list_plans),
    get("/v1/plans/{plan}", Access::Actor, api::plans::show),
    manage(Method::PATCH, "/v1/plans/{plan}", Access::Actor, api::plans::change),
    get("/", Access::Open, page::index),
    get("/setup", Access::Open, page::setup),
    get("/invitation", Access::Open, page::index),
    get("/reset", Access::Open, page::index),
    get("/assets/{hash}/{file}", Access::Open, page::asset),
    get("/assets/{hash}/{folder}/{part}", Access::Open, page::asset),
];

/// What the table says of a request.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// This route, with what stood in its places.
    Route { route: &'static Route, params: Vec<&'a str> },
    /// The path is known, the method is none of these.
    MethodNotAllowed(Vec<Method>),
    /// Nothing there.
    Nothing,
}

/// Finds the route of a request's head.
pub(super) fn find_head(parts: &Parts, surface: Surface) -> Found<'_> {
    find(&parts.method, path_of(parts), surface)
}

/// Finds a route. Paths match byte for byte: nothing is decoded, a doubled or a last slash counts.
pub(super) fn find<'a>(method: &Method, path: &'a str, surface: Surface) -> Found<'a> {
    let mut allowed = Vec::new();
    for route in ROUTES.iter().filter(|route| route.is_served_on(surface)) {
        let Some(params) = matches(route.path, path) else { continue };
        // `/v1/keys/import` is no key: a path that is spelt out is nothing else.
        if !params.is_empty() && route.method.is_some() && is_spelt_out(path) {
            continue;
        }
        match &route.method {
            Some(only) if !takes(only, method) => allowed.push(only.clone()),
            Some(_) | None => return Found::Route { route, params },
        }
    }
    if allowed.is_empty() { Found::Nothing } else { Found::MethodNotAllowed(allowed) }
}

impl Route {
    /// Whether no answer holds a secret: a secret is shown once, by the change that makes it.
    pub(super) fn has_no_secret(&self) -> bool {
        match self.run {
            Run::Manage { .. } => self.method == Some(Method::GET),
            Run::LongCheck { .. } => true,
            Run::Check { .. } | Run::ByCaller { .. } => false,
        }
    }

    /// Whether it counts as a change: whatever is not read on the blocking pool.
    pub(super) fn is_change(&self) -> bool {
        let reads = matches!(self.method, Some(Method::GET | Method::HEAD));
        matches!(self.run, Run::Manage { .. }) && !reads
    }

    /// The listener for checks serves nothing but these and health, that for metrics nothing but
    /// them and health.
    fn is_served_on(&self, surface: Surface) -> bool {
        match surface {
            Surface::Main | Surface::Control => true,
            Surface::Metrics => [metrics::PATH, "/healthz", "/readyz"].contains(&self.path),
            Surface::Checks if self.path == metrics::PATH => false,
            Surface::Checks => match self.run {
                Run::Check { .. } | Run::LongCheck { .. } | Run::ByCaller { .. } => true,
                Run::Manage { .. } => false,
            },
        }
    }
}

fn is_spelt_out(path: &str) -> bool {
    ROUTES.iter().any(|route| route.path == path)
}

fn takes(route: &Method, method: &Method) -> bool {
    route == method || (*route == Method::GET && *method == Method::HEAD)
}

fn matches<'a>(pattern: &str, path: &'a str) -> Option<Vec<&'a str>> {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    let mut params = Vec::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) | (Some("{path}"), Some(_)) => return Some(params),
            (Some(place), Some(segment)) if place.starts_with('{') && !segment.is_empty() => {
                params.push(segment);
            },
            (Some(name), Some(segment)) if name == segment => {},
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_byte_for_byte() {
        for (method, path, surface, found) in [
            ("GET", "/v1/keys", Surface::Main, "/v1/keys"),
            ("HEAD", "/v1/keys", Surface::Main, "/v1/keys"),
            ("PATCH", "/v1/keys/key_1", Surface::Main, "/v1/keys/{key}"),
            ("PATCH", "/v1/keys", Surface::Main, "405"),
            ("POST", "/v1/keys/import", Surface::Main, "/v1/keys/import"),
            ("GET", "/v1/keys/import", Surface::Main, "405"),
            ("GET", "/v1/invitations/accept", Surface::Main, "405"),
            ("GET", "/v1/keys/", Surface::Main, ""),
            ("GET", "//v1/keys", Surface::Main, ""),
            ("GET", "/v1/%6beys", Surface::Main, ""),
            ("GET", "/v1/keys", Surface::Checks, ""),
            ("PUT", "/v1/forward-auth/default", Surface::Checks, "/v1/forward-auth/{gate}"),
            ("PUT", "/v1/ext-authz/g/a//b/../", Surface::Checks, "/v1/ext-authz/{gate}/{path}"),
            ("GET", "/v1/ext-authz/g/", Surface::Checks, "/v1/ext-authz/{gate}/{path}"),
            ("GET", "/v1/ext-authz/g", Surface::Checks, ""),
            ("GET", "/healthz", Surface::Checks, "/healthz"),
            ("GET", "/metrics", Surface::Main, "/metrics"),
            ("GET", "/metrics", Surface::Checks, ""),
            ("GET", "/metrics", Surface::Metrics, "/metrics"),
            ("GET", "/readyz", Surface::Metrics, "/readyz"),
            ("GET", "/v1/forward-auth/default", Surface::Metrics, ""),
            ("GET", "/v1/instance", Surface::Metrics, ""),
            ("GET", "/", Surface::Metrics, ""),
        ] {
            let said = match find(&method.parse().unwrap(), path, surface) {
                Found::Route { route, .. } => route.path,
                Found::MethodNotAllowed(_) => "405",
                Found::Nothing => "",
            };
            assert_eq!(said, found, "{method} {path}");
        }
    }

    #[test]
    fn no_two_routes_are_equal() {
        let mut names: Vec<_> =
            ROUTES.iter().map(|route| format!("{:?} {}", route.method, route.path)).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), ROUTES.len());
    }
}
