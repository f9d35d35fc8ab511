//! Limits of the transport. All are configurable.

use std::time::Duration;

use super::part::{POOL_WAIT, Part, SIGN_IN_WAIT, hashes_at_once};
use super::{Peer, TrustedProxies};

/// The limits of a `Server`. `default()` has the documented defaults.
#[derive(Clone, Debug)]
pub struct TransportLimits {
    /// Time from the first to the last byte of a request's head. After this time the connection is
    /// closed.
    pub head_timeout: Duration,
    /// Time that a connection may be idle before the next request.
    pub idle_timeout: Duration,
    /// Time from the end of the head to the end of the body.
    pub body_timeout: Duration,
    /// Time from the first blocked write of a response until all of it is written.
    pub write_timeout: Duration,
    /// Header lines in one head.
    pub headers_max: usize,
    /// Bytes of one head, and of the trailers of a chunked body.
    pub head_bytes_max: usize,
    /// Header lines in a head that repeats the client's head ([`Application::repeats_a_head`]).
    ///
    /// [`Application::repeats_a_head`]: super::Application::repeats_a_head
    pub proxied_headers_max: usize,
    /// Bytes of a head that repeats the client's head: the largest target that proxies accept by
    /// default (Envoy: 60 KiB), and the headers that proxies add. Never less than `head_bytes_max`.
    pub proxied_head_bytes_max: usize,
    /// Bytes of one response's body, unless it is streamed.
    pub response_bytes_max: usize,
    /// Connections in total, if the limit of open files allows as many.
    pub connections_max: usize,
    /// Open files that are reserved for the store, logs and outgoing calls.
    pub files_reserved: usize,
    /// Connections of one IPv4 address or one IPv6 /64.
    pub connections_per_address_max: usize,
    /// Trusted proxies, whose connections carry the requests of many clients. Trusted proxies have
    /// no limit per address, and may send larger heads that repeat the client's head. A quarter of
    /// all connections is reserved for trusted proxies.
    pub per_address_exempt: TrustedProxies,
    /// Connections of `ListenerKind::Control`. Control connections count neither in total nor per
    /// address, so that a flood on another listener cannot lock out the operator.
    pub control_connections_max: usize,
    /// Connections of `ListenerKind::Metrics`. Metrics connections have a limit of their own, so
    /// that a flood on another listener cannot block monitoring. One address can use a quarter of
    /// the limit.
    pub metrics_connections_max: usize,
    /// Management requests on the blocking pool at once. Further requests wait, and are then
    /// rejected with `TransportRefusal::Busy`.
    pub pool_in_flight_max: usize,
    /// Time that a request waits for a place on the pool.
    pub pool_wait: Duration,
    /// Time that a request that hashes a password waits for a place on the pool.
    pub sign_in_wait: Duration,
    /// Bytes of bodies in memory at once, for each part. `None` uses the default of the part. Tests
    /// use small values.
    pub body_bytes: Option<usize>,
    /// `Retry-After` of a request that is rejected as busy.
    pub retry_after_seconds: u32,
    /// Time that `Server::stop` waits for requests in flight.
    pub drain_timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeadLimits {
    pub(super) lines_max: usize,
    pub(super) bytes_max: usize,
}

impl TransportLimits {
    /// The limit for an ordinary head.
    pub(super) fn of_heads(&self) -> HeadLimits {
        HeadLimits { lines_max: self.headers_max, bytes_max: self.head_bytes_max }
    }

    /// The limit for the largest head on a connection, since a trusted proxy may repeat its client's.
    pub(super) fn of_heads_from(&self, peer: Peer) -> HeadLimits {
        let own = self.of_heads();
        let is_proxy = match peer {
            Peer::Tcp(address) => self.per_address_exempt.contains(address.ip()),
            Peer::Unix => true,
        };
        if !is_proxy {
            return own;
        }
        HeadLimits {
            lines_max: self.proxied_headers_max.max(own.lines_max),
            bytes_max: self.proxied_head_bytes_max.max(own.bytes_max),
        }
    }
}

impl Default for TransportLimits {
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            headers_max: 64,
            head_bytes_max: 16 * 1024,
            proxied_headers_max: 256,
            proxied_head_bytes_max: 80 * 1024,
            response_bytes_max: 64 * 1024 * 1024,
            connections_max: 10_000,
            files_reserved: 32,
            connections_per_address_max: 256,
            per_address_exempt: TrustedProxies::default(),
            control_connections_max: 8,
            metrics_connections_max: 64,
            pool_in_flight_max: 64,
            pool_wait: POOL_WAIT,
            sign_in_wait: SIGN_IN_WAIT,
            body_bytes: None,
            retry_after_seconds: 1,
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// The places and the memory for bodies of one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartLimits {
    /// Requests on the pool at once.
    pub places: usize,
    /// Bytes of bodies held at once.
    pub body_bytes: usize,
}

impl TransportLimits {
    /// The limits of one part.
    pub fn of(&self, part: Part) -> PartLimits {
        let (places, body_bytes) = match part {
            // As many places as connections, so that no request waits.
            Part::Control => (self.control_connections_max, 8 * MIB),
            // Memory for 8,192 bodies of 4 KiB, more than the connections of unauthenticated
            // callers. Places are therefore used up first.
            Part::SignIn => (hashes_at_once(), 32 * MIB),
            Part::Page => (16, MIB / 2),
            Part::Checks => (16, 4 * MIB),
            Part::Batch => (8, 16 * MIB),
            Part::Management => (self.pool_in_flight_max, 8 * MIB),
            Part::Long => (32, 16 * MIB),
        };
        PartLimits { places, body_bytes: self.body_bytes.unwrap_or(body_bytes) }
    }
}

const MIB: usize = 1024 * 1024;
