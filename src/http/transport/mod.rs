//! The HTTP transport: sockets, limits and timeouts around one `Application`.
//!
//! It is the only part of `http` that names hyper. It knows nothing of keys, routes or what a
//! refusal looks like on the wire: `Application::refuse` turns each `Refusal` into a response.
//! A request that hyper can't parse never reaches the application, and hyper answers 400 with an empty
//! body itself; of a head that is too large the application is told. No log line of this module contains a header value or a target.

mod accept;
mod aside;
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
mod oversize;
mod part;
mod pool;
mod queue;
mod rules;
mod server;
mod stream;
mod trusted_proxies;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, HeaderName, StatusCode};

pub use self::aside::Aside;
pub use self::caller::{Caller, Id, Network};
pub use self::counters::Counters;
pub use self::limits::{Limits, PartLimits};
pub use self::part::Part;
pub use self::server::Server;
pub use self::trusted_proxies::TrustedProxies;

/// The sizes of queues, for the table in SECURITY.md.
#[cfg(test)]
pub(crate) mod bounds {
    pub(crate) use super::aside::WAITING_MAX as WAITING_FOR_QUOTAS_MAX;
    pub(crate) use super::pool::{OWN_MIN, WAITING_A_PLACE, WAITING_MIN};
}

/// Which listener a connection came through; the application decides by it what it serves there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Surface {
    /// Everything: page, management, checks.
    Main,
    /// Check endpoints alone.
    Checks,
    /// The control socket of the command line on the same host.
    Control,
    /// What there is to measure, and health: nothing else, and without a credential.
    Metrics,
}

impl Surface {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Main, Self::Checks, Self::Control, Self::Metrics];
}

/// A bound, listening socket.
#[derive(Debug)]
pub enum Socket {
    /// A TCP socket.
    Tcp(std::net::TcpListener),
    /// A Unix stream socket; who may open it is decided by the file's mode and folder.
    Unix(std::os::unix::net::UnixListener),
}

/// A socket to accept on, and what is served there.
#[derive(Debug)]
pub struct Listener {
    /// What is served there.
    pub surface: Surface,
    /// Where connections come from.
    pub socket: Socket,
}

/// The other end of a connection, as the operating system tells it; no header takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// Its address; an IPv4-mapped IPv6 address is given as IPv4.
    Tcp(SocketAddr),
    /// A process on this host that may open the socket's file.
    Unix,
}

/// A request whose head has been read, before any byte of its body is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// The listener.
    pub surface: Surface,
    /// The other end of the connection.
    pub peer: Peer,
    /// Method, target as sent (origin or absolute form, fragment cut by hyper), all header lines,
    /// but for what [`Application::receive`] wrote.
    pub parts: &'a Parts,
}

/// Where a request that reaches `Application::handle` came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The listener.
    pub surface: Surface,
    /// The other end of the connection; the address inside `rouille::Request` is a placeholder
    /// where this says `Unix`.
    pub peer: Peer,
}

/// How a request is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// By `Application::check` on the event loop, where blocking would stop every connection.
    Check {
        /// `None`: the body isn't read, and a request that announces one ends its connection.
        body: Option<Take>,
    },
    /// By `Application::handle` on the bounded blocking pool.
    Pool {
        /// Its body.
        body: Take,
    },
}

impl Lane {
    /// The same, from another part of what is shared.
    #[must_use]
    pub fn in_part(self, part: Part) -> Self {
        match self {
            Self::Check { body } => Self::Check { body: body.map(|take| Take { part, ..take }) },
            Self::Pool { body } => Self::Pool { body: Take { part, ..body } },
        }
    }
}

/// What a request takes of what all share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Take {
    /// From which part.
    pub part: Part,
    /// More than this many bytes of body: `Refusal::BodyTooLarge`.
    pub body_bytes_max: usize,
}

/// The head of an answer.
#[derive(Debug)]
pub struct Head<'a> {
    /// The status.
    pub status: StatusCode,
    /// The header lines.
    pub headers: &'a mut HeaderMap,
}

/// Why the transport refuses a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// HTTP/1.1 without a Host line. HTTP/1.0 may leave it out.
    NoHost,
    /// A Host line that can't be a host and port.
    HostNotValid,
    /// The target is in absolute form and names another host than the Host line.
    HostMismatch,
    /// A header that must appear at most once appeared twice, with equal values or not.
    DoubledHeader {
        /// Its name.
        name: HeaderName,
    },
    /// A header value isn't UTF-8; only the pool's lane asks for that.
    HeaderNotText {
        /// Its name.
        name: HeaderName,
    },
    /// Content-Length and Transfer-Encoding together, in whichever order.
    LengthAndEncoding,
    /// A transfer encoding other than one plain `chunked`.
    EncodingNotSupported,
    /// A line of the head ends in a line feed without a carriage return.
    LineFeedAlone,
    /// The bytes of the head can't be told from those before it.
    HeadUnseen,
    /// The head is larger than what is read here.
    HeadTooLarge {
        /// Lines that may be in it.
        lines_max: usize,
        /// Bytes that it may have.
        bytes_max: usize,
    },
    /// CONNECT: Keyhouse is no proxy.
    TunnelAsked,
    /// The body is, or says that it is, larger than its lane allows.
    BodyTooLarge {
        /// What the lane allows.
        bytes_max: usize,
    },
    /// The body wasn't whole in time.
    BodyTimeout,
    /// The body ended early or its chunks are malformed.
    BodyBroken,
    /// The part of the pool, or of the memory for bodies, is in full use, or the caller's share of it.
    Busy {
        /// When to try again.
        retry_after_seconds: u32,
    },
    /// The application panicked on this request.
    Panicked,
    /// The application's response can't be sent: status outside 200..=599, a malformed header
    /// (nothing is left out silently: a missing identity header would be a hole), an upgrade, or
    /// a body that failed or is over `Limits::response_bytes_max`.
    ResponseNotSendable,
}

/// What is served. Calls come from many threads at once; a panic in any of them costs that request
/// alone.
pub trait Application: Send + Sync + 'static {
    /// Chooses how a request is run. Called on the event loop: must not block.
    fn lane(&self, arrival: &Arrival<'_>) -> Lane;

    /// Says from the head alone who sent a request, before its body is read and before it gets a
    /// place on the pool; or answers it, where its credential is none that may go on. Called on the
    /// event loop: must not block. Not called for a check without a body.
    fn admit(&self, arrival: &Arrival<'_>) -> Result<Caller, Box<rouille::Response>> {
        let address = match arrival.peer {
            Peer::Tcp(address) => Some(address.ip()),
            Peer::Unix => None,
        };
        Ok(Caller::of(address))
    }

    /// Answers a request of `Lane::Check`. Called on the event loop: must not block.
    ///
    /// Host and credential headers are single here; other headers may be doubled or not be text.
    fn check(&self, arrival: &Arrival<'_>, body: &[u8]) -> rouille::Response;

    /// Answers a request of `Lane::Pool`. Called on a blocking thread.
    ///
    /// In `request` the target is in origin form, every header value is UTF-8, headers that must
    /// be single are, and the lines of X-Forwarded-For are joined into one.
    fn handle(&self, origin: Origin, request: &rouille::Request) -> rouille::Response;

    /// Whether a request repeats another's head, as a proxy's question does: from a trusted proxy its head
    /// may have `Limits::proxied_head_bytes_max`. Called on the event loop: must not block.
    fn repeats_a_head(&self, _arrival: &Arrival<'_>) -> bool {
        false
    }

    /// Called once for every request, before anything of it is looked at: what the application
    /// writes into its head is there for all that follows. Called on the event loop: must not block.
    fn receive(&self, _headers: &mut HeaderMap) {}

    /// Called once for every answer, refusals among them, right before it is sent; `took` is counted
    /// from the end of the request's head. Called on the event loop: must not block.
    fn send_off(&self, _arrival: &Arrival<'_>, _answer: &mut Head<'_>, _took: Duration) {}

    /// Where to count.
    fn counters(&self) -> Arc<Counters> {
        Arc::default()
    }

    /// Turns a refusal into a response. Called on the event loop: must not block.
    ///
    /// If this panics or its response can't be sent, the connection is closed without one.
    fn refuse(&self, arrival: &Arrival<'_>, refusal: &Refusal) -> rouille::Response;
}
