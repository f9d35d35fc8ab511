//! The application behind the proxies: it records the requests that arrive, and responds in every
//! way that an application may.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a broken fixture should stop its test"
)]

use std::collections::HashSet;
use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use super::message::{Body, Content, Head};
use crate::claims::IDENTITY;

/// The header with the tag of a test's request.
pub(super) const TAG: &str = "x-shape";
/// Size of the application's long responses.
pub(super) const LONG_BYTES: usize = 8 * 1024 * 1024;
/// Maximum wait for a client that never reads the first event.
const RELEASE_WAIT_MAX: Duration = Duration::from_secs(20);
/// Of longer header values only the length is recorded.
const VALUE_BYTES_MAX: usize = 64;

/// Listens until the test's process ends.
#[derive(Debug)]
pub(super) struct Application {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    seen: Vec<(String, Seen)>,
    released: HashSet<String>,
}

/// A request as it arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) method: String,
    /// The target, or its length if it is long.
    pub(super) target: String,
    pub(super) lines: Vec<(String, String)>,
    pub(super) body: Content,
    /// Number of identity headers that occur once and are not empty.
    pub(super) identity: usize,
}

impl Application {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::<Shared>::default();
        let keeper = Arc::clone(&shared);
        start_thread(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let keeper = Arc::clone(&keeper);
                start_thread(move || {
                    let _closed = serve(stream, &keeper);
                });
            }
        });
        Self { address, shared }
    }

    /// Returns the requests with this tag.
    pub(super) fn seen(&self, tag: &str) -> Vec<Seen> {
        let state = self.shared.state.lock().unwrap();
        state.seen.iter().filter(|(it, _)| it == tag).map(|(_, seen)| seen.clone()).collect()
    }

    /// Ends the event stream with this tag.
    pub(super) fn release(&self, tag: &str) {
        self.shared.state.lock().unwrap().released.insert(tag.to_owned());
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn wait_for_release(&self, tag: &str) {
        let state = self.state.lock().unwrap();
        let is_held = |state: &mut State| !state.released.contains(tag);
        let _state = self.changed.wait_timeout_while(state, RELEASE_WAIT_MAX, is_held).unwrap();
    }
}

fn start_thread(body: impl FnOnce() + Send + 'static) {
    let named = thread::Builder::new().name("application".to_owned());
    let _detached = named.spawn(body).expect("a thread");
}

fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::with_capacity(64 * 1024, stream);
    while let Some(head) = Head::read(&mut stream)? {
        if head.get("expect").is_some() {
            stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let body = if head.has_chunks() {
            Content::in_chunks(&mut stream)?
        } else {
            Content::of_length(&mut stream, head.length().unwrap_or_default())?
        };
        let tag = head.get(TAG).unwrap_or_default().to_owned();
        let seen = Seen::of(&head, body);
        let summary = format!("{} {} {}", seen.method, seen.target, seen.body.bytes);
        shared.state.lock().unwrap().seen.push((tag.clone(), seen));
        if head.get("upgrade").is_some_and(|it| it.eq_ignore_ascii_case("websocket")) {
            return talk(&mut stream);
        }
        answer(&mut stream, &head, shared, &tag, &summary)?;
    }
    Ok(())
}

impl Seen {
    fn of(head: &Head, body: Content) -> Self {
        let mut words = head.line.split(' ');
        let mut word = || shortened(words.next().unwrap_or_default());
        let (method, target) = (word(), word());
        let lines = head.lines.iter().map(|(name, value)| (name.clone(), shortened(value)));
        let is_once = |name: &&&str| {
            let name = name.to_ascii_lowercase();
            let mut lines = head.lines.iter().filter(|(it, _)| *it == name);
            lines.next().is_some_and(|(_, value)| !value.is_empty()) && lines.next().is_none()
        };
        let identity = IDENTITY.iter().filter(is_once).count();
        Self { method, target, lines: lines.collect(), body, identity }
    }
}

fn shortened(value: &str) -> String {
    if value.len() <= VALUE_BYTES_MAX {
        return value.to_owned();
    }
    let sum =
        value.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    format!("{} bytes, {sum:x}", value.len())
}

fn answer(
    stream: &mut BufReader<TcpStream>,
    head: &Head,
    shared: &Shared,
    tag: &str,
    summary: &str,
) -> io::Result<()> {
    let stream = stream.get_mut();
    let path = head.line.split(' ').nth(1).unwrap_or_default();
    let ok = |more: &str| format!("HTTP/1.1 200 OK\r\nX-From: application\r\n{more}\r\n");
    if path.starts_with("/events") {
        let lines = "Content-Type: text/event-stream\r\nX-Accel-Buffering: no\r\n";
        let head = ok(&format!("{lines}Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n"));
        stream.write_all(format!("{head}d\r\ndata: first\n\n\r\n").as_bytes())?;
        shared.wait_for_release(tag);
        return stream.write_all(b"c\r\ndata: last\n\n\r\n0\r\n\r\n");
    }
    let body = match path {
        "/long" => Body::Length(LONG_BYTES),
        "/chunks" => Body::Chunked(LONG_BYTES),
        "/trailers" => Body::Trailers(10),
        _ => {
            let lines =
                format!("Content-Type: text/plain\r\nContent-Length: {}\r\n", summary.len());
            let shown = if head.line.starts_with("HEAD ") { "" } else { summary };
            return stream.write_all(format!("{}{shown}", ok(&lines)).as_bytes());
        },
    };
    // The content type is explicit, because Caddy would otherwise guess it from the first bytes if
    // they arrive with the head.
    let said = format!("Content-Type: application/octet-stream\r\n{}", body.announced());
    stream.write_all(ok(&said).as_bytes())?;
    body.write(stream)
}

/// Serves a WebSocket (RFC 6455): sends a greeting, echoes the first text frame, then closes.
fn talk(stream: &mut BufReader<TcpStream>) -> io::Result<()> {
    let switched = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzhZRbK+xOo=\r\n\r\n";
    stream.get_mut().write_all(switched.as_bytes())?;
    stream.get_mut().write_all(b"\x81\x05hello")?;
    let mut frame = [0; 2 + 4 + 4];
    stream.read_exact(&mut frame)?;
    let [_, _, mask @ .., a, b, c, d] = frame;
    let text: Vec<u8> = [a, b, c, d].iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
    stream.get_mut().write_all(&[b"\x81\x04".as_slice(), &text].concat())?;
    stream.get_mut().write_all(b"\x88\x00")
}
