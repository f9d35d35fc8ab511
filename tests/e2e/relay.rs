//! A proxy in front of the server, on loopback. The relay forwards requests, or responds to them itself if a
//! test requires that.
//!
//! Each connection carries one request, so that a change by the test applies to the next request.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::test_server::TestServer;

/// Maximum wait for the rest of a request or a response.
const SILENCE_MAX: Duration = Duration::from_mins(1);

/// The page that a proxy returns if it can't reach the server.
pub(crate) const BAD_GATEWAY: (&str, &str) =
    ("502 Bad Gateway", "<html><h1>502 Bad Gateway</h1></html>");
/// The page that a hotel's network returns in place of every answer.
pub(crate) const PORTAL: (&str, &str) = ("200 OK", "<html><h1>Welcome to our network</h1></html>");
/// The response of the server to a session without a recent proof.
pub(crate) const PROOF_REQUIRED: (&str, &str) =
    ("403 Forbidden", "{\"code\":\"proof_required\",\"status\":403}");
/// The response of a newer version to a request for a file of the older version.
pub(crate) const GONE: (&str, &str) = ("404 Not Found", "{\"code\":\"not_found\"}");

/// The proxy, which listens until its test ends.
#[derive(Debug)]
pub(crate) struct Relay {
    address: SocketAddr,
    manner: Arc<Mutex<Manner>>,
}

#[derive(Debug, Default)]
struct Manner {
    /// The server that receives the requests. Without a server, connections are closed.
    instance: Option<SocketAddr>,
    /// A part of a path, and the status and page with which the relay responds to it.
    answers: Vec<(String, (&'static str, &'static str))>,
}

impl Relay {
    /// A relay, and a server behind it whose public URL is the relay's.
    pub(crate) fn before_instance() -> (Self, TestServer) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Self { address: listener.local_addr().unwrap(), manner: Arc::default() };
        let manner = Arc::clone(&relay.manner);
        named("relay", move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let manner = Arc::clone(&manner);
                named("relayed", move || {
                    // Early closes, and connections opened in advance without a request, are not faults.
                    let _gone = pass(&stream, &manner);
                });
            }
        });
        let instance = TestServer::start_with(&["--public-url", &relay.url()]);
        relay.leads_to(&instance);
        (relay, instance)
    }

    /// The address for browsers.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Forwards requests to this server.
    pub(crate) fn leads_to(&self, instance: &TestServer) {
        self.manner.lock().unwrap().instance = Some(instance.address());
    }

    /// From now on the relay responds to each path that contains this part.
    pub(crate) fn answer(&self, part: &str, with: (&'static str, &'static str)) {
        self.manner.lock().unwrap().answers.push((part.to_owned(), with));
    }

    /// From now on the relay forwards all requests again.
    pub(crate) fn pass_all(&self) {
        self.manner.lock().unwrap().answers.clear();
    }
}

fn named(name: &str, work: impl FnOnce() + Send + 'static) {
    let _ends_with_its_work = thread::Builder::new().name(name.to_owned()).spawn(work).unwrap();
}

/// Handles one request and its response.
fn pass(mut client: &TcpStream, manner: &Mutex<Manner>) -> io::Result<()> {
    client.set_read_timeout(Some(SILENCE_MAX))?;
    let mut reader = BufReader::new(client);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut head = first.clone();
    let mut body_bytes = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        match name.to_ascii_lowercase().trim() {
            "" => break,
            "connection" => continue,
            "content-length" => body_bytes = value.trim().parse().map_err(io::Error::other)?,
            _ => {},
        }
        head.push_str(&line);
    }
    head.push_str("Connection: close\r\n\r\n");
    let mut body = vec![0; body_bytes];
    reader.read_exact(&mut body)?;
    let path = first.split(' ').nth(1).unwrap_or_default();
    let (instance, own) = {
        let manner = manner.lock().unwrap();
        let own = manner.answers.iter().find(|(part, _)| path.contains(part.as_str()));
        (manner.instance, own.map(|(_, with)| *with))
    };
    if let Some((status, page)) = own {
        let length = page.len();
        return write!(
            client,
            "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{page}"
        );
    }
    let Some(instance) = instance else { return Ok(()) };
    let mut instance = TcpStream::connect(instance)?;
    instance.set_read_timeout(Some(SILENCE_MAX))?;
    instance.write_all(head.as_bytes())?;
    instance.write_all(&body)?;
    io::copy(&mut instance, &mut client).map(|_| ())
}
