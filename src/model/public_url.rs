//! The address under which browsers reach an instance, and the Host headers that name it.

use std::fmt;
use std::str::FromStr;

/// The address under which browsers reach an instance: scheme, host and port, no path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    is_https: bool,
    /// The host and, unless it is the scheme's default, the port; in lower case.
    authority: String,
}

/// The address of a link of the page. This program never requests such an address.
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
#[error("must be http:// or https://, a host and an optional port, without a path")]
pub struct InvalidPublicUrl;

impl FromStr for PublicUrl {
    type Err = InvalidPublicUrl;

    fn from_str(text: &str) -> Result<Self, InvalidPublicUrl> {
        let text = text.trim_end_matches('/').to_ascii_lowercase();
        let (is_https, authority) = match text.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            Some(_) | None => return Err(InvalidPublicUrl),
        };
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        if authority.is_empty() || authority.starts_with(':') || !authority.bytes().all(named) {
            return Err(InvalidPublicUrl);
        }
        let standard = if is_https { ":443" } else { ":80" };
        let authority = authority.strip_suffix(standard).unwrap_or(authority).to_owned();
        Ok(Self { is_https, authority })
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority)
    }
}

impl PublicUrl {
    /// Whether browsers connect over TLS.
    pub fn is_https(&self) -> bool {
        self.is_https
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
        ] {
            assert_eq!(text.parse::<PublicUrl>().unwrap().to_string(), printed);
        }
        for wrong in ["", "keys.example.com", "ftp://a", "https://", "https://a/b", "https://u@h"] {
            assert!(wrong.parse::<PublicUrl>().is_err(), "{wrong}");
        }
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
