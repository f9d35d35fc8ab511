//! What a trusted proxy says of the request it received: `X-Forwarded-*`, and nothing else.
//!
//! There is no fallback from one set of headers to another: a client can forge whatever the proxy
//! does not set. `X-Original-*` and `Forwarded` are never read.

use std::net::{IpAddr, SocketAddr};

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use crate::model::credential::CredentialSource;
use crate::model::network::canonical;
use crate::model::route::{Asked, DoubtfulPath, RawPath, canonical_host, raw_path};

/// The chain of addresses.
pub(super) const FORWARDED_FOR: &str = "x-forwarded-for";
const METHOD: &str = "x-forwarded-method";
const PROTO: &str = "x-forwarded-proto";
const HOST: &str = "x-forwarded-host";
const URI: &str = "x-forwarded-uri";
const OWN_HOST: &str = "host";
const ORIGIN: &str = "origin";
const ANNOUNCED_METHOD: &str = "access-control-request-method";
/// Longest chain of proxies that is followed.
const HOPS_MAX: usize = 32;

/// What is wrong with the forwarded headers; for the log, and safe to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotForwarded {
    #[error("a proxy asks with GET or HEAD")]
    Asked,
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{0} is doubled")]
    Doubled(&'static str),
    #[error("{0} can't be read")]
    Unreadable(&'static str),
    #[error(transparent)]
    Path(#[from] DoubtfulPath),
    #[error("TRACE is refused: it answers with the identity that the proxy adds")]
    Echo,
    #[error("a header that Keyhouse or the proxy sets came with '_' or another sign for '-'")]
    Alias,
}

impl NotForwarded {
    /// A stable name.
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

/// A client's request, as its proxy tells of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told<'a> {
    /// Where it came from.
    pub(super) client: IpAddr,
    /// The host it asked, in canonical form.
    pub(super) host: String,
    /// The path it asked for, raw, without the query.
    pub(super) path: RawPath<'a>,
    /// The method.
    pub(super) method: &'a str,
}

impl<'a> Told<'a> {
    /// What routes look at.
    pub(super) fn asked(&'a self) -> Asked<'a> {
        Asked { host: &self.host, path: self.path, method: self.method }
    }
}

/// Reads the forwarded headers of a request whose peer is trusted, all of them.
///
/// # Errors
/// [`NotForwarded`]: the request is denied.
pub(super) fn read<'a>(
    headers: &'a HeaderMap,
    trusted: &[IpNet],
) -> Result<Told<'a>, NotForwarded> {
    let method = check_method(single(headers, METHOD)?, METHOD)?;
    let proto = single(headers, PROTO)?;
    if !matches!(proto, "http" | "https" | "ws" | "wss") {
        return Err(NotForwarded::Unreadable(PROTO));
    }
    let host = canonical_host(single(headers, HOST)?).ok_or(NotForwarded::Unreadable(HOST))?;
    // Bytes of UTF-8 that are not encoded are the routes' business.
    let uri = str::from_utf8(single_line(headers, URI)?.as_bytes());
    let path = raw_path(uri.map_err(|_source| NotForwarded::Unreadable(URI))?)?;
    let chain = forwarded_for(headers)?;
    let client = client(&chain, trusted).ok_or(NotForwarded::Unreadable(FORWARDED_FOR))?;
    Ok(Told { client, host, path, method })
}

/// Reads a request that a proxy repeats as its client made it, `target` being the client's path and
/// query. Of `X-Forwarded-For` the last entry counts, which the proxy has written: those before may
/// be the client's own.
///
/// # Errors
/// [`NotForwarded`]: the request is denied.
pub(super) fn read_repeated<'a>(
    parts: &'a Parts,
    target: &'a str,
) -> Result<Told<'a>, NotForwarded> {
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
    Ok(Told { client, host, path, method })
}

/// Refuses headers whose names some servers take for the identity, for what a proxy tells, or for one
/// that carries a credential: to CGI and its heirs `X_Keyhouse_User` and `X.Keyhouse.User` are both
/// `X-Keyhouse-User`.
///
/// # Errors
/// [`NotForwarded::Alias`].
pub(super) fn refuse_aliases(
    headers: &HeaderMap,
    sources: &[CredentialSource],
) -> Result<(), NotForwarded> {
    let is_odd = |letter: char| !letter.is_ascii_alphanumeric() && letter != '-';
    let is_alias = |name: &str| {
        let plain = name.replace(is_odd, "-");
        plain.starts_with("x-keyhouse-")
            || plain.starts_with("x-forwarded-")
            || sources.iter().any(|source| source.header() == plain)
    };
    let mut odd = headers.keys().map(HeaderName::as_str).filter(|name| name.contains(is_odd));
    if odd.any(is_alias) { Err(NotForwarded::Alias) } else { Ok(()) }
}

/// The method that a CORS preflight announces, as both endpoints read it: from `Origin` and
/// `Access-Control-Request-Method`, each there once. What else it asks is the application's business.
pub(super) fn announced_method(headers: &HeaderMap) -> Option<&str> {
    single(headers, ORIGIN).ok()?;
    let method = single(headers, ANNOUNCED_METHOD).ok()?;
    check_method(method, ANNOUNCED_METHOD).ok()
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

/// The client's address in a chain: from the right, the first that is no trusted proxy; where all
/// are, the leftmost. `None` where an entry that counts can't be read.
pub(super) fn client(lines: &[&str], trusted: &[IpNet]) -> Option<IpAddr> {
    furthest(lines, trusted).map(canonical)
}

/// The same in the form in which it was written, since trust is asked of that.
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

/// Whether a header is one that a proxy adds to what it passes on.
pub(super) fn is_set_by_proxies(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.starts_with("x-forwarded-") || matches!(lower.as_str(), "forwarded" | "via" | "x-real-ip")
}

/// An address as proxies write it: bare, with a port, or IPv6 in brackets; `None` for anything else.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let parsed = bare.parse::<IpAddr>().ok();
    parsed
        .or_else(|| text.parse::<SocketAddr>().ok().map(|pair| pair.ip()))
        .map(|ip| ip.to_canonical())
}

fn single<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, NotForwarded> {
    single_line(headers, name)?.to_str().map_err(|_source| NotForwarded::Unreadable(name))
}

fn single_line<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
) -> Result<&'a HeaderValue, NotForwarded> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next().ok_or(NotForwarded::Missing(name))?;
    if lines.next().is_some() { Err(NotForwarded::Doubled(name)) } else { Ok(line) }
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
    fn what_only_proxies_set_is_known() {
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
    fn a_whole_set_is_read() {
        let headers = headers(&[]);
        let client = "192.0.2.7".parse().unwrap();
        let path = raw_path("/a").unwrap();
        let told = Told { client, host: "api.example.com".to_owned(), path, method: "GET" };
        assert_eq!(read(&headers, &loopback()), Ok(told));
    }

    #[test]
    fn names_that_some_servers_take_for_others_are_refused() {
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
    fn what_is_missing_doubled_or_unreadable_is_denied() {
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
        let told = Told { client, host: "api.example.com".to_owned(), path, method: "POST" };
        assert_eq!(read_repeated(&parts(&whole), "/a?b"), Ok(told));
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
