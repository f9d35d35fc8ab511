//! An application that answers with the very bytes that reached it, and keeps them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a broken fixture should stop its test"
)]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Listens until the test's process ends.
#[derive(Debug)]
pub(crate) struct Witness {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Witness {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&seen);
        start_thread(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let keep = Arc::clone(&keep);
                start_thread(move || {
                    let _closed = serve(stream, &keep);
                });
            }
        });
        Self { address, seen }
    }

    /// How many requests have reached it.
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

fn start_thread(body: impl FnOnce() + Send + 'static) {
    let _detached =
        thread::Builder::new().name("witness".to_owned()).spawn(body).expect("a thread");
}

fn serve(stream: TcpStream, keep: &Mutex<Vec<String>>) -> io::Result<()> {
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
        keep.lock().unwrap().push(head.clone());
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{head}", head.len());
        stream.get_mut().write_all(answer.as_bytes())?;
    }
}

fn body_bytes(head: &str) -> usize {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let length = lines.rfind(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.map_or(0, |(_, value)| value.trim().parse().unwrap())
}
