//! The routes of a gate: host, method and path of a request select one rule, the most specific.
//!
//! A path pattern consists of segments: literal text, `{name}` or `*` for one segment, and, as the
//! last segment, `**` for any number of segments. Segments are compared after percent-decoding, as
//! an upstream would read them, so that `/%61dmin` is `/admin`. A trailing slash is ignored, since
//! most upstreams treat `/admin/` like `/admin`. No other part of a path is normalized: paths that
//! two programs could read differently are rejected (see [`raw_path`]), unless the matching rule
//! allows the ambiguity. Even an allowed ambiguity is rejected if another reading of the path
//! matches a more specific rule. An encoded slash never separates segments. Host patterns contain
//! no port, and match every port of a host.

mod ambiguity;
mod host;
mod invalid;
mod path;
mod raw;

use std::cmp::Ordering;
use std::collections::HashMap;

pub use ambiguity::{Ambiguities, Ambiguity, DoubtfulPath, InvalidAmbiguity};
use host::HostRank;
pub use host::{HostPattern, canonical_host};
pub use invalid::SEGMENTS_MAX;
pub use invalid::{InvalidRoute, PATTERN_BYTES_MAX};
pub use path::PathPattern;
pub use raw::{RawPath, raw_path};

/// The most methods of one rule.
pub const METHODS_MAX: usize = 16;
/// The longest method, in bytes.
const METHOD_BYTES_MAX: usize = 32;

/// A set of methods. `GET` includes `HEAD`, which an upstream answers like `GET`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Methods(Vec<Box<str>>);

/// The requests that a rule matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The host; `None` matches any host.
    pub host: Option<HostPattern>,
    pub path: PathPattern,
    /// The methods; `None` matches any method.
    pub methods: Option<Methods>,
    /// The ambiguities that paths of this route may hold.
    pub allow: Ambiguities,
}

/// The parts of a request that routes compare.
#[derive(Clone, Copy, Debug)]
pub struct RouteQuery<'a> {
    /// The host in canonical form: see [`canonical_host`].
    pub host: &'a str,
    /// The path as it was sent, without the query.
    pub path: RawPath<'a>,
    pub method: &'a str,
}

/// Routes with their values, the most specific first.
#[derive(Clone, Debug)]
pub struct RouteTable<T> {
    rules: Vec<(Route, T)>,
}

impl<T> Default for RouteTable<T> {
    fn default() -> Self {
        Self { rules: Vec::new() }
    }
}

/// The positions of two rules that no request could distinguish, in the given order, counted from
/// 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EqualRoutes {
    pub first: usize,
    /// The rule that equals the first.
    pub second: usize,
}

impl<T> RouteTable<T> {
    /// Sorts rules into a table.
    ///
    /// # Errors
    ///
    /// [`EqualRoutes`] if a request could match two rules and neither is more specific.
    pub fn new(rules: Vec<(Route, T)>) -> Result<Self, EqualRoutes> {
        let mut numbered: Vec<_> = rules.into_iter().enumerate().collect();
        // After sorting, rules that differ only in their methods are neighbours.
        numbered.sort_by(|(_, (one, _)), (_, (other, _))| one.compare(other));
        let mut alike =
            numbered.chunk_by(|(_, (one, _)), (_, (other, _))| one.compare(other).is_eq());
        if let Some(equal) = alike.find_map(equal_among) {
            return Err(equal);
        }
        Ok(Self { rules: numbered.into_iter().map(|(_, rule)| rule).collect() })
    }

    /// The most specific rule that matches, or `None`.
    ///
    /// # Errors
    ///
    /// [`DoubtfulPath`] if the path holds an ambiguity that this rule does not allow, or if another
    /// reading of the path matches a more specific rule.
    pub fn find(&self, query: RouteQuery<'_>) -> Result<Option<(&Route, &T)>, DoubtfulPath> {
        let holds = query.path.holds();
        let found = self.position(query, query.path.as_str());
        let found = found.and_then(|at| Some((at, self.rules.get(at)?)));
        let allowed = found.map(|(_, (route, _))| route.allow).unwrap_or_default();
        if let Some(kind) = holds.without(allowed).iter().next() {
            return Err(DoubtfulPath::NotAllowed(kind));
        }
        let Some((at, (route, held))) = found else { return Ok(None) };
        let is_of_another =
            |path: &String| self.position(query, path).is_some_and(|other| other < at);
        if query.path.readings().iter().any(is_of_another) {
            return Err(DoubtfulPath::OtherRoute);
        }
        Ok(Some((route, held)))
    }

    /// The position of the first rule for a path with the request's host and method.
    fn position(&self, query: RouteQuery<'_>, path: &str) -> Option<usize> {
        self.rules.iter().position(|(route, _)| route.fits(query, path))
    }

    /// All rules, the most specific first.
    pub fn iter(&self) -> impl Iterator<Item = (&Route, &T)> {
        self.rules.iter().map(|(route, held)| (route, held))
    }
}

/// Two of the rules `alike`, which are equally specific, that share a method.
fn equal_among<T>(alike: &[(usize, (Route, T))]) -> Option<EqualRoutes> {
    let mut taken = HashMap::new();
    let methods = alike
        .iter()
        .flat_map(|(at, (route, _))| route.methods_taken().map(move |method| (method, *at)));
    for (method, at) in methods {
        if let Some(first) = taken.insert(method, at).filter(|first| *first != at) {
            return Some(EqualRoutes { first: first.min(at), second: first.max(at) });
        }
    }
    None
}

impl Route {
    /// Whether this rule matches the request with this path.
    fn fits(&self, query: RouteQuery<'_>, path: &str) -> bool {
        self.methods.as_ref().is_none_or(|methods| methods.has(query.method))
            && self.path.fits(path)
            && self.host.as_ref().is_none_or(|host| host.fits(query.host))
    }

    /// Orders the more specific rule first: a host before a domain before any; then the path,
    /// segment by segment; then named methods before any. Texts are compared last, only to make
    /// equal rules neighbours.
    fn compare(&self, other: &Self) -> Ordering {
        let host = |route: &Self| route.host.as_ref().map_or(HostRank::Any, HostPattern::rank);
        let named = |route: &Self| route.methods.is_none();
        let text = |route: &Self| route.host.as_ref().map(ToString::to_string);
        host(self)
            .cmp(&host(other))
            .then_with(|| self.path.ranks().cmp(other.path.ranks()))
            .then_with(|| named(self).cmp(&named(other)))
            .then_with(|| text(self).cmp(&text(other)))
            .then_with(|| self.path.literals().cmp(other.path.literals()))
    }

    /// The methods that no other equally specific rule may have. An empty text means any
    /// method.
    fn methods_taken(&self) -> impl Iterator<Item = &str> {
        let any = self.methods.is_none().then_some("");
        let named = self.methods.iter().flat_map(Methods::names);
        let head = self.methods.iter().any(|methods| methods.has("HEAD")).then_some("HEAD");
        any.into_iter().chain(named).chain(head)
    }
}

impl Methods {
    /// A set of these methods.
    ///
    /// # Errors
    ///
    /// [`InvalidRoute::Method`] for an invalid name, no names, or too many.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidRoute> {
        let mut methods: Vec<Box<str>> = names.into_iter().map(Into::into).collect();
        methods.sort();
        methods.dedup();
        let fits = |it: u8| it.is_ascii_uppercase() || it == b'-';
        let is_method =
            |it: &str| (1..=METHOD_BYTES_MAX).contains(&it.len()) && it.bytes().all(fits);
        if (1..=METHODS_MAX).contains(&methods.len()) && methods.iter().all(|it| is_method(it)) {
            Ok(Self(methods))
        } else {
            Err(InvalidRoute::Method)
        }
    }

    /// The methods, sorted by name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }

    fn has(&self, method: &str) -> bool {
        let named = |wanted: &str| self.0.iter().any(|it| **it == *wanted);
        named(method) || (method == "HEAD" && named("GET"))
    }

    /// Whether the set names this method; `GET` does not name `HEAD`.
    pub fn names_itself(&self, method: &str) -> bool {
        self.names().any(|name| name == method)
    }
}

#[cfg(test)]
#[path = "../../../fuzz/oracle.rs"]
mod oracle;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PARTS: &[&str] = &[
        "/",
        "/",
        "open",
        "secret",
        "admin",
        ".",
        "..",
        ";",
        "%2e",
        "%2E",
        "%2f",
        "%5c",
        "\\",
        "%25",
        "%252e",
        "%00",
        "%3b",
        "%23",
        "%3f",
        "#",
        "?",
        "a",
        "%73ecret",
        "%61dmin",
        "//",
        "/./",
        "%c0%ae",
        "%ef%bc%8f",
        " ",
        "%20",
        "%ef%bc%8e",
        "\u{ff0f}",
        "%c2%a0",
        "%e2%81%84",
        ".",
    ];

    fn route(text: &str) -> Route {
        let mut words = text.split(' ').rev();
        let path = words.next().unwrap().parse().unwrap();
        let (mut host, mut methods) = (None, None);
        for word in words {
            if word.contains('.') {
                host = Some(word.parse().unwrap());
            } else {
                methods = Some(Methods::new(word.split(',')).unwrap());
            }
        }
        Route { host, path, methods, allow: Ambiguities::default() }
    }

    fn table(rules: &[&str]) -> Result<RouteTable<String>, EqualRoutes> {
        RouteTable::new(rules.iter().map(|rule| (route(rule), (*rule).to_owned())).collect())
    }

    fn query(text: &str) -> RouteQuery<'_> {
        let mut words = text.split(' ');
        let [method, host, path] = [(); 3].map(|()| words.next().unwrap());
        RouteQuery { host, path: raw_path(path).unwrap(), method }
    }

    #[test]
    fn the_most_specific_rule_wins() {
        let rules = [
            "/**",
            "/admin/**",
            "/admin",
            "/users/{id}",
            "/users/me",
            "GET /users/{id}",
            "/users/*/keys",
            "/users/me/**",
            "*.example.com /**",
            "api.example.com /**",
            "*.eu.example.com /admin/**",
            "POST,PUT /files/**",
            "GET /files/{name}",
            "/caf%C3%A9",
        ];
        let table = table(&rules).unwrap();
        for (request, rule) in [
            ("GET x /", "/**"),
            ("GET x /anything/at/all", "/**"),
            ("GET x /admin", "/admin"),
            ("GET x /admin/", "/admin"),
            ("GET x /admin/a/b", "/admin/**"),
            ("GET x /%61dmin/a", "/admin/**"),
            ("GET x /adminx", "/**"),
            ("GET x /users/7", "GET /users/{id}"),
            ("HEAD x /users/7", "GET /users/{id}"),
            ("DELETE x /users/7", "/users/{id}"),
            ("DELETE x /users/", "/**"),
            ("DELETE x /users/7/", "/users/{id}"),
            ("GET x /users/me", "/users/me"),
            ("GET x /users/me/keys", "/users/me/**"),
            ("GET x /users/you/keys", "/users/*/keys"),
            ("GET api.example.com /users/me", "api.example.com /**"),
            ("GET a.example.com /users/me", "*.example.com /**"),
            ("GET example.com /nothing", "/**"),
            ("GET a.eu.example.com /admin/a", "*.eu.example.com /admin/**"),
            ("GET a.eu.example.com /a", "*.example.com /**"),
            ("PUT x /files/a", "POST,PUT /files/**"),
            ("PUT x /files", "POST,PUT /files/**"),
            ("GET x /files/a", "GET /files/{name}"),
            ("GET x /files/a/b", "/**"),
            ("GET x /caf%c3%a9", "/caf%C3%A9"),
        ] {
            let found = table.find(query(request)).unwrap().map(|(_, text)| text.as_str());
            assert_eq!(found.unwrap_or_default(), rule, "{request}");
        }
    }

    fn allowing(rule: &str, kinds: &[Ambiguity]) -> (Route, String) {
        let allow = kinds.iter().copied().collect();
        (Route { allow, ..route(rule) }, rule.to_owned())
    }

    /// Regression: npm requests `/@scope%2fname`, and clients of GitLab
    /// `/projects/group%2Fproject`. No gate could allow these paths.
    #[test]
    fn a_route_allows_what_it_names_for_its_own_paths_alone() {
        use Ambiguity::{DoubleSlash, EncodedSlash, Semicolon, TrailingDot, Utf8};
        let table = RouteTable::new(vec![
            allowing("/npm/{package}", &[EncodedSlash]),
            allowing("/npm/-/**", &[]),
            allowing("/projects/{id}/files/**", &[EncodedSlash, DoubleSlash]),
            allowing("/projects/{id}/files/hidden/**", &[]),
            allowing("/dav/**", &[Utf8, TrailingDot, Semicolon]),
            allowing("/dav/locked/**", &[]),
            allowing("GET /dav/one", &[]),
            allowing("/**", &[]),
        ])
        .unwrap();
        let other = Err("other_route");
        for (request, expected) in [
            ("GET x /npm/@scope%2fname", Ok("/npm/{package}")),
            ("GET x /npm/@scope%2Fname/", Ok("/npm/{package}")),
            ("GET x /npm/@scope/name", Ok("/**")),
            // The matching, wider rule does not allow an encoded slash.
            ("GET x /npm/a/b%2fc", Err("encoded_slash")),
            ("GET x /other/a%2fb", Err("encoded_slash")),
            // If the slash is decoded, the path matches a narrower rule.
            ("GET x /npm/-%2fall", other),
            ("GET x /projects/group%2Fproject/files/a%2Fb", Ok("/projects/{id}/files/**")),
            ("GET x /projects/7/files//a", Ok("/projects/{id}/files/**")),
            ("GET x /projects/7/files//hidden/a", other),
            ("GET x /projects/7/files/hidden%2fa", other),
            ("GET x /projects/7/files/x%2f..%2fhidden/a", Err("dot_segment")),
            ("GET x //projects/7/files/a", Err("leading_double_slash")),
            ("GET x /projects/7/files/a;b", Err("semicolon")),
            ("GET x /dav/caf\u{e9}/Inc./a;b", Ok("/dav/**")),
            ("GET x /dav/locked./a", other),
            ("GET x /dav/locked%20/a", other),
            ("GET x /dav/locked%c2%a0/a", other),
            ("GET x /dav/locked;x/a", other),
            ("GET x /dav/one;x", other),
            ("PUT x /dav/one;x", Ok("/dav/**")),
            ("GET x /dav/a%2fb", Err("encoded_slash")),
            ("GET x /caf\u{e9}", Err("utf8")),
        ] {
            let [method, host, path] = words(request);
            let found =
                raw_path(path).and_then(|path| table.find(RouteQuery { host, path, method }));
            let found = found.map(|rule| rule.map_or("", |(_, text)| text.as_str()));
            assert_eq!(found.map_err(|doubt| doubt.reason()), expected, "{request}");
        }
    }

    #[test]
    fn rules_that_no_request_tells_apart_are_refused() {
        for (rules, equal) in [
            (&["/a/{id}", "/b", "/a/*"][..], Some((0, 2))),
            (&["GET,PUT /a", "PUT,POST /a"][..], Some((0, 1))),
            (&["/a", "/%61"][..], Some((0, 1))),
            (&["A.example.com /a", "a.example.com. /a"][..], Some((0, 1))),
            (&["GET /a", "HEAD /a"][..], Some((0, 1))),
            (&["HEAD,PUT /a", "GET /a"][..], Some((0, 1))),
            (&["GET /a", "PUT /a", "/a"][..], None),
            (&["/a/*", "/*/a", "/a/**", "/**", "/"][..], None),
            (&["x.example.com /a", "y.example.com /a", "*.example.com /a"][..], None),
        ] {
            let refused = table(rules).err().map(|EqualRoutes { first, second }| (first, second));
            assert_eq!(refused, equal, "{rules:?}");
        }
    }

    #[test]
    fn invalid_patterns_are_rejected() {
        for text in [
            "",
            "a",
            "//",
            "/a/",
            "/a//b",
            "/a/../b",
            "/./a",
            "/%2e%2E",
            "/a/**/b",
            "/a*",
            "/{a",
            "/{A}",
            "/{}",
            "/{id}/{id}",
            "/a?b",
            "/a#b",
            "/a;b",
            "/a b",
            "/a\\b",
            "/%2f",
            "/%3F",
            "/%5C",
            "/%25",
            "/%zz",
            "/%a",
            "/%ff",
            "/é",
            "/\"",
            "/%0a",
            "/***",
            "/{**}",
        ] {
            assert!(text.parse::<PathPattern>().is_err(), "{text}");
        }
        for text in
            ["", "*", "*.", "a..b", "a b", "*.[::1]", "a:80", "[::1]:80", "http://a", "[::1", "a/b"]
        {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
        for names in [&[][..], &["get"], &["GET POST"], &[""], &["GÉT"]] {
            assert!(Methods::new(names.iter().copied()).is_err(), "{names:?}");
        }
    }

    #[test]
    fn hosts_have_one_form() {
        for (host, canonical) in [
            ("API.Example.com", Some("api.example.com")),
            ("api.example.com.", Some("api.example.com")),
            ("api.example.com.:443", Some("api.example.com")),
            ("api.example.com:8443", Some("api.example.com")),
            ("[2001:DB8::0:1]:80", Some("[2001:db8::1]")),
            ("[2001:db8::1]", Some("[2001:db8::1]")),
            ("192.0.2.7", Some("192.0.2.7")),
            ("api..example.com", None),
            ("api.example.com..", None),
            ("api.example.com:", None),
            ("api.example.com:+80", None),
            ("api.example.com:99999", None),
            ("user@api.example.com", None),
            ("2001:db8::1", None),
            ("", None),
        ] {
            assert_eq!(canonical_host(host).as_deref(), canonical, "{host}");
        }
    }

    /// A rule as text: `METHODS HOST PATH`, `-` for any.
    fn naive_route(text: &str) -> Route {
        let [methods, host, path] = words(text);
        Route {
            host: (host != "-").then(|| host.parse().unwrap()),
            path: path.parse().unwrap(),
            methods: (methods != "-").then(|| Methods::new(methods.split(',')).unwrap()),
            allow: Ambiguities::default(),
        }
    }

    fn words(text: &str) -> [&str; 3] {
        let mut words = text.split(' ');
        [(); 3].map(|()| words.next().unwrap())
    }

    /// Gives the same result as [`Route::fits`], by another algorithm.
    fn fits_naively(rule: &str, request: &str) -> bool {
        let ([methods, host, pattern], [method, query, path]) = (words(rule), words(request));
        let wanted: Vec<&str> = pattern.split('/').filter(|it| !it.is_empty()).collect();
        let given: Vec<&str> = path.split('/').filter(|it| !it.is_empty()).collect();
        let alike = |wanted: &str, given: &str| match wanted {
            "*" | "{x}" => true,
            text => text == given.replace("%61", "a"),
        };
        let has_method = methods == "-"
            || methods.split(',').any(|it| it == method || (it, method) == ("GET", "HEAD"));
        let has_host = match host.strip_prefix("*") {
            Some(domain) => query.ends_with(domain),
            None => host == "-" || host == query,
        };
        let has_path = match wanted.split_last() {
            Some((&"**", before)) => {
                given.len() >= before.len() && before.iter().zip(&given).all(|(w, g)| alike(w, g))
            },
            _ => wanted.len() == given.len() && wanted.iter().zip(&given).all(|(w, g)| alike(w, g)),
        };
        has_method && has_host && has_path
    }

    /// The precedence of a rule, as a text: the rule with the lesser text is more specific. No
    /// request can distinguish two rules that match one request and have the same text.
    fn place(rule: &str) -> String {
        let [methods, host, pattern] = words(rule);
        let host = match (host, host.strip_prefix('*')) {
            ("-", _) => "9".to_owned(),
            (_, Some(domain)) => format!("{}", 8 - domain.split('.').count()),
            (_, None) => "0".to_owned(),
        };
        let path = pattern.split('/').skip(1).map(|segment| match segment {
            "" => "",
            "**" => "3",
            "*" | "{x}" => "2",
            _ => "1",
        });
        let methods = if methods == "-" { "b" } else { "a" };
        // A shorter pattern takes precedence over a longer pattern with the same beginning.
        format!("{host} {} {methods}", path.collect::<String>())
    }

    fn rule() -> impl Strategy<Value = String> {
        let methods = prop::sample::select(vec!["-", "-", "GET", "HEAD", "PUT,GET", "PUT"]);
        let hosts = vec!["-", "-", "a.x.org", "b.x.org", "*.x.org", "*.org"];
        let segment = prop::sample::select(vec!["/a", "/b", "/*", "/{x}"]);
        let end = prop::sample::select(vec!["", "/**", "/a"]);
        let parts = prop::collection::vec(segment, 0..3);
        (methods, prop::sample::select(hosts), parts, end).prop_filter_map(
            "a name twice",
            |(methods, host, parts, end)| {
                let path = parts.concat() + end;
                let path = if path.is_empty() { "/" } else { &path };
                (path.matches("{x}").count() < 2).then(|| format!("{methods} {host} {path}"))
            },
        )
    }

    fn request() -> impl Strategy<Value = String> {
        let methods = prop::sample::select(vec!["GET", "HEAD", "PUT", "POST"]);
        let hosts = prop::sample::select(vec!["a.x.org", "c.x.org", "a.org", "x.net"]);
        let segment = prop::sample::select(vec!["/a", "/a", "/b", "/c", "/%61", "/a;b"]);
        (methods, hosts, prop::collection::vec(segment, 0..4), any::<bool>()).prop_map(
            |(method, host, parts, slash)| {
                let path = parts.concat();
                let end = if slash || path.is_empty() { "/" } else { "" };
                format!("{method} {host} {path}{end}")
            },
        )
    }

    #[test]
    fn inputs_of_the_fuzzer_bypass_no_rule() {
        let corpus = std::fs::read_dir("fuzz/corpus/routes").unwrap();
        let mut tried = 0;
        for entry in corpus {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            oracle::check(&String::from_utf8_lossy(&bytes));
            tried += 1;
        }
        assert!(tried > 20, "the corpus is not there");
    }

    #[test]
    fn the_oracle_knows_a_way_around_a_rule() {
        for path in [
            "/open/../admin",
            "/open/%2e%2e/admin",
            "/open//secret",
            "/open\\secret",
            "/open/x/..;/secret",
            "/open/%73ecret",
            "/open/secret;x",
            "/open%2fsecret",
            "/open/secret%00.png",
            "/open/%252e%252e/admin",
            "/open/secret#x",
            "/open/secret%3fx",
            "/open/secret./x",
            "/open/secret%20/x",
            "/open/secret%ef%bc%8fx",
            "/open/secret%c2%a0/x",
            "/open/%ef%bc%8e%ef%bc%8e/admin",
        ] {
            assert!(oracle::is_closed_to_a_reader(path), "{path}");
        }
        for path in ["/open/a", "/open/secrets", "/open/..a", "/other"] {
            assert!(!oracle::is_closed_to_a_reader(path), "{path}");
        }
    }

    proptest! {
        #[test]
        fn the_table_agrees_with_a_naive_matcher(
            rules in prop::collection::vec(rule(), 1..8),
            requests in prop::collection::vec(request(), 16),
        ) {
            let table =
                RouteTable::new(rules.iter().map(|it| (naive_route(it), it.clone())).collect());
            for request in &requests {
                let mut fitting: Vec<&String> =
                    rules.iter().filter(|it| fits_naively(it, request)).collect();
                fitting.sort_by_key(|it| place(it));
                let tied = fitting.windows(2).any(|pair| place(pair[0]) == place(pair[1]));
                match &table {
                    // Rules may be rejected although these few requests distinguish them. Accepting
                    // rules that a request does not distinguish is an error.
                    Err(_) => {},
                    Ok(table) => {
                        prop_assert!(!tied, "{}", request);
                        let found = table.find(query(request));
                        if request.contains(';') {
                            let doubt = DoubtfulPath::NotAllowed(Ambiguity::Semicolon);
                            prop_assert_eq!(found.err(), Some(doubt), "{}", request);
                        } else {
                            let found = found.unwrap().map(|(_, text)| text);
                            prop_assert_eq!(found, fitting.first().copied(), "{}", request);
                        }
                    },
                }
            }
            if let Err(EqualRoutes { first, second }) = table {
                prop_assert!(first < second);
                prop_assert_eq!(place(&rules[first]), place(&rules[second]));
            }
        }

        #[test]
        fn no_way_of_writing_a_path_leads_around_a_rule(
            parts in prop::collection::vec(prop::sample::select(PARTS), 0..12),
            noise in ".{0,3}",
        ) {
            oracle::check(&(parts.concat() + &noise));
        }

        #[test]
        fn no_text_makes_a_pattern_panic(text in ".*", path in ".*") {
            if let Ok(pattern) = text.parse::<PathPattern>() {
                pattern.fits(&path);
                prop_assert_eq!(&pattern.to_string(), &text);
            }
            let _parsed = (text.parse::<HostPattern>(), canonical_host(&path));
        }
    }
}
