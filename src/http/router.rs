//! The table of all routes: method, path, access and handler.

use http::Method;
use http::request::Parts;

pub(super) use crate::http::route::{Access, Route, Run};
use crate::http::route::{asking, check, get, in_part, list, long, manage, post, probe};
use crate::http::transport::{Part, Surface, Take};
use crate::http::{api, check, health, input, metrics, openapi, page, path_of};

/// All routes, the busiest first. Every GET route also serves HEAD.
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
    Route {
        method: Some(Method::POST),
        path: "/v1/whoami/revoke",
        access: Access::Holder,
        run: Run::Manage {
            handler: check::whoami::revoke,
            take: Take {
                part: Part::Management,
                body_bytes_max: check::whoami::REVOKE_BODY_BYTES_MAX,
            },
        },
        reads_query: false,
    },
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

/// Result of looking a request up in the table.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// The route and the values of its path parameters.
    Route { route: &'static Route, params: Vec<&'a str> },
    /// The path exists, with these methods only.
    MethodNotAllowed(Vec<Method>),
    /// No route has this path.
    Nothing,
}

pub(super) fn find_head(parts: &Parts, surface: Surface) -> Found<'_> {
    find(&parts.method, path_of(parts), surface)
}

/// Finds a route. Paths match byte for byte: percent-encoding is not decoded, and a double or trailing
/// slash is significant.
pub(super) fn find<'a>(method: &Method, path: &'a str, surface: Surface) -> Found<'a> {
    let mut allowed = Vec::new();
    for route in ROUTES.iter().filter(|route| route.is_served_on(surface)) {
        let Some(params) = matches(route.path, path) else { continue };
        // A literal path never matches a parameter: `/v1/keys/import` is not `/v1/keys/{key}`.
        if !params.is_empty() && route.method.is_some() && is_literal(path) {
            continue;
        }
        match &route.method {
            Some(only) if !accepts(only, method) => allowed.push(only.clone()),
            Some(_) | None => return Found::Route { route, params },
        }
    }
    if allowed.is_empty() { Found::Nothing } else { Found::MethodNotAllowed(allowed) }
}

impl Route {
    /// Whether its responses hold no secret. A secret is returned once, by the change that makes it.
    pub(super) fn has_no_secret(&self) -> bool {
        match self.run {
            Run::Manage { .. } => self.method == Some(Method::GET),
            Run::LongCheck { .. } => true,
            Run::Check { .. } | Run::ByCaller { .. } => false,
        }
    }

    /// Whether its requests wait in the queue for password hashing.
    pub(super) fn hashes(&self) -> bool {
        matches!(self.run, Run::Manage { take, .. } if take.part == Part::SignIn)
    }

    /// Whether it counts as a change: a route on the blocking pool that is not a GET.
    pub(super) fn is_change(&self) -> bool {
        let reads = matches!(self.method, Some(Method::GET | Method::HEAD));
        matches!(self.run, Run::Manage { .. }) && !reads
    }

    /// The listener for checks serves only checks and health, the one for metrics only metrics and
    /// health.
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

fn is_literal(path: &str) -> bool {
    ROUTES.iter().any(|route| route.path == path)
}

fn accepts(route: &Method, method: &Method) -> bool {
    route == method || (*route == Method::GET && *method == Method::HEAD)
}

fn matches<'a>(pattern: &str, path: &'a str) -> Option<Vec<&'a str>> {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    let mut params = Vec::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) | (Some("{path}"), Some(_)) => return Some(params),
            (Some(name), Some(segment)) if name.starts_with('{') && !segment.is_empty() => {
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
            let path_found = match find(&method.parse().unwrap(), path, surface) {
                Found::Route { route, .. } => route.path,
                Found::MethodNotAllowed(_) => "405",
                Found::Nothing => "",
            };
            assert_eq!(path_found, found, "{method} {path}");
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
