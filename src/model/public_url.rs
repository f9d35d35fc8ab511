//! The address under which browsers reach an instance, and the Host headers that name it.

use std::fmt;
use std::str::FromStr;

/// The address under which browsers reach an instance: scheme, host, port and the path that a proxy
/// removes.
///
/// The text of the address has no slash at the end, so that the path of a route can follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    is_https: bool,
    /// The host and, unless it is the scheme's default, the port; in lower case.
    authority: String,
    /// Empty, or a slash and segments: `/keys`.
    path: String,
}

/// The address of a link of the page, which the server never requests, or of an API that
/// `keyhouse doctor` requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebUrl(Box<str>);

/// The addresses of the page's links outside this instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// The address of the protected API; `None` for this instance.
    pub endpoint: Option<WebUrl>,
    pub support: Option<WebUrl>,
    /// The page that lists the plans.
    pub pricing: Option<WebUrl>,
}

/// The text is not an `http` or `https` address. A browser could execute an address with another
/// scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be http:// or https://, a host and an optional path")]
pub struct InvalidWebUrl;

/// The longest address of a link, in bytes.
const WEB_URL_BYTES_MAX: usize = 2_000;

impl FromStr for WebUrl {
    type Err = InvalidWebUrl;

    fn from_str(text: &str) -> Result<Self, InvalidWebUrl> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
        let fits = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
        let names_host = !host.is_empty() && !host.starts_with(':') && !host.contains('@');
        if names_host && text.len() <= WEB_URL_BYTES_MAX && text.bytes().all(fits) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidWebUrl)
        }
    }
}

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not a public URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPublicUrl {
    #[error("must begin with https:// or http://")]
    Scheme,
    #[error("must not contain a user or a password: remove them and the @")]
    Credentials,
    #[error("must not contain a query or a fragment: remove ? or # and what follows")]
    Query,
    #[error("must name a host, and optionally a port, after ://")]
    Host,
    #[error("must end with / if it has a path: https://example.com/keys/")]
    NoFinalSlash,
    #[error(
        "has an invalid path: use segments of letters, digits, -, _, . and ~, at most {PATH_BYTES_MAX} bytes \
         together"
    )]
    Path,
}

/// The longest path of a public URL, in bytes. It is in each cookie and each `Location` header.
const PATH_BYTES_MAX: usize = 200;

impl FromStr for PublicUrl {
    type Err = InvalidPublicUrl;

    fn from_str(text: &str) -> Result<Self, InvalidPublicUrl> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidPublicUrl::Scheme)?;
        let is_https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(InvalidPublicUrl::Scheme),
        };
        if rest.contains(['?', '#']) {
            return Err(InvalidPublicUrl::Query);
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(InvalidPublicUrl::Credentials);
        }
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        if authority.is_empty() || authority.starts_with(':') || !authority.bytes().all(named) {
            return Err(InvalidPublicUrl::Host);
        }
        let authority = authority.to_ascii_lowercase();
        let standard = if is_https { ":443" } else { ":80" };
        let authority = authority.strip_suffix(standard).unwrap_or(&authority).to_owned();
        Ok(Self { is_https, authority, path: read_path(path)? })
    }
}

/// The path without its final slash.
fn read_path(path: &str) -> Result<String, InvalidPublicUrl> {
    let Some(below) = path.strip_prefix('/').filter(|below| !below.is_empty()) else {
        return Ok(String::new());
    };
    // Proxies and browsers resolve dot segments and doubled slashes, each in its own way.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let is_segment = |part: &str| !["", ".", ".."].contains(&part) && part.bytes().all(is_plain);
    let segments = below.strip_suffix('/').unwrap_or(below);
    if path.len() > PATH_BYTES_MAX || !segments.split('/').all(is_segment) {
        return Err(InvalidPublicUrl::Path);
    }
    let without_slash = path.strip_suffix('/').ok_or(InvalidPublicUrl::NoFinalSlash)?;
    Ok(without_slash.to_owned())
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.path)
    }
}

impl PublicUrl {
    /// Whether browsers connect over TLS.
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// Scheme, host and port, as browsers send them in `Origin`.
    pub fn origin(&self) -> String {
        let scheme = if self.is_https { "https" } else { "http" };
        format!("{scheme}://{}", self.authority)
    }

    /// The path below which the routes are, without a final slash; empty without a path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether its host is a loopback name or address.
    pub fn is_loopback(&self) -> bool {
        is_loopback_host(host_of(&self.authority))
    }

    /// Whether a Host header names this instance. If the instance's host is a loopback name, any
    /// loopback name is accepted.
    pub fn is_named_by(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let standard = if self.is_https { ":443" } else { ":80" };
        let plain = host.strip_suffix(standard).unwrap_or(&host);
        plain == self.authority || (self.is_loopback() && is_loopback_host(host_of(plain)))
    }
}

/// Whether a Host header is a loopback name or address.
pub fn names_loopback(host: &str) -> bool {
    is_loopback_host(host_of(&host.to_ascii_lowercase()))
}

/// The host of an authority, without the port.
fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    authority.split(':').next().unwrap_or(authority)
}

fn is_loopback_host(host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>().ok();
    host == "localhost"
        || host.ends_with(".localhost")
        || address.is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_urls_have_one_form() {
        for (text, printed) in [
            ("https://Keys.Example.com/", "https://keys.example.com"),
            ("https://keys.example.com:443", "https://keys.example.com"),
            ("http://127.0.0.1:7117", "http://127.0.0.1:7117"),
            ("http://[::1]:7117", "http://[::1]:7117"),
            ("HTTPS://Example.com/Keys/", "https://example.com/Keys"),
            ("https://example.com:8443/a/b-_.~/", "https://example.com:8443/a/b-_.~"),
        ] {
            assert_eq!(text.parse::<PublicUrl>().unwrap().to_string(), printed);
        }
    }

    #[test]
    fn each_fault_of_a_public_url_has_its_own_error() {
        use InvalidPublicUrl::{Credentials, Host, NoFinalSlash, Path, Query, Scheme};
        let long = format!("https://a/{}/", "b".repeat(PATH_BYTES_MAX));
        for (wrong, error) in [
            ("", Scheme),
            ("keys.example.com", Scheme),
            ("ftp://a", Scheme),
            ("https://", Host),
            ("https:///keys/", Host),
            ("https://:443", Host),
            ("https://a b", Host),
            ("https://u@h", Credentials),
            ("https://user:password@h/keys/", Credentials),
            ("https://a?b", Query),
            ("https://a/keys/?b", Query),
            ("https://a/keys/#b", Query),
            ("https://a/keys", NoFinalSlash),
            ("https://a/b/keys", NoFinalSlash),
            ("https://a//", Path),
            ("https://a/keys//", Path),
            ("https://a//keys/", Path),
            ("https://a/../keys/", Path),
            ("https://a/./", Path),
            ("https://a/k%65ys/", Path),
            ("https://a/keys;x/", Path),
            ("https://a/keys x/", Path),
            ("https://a/clés/", Path),
            (&long, Path),
        ] {
            assert_eq!(wrong.parse::<PublicUrl>(), Err(error), "{wrong}");
        }
    }

    #[test]
    fn the_path_belongs_to_the_text_and_not_to_the_origin() {
        let url: PublicUrl = "https://example.com:8443/team/keys/".parse().unwrap();
        assert_eq!(url.origin(), "https://example.com:8443");
        assert_eq!(url.path(), "/team/keys");
        assert!(url.is_named_by("example.com:8443"));
        let url: PublicUrl = "https://example.com/".parse().unwrap();
        assert_eq!((url.origin().as_str(), url.path()), ("https://example.com", ""));
    }

    #[test]
    fn hosts_name_this_instance_exactly_or_by_loopback() {
        for (url, host, named) in [
            ("https://keys.example.com", "keys.example.com", true),
            ("https://keys.example.com", "KEYS.example.com:443", true),
            ("https://keys.example.com", "keys.example.com:8443", false),
            ("https://keys.example.com", "localhost", false),
            ("https://keys.example.com", "127.0.0.1", false),
            ("http://127.0.0.1:7117", "localhost:7117", true),
            ("http://127.0.0.1:7117", "localhost:9000", true),
            ("http://127.0.0.1:7117", "evil.example", false),
            ("http://127.0.0.1:7117", "127.0.0.1.evil.example", false),
            ("http://localhost:7117", "[::1]:7117", true),
        ] {
            let url: PublicUrl = url.parse().unwrap();
            assert_eq!(url.is_named_by(host), named, "{url} {host}");
        }
    }
}
