//! Requests that wait for a scan, on a socket.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use keyhouse_diagrams::serve;
use tokio::sync::oneshot;

use crate::fixture::{ADA, As, Service};
use crate::snapshots::{ELSEWHERE, LONG, link, slow};

/// The service on a socket.
struct Socket {
    address: std::net::SocketAddr,
    end: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Socket {
    fn open(service: &Service) -> Self {
        let application = Arc::clone(&service.application);
        let (end, ended) = oneshot::channel::<()>();
        let (sender, address) = channel();
        let serving = move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                sender.send(listener.local_addr().unwrap()).unwrap();
                serve(listener, application, async { drop(ended.await) }).await;
            });
        };
        let thread = thread::Builder::new().spawn(serving).unwrap();
        Self { address: address.recv().unwrap(), end: Some(end), thread: Some(thread) }
    }

    /// Sends a request on its own connection.
    fn send(&self, caller: &As, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        // Shorter than the waits, so that a request that is blocked by them fails.
        stream.set_read_timeout(Some(LONG / 3)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Keyhouse-Key: {}\r\nX-Keyhouse-Key-Name: k\r\n\
             X-Keyhouse-User: {}\r\nX-Keyhouse-Email: -\r\nX-Keyhouse-Organization: {}\r\nX-Keyhouse-Role: user\r\n\
             X-Keyhouse-Teams: -\r\n\r\n",
            caller.key, caller.user, caller.organization
        )
        .unwrap();
        stream
    }

    /// The first line of a response.
    fn status(mut stream: TcpStream) -> String {
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
    }

    fn end(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// The fixture has 2 rendering threads and 4 that wait, so that 14 requests may be in work at once.
#[test]
fn slow_scans_of_one_organization_block_neither_reads_nor_scans_of_others() {
    let (scanner, starts, release) = slow();
    let service = Service::with(scanner, LONG);
    let accounts: Vec<String> = (0..20).map(|_| link(&service, &ADA, "aws")).collect();
    let other = link(&service, &ELSEWHERE, "aws");
    let mut socket = Socket::open(&service);
    let waiting: Vec<TcpStream> =
        accounts.iter().map(|path| socket.send(&ADA, &format!("{path}/slow/png"))).collect();
    for _ in 0..4 {
        starts.recv().unwrap();
    }
    for caller in [&ADA, &ELSEWHERE] {
        let read = socket.send(caller, "/blueprint");
        assert_eq!(Socket::status(read), "HTTP/1.1 200 OK");
    }
    let quick = socket.send(&ELSEWHERE, &format!("{other}/quick/png"));
    assert_eq!(Socket::status(quick), "HTTP/1.1 200 OK");
    // Half of the threads are the most that one organization has.
    assert!(starts.try_recv().is_err());
    drop((waiting, release));
    socket.end();
}

#[test]
fn requests_that_wait_get_202_when_the_service_ends() {
    let (scanner, starts, _release) = slow();
    let service = Service::with(scanner, LONG);
    let path = format!("{}/slow/png", link(&service, &ADA, "aws"));
    let mut socket = Socket::open(&service);
    let waiting = socket.send(&ADA, &path);
    starts.recv().unwrap();
    socket.end();
    assert_eq!(Socket::status(waiting), "HTTP/1.1 202 Accepted");
}
