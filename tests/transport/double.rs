//! An application that records the requests it received, a server around it, and a client that
//! sends raw bytes.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyhouse::http::transport::{
    Application, Arrival, Backlog, Executor, Listener, ListenerKind, Part, Peer, PreparedResponse,
    RequestOrigin, Server, Socket, Take, TransportCounters, TransportLimits, TransportRefusal,
};
use rouille::{Request, Response};

/// Maximum wait, long enough for a busy machine. A test that waits this long fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Double {
    /// The handler of `/wait` signals that it runs, then blocks until the test releases it.
    waiting: Sender<()>,
    go_on: Mutex<Receiver<()>>,
}

impl Double {
    /// An application, the signals of its waiting handlers, and the signal that releases one.
    pub(crate) fn new() -> (Self, Receiver<()>, Sender<()>) {
        let ((waiting_tx, waiting), (go_on, go_on_rx)) = (channel(), channel());
        (Self { waiting: waiting_tx, go_on: Mutex::new(go_on_rx) }, waiting, go_on)
    }
}

impl Application for Double {
    /// The path, which must come back with each step of the same request.
    type Routing = String;

    fn route(&self, arrival: &Arrival<'_>) -> String {
        assert_ne!(arrival.parts.uri.path(), "/route-panics", "as asked");
        arrival.parts.uri.path().to_owned()
    }

    fn executor(&self, routing: &String) -> Executor {
        match routing.as_str() {
            "/check-body" => {
                Executor::Check { body: Some(Take { part: Part::Checks, body_bytes_max: 1024 }) }
            },
            "/lane-panics" => panic!("as asked"),
            path if path.starts_with("/check") => Executor::Check { body: None },
            _ => {
                let part = Part::Management;
                Executor::Pool { body: Take { part, body_bytes_max: 64 * 1024 } }
            },
        }
    }

    fn check(&self, arrival: &Arrival<'_>, routing: &String, body: &[u8]) -> PreparedResponse {
        assert_eq!(arrival.parts.uri.path(), routing);
        assert!(!arrival.parts.uri.path().ends_with("panics"), "as asked");
        if routing == "/check-blocks" {
            self.waiting.send(()).unwrap();
            self.go_on.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        }
        let mut seen = format!("{} {} {}", arrival.parts.method, arrival.parts.uri, body.len());
        for (name, value) in &arrival.parts.headers {
            write!(seen, "\n{name}: {value:?}").unwrap();
        }
        Response::text(seen).into()
    }

    fn handle(&self, origin: RequestOrigin, routing: &String, request: &Request) -> Response {
        assert_eq!(request.raw_url().split('?').next(), Some(routing.as_str()));
        let mut body = Vec::new();
        request.data().unwrap().read_to_end(&mut body).unwrap();
        match request.raw_url() {
            "/panics" => panic!("as asked"),
            "/wait" => {
                self.waiting.send(()).unwrap();
                self.go_on.lock().unwrap().recv_timeout(PATIENCE).unwrap();
                Response::text("waited")
            },
            "/large" => Response::from_data("text/plain", vec![b'x'; 12 * 1024 * 1024]),
            "/connection-headers" => Response::text("hello")
                .with_additional_header("Content-Length", "3")
                .with_additional_header("Transfer-Encoding", "chunked")
                .with_additional_header("Connection", "close")
                .with_additional_header("X-Kept", "yes"),
            "/bad-header" => Response::text("").with_additional_header("X-User", "a\r\nX-Admin: 1"),
            "/bad-status" => Response::text("").with_status_code(101),
            "/empty" => Response::empty_204(),
            "/echo" => Response::from_data("application/octet-stream", body),
            url => {
                let mut seen = format!("{} {url} {origin:?}", request.method());
                for (name, value) in request.headers() {
                    write!(seen, "\n{name}: {value}").unwrap();
                }
                Response::text(seen)
            },
        }
    }

    fn repeats_a_head(&self, routing: &String) -> bool {
        routing == "/check/repeats"
    }

    fn refuse(
        &self,
        arrival: &Arrival<'_>,
        routing: Option<&String>,
        refusal: &TransportRefusal,
    ) -> PreparedResponse {
        let path = arrival.parts.uri.path();
        let was_routed = path != "/route-panics";
        assert_eq!(routing.map(String::as_str), was_routed.then_some(path));
        assert_ne!(arrival.parts.uri.path(), "/check/refusing-panics");
        let response = Response::text(format!("{refusal:?}"));
        let response = match refusal {
            TransportRefusal::BodyTooLarge { .. } => response.with_status_code(413),
            TransportRefusal::HeadTooLarge { .. } => response.with_status_code(431),
            TransportRefusal::BodyTimeout => response.with_status_code(408),
            TransportRefusal::Busy { retry_after_seconds } => response
                .with_additional_header("Retry-After", retry_after_seconds.to_string())
                .with_status_code(503),
            TransportRefusal::Panicked | TransportRefusal::ResponseNotSendable => {
                response.with_status_code(500)
            },
            TransportRefusal::NoHost
            | TransportRefusal::HostNotValid
            | TransportRefusal::HostMismatch
            | TransportRefusal::DoubledHeader { .. }
            | TransportRefusal::HeaderNotText { .. }
            | TransportRefusal::LengthAndEncoding
            | TransportRefusal::EncodingNotSupported
            | TransportRefusal::LineFeedAlone
            | TransportRefusal::HeadUnseen
            | TransportRefusal::TunnelAsked
            | TransportRefusal::BodyBroken => response.with_status_code(400),
        };
        response.into()
    }
}

pub(crate) struct TestInstance {
    pub(crate) address: SocketAddr,
    pub(crate) server: Option<Server>,
    pub(crate) counters: Arc<TransportCounters>,
    pub(crate) waiting: Receiver<()>,
    pub(crate) go_on: Sender<()>,
}

impl TestInstance {
    pub(crate) fn start() -> Self {
        Self::start_with(TransportLimits::default())
    }

    pub(crate) fn start_with(limits: TransportLimits) -> Self {
        Self::start_on(limits, Vec::new())
    }

    pub(crate) fn start_on(limits: TransportLimits, mut listeners: Vec<Listener>) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        listeners.push(Listener { listener: ListenerKind::Main, socket: Socket::Tcp(socket) });
        let (double, waiting, go_on) = Double::new();
        let server = Server::start(listeners, Arc::new(double), limits).unwrap();
        let counters = server.counters();
        Self { address, server: Some(server), counters, waiting, go_on }
    }

    pub(crate) fn connect(&self) -> Client<TcpStream> {
        connect(self.address)
    }

    /// Sends a request on its own connection.
    pub(crate) fn ask(&self, bytes: impl AsRef<[u8]>) -> Reply {
        self.connect().ask(bytes)
    }
}

pub(crate) fn connect(address: SocketAddr) -> Client<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    Client { stream, unread: Vec::new() }
}

impl Drop for TestInstance {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop(Backlog::Serve);
        }
    }
}

/// Waits until a counter has a value, or fails.
pub(crate) fn wait_for(counter: &AtomicU64, value: u64) {
    let (_never, silence) = channel::<()>();
    for _ in 0..1000 {
        if counter.load(Ordering::Relaxed) == value {
            return;
        }
        silence.recv_timeout(PATIENCE / 1000).unwrap_err();
    }
    panic!("stayed at {}, expected {value}", counter.load(Ordering::Relaxed));
}

pub(crate) struct Client<S> {
    pub(crate) stream: S,
    unread: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self { stream, unread: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(bytes.as_ref()).unwrap();
        self
    }

    /// Sends bytes that the server may not read to the end.
    pub(crate) fn send_until_refused(&mut self, bytes: &[u8]) -> &mut Self {
        drop(self.stream.write_all(bytes));
        self
    }

    pub(crate) fn ask(&mut self, bytes: impl AsRef<[u8]>) -> Reply {
        self.send(bytes).reply()
    }

    pub(crate) fn reply(&mut self) -> Reply {
        let mut reply = self.head_of_reply();
        let length = reply.header("content-length").map_or(0, |it| it.parse().unwrap());
        while self.unread.len() < length {
            assert_ne!(self.read().unwrap(), 0, "body ended early: {reply:?}");
        }
        reply.body = String::from_utf8(self.unread.drain(..length).collect()).unwrap();
        reply
    }

    /// A response of which only the head is sent.
    pub(crate) fn head_of_reply(&mut self) -> Reply {
        let end = loop {
            if let Some(end) = self.unread.windows(4).position(|it| it == b"\r\n\r\n") {
                break end + 4;
            }
            let so_far = String::from_utf8_lossy(&self.unread).into_owned();
            assert_ne!(self.read().unwrap(), 0, "no reply, only {so_far:?}");
        };
        let head = String::from_utf8(self.unread.drain(..end).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, head, body: String::new() }
    }

    /// Whether the server closes the connection without sending another byte.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.unread.is_empty() && matches!(self.read(), Ok(0))
    }

    fn read(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(length) => {
                self.unread.extend_from_slice(&buffer[..length]);
                Ok(length)
            },
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(0),
            Err(error) => Err(error),
        }
    }
}

pub(crate) fn unix_listener(folder: &tempfile::TempDir) -> (Listener, std::path::PathBuf) {
    let path = folder.path().join("socket");
    let socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    (Listener { listener: ListenerKind::Control, socket: Socket::Unix(socket) }, path)
}

pub(crate) fn is_unix(seen: &str) -> bool {
    seen.contains(&format!(
        "{:?}",
        RequestOrigin { listener: ListenerKind::Control, peer: Peer::Unix }
    ))
}
