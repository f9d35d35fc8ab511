//! An application that records the bytes of each request, and responds with these bytes.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a broken fixture should stop its test"
)]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// Listens until the test's process ends.
#[derive(Debug)]
pub(crate) struct Witness {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Head and body of each request. The body is without chunk headers.
    records: Vec<Vec<u8>>,
    open: usize,
    /// The last peer that connected.
    last: Option<SocketAddr>,
}

impl Witness {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Seen::default());
        let keeper = Arc::clone(&seen);
        start_thread(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut state = keeper.state.lock().unwrap();
                state.open += 1;
                state.last = stream.peer_addr().ok();
                drop(state);
                let keeper = Arc::clone(&keeper);
                start_thread(move || {
                    let _closed = serve(stream, &keeper);
                    keeper.state.lock().unwrap().open -= 1;
                    keeper.changed.notify_all();
                });
            }
        });
        Self { address, seen }
    }

    /// Returns the number of requests that have arrived.
    pub(crate) fn count(&self) -> usize {
        self.seen.state.lock().unwrap().records.len()
    }

    /// Returns all requests that have arrived, after all earlier connections are closed.
    pub(crate) fn into_records(self) -> Vec<Vec<u8>> {
        // Connections are accepted in order: if this connection is served, all earlier connections
        // are.
        let end = TcpStream::connect(self.address).expect("the witness listens");
        let end_address = end.local_addr().ok();
        drop(end);
        let state = self.seen.state.lock().unwrap();
        let is_busy = |state: &mut State| state.open > 0 || state.last != end_address;
        let mut state = self.seen.changed.wait_while(state, is_busy).unwrap();
        std::mem::take(&mut state.records)
    }
}

fn start_thread(body: impl FnOnce() + Send + 'static) {
    let _detached =
        thread::Builder::new().name("witness".to_owned()).spawn(body).expect("a thread");
}

/// Reads as leniently as the most lenient server, because ambiguous requests must not arrive.
fn serve(stream: TcpStream, seen: &Seen) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut record = Vec::new();
        while !record.ends_with(b"\r\n\r\n") && !record.ends_with(b"\n\n") {
            let read = stream.read_until(b'\n', &mut record);
            if !matches!(read, Ok(bytes) if bytes > 0) {
                if !record.is_empty() {
                    seen.state.lock().unwrap().records.push(record);
                }
                return read.map(|_| ());
            }
        }
        let head: String = record.iter().copied().map(char::from).collect();
        // The head is recorded before the body, which may never arrive.
        let at = {
            let mut state = seen.state.lock().unwrap();
            state.records.push(record.clone());
            state.records.len() - 1
        };
        read_body(&mut stream, &head, &mut record)?;
        if let Some(kept) = seen.state.lock().unwrap().records.get_mut(at) {
            kept.clone_from(&record);
        }
        let (status, length) = (asked_status(&head), record.len());
        let answer = format!("HTTP/1.1 {status} So\r\nContent-Length: {length}\r\n\r\n");
        let mut answer = answer.into_bytes();
        if !head.starts_with("HEAD ") {
            answer.append(&mut record);
        }
        // The response is one write, because a second write would wait for the acknowledgement of
        // the first.
        stream.get_mut().write_all(&answer)?;
    }
}

/// Returns the status in `/answer/STATUS`, or 200 for other paths.
fn asked_status(head: &str) -> &str {
    head.split_once(" /answer/").and_then(|(_, rest)| rest.get(..3)).unwrap_or("200")
}

fn read_body(
    stream: &mut BufReader<TcpStream>,
    head: &str,
    record: &mut Vec<u8>,
) -> io::Result<()> {
    let named = |wanted: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        let line = lines.rfind(|(name, _)| name.eq_ignore_ascii_case(wanted));
        line.map(|(_, value)| value.trim().to_ascii_lowercase())
    };
    if named("transfer-encoding").is_none() {
        let length = named("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        return read_more(stream, length, record);
    }
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(io::Error::other)?;
        if size == 0 {
            break;
        }
        read_more(stream, size, record)?;
        stream.read_line(&mut line)?;
    }
    // Some servers treat trailers as headers.
    let mut at = head.chars().count() - 2;
    loop {
        let mut line = Vec::new();
        stream.read_until(b'\n', &mut line)?;
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        record.splice(at..at, line.iter().copied());
        at += line.len();
    }
}

fn read_more(
    stream: &mut BufReader<TcpStream>,
    bytes: u64,
    record: &mut Vec<u8>,
) -> io::Result<()> {
    let read = stream.take(bytes).read_to_end(record)?;
    if u64::try_from(read) == Ok(bytes) { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
