//! Accepts connections, and starts a task for each.

use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use arc_swap::ArcSwap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::connections::{ConnectionSlot, Connections};
use super::counters::{TransportCounters, count};
use super::exchange::{Connection, Service};
use super::limits::{HeadLimits, TransportLimits};
use super::progress::StreamProgress;
use super::stream::Stream;
use super::timer::ConnectionTimer;
use super::{Application, Backlog, Listener, ListenerKind, Peer, Socket};

/// Pause after an accept error, such as too many open files.
const ERROR_PAUSE: Duration = Duration::from_millis(50);
/// The header lines of one head that hyper accepts by default.
const HYPER_LINES_MAX: usize = 100;
/// Minimum time between two log lines of one kind, so that a flood cannot fill the log.
const QUIET: Duration = Duration::from_mins(1);

/// State that all accept loops of a server share.
pub(super) struct Floor {
    pub(super) connections: Arc<Connections>,
    pub(super) counters: Arc<TransportCounters>,
    /// The limits for connections from now on.
    pub(super) limits: ArcSwap<TransportLimits>,
    pub(super) graceful: GracefulShutdown,
    /// Each connection has a receiver, so the sender knows when all connections have ended.
    pub(super) open: watch::Sender<()>,
}

impl fmt::Debug for Floor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Floor").field("limits", &self.limits.load()).finish_non_exhaustive()
    }
}

/// A listening socket on the event loop.
pub(super) struct Acceptor<A> {
    listener: ListenerKind,
    socket: AsyncSocket,
    service: Arc<Service<A>>,
}

enum AsyncSocket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

enum Accepted {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl<A: Application> Acceptor<A> {
    /// The caller must be inside the runtime.
    pub(super) fn new(listener: Listener, service: Arc<Service<A>>) -> io::Result<Self> {
        let socket = match listener.socket {
            Socket::Tcp(socket) => {
                socket.set_nonblocking(true)?;
                AsyncSocket::Tcp(TcpListener::from_std(socket)?)
            },
            Socket::Unix(socket) => {
                socket.set_nonblocking(true)?;
                AsyncSocket::Unix(UnixListener::from_std(socket)?)
            },
        };
        Ok(Self { listener: listener.listener, socket, service })
    }

    /// Accepts until `stop` has a value. No error ends the loop.
    pub(super) async fn run(self, floor: Arc<Floor>, mut stop: watch::Receiver<Option<Backlog>>) {
        let backlog = tokio::select! {
            () = self.accept_all(&floor) => return,
            backlog = stop.wait_for(Option::is_some) => backlog.ok().and_then(|backlog| *backlog),
        };
        // No other process has the control socket.
        if backlog == Some(Backlog::Serve) || self.listener == ListenerKind::Control {
            self.accept_backlog(&floor).await;
        }
    }

    /// Accepts the connections that clients have opened already, since the end of the socket would
    /// reset them.
    async fn accept_backlog(&self, floor: &Floor) {
        while let Ok(Ok((accepted, peer))) = timeout(Duration::ZERO, self.socket.accept()).await {
            count(&floor.counters.connections_accepted);
            let Some(share) = floor.connections.share(self.listener, peer) else { continue };
            let place = floor.connections.place(self.listener, share);
            let Ok(Ok(place)) = timeout(Duration::ZERO, place).await else { return };
            self.serve(floor, accepted, peer, place);
        }
    }

    async fn accept_all(&self, floor: &Floor) {
        let mut complaint = Complaint::default();
        loop {
            let (accepted, peer) = match self.socket.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    count(&floor.counters.accept_errors);
                    complaint.make(&error);
                    if !is_of_one_connection(&error) {
                        sleep(ERROR_PAUSE).await;
                    }
                    continue;
                },
            };
            count(&floor.counters.connections_accepted);
            let Some(share) = floor.connections.share(self.listener, peer) else { continue };
            // At most one accepted connection waits for a place. Further connections stay in the
            // kernel's backlog, where they use no file descriptor.
            let Ok(place) = floor.connections.place(self.listener, share).await else { return };
            self.serve(floor, accepted, peer, place);
        }
    }

    fn serve(&self, floor: &Floor, accepted: Accepted, peer: Peer, place: ConnectionSlot) {
        let limits = floor.limits.load_full();
        let connection = Arc::new(Connection {
            service: Arc::clone(&self.service),
            listener: self.listener,
            peer,
            progress: StreamProgress::default(),
            heads: limits.of_heads_from(peer),
            limits,
        });
        match accepted {
            Accepted::Tcp(socket) => floor.spawn(socket, connection, place),
            Accepted::Unix(socket) => floor.spawn(socket, connection, place),
        }
    }
}

impl AsyncSocket {
    async fn accept(&self) -> io::Result<(Accepted, Peer)> {
        match self {
            Self::Tcp(socket) => {
                let (stream, mut address) = socket.accept().await?;
                // Without `TCP_NODELAY`, each request of a keep-alive proxy stalls for 40 ms.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "could not set TCP_NODELAY; serving the connection \
                                             without it");
                }
                address.set_ip(address.ip().to_canonical());
                Ok((Accepted::Tcp(stream), Peer::Tcp(address)))
            },
            Self::Unix(socket) => Ok((Accepted::Unix(socket.accept().await?.0), Peer::Unix)),
        }
    }
}

impl Floor {
    fn spawn<S, A: Application>(
        &self,
        socket: S,
        connection: Arc<Connection<A>>,
        place: ConnectionSlot,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let builder = builder(&connection.limits, connection.heads);
        let stream = Stream::new(socket, Arc::clone(&connection));
        let watcher: Watcher = self.graceful.watcher();
        let open = self.open.subscribe();
        tokio::spawn(async move {
            let service = service_fn(|request| Arc::clone(&connection).answer(request));
            let served = builder.serve_connection(TokioIo::new(stream), service);
            if let Err(error) = watcher.watch(served).await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop((place, open));
        });
    }
}

fn builder(limits: &TransportLimits, heads: HeadLimits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // hyper ignores `header_read_timeout` without a timer.
        .timer(ConnectionTimer::default())
        .header_read_timeout(limits.idle_timeout)
        .max_header_size(heads.bytes_max)
        // Bytes that hyper reads ahead; hyper's minimum is 8 KiB.
        .max_buf_size(heads.bytes_max.max(8 * 1024))
        // A client may close its sending side and still read the response, as `nc -N` does.
        .half_close(true);
    // hyper parses heads on the stack with its default limit, and on the heap with any other limit. The
    // rules reject a head with more lines than allowed, as hyper's limit would.
    if heads.lines_max > HYPER_LINES_MAX {
        builder.max_headers(heads.lines_max);
    }
    builder
}

/// Whether an accept error affects only one connection, not the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// Logs an error at most once in [`QUIET`].
#[derive(Default)]
struct Complaint {
    quiet_until: Option<Instant>,
}

impl Complaint {
    fn make(&mut self, error: &io::Error) {
        let now = Instant::now();
        if self.quiet_until.is_none_or(|until| now >= until) {
            self.quiet_until = Some(now + QUIET);
            tracing::warn!(%error, "could not accept a connection; retrying");
        }
    }
}
