//! From a request's headers to an actor: a session's user, a management key, or the operator on the
//! host.

use std::fmt;
use std::str::FromStr;

use rouille::Request;
use zeroize::Zeroizing;

use crate::actions::actor::Actor;
use crate::http::check::Caller;
use crate::http::credential::{self, Credential};
use crate::http::problem::Problem;
use crate::http::transport::Surface;
use crate::http::{App, Call};
use crate::model::secret::Secret;

/// Where browsers reach an instance: scheme, host and port, no path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    is_https: bool,
    /// Host and, where it isn't the scheme's own, port; in lower case.
    authority: String,
}

/// A text that is no public URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be http:// or https://, a host and perhaps a port, and no path")]
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
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https { "https" } else { "http" };
        write!(formatter, "{scheme}://{}", self.authority)
    }
}

impl PublicUrl {
    /// Whether browsers come over TLS.
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// Whether its host is this machine's own name for itself.
    pub fn is_loopback(&self) -> bool {
        is_loopback_host(host_of(&self.authority))
    }

    /// Whether a Host header names this instance: exactly, or, where this is a loopback name, by
    /// any loopback name.
    fn is_named_by(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let standard = if self.is_https { ":443" } else { ":80" };
        let plain = host.strip_suffix(standard).unwrap_or(&host);
        plain == self.authority || (self.is_loopback() && is_loopback_host(host_of(plain)))
    }

    fn cookie_name(&self) -> &'static str {
        if self.is_https { "__Host-keyhouse" } else { "keyhouse" }
    }

    fn cookie(&self, value: &str, max_age_seconds: u64) -> String {
        let secure = if self.is_https { "; Secure" } else { "" };
        let name = self.cookie_name();
        format!(
            "{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={max_age_seconds}{secure}"
        )
    }

    /// The header that gives a browser its session.
    pub(super) fn cookie_of(&self, token: &Secret, seconds: u64) -> String {
        self.cookie(token.reveal(), seconds)
    }

    /// The header that takes it away.
    pub(super) fn cookie_gone(&self) -> String {
        self.cookie("", 0)
    }
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

impl App {
    /// Who asks. A key goes before the operator on the host, so that a control socket can be used
    /// to try what a key may do.
    pub(super) fn actor(&self, call: &Call<'_>) -> Result<Actor, Problem> {
        let token = self.session_token(call.request)?;
        match (credential::take(&header_map(call.request)), token) {
            (Credential::Unreadable, _) | (Credential::Presented(_), Some(_)) => {
                Err(Problem::doubled_credential())
            },
            (Credential::Presented(text), None) => self.key_actor(call, &text),
            (Credential::None, Some(token)) => self.session_actor(call, &token),
            (Credential::None, None) => self.local_actor(call.origin.surface),
        }
    }

    /// The operator on the host, on the control socket and nowhere else.
    pub(super) fn local_actor(&self, surface: Surface) -> Result<Actor, Problem> {
        match surface {
            Surface::Control => {
                let first = self.index().first_organization();
                first.map(Actor::local).ok_or_else(Problem::not_set_up)
            },
            Surface::Main | Surface::Checks => Err(Problem::no_credential()),
        }
    }

    fn key_actor(&self, call: &Call<'_>, text: &Zeroizing<Vec<u8>>) -> Result<Actor, Problem> {
        let user_agent = call.request.header("User-Agent");
        let caller = Caller { address: call.address, user_agent };
        self.caller_by_key(text, caller)
    }

    fn session_actor(&self, call: &Call<'_>, token: &Secret) -> Result<Actor, Problem> {
        self.guard_host(call.request)?;
        if !matches!(call.request.method(), "GET" | "HEAD") {
            self.guard_origin(call.request)?;
        }
        let (_, user) = self.actions.session(token)?;
        Actor::user(self.index(), user, call.address).ok_or_else(Problem::session_ended)
    }

    /// The session's token, where the request has its cookie.
    pub(super) fn session_token(&self, request: &Request) -> Result<Option<Secret>, Problem> {
        let Some(header) = request.header("Cookie") else { return Ok(None) };
        let name = self.settings.public_url.cookie_name();
        let pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
        let mut values = pairs.filter(|(known, _)| *known == name).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (Some(value), None) => Ok(Some(Secret::new(value.to_owned()))),
            (None, _) => Ok(None),
            (Some(_), Some(_)) => Err(Problem::doubled_credential()),
        }
    }

    /// Refuses a session's request to another name than this instance's: a page that had itself
    /// resolved to this address (DNS rebinding) has no business here.
    pub(super) fn guard_host(&self, request: &Request) -> Result<(), Problem> {
        let public_url = &self.settings.public_url;
        match request.header("Host") {
            Some(host) if public_url.is_named_by(host) => Ok(()),
            Some(_) | None => Err(Problem::misdirected(&public_url.to_string())),
        }
    }

    /// Refuses what another site made a browser send. A client without either header is no browser.
    pub(super) fn guard_origin(&self, request: &Request) -> Result<(), Problem> {
        let site = request.header("Sec-Fetch-Site");
        let origin = request.header("Origin");
        let same_site = matches!(site, Some("same-origin" | "none"));
        let same_origin =
            origin.is_some_and(|origin| origin == self.settings.public_url.to_string());
        if same_site || same_origin || (site.is_none() && origin.is_none()) {
            Ok(())
        } else {
            Err(Problem::cross_site())
        }
    }
}

/// The headers that carry credentials, in the type that takes them apart.
fn header_map(request: &Request) -> http::HeaderMap {
    let mut headers = http::HeaderMap::new();
    for (name, value) in request.headers() {
        let ours = name.eq_ignore_ascii_case("authorization")
            || credential::KEY_HEADERS.iter().any(|known| name.eq_ignore_ascii_case(known));
        if !ours {
            continue;
        }
        let parsed = (http::HeaderName::from_bytes(name.as_bytes()), value.parse());
        if let (Ok(name), Ok(value)) = parsed {
            headers.append(name, value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_urls_have_one_form() {
        for (text, shown) in [
            ("https://Keys.Example.com/", "https://keys.example.com"),
            ("https://keys.example.com:443", "https://keys.example.com"),
            ("http://127.0.0.1:7117", "http://127.0.0.1:7117"),
            ("http://[::1]:7117", "http://[::1]:7117"),
        ] {
            assert_eq!(text.parse::<PublicUrl>().unwrap().to_string(), shown);
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

    #[test]
    fn cookies_are_bound_to_the_scheme() {
        let secret = Secret::new("abc".to_owned());
        let https: PublicUrl = "https://a.example".parse().unwrap();
        let http: PublicUrl = "http://localhost".parse().unwrap();
        assert_eq!(
            https.cookie_of(&secret, 60),
            "__Host-keyhouse=abc; Path=/; HttpOnly; SameSite=Strict; Max-Age=60; Secure"
        );
        assert_eq!(
            http.cookie_of(&secret, 60),
            "keyhouse=abc; Path=/; HttpOnly; SameSite=Strict; Max-Age=60"
        );
    }
}
