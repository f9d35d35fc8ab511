//! Reads the `X-Forwarded-*` headers in which a trusted proxy describes its client's request.
//!
//! If a header is missing, no other header replaces it, because a client can forge every header
//! that the proxy does not set. `X-Original-*` and `Forwarded` are never read.

use std::net::{IpAddr, SocketAddr};

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use crate::model::credential::CredentialSource;
use crate::model::network::canonical;
use crate::model::route::{DoubtfulPath, RawPath, RouteQuery, canonical_host, raw_path};

/// The header with the chain of addresses.
pub(super) const FORWARDED_FOR: &str = "x-forwarded-for";
const METHOD: &str = "x-forwarded-method";
const PROTO: &str = "x-forwarded-proto";
const HOST: &str = "x-forwarded-host";
const URI: &str = "x-forwarded-uri";
const OWN_HOST: &str = "host";
const ORIGIN: &str = "origin";
const ANNOUNCED_METHOD: &str = "access-control-request-method";
/// Maximum number of entries of `X-Forwarded-For` that are read.
const HOPS_MAX: usize = 32;

/// Fault of the forwarded headers. The text of the fault is safe to log and to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotForwarded {
    #[error("the method of the check is not GET or HEAD: configure the proxy to use one of them")]
    Asked,
    #[error("{0} is missing: configure the proxy to set it")]
    Missing(&'static str),
    #[error("{0} was sent more than once: configure the proxy to set it once")]
    Doubled(&'static str),
    #[error("{0} is not readable")]
    Unreadable(&'static str),
    #[error(transparent)]
    Path(#[from] DoubtfulPath),
    #[error(
        "TRACE is rejected: its response would contain the identity headers that the proxy adds"
    )]
    Echo,
    #[error(
        "a header name imitates the name of a header that Keyhouse or the proxy sets, with '_' or \
         another character in place of '-': remove this header"
    )]
    Alias,
}

impl NotForwarded {
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Asked => "check_method",
            Self::Missing(_) => "header_missing",
            Self::Doubled(_) => "header_doubled",
            Self::Unreadable(_) => "header_unreadable",
            Self::Path(doubt) => doubt.reason(),
            Self::Echo => "trace",
            Self::Alias => "header_alias",
        }
    }
}

/// The client's request, as the proxy forwards it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ForwardedRequest<'a> {
    pub(super) client: IpAddr,
    /// The requested host, in canonical form.
    pub(super) host: String,
    /// The requested path, raw, without the query.
    pub(super) path: RawPath<'a>,
    pub(super) method: &'a str,
}

impl<'a> ForwardedRequest<'a> {
    /// The parts that routes match.
    pub(super) fn route_query(&'a self) -> RouteQuery<'a> {
        RouteQuery { host: &self.host, path: self.path, method: self.method }
    }
}

/// Reads all forwarded headers of a request whose peer is trusted. A fault denies the request.
pub(super) fn read<'a>(
    headers: &'a HeaderMap,
    trusted: &[IpNet],
) -> Result<ForwardedRequest<'a>, NotForwarded> {
    let lines = ForwardedLines::of(headers);
    let method = check_method(text(lines.method.single(METHOD)?, METHOD)?, METHOD)?;
    let proto = text(lines.proto.single(PROTO)?, PROTO)?;
    if !matches!(proto, "http" | "https" | "ws" | "wss") {
        return Err(NotForwarded::Unreadable(PROTO));
    }
    let host = text(lines.host.single(HOST)?, HOST)?;
    let host = canonical_host(host).ok_or(NotForwarded::Unreadable(HOST))?;
    // Routes decide whether UTF-8 that is not percent-encoded is allowed.
    let uri = str::from_utf8(lines.uri.single(URI)?.as_bytes());
    let path = raw_path(uri.map_err(|_source| NotForwarded::Unreadable(URI))?)?;
    let chain = forwarded_for(headers)?;
    let client = client(&chain, trusted).ok_or(NotForwarded::Unreadable(FORWARDED_FOR))?;
    Ok(ForwardedRequest { client, host, path, method })
}

/// Reads a request in which a proxy repeats its client's request. `target` is the client's path and
/// query. The client's address is the last entry of `X-Forwarded-For`, which the proxy writes; the
/// client can forge earlier entries. A fault denies the request.
pub(super) fn read_repeated<'a>(
    parts: &'a Parts,
    target: &'a str,
) -> Result<ForwardedRequest<'a>, NotForwarded> {
    let headers = &parts.headers;
    if parts.uri.authority().is_some() {
        return Err(DoubtfulPath::always("whole_url", "a whole URL").into());
    }
    let method = check_method(parts.method.as_str(), "the method")?;
    let own_host = single(headers, OWN_HOST)?;
    let host = canonical_host(own_host).ok_or(NotForwarded::Unreadable(OWN_HOST))?;
    let path = raw_path(target)?;
    let chain = forwarded_for(headers)?;
    let last = chain.last().and_then(|line| line.rsplit(',').next());
    let client = last.and_then(|entry| address(entry.trim())).map(canonical);
    let client = client.ok_or(NotForwarded::Unreadable(FORWARDED_FOR))?;
    Ok(ForwardedRequest { client, host, path, method })
}

/// Rejects header names that some servers treat as an identity header, a forwarded header or a
/// credential header: for CGI and its successors `X_Keyhouse_User` and `X.Keyhouse.User` are both
/// `X-Keyhouse-User`.
pub(super) fn refuse_aliases(
    headers: &HeaderMap,
    sources: &[CredentialSource],
) -> Result<(), NotForwarded> {
    let is_odd = |letter: char| !letter.is_ascii_alphanumeric() && letter != '-';
    // Reads every byte without an early exit, which compilers turn into vector instructions.
    let has_odd = |name: &&str| {
        let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !name.bytes().fold(true, |usual, byte| usual & is_usual(byte))
    };
    let is_alias = |name: &str| {
        let plain = name.replace(is_odd, "-");
        plain.starts_with("x-keyhouse-")
            || plain.starts_with("x-forwarded-")
            || sources.iter().any(|source| source.header() == plain)
    };
    let mut odd = headers.keys().map(HeaderName::as_str).filter(has_odd);
    if odd.any(is_alias) { Err(NotForwarded::Alias) } else { Ok(()) }
}

/// The method that a CORS preflight announces: `Access-Control-Request-Method`, if this header and
/// `Origin` are each present once. The upstream decides about the rest of the preflight.
pub(super) fn announced_method(headers: &HeaderMap) -> Option<&str> {
    single(headers, ORIGIN).ok()?;
    let method = single(headers, ANNOUNCED_METHOD).ok()?;
    check_method(method, ANNOUNCED_METHOD).ok()
}

/// The lines of the forwarded headers, found in one pass over the head.
#[derive(Default)]
struct ForwardedLines<'a> {
    method: Lines<'a>,
    proto: Lines<'a>,
    host: Lines<'a>,
    uri: Lines<'a>,
}

/// The lines of one header.
#[derive(Clone, Copy, Default)]
enum Lines<'a> {
    #[default]
    None,
    One(&'a HeaderValue),
    Many,
}

impl<'a> ForwardedLines<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        let mut found = Self::default();
        for (name, value) in headers {
            let lines = match name.as_str() {
                METHOD => &mut found.method,
                PROTO => &mut found.proto,
                HOST => &mut found.host,
                URI => &mut found.uri,
                _ => continue,
            };
            *lines = match lines {
                Lines::None => Lines::One(value),
                Lines::One(_) | Lines::Many => Lines::Many,
            };
        }
        found
    }
}

impl<'a> Lines<'a> {
    /// The only line of the header `name`.
    fn single(self, name: &'static str) -> Result<&'a HeaderValue, NotForwarded> {
        match self {
            Self::None => Err(NotForwarded::Missing(name)),
            Self::One(value) => Ok(value),
            Self::Many => Err(NotForwarded::Doubled(name)),
        }
    }
}

fn text<'a>(value: &'a HeaderValue, name: &'static str) -> Result<&'a str, NotForwarded> {
    value.to_str().map_err(|_source| NotForwarded::Unreadable(name))
}

fn check_method<'a>(method: &'a str, from: &'static str) -> Result<&'a str, NotForwarded> {
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte == b'-';
    if method.is_empty() || !method.bytes().all(fits) {
        return Err(NotForwarded::Unreadable(from));
    }
    if method == "TRACE" {
        return Err(NotForwarded::Echo);
    }
    Ok(method)
}

fn forwarded_for(headers: &HeaderMap) -> Result<Vec<&str>, NotForwarded> {
    let lines = headers.get_all(FORWARDED_FOR).iter();
    let chain: Result<Vec<_>, _> = lines.map(HeaderValue::to_str).collect();
    let chain = chain.map_err(|_source| NotForwarded::Unreadable(FORWARDED_FOR))?;
    if chain.is_empty() { Err(NotForwarded::Missing(FORWARDED_FOR)) } else { Ok(chain) }
}

/// The client's address in a chain: the rightmost entry that is not a trusted proxy, or the
/// leftmost entry. `None` if that entry, or an entry to its right, is not readable.
pub(super) fn client(lines: &[&str], trusted: &[IpNet]) -> Option<IpAddr> {
    furthest(lines, trusted).map(canonical)
}

/// Like `client`, but as written in the header: trusted networks are compared with the written
/// address.
fn furthest(lines: &[&str], trusted: &[IpNet]) -> Option<IpAddr> {
    let mut furthest = None;
    let entries = lines.iter().rev().flat_map(|line| line.rsplit(','));
    for entry in entries.take(HOPS_MAX) {
        let address = address(entry.trim())?;
        if !trusted.iter().any(|network| network.contains(&address)) {
            return Some(address);
        }
        furthest = Some(address);
    }
    furthest
}

/// Whether proxies add this header to forwarded requests.
pub(super) fn is_set_by_proxies(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.starts_with("x-forwarded-") || matches!(lower.as_str(), "forwarded" | "via" | "x-real-ip")
}

/// Parses an address as proxies write it: bare, with a port, or IPv6 in brackets.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let parsed = bare.parse::<IpAddr>().ok();
    parsed
        .or_else(|| text.parse::<SocketAddr>().ok().map(|pair| pair.ip()))
        .map(|ip| ip.to_canonical())
}

fn single<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, NotForwarded> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next().ok_or(NotForwarded::Missing(name))?;
    if lines.next().is_some() { Err(NotForwarded::Doubled(name)) } else { text(line, name) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::credential::CREDENTIALS;

    fn loopback() -> Vec<IpNet> {
        vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()]
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let good = [(METHOD, "GET"), (PROTO, "https"), (HOST, "api.example.com"), (URI, "/a?b=//")];
        for (name, value) in good {
            if !lines.iter().any(|(other, _)| *other == name) {
                headers.append(name, value.parse().unwrap());
            }
        }
        if !lines.iter().any(|(name, _)| *name == FORWARDED_FOR) {
            headers.append(FORWARDED_FOR, "192.0.2.7".parse().unwrap());
        }
        for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn headers_that_proxies_add_are_recognized() {
        for (name, set) in [
            ("X-Forwarded-For", true),
            ("x-forwarded-proto", true),
            ("Forwarded", true),
            ("Via", true),
            ("X-Real-IP", true),
            ("Host", false),
            ("Origin", false),
        ] {
            assert_eq!(is_set_by_proxies(name), set, "{name}");
        }
    }

    #[test]
    fn a_complete_set_of_headers_is_read() {
        let headers = headers(&[]);
        let client = "192.0.2.7".parse().unwrap();
        let path = raw_path("/a").unwrap();
        let reported =
            ForwardedRequest { client, host: "api.example.com".to_owned(), path, method: "GET" };
        assert_eq!(read(&headers, &loopback()), Ok(reported));
    }

    #[test]
    fn aliases_of_trusted_headers_are_rejected() {
        for name in
            ["x_keyhouse_user", "x-forwarded_for", "x_api_key", "x.keyhouse.user", "x~api!key"]
        {
            let headers = headers(&[(name, "another")]);
            assert_eq!(refuse_aliases(&headers, &CREDENTIALS), Err(NotForwarded::Alias), "{name}");
        }
        let headers = headers(&[("x_harmless", "a"), ("x-api-key", "b")]);
        assert_eq!(refuse_aliases(&headers, &CREDENTIALS), Ok(()));
    }

    #[test]
    fn missing_repeated_and_unreadable_headers_are_denied() {
        for (lines, fault) in [
            (&[(METHOD, "")][..], NotForwarded::Missing(METHOD)),
            (&[(URI, "")], NotForwarded::Missing(URI)),
            (&[(FORWARDED_FOR, "")], NotForwarded::Missing(FORWARDED_FOR)),
            (&[(HOST, "a"), (HOST, "a")], NotForwarded::Doubled(HOST)),
            (&[(PROTO, "gopher")], NotForwarded::Unreadable(PROTO)),
            (&[(METHOD, "TRACE")], NotForwarded::Echo),
            (&[(URI, "/a/../b")], DoubtfulPath::always("dot_segment", "a dot segment").into()),
            (&[(METHOD, "get it")], NotForwarded::Unreadable(METHOD)),
            (&[(HOST, "a/b")], NotForwarded::Unreadable(HOST)),
            (&[(HOST, "a..b")], NotForwarded::Unreadable(HOST)),
            (&[(HOST, "a:b")], NotForwarded::Unreadable(HOST)),
            (&[(FORWARDED_FOR, "unknown")], NotForwarded::Unreadable(FORWARDED_FOR)),
        ] {
            assert_eq!(read(&headers(lines), &loopback()), Err(fault), "{lines:?}");
        }
    }

    #[test]
    fn the_client_is_the_first_untrusted_from_the_right() {
        for (lines, client_address) in [
            (&["192.0.2.7"][..], Some("192.0.2.7")),
            (&["6.6.6.6, 192.0.2.7"], Some("192.0.2.7")),
            (&["6.6.6.6, 192.0.2.7, 10.0.0.1"], Some("192.0.2.7")),
            (&["6.6.6.6", "192.0.2.7, 127.0.0.1"], Some("192.0.2.7")),
            (&["10.0.0.2, 127.0.0.1"], Some("10.0.0.2")),
            (&["192.0.2.7:4711"], Some("192.0.2.7")),
            (&["[2001:db8::1]:4711"], Some("2001:db8::1")),
            (&["[2001:db8::1]"], Some("2001:db8::1")),
            (&["::ffff:192.0.2.7"], Some("192.0.2.7")),
            (&["192.0.2.7, what"], None),
            (&["what, 192.0.2.7"], Some("192.0.2.7")),
            (&[""], None),
        ] {
            let expected = client_address.map(|text| text.parse().unwrap());
            assert_eq!(client(lines, &loopback()), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_repeated_request_is_read_from_its_own_line() {
        let parts = |lines: &[(&str, &str)]| {
            let mut request = http::Request::builder().method("POST").uri("/v1/ext-authz/g/a");
            for (name, value) in lines {
                request = request.header(*name, *value);
            }
            request.body(()).unwrap().into_parts().0
        };
        let whole = [("host", "API.example.com:443"), (FORWARDED_FOR, "6.6.6.6, 192.0.2.7")];
        let client = "192.0.2.7".parse().unwrap();
        let path = raw_path("/a").unwrap();
        let reported =
            ForwardedRequest { client, host: "api.example.com".to_owned(), path, method: "POST" };
        assert_eq!(read_repeated(&parts(&whole), "/a?b"), Ok(reported));
        for (lines, target, fault) in [
            (&whole[1..], "/a", NotForwarded::Missing(OWN_HOST)),
            (&whole[..1], "/a", NotForwarded::Missing(FORWARDED_FOR)),
            (
                &[whole[0], (FORWARDED_FOR, "192.0.2.7, what")],
                "/a",
                NotForwarded::Unreadable(FORWARDED_FOR),
            ),
            (&whole, "/a/../b", DoubtfulPath::always("dot_segment", "a dot segment").into()),
            (&whole, "a", DoubtfulPath::always("no_leading_slash", "no leading slash").into()),
        ] {
            assert_eq!(read_repeated(&parts(lines), target), Err(fault), "{lines:?} {target}");
        }
    }
}
