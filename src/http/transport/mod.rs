//! The HTTP transport: sockets, limits and timeouts around one `Application`.
//!
//! Only this part of `http` uses hyper. The transport does not depend on keys, routes or the format
//! of errors: `Application::refuse` turns each `TransportRefusal` into a response. A request that
//! hyper cannot parse does not reach the application; hyper answers it with 400 and an empty body.
//! A head that is too large is reported to the application. No log line of this module contains a
//! header value or a target.

mod accept;
mod answering;
mod block_in_place;
mod body;
mod bridge;
mod caller;
pub mod client;
mod connections;
mod counters;
mod exchange;
mod head;
mod ledger;
mod limits;
mod lines;
mod oversize;
mod part;
mod parts;
mod pool;
mod prepared;
mod progress;
mod queue;
mod rules;
mod server;
mod stream;
mod streamed;
mod timer;
mod trusted_proxies;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderName, StatusCode};

pub use self::block_in_place::BlockInPlace;
pub use self::caller::{Caller, CallerId, Network};
pub use self::counters::TransportCounters;
pub use self::limits::{PartLimits, TransportLimits};
pub use self::part::Part;
pub use self::prepared::{HeaderLines, PreparedResponse};
pub use self::server::Server;
pub use self::trusted_proxies::TrustedProxies;

/// Sizes of queues, for the table in SECURITY.md.
#[cfg(test)]
pub(crate) mod bounds {
    pub(crate) use super::block_in_place::WAITING_MAX as WAITING_FOR_QUOTAS_MAX;
    pub(crate) use super::pool::{OWN_MIN, WAITING_A_PLACE, WAITING_MIN};
}

/// The kind of a listener, which determines the endpoints that the application serves on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListenerKind {
    /// All endpoints: page, management and checks.
    Main,
    /// Only check endpoints and health.
    Checks,
    /// The control socket of the command line on the same host.
    Control,
    /// Only metrics and health, without a credential.
    Metrics,
}

impl ListenerKind {
    pub const ALL: [Self; 4] = [Self::Main, Self::Checks, Self::Control, Self::Metrics];

    /// The name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Checks => "checks",
            Self::Control => "control",
            Self::Metrics => "metrics",
        }
    }
}

#[derive(Debug)]
pub enum Socket {
    Tcp(std::net::TcpListener),
    /// A Unix stream socket. The mode and folder of its file control access.
    Unix(std::os::unix::net::UnixListener),
}

/// A listening socket, and its kind.
#[derive(Debug)]
pub struct Listener {
    /// The kind, which selects the endpoints.
    pub listener: ListenerKind,
    /// The socket that accepts its connections.
    pub socket: Socket,
}

/// The connections that wait in a listening socket when the server stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backlog {
    /// The server answers them, since its sockets end with it.
    Serve,
    /// Another process has the same sockets, and will accept them.
    Leave,
}

/// The other end of a connection. The value comes from the operating system and never from a
/// header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// The peer's address. An IPv4-mapped IPv6 address is converted to IPv4.
    Tcp(SocketAddr),
    /// A process on this host that may open the socket's file.
    Unix,
}

/// A request whose head was read and whose body was not read yet.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    pub listener: ListenerKind,
    /// The other end of the connection.
    pub peer: Peer,
    /// Method, target as sent (origin or absolute form; hyper removes a fragment) and all header lines.
    pub parts: &'a Parts,
}

/// The listener and peer of a request, for `Application::handle`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestOrigin {
    pub listener: ListenerKind,
    /// The other end of the connection. For a Unix peer, the address in `rouille::Request` is a
    /// placeholder.
    pub peer: Peer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Executor {
    /// Runs `Application::check` on the event loop, where blocking would stop all connections.
    Check {
        /// The capacity for the body. `None`: the body is not read, and the connection is closed
        /// after a request with a body.
        body: Option<Take>,
    },
    /// Runs `Application::handle` on the blocking pool.
    Pool {
        /// The capacity for the request's place and body.
        body: Take,
    },
}

impl Executor {
    /// Whether the request waits neither for its body nor for a place.
    fn is_immediate(self) -> bool {
        matches!(self, Self::Check { body: None })
    }

    /// Takes the capacity from another part.
    #[must_use]
    pub fn in_part(self, part: Part) -> Self {
        match self {
            Self::Check { body } => Self::Check { body: body.map(|take| Take { part, ..take }) },
            Self::Pool { body } => Self::Pool { body: Take { part, ..body } },
        }
    }
}

/// The shared capacity that a request uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Take {
    /// The part that provides the capacity.
    pub part: Part,
    /// Largest body in bytes; a larger body is rejected with `TransportRefusal::BodyTooLarge`.
    pub body_bytes_max: usize,
}

/// The head of a response, to which the application may add lines.
#[derive(Debug)]
pub struct ResponseHead<'a> {
    pub status: StatusCode,
    /// The header lines of the response.
    pub lines: &'a mut HeaderLines,
}

/// Why the transport rejects a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportRefusal {
    /// An HTTP/1.1 request without a Host header. HTTP/1.0 may omit the Host header.
    NoHost,
    /// The Host header is not a valid host and port.
    HostNotValid,
    /// The target is in absolute form, and its host differs from the Host header.
    HostMismatch,
    /// A header that must appear at most once appears twice, even with equal values.
    DoubledHeader { name: HeaderName },
    /// A header value is not UTF-8. Only requests on the pool require UTF-8.
    HeaderNotText { name: HeaderName },
    /// Content-Length and Transfer-Encoding are both present.
    LengthAndEncoding,
    /// The transfer encoding is not a single `chunked`.
    EncodingNotSupported,
    /// A line of the head ends with a line feed without a carriage return.
    LineFeedAlone,
    /// The start of the head is unknown, because the end of the previous request is unknown.
    HeadUnseen,
    /// The head exceeds the limits of this connection.
    HeadTooLarge {
        /// Maximum number of header lines that are allowed.
        lines_max: usize,
        /// Maximum number of bytes that are allowed.
        bytes_max: usize,
    },
    /// The method is CONNECT, which Keyhouse does not support.
    TunnelAsked,
    /// The body, or its announced length, exceeds the limit of its lane.
    BodyTooLarge {
        /// Maximum number of bytes that the lane allows.
        bytes_max: usize,
    },
    /// The body did not arrive in time.
    BodyTimeout,
    /// The body ended early, or its chunks are malformed.
    BodyBroken,
    /// The part's places or memory for bodies, or the caller's share of them, are used up.
    Busy {
        /// Seconds until the client should retry.
        retry_after_seconds: u32,
    },
    /// The application panicked on this request.
    Panicked,
    /// The application's response cannot be sent: its status is outside 200..=599, a header is
    /// malformed (headers are not dropped silently, since an upstream relies on identity headers),
    /// the response is an upgrade, or its body failed or exceeds
    /// `TransportLimits::response_bytes_max`. A body of unknown length has no limit: it is sent while
    /// it is read.
    ResponseNotSendable,
}

/// The application behind the transport. Many threads call the application at once. A panic in a
/// call fails only that request.
///
/// The transport calls every method but [`Application::handle`] on the event loop, so they must not
/// block.
pub trait Application: Send + Sync + 'static {
    /// What the application derives from a request's head: the transport keeps it until the response
    /// is sent, and passes it to the methods that need it.
    type Routing: Clone + Send + Sync + 'static;

    /// Finds the route of a request. The transport calls this method once for each request, also if
    /// the transport then rejects the request. The end of a long path may be missing if the head is
    /// too large.
    fn route(&self, arrival: &Arrival<'_>) -> Self::Routing;

    /// Chooses where a request runs.
    fn executor(&self, routing: &Self::Routing) -> Executor;

    /// Identifies the caller from the head, before the body is read and before the request gets a
    /// place on the pool. Returns a response if the request is denied. The method is not called for
    /// a check whose body is not read.
    fn admit(
        &self,
        arrival: &Arrival<'_>,
        _routing: &Self::Routing,
    ) -> Result<Caller, Box<PreparedResponse>> {
        let address = match arrival.peer {
            Peer::Tcp(address) => Some(address.ip()),
            Peer::Unix => None,
        };
        Ok(Caller::of(address))
    }

    /// Answers a request of `Executor::Check`.
    ///
    /// Host and credential headers appear at most once. Other headers may be repeated, and may
    /// contain bytes that are not text.
    fn check(
        &self,
        arrival: &Arrival<'_>,
        routing: &Self::Routing,
        body: &[u8],
    ) -> PreparedResponse;

    /// Answers a request of `Executor::Pool`. The transport calls this method on a blocking thread.
    ///
    /// In `request` the target is in origin form, every header value is UTF-8, headers that may
    /// appear only once do so, and the lines of X-Forwarded-For are joined into one.
    fn handle(
        &self,
        origin: RequestOrigin,
        routing: &Self::Routing,
        request: &rouille::Request,
    ) -> rouille::Response;

    /// Whether a request repeats the head of another request, as a proxy's check does. Such a head
    /// from a trusted proxy may have up to `TransportLimits::proxied_head_bytes_max` bytes.
    fn repeats_a_head(&self, _routing: &Self::Routing) -> bool {
        false
    }

    /// Receives every response once, including errors, right before the response is sent. `took` is
    /// the time since the end of the request's head. `routing` is `None` if [`Application::route`]
    /// panicked.
    fn send_off(
        &self,
        _arrival: &Arrival<'_>,
        _routing: Option<&Self::Routing>,
        _answer: &mut ResponseHead<'_>,
        _took: Duration,
    ) {
    }

    /// Whether each response closes its connection.
    fn closes_connections(&self) -> bool {
        false
    }

    /// The counters that the transport increments.
    fn counters(&self) -> Arc<TransportCounters> {
        Arc::default()
    }

    /// Turns a rejection into a response. `routing` is `None` if [`Application::route`] panicked.
    ///
    /// If this method panics, or its response cannot be sent, the connection is closed without a
    /// response.
    fn refuse(
        &self,
        arrival: &Arrival<'_>,
        routing: Option<&Self::Routing>,
        refusal: &TransportRefusal,
    ) -> PreparedResponse;
}
