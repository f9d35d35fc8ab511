//! A server with fixed responses, which keeps the requests that it got.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// A request that a server got.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Method and target.
    pub(crate) line: String,
    /// With names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// What a server answers.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Of(u16, String),
    /// With one more header line.
    With(u16, &'static str, String),
    /// Nothing: the connection stays open.
    Silence,
}

/// A server on a port of its own. Dropping the value ends it.
pub(crate) struct Server {
    address: String,
    requests: Arc<Mutex<Vec<Request>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(it, _)| it == name).map_or("", |(_, value)| value)
    }

    /// The action of a form; of other requests, the target without its query.
    pub(crate) fn action(&self) -> &str {
        let form = self.body.split('&').find_map(|pair| pair.strip_prefix("Action="));
        let (_, target) = self.line.split_once(' ').unwrap();
        form.unwrap_or_else(|| target.split('?').next().unwrap_or_default())
    }
}

impl Server {
    /// Starts a server. `answer` is called with one request after the other.
    pub(crate) fn start(answer: impl Fn(&Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (requests, ends) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let (kept, ending) = (Arc::clone(&requests), Arc::clone(&ends));
        let work = move || serve(&listener, &answer, &kept, &ending);
        let thread = thread::Builder::new().name("recorded".to_owned()).spawn(work).unwrap();
        Self { address, requests, ends, thread: Some(thread) }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// All requests until now.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        // Ends the wait for a connection.
        let _connected = TcpStream::connect(self.address.trim_start_matches("http://"));
        if let Some(thread) = self.thread.take() {
            let _joined = thread.join();
        }
    }
}

fn serve(
    listener: &TcpListener,
    answer: &impl Fn(&Request) -> Reply,
    requests: &Mutex<Vec<Request>>,
    ends: &AtomicBool,
) {
    let mut open = Vec::new();
    for stream in listener.incoming() {
        if ends.load(Ordering::SeqCst) {
            return;
        }
        let mut stream = stream.unwrap();
        let request = read(&stream);
        let reply = answer(&request);
        requests.lock().unwrap().push(request);
        let (status, header, body) = match reply {
            Reply::Of(status, body) => (status, "X-None: 1", body),
            Reply::With(status, header, body) => (status, header, body),
            Reply::Silence => {
                open.push(stream);
                continue;
            },
        };
        let head = format!(
            "HTTP/1.1 {status} S\r\n{header}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        // A client closes when a response is too long for it.
        let _sent =
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
    }
}

fn read(stream: &TcpStream) -> Request {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "a request ends early");
        if line == "\r\n" {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let mut lines = lines.into_iter();
    let line = lines.next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
    let headers: Vec<(String, String)> = lines
        .map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        })
        .collect();
    let mut request = Request { line, headers, body: String::new() };
    let length: usize = request.header("content-length").parse().unwrap_or_default();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    request.body = String::from_utf8(body).unwrap();
    request
}
