//! Finds a request's client address, and whether the client runs on this host.
//!
//! A request came through a proxy if its Host is the public name of this instance, or if its peer
//! address is a loopback address and its Host is not a loopback name. If the proxy sends no
//! `X-Forwarded-For`, the client's address is unknown: the proxy's own address is never used
//! instead.
//!
//! For an unknown address, no address rule matches, and failed sign-ins count for one shared
//! network. The log names the missing header once an hour.

use std::net::IpAddr;

use rouille::Request;

use crate::actions::signing_in::throttle::Source;
use crate::http::transport::{Arrival, ListenerKind, Peer, RequestOrigin};
use crate::http::{App, forwarded};
use crate::model::network::canonical;
use crate::model::public_url::names_loopback;

/// A label of a host name of at least this length with digits could be a secret.
const SECRET_CHARS_MIN: usize = 24;
/// Maximum number of characters of a Host header that a response or a log line repeats.
const HOST_CHARS_MAX: usize = 255;

/// The parts of a request's head that determine the client's address.
#[derive(Debug)]
pub(super) struct Hops<'a> {
    origin: RequestOrigin,
    host: Option<&'a str>,
    forwarded_for: Vec<&'a str>,
    /// Whether the request has a header that only proxies set.
    is_proxied: bool,
}

impl<'a> Hops<'a> {
    /// Reads the parts from a request whose body is not read yet.
    pub(super) fn of_arrival(arrival: &Arrival<'a>) -> Self {
        let headers = &arrival.parts.headers;
        let text = |value: &'a http::HeaderValue| value.to_str().unwrap_or("?");
        Self {
            origin: RequestOrigin { listener: arrival.listener, peer: arrival.peer },
            host: headers.get(http::header::HOST).map(text),
            forwarded_for: headers.get_all(forwarded::FORWARDED_FOR).iter().map(text).collect(),
            is_proxied: headers.keys().any(|name| forwarded::is_set_by_proxies(name.as_str())),
        }
    }

    /// Reads the parts from a request on the pool.
    pub(super) fn of_request(origin: RequestOrigin, request: &'a Request) -> Self {
        let chain = request
            .headers()
            .filter(|(name, _)| name.eq_ignore_ascii_case(forwarded::FORWARDED_FOR));
        Self {
            origin,
            host: request.header("Host"),
            forwarded_for: chain.map(|(_, value)| value).collect(),
            is_proxied: request.headers().any(|(name, _)| forwarded::is_set_by_proxies(name)),
        }
    }
}

impl App {
    /// The client's address, and whether the client runs on this host. The address is that of the
    /// peer, or the address that a trusted peer forwards. If a trusted peer forwards no readable
    /// address, the address is unknown, and no address rule matches.
    pub(super) fn locate(&self, hops: &Hops<'_>) -> Source {
        let Peer::Tcp(peer) = hops.origin.peer else {
            let on_host = hops.origin.listener == ListenerKind::Control;
            let address = if on_host { None } else { self.forwarded_address(hops) };
            return Source { address, on_host };
        };
        let address = peer.ip().to_canonical();
        let names_loopback = hops.host.is_some_and(names_loopback);
        let on_host = address.is_loopback() && !hops.is_proxied && names_loopback;
        let is_direct =
            on_host || !self.is_trusted(hops.origin.peer) || self.is_direct(address, hops);
        let address =
            if is_direct { Some(canonical(address)) } else { self.forwarded_address(hops) };
        Source { address, on_host }
    }

    /// Whether a trusted peer on another host is the client itself: its request is on the listener
    /// for checks, names a host other than the public one, and has no header that only proxies set.
    /// On the main listener, such a request could also come from a proxy that forwards no headers.
    fn is_direct(&self, address: IpAddr, hops: &Hops<'_>) -> bool {
        let url = &self.settings.public_url;
        let is_public = hops.host.is_none_or(|host| url.is_named_by(host));
        let is_check = hops.origin.listener == ListenerKind::Checks;
        is_check && !address.is_loopback() && !hops.is_proxied && !is_public
    }

    fn forwarded_address(&self, hops: &Hops<'_>) -> Option<IpAddr> {
        if hops.forwarded_for.is_empty() {
            self.warn_unforwarded(hops);
            return None;
        }
        forwarded::client(&hops.forwarded_for, &self.settings.trusted_proxies.load())
    }

    fn warn_unforwarded(&self, hops: &Hops<'_>) {
        if self.unforwarded.is_due(self.actions.clock().now().ticks) {
            tracing::warn!(
                peer = ?hops.origin.peer,
                host = logged_host(hops.host.unwrap_or("-")),
                "a trusted proxy sent no X-Forwarded-For, so client addresses are unknown: keys \
                 with address rules are rejected, and all sign-ins share one throttle; set the \
                 header in the proxy (nginx: proxy_set_header X-Forwarded-For $remote_addr; \
                 HAProxy: option forwardfor; Envoy: use_remote_address: true)"
            );
        }
    }

    /// Logs that requests reach this instance under a name other than its public name.
    pub(super) fn warn_misdirected(&self, host: &str) {
        if self.misdirected.is_due(self.actions.clock().now().ticks) {
            tracing::warn!(
                host = logged_host(host),
                public_url = %self.settings.public_url,
                "a browser request was rejected with 421, because its Host is not the public one; \
                 forward Host in the proxy (nginx: proxy_set_header Host $host; Apache: \
                 ProxyPreserveHost On), or correct --public-url"
            );
        }
    }
}

/// The Host header, cut for responses. The transport has rejected characters that are not valid in
/// a host or port.
pub(super) fn printable_host(host: &str) -> &str {
    host.char_indices().nth(HOST_CHARS_MAX).map_or(host, |(end, _)| host.get(..end).unwrap_or(host))
}

/// The Host header for log lines. A client may send anything as Host, so a value that could be a secret
/// is withheld.
fn logged_host(host: &str) -> &str {
    let could_be_secret = |label: &str| {
        let has_digit = label.bytes().any(|byte| byte.is_ascii_digit());
        label.contains('_') || (label.len() >= SECRET_CHARS_MIN && has_digit)
    };
    if host.split(['.', ':']).any(could_be_secret) { "(withheld)" } else { printable_host(host) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_could_be_a_secret_is_not_logged() {
        let long = "a".repeat(300);
        for (host, logged) in [
            ("keys.example.com", "keys.example.com"),
            ("127.0.0.1:7117", "127.0.0.1:7117"),
            ("xn--a-name-without-any-digits.example", "xn--a-name-without-any-digits.example"),
            ("kh_live_0000", "(withheld)"),
            ("keys.0f1e2d3c4b5a69788796a5b4.example", "(withheld)"),
            (&long, &"a".repeat(HOST_CHARS_MAX)),
        ] {
            assert_eq!(logged_host(host), logged, "{host}");
        }
    }
}
