//! Finds the route of a request: first its path, then its method among the routes of the path.
//!
//! Paths match byte for byte: percent-encoding is not decoded, and a double or trailing slash is
//! significant. A literal segment comes before a parameter, and a parameter is never empty.
//!
//! The tree of paths is as deep as the longest route. A path that fits no literal segment is read
//! again from there at most once for each level, so that the time is linear in the path's length.

use http::Method;
use matchit::Router;

use crate::http::metrics::counts::CheckEndpoint;
use crate::http::path_params::PathParams;
use crate::http::request_id::RequestId;
use crate::http::route::HttpRoute;
use crate::http::routing::{PathRoutes, Routing};
use crate::http::transport::ListenerKind;

/// The segment at the end of a route's path that matches the rest of a path.
const REST: &str = "{path}";
/// The name of matchit's parameter for the rest of a path.
const REST_NAME: &str = "rest";

/// A table of routes, prepared for finding.
#[derive(Debug)]
pub(super) struct Matching {
    paths: Router<PathRoutes>,
    /// The endpoints that proxies call, with the start of their paths before a gate's name.
    above_gates: Vec<(&'static str, CheckEndpoint)>,
}

impl Matching {
    /// Prepares a table. Of two paths that match the same requests with parameters, only the first
    /// is served: the table's tests find such a pair.
    pub(super) fn new(table: &'static [HttpRoute]) -> Self {
        let (mut paths, mut above_gates) = (Router::new(), Vec::new());
        for route in table {
            let is_first = |other: &&HttpRoute| other.path == route.path;
            if !table.iter().find(is_first).is_some_and(|first| std::ptr::eq(first, route)) {
                continue;
            }
            let endpoint = CheckEndpoint::of_route(route.path);
            let routes: Vec<_> = table.iter().filter(|other| other.path == route.path).collect();
            for pattern in patterns(route.path) {
                let routes = PathRoutes { routes: routes.clone(), endpoint };
                if let Err(error) = paths.insert(pattern, routes) {
                    tracing::error!(%error, path = route.path, "router: a route is not served");
                }
            }
            let above = route.path.split_once('{').map(|(above, _)| above);
            above_gates.extend(above.zip(endpoint.filter(|endpoint| endpoint.has_gate())));
        }
        Self { paths, above_gates }
    }

    /// Finds the route of a request on a listener. A GET route also serves HEAD. The caller sets the id
    /// of the request.
    pub(super) fn find(
        &'static self,
        method: &Method,
        path: &str,
        listener: ListenerKind,
    ) -> Routing {
        let mut params = PathParams::default();
        let Ok(found) = self.paths.at(path) else {
            let endpoint = self.endpoint_above(path, &mut params);
            return Routing {
                listener,
                path: None,
                route: None,
                params,
                endpoint,
                by_session: false,
                id: RequestId::New(0),
            };
        };
        for (_name, value) in found.params.iter().filter(|(name, _)| *name != REST_NAME) {
            push(&mut params, path, value);
        }
        let mut served = found.value.served_on(listener);
        let route = served.find(|route| route.accepts(method));
        let endpoint = found.value.endpoint;
        Routing {
            listener,
            path: Some(found.value),
            route,
            params,
            endpoint,
            by_session: false,
            id: RequestId::New(0),
        }
    }

    /// The endpoint below which a path without routes is, with the name of the gate.
    fn endpoint_above(&self, path: &str, params: &mut PathParams) -> Option<CheckEndpoint> {
        let below = |(above, endpoint): &(&str, CheckEndpoint)| {
            Some((path.strip_prefix(above)?, *endpoint))
        };
        let (below, endpoint) = self.above_gates.iter().find_map(below)?;
        push(params, path, below.split('/').next().unwrap_or_default());
        Some(endpoint)
    }
}

/// Adds the place of a part of the path.
fn push(params: &mut PathParams, path: &str, part: &str) {
    let start = part.as_ptr().addr().saturating_sub(path.as_ptr().addr());
    params.push(start, start + part.len());
}

/// A route's path as patterns of matchit, whose `{*rest}` does not match an empty rest.
fn patterns(path: &str) -> Vec<String> {
    match path.strip_suffix(REST) {
        Some(above) => vec![above.to_owned(), format!("{above}{{*{REST_NAME}}}")],
        None => vec![path.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::router::{ROUTES, find};

    /// The oracle: compares a path with every route of the table, segment by segment.
    fn expected(method: &Method, path: &str, listener: ListenerKind) -> String {
        let is_literal = ROUTES.iter().any(|route| route.path == path && !path.contains('{'));
        let mut allowed = Vec::new();
        for route in ROUTES.iter().filter(|route| route.is_served_on(listener)) {
            let Some(params) = params_of(route.path, path) else { continue };
            if !params.is_empty() && is_literal {
                continue;
            }
            match &route.method {
                Some(only) if !route.accepts(method) => allowed.push(only.as_str()),
                Some(_) | None => return format!("{:?} {} {params:?}", route.method, route.path),
            }
        }
        format!("{allowed:?}")
    }

    fn params_of<'a>(pattern: &str, path: &'a str) -> Option<Vec<&'a str>> {
        let mut params = Vec::new();
        let (mut wanted, mut rest) = (pattern, path);
        loop {
            let (name, wanted_after) = wanted.split_once('/').unzip();
            let name = name.unwrap_or(wanted);
            if name == REST {
                return Some(params).filter(|_params| wanted_after.is_none());
            }
            let (segment, rest_after) = rest.split_once('/').unzip();
            let segment = segment.unwrap_or(rest);
            if name.starts_with('{') && !segment.is_empty() {
                params.push(segment);
            } else if name != segment {
                return None;
            }
            match (wanted_after, rest_after) {
                (None, None) => return Some(params),
                (Some(wanted_after), Some(rest_after)) => {
                    (wanted, rest) = (wanted_after, rest_after);
                },
                (None, Some(_)) | (Some(_), None) => return None,
            }
        }
    }

    fn found(method: &Method, path: &str, listener: ListenerKind) -> String {
        let routing = find(method, path, listener);
        let Some(route) = routing.route else {
            let allowed = routing.allowed();
            return format!("{:?}", allowed.iter().map(Method::as_str).collect::<Vec<_>>());
        };
        let params = (0..routing.params.count()).map(|at| routing.params.get(at, path).unwrap());
        format!("{:?} {} {:?}", route.method, route.path, params.collect::<Vec<_>>())
    }

    fn check(path: &str) {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
            let method = method.parse().unwrap();
            for listener in ListenerKind::ALL {
                let expected = expected(&method, path, listener);
                assert_eq!(found(&method, path, listener), expected, "{method} {path}");
            }
        }
    }

    /// A literal segment of the table, or a segment that looks like the syntax of a pattern, is
    /// encoded, empty, not ASCII or long.
    fn segment() -> impl Strategy<Value = String> {
        let literals = ROUTES.iter().flat_map(|route| route.path.split('/'));
        let odd = [
            "", "x", "{", "}", "{{", "}}", "{a}", "{b}", "{{a}}", "{*rest}", "{*a}", "{}", "{*}",
            "*", "**", ":", ":key", ".", "..", "%2e", "%6beys", "%", "é", "🔑", "\u{fffd}", ";",
            "\\", "KEYS", "keysx", "key", "\"", "<>",
        ];
        let known: Vec<_> = literals.chain(odd).map(str::to_owned).collect();
        let long = (1..200_usize).prop_map(|length| "{a}".repeat(length));
        prop_oneof![12 => prop::sample::select(known), 2 => "\\PC{0,6}", 1 => long]
    }

    /// A path of the table, with some of its segments replaced, added or removed.
    fn path() -> impl Strategy<Value = String> {
        let paths: Vec<_> = ROUTES.iter().map(|route| route.path).collect();
        let known = prop::sample::select(paths);
        let changes = prop::collection::vec((0..8_usize, 0..4_u8, segment()), 0..4);
        let changed = (known, changes).prop_map(|(path, changes)| {
            let mut segments: Vec<_> = path.split('/').map(str::to_owned).collect();
            for (at, change, segment) in changes {
                let at = at % segments.len();
                match change {
                    0 => segments.insert(at, segment),
                    1 if segments.len() > 1 => drop(segments.remove(at)),
                    _ => segments[at] = segment,
                }
            }
            segments.join("/")
        });
        let any = prop::collection::vec(segment(), 0..9).prop_map(|segments| segments.join("/"));
        prop_oneof![4 => changed, 1 => any]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn routes_are_found_as_a_scan_of_the_table_finds_them(path in path()) {
            check(&path);
            check(path.trim_start_matches('/'));
        }
    }

    #[test]
    fn a_path_determines_endpoint_and_gate() {
        use CheckEndpoint::{ExtAuthz, ForwardAuth, Introspect, Verify, VerifyBatch, WhoAmI};
        // The gate whose credentials a denial offers, and the gate that the metrics count.
        for (path, endpoint, gate, counted) in [
            ("/v1/forward-auth/default", Some(ForwardAuth), Some("default"), "default"),
            ("/v1/forward-auth/", Some(ForwardAuth), Some(""), ""),
            ("/v1/forward-auth/default/x", Some(ForwardAuth), Some("default"), ""),
            ("/v1/forward-auth/default/", Some(ForwardAuth), Some("default"), ""),
            ("/v1/forward-auth//x", Some(ForwardAuth), Some(""), ""),
            ("/v1/forward-auth", None, None, ""),
            ("/v1/forward-authx/default", None, None, ""),
            ("/v1/ext-authz/orders/a/b", Some(ExtAuthz), Some("orders"), "orders"),
            ("/v1/ext-authz/orders/", Some(ExtAuthz), Some("orders"), "orders"),
            ("/v1/ext-authz/orders", Some(ExtAuthz), Some("orders"), "orders"),
            ("/v1/ext-authz/{gate}/{path}", Some(ExtAuthz), Some("{gate}"), "{gate}"),
            ("/v1/ext-authz/é//a", Some(ExtAuthz), Some("é"), "é"),
            ("/v1/ext-authz/", Some(ExtAuthz), Some(""), ""),
            ("/v1/ext-authz//a", Some(ExtAuthz), Some(""), ""),
            ("/v1/verify", Some(Verify), None, ""),
            ("/v1/verify/", None, None, ""),
            ("/v1/verify/batch", Some(VerifyBatch), None, ""),
            ("/v1/introspect", Some(Introspect), None, ""),
            ("/v1/whoami", Some(WhoAmI), None, ""),
            ("/v1/whoami/revoke", None, None, ""),
            ("/v1/keys", None, None, ""),
            ("/v1/keys/key_1", None, None, ""),
            ("", None, None, ""),
        ] {
            // Neither the method nor the listener changes the endpoint.
            for listener in ListenerKind::ALL {
                for method in [Method::GET, Method::POST, Method::OPTIONS] {
                    let routing = find(&method, path, listener);
                    let found = (routing.endpoint, routing.gate(path), routing.counted_gate(path));
                    assert_eq!(found, (endpoint, gate, counted), "{method} {path}");
                }
            }
        }
    }

    #[test]
    fn every_path_of_the_table_is_served() {
        for route in ROUTES.iter() {
            check(route.path);
            let method = route.method.clone().unwrap_or(Method::GET);
            let path = route.path.replace(['{', '}'], "");
            let found = find(&method, &path, ListenerKind::Main).route.unwrap();
            assert!(std::ptr::eq(found, route), "{route:?}");
        }
    }

    /// The order of the table decides nothing but the order of the methods in a 405.
    #[test]
    fn two_paths_of_the_table_match_one_request_only_if_one_is_literal() {
        let is_parameter = |segment: &str| segment.starts_with('{');
        for (one, other) in ROUTES.iter().flat_map(|one| ROUTES.iter().map(move |it| (one, it))) {
            let segments = || one.path.split('/').zip(other.path.split('/'));
            let length = |route: &HttpRoute| route.path.split('/').count();
            let fit = length(one) == length(other)
                && segments().all(|(a, b)| a == b || is_parameter(a) || is_parameter(b));
            let is_literal = |route: &HttpRoute| !route.path.contains('{');
            assert!(
                one.path == other.path || !fit || is_literal(one) || is_literal(other),
                "{} {}",
                one.path,
                other.path
            );
            assert!(!other.path.contains(REST) || other.path.ends_with(REST), "{}", other.path);
        }
    }

    #[test]
    fn long_paths_are_found_in_the_same_way() {
        let bytes = 16 * 1024;
        let long = |unit: &str| unit.repeat(bytes / unit.len());
        for unit in ["/", "a", "a/", "{key}", "/{key}", "/*", "é", "/v1/keys", "/keys/import"] {
            for start in ["", "/", "/v1/keys/", "/v1/keys/import", "/v1/ext-authz/g/", "/assets/"] {
                check(&format!("{start}{}", long(unit)));
                check(&format!("{start}{}/revoke", long(unit)));
            }
        }
    }
}
