//! An application that answers with the very bytes that reached it, and counts the requests.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a broken fixture should stop its test"
)]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Listens until the test's process ends.
#[derive(Debug)]
pub(crate) struct Witness {
    pub(crate) address: SocketAddr,
    seen: Arc<AtomicUsize>,
}

impl Witness {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&seen);
        start_thread(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let counter = Arc::clone(&counter);
                start_thread(move || {
                    let _closed = serve(stream, &counter);
                });
            }
        });
        Self { address, seen }
    }

    /// How many requests have reached it.
    pub(crate) fn count(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

fn start_thread(body: impl FnOnce() + Send + 'static) {
    let _detached =
        thread::Builder::new().name("witness".to_owned()).spawn(body).expect("a thread");
}

fn serve(stream: TcpStream, seen: &AtomicUsize) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let mut body = vec![0; body_bytes(&head)];
        stream.read_exact(&mut body)?;
        head.push_str(&String::from_utf8_lossy(&body));
        seen.fetch_add(1, Ordering::SeqCst);
        let (status, length) = (asked_status(&head), head.len());
        let answer = format!("HTTP/1.1 {status} So\r\nContent-Length: {length}\r\n\r\n{head}");
        stream.get_mut().write_all(answer.as_bytes())?;
    }
}

/// The status that `/answer/STATUS` asks for, else 200.
fn asked_status(head: &str) -> &str {
    head.split_once(" /answer/").and_then(|(_, rest)| rest.get(..3)).unwrap_or("200")
}

fn body_bytes(head: &str) -> usize {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let length = lines.rfind(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.map_or(0, |(_, value)| value.trim().parse().unwrap())
}
