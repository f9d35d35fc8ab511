//! A proxy before Keyhouse, in the process of the test, that makes one mistake at a time.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Requests below this path pass the gate `default`.
pub(crate) const GATE: &str = "/gate/";

/// The mistake of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    None,
    ReplacesHost,
    OmitsForwardedFor,
    PassesForwardedFor,
    AnswersItself,
    ReplacesUnauthorized,
    StoresResponses,
    AddsAge,
    RemovesPolicy,
    HasAnotherDate,
    OmitsCheck,
    BreaksCheck,
    ReplacesDenial,
    PassesIdentity,
}

#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<(Option<SocketAddr>, Mistake)>>,
}

/// The lines of a head without the empty one, and the body.
type Message = (Vec<String>, Vec<u8>);

impl Proxy {
    /// Starts a proxy, which runs until the test program ends.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = Self { address, state: Arc::new(Mutex::new((None, Mistake::None))) };
        let serving = proxy.clone();
        let accept = move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // A client that goes away ends only its own request.
                let _answered = serving.answer(stream);
            }
        };
        thread::Builder::new().name("proxy".to_owned()).spawn(accept).unwrap();
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Forwards requests to this server from now on.
    pub(crate) fn forward_to(&self, server: SocketAddr) {
        self.state.lock().unwrap().0 = Some(server);
    }

    /// Makes this mistake from now on.
    pub(crate) fn make(&self, mistake: Mistake) {
        self.state.lock().unwrap().1 = mistake;
    }

    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let (upstream, mistake) = *self.state.lock().unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? == 1 {
            head.extend(byte);
        }
        let (request, _) = message(&head);
        let target = request[0].split(' ').nth(1).unwrap_or_default().to_owned();
        let answer = match upstream {
            _ if mistake == Mistake::AnswersItself => page(404, "none here"),
            None => page(502, "no server"),
            Some(server) if target.starts_with(GATE) => check(server, &request, &target, mistake),
            Some(server) => forward(server, &request, mistake),
        };
        stream.write_all(&bytes(&answer))
    }
}

/// Forwards a request to the server, as the page's examples of proxies do.
fn forward(server: SocketAddr, request: &[String], mistake: Mistake) -> Message {
    let mut lines = request.to_vec();
    lines.retain(|line| !is(line, "connection"));
    if mistake != Mistake::PassesForwardedFor {
        lines.retain(|line| !is(line, "x-forwarded-for"));
    }
    if !matches!(mistake, Mistake::PassesForwardedFor | Mistake::OmitsForwardedFor) {
        lines.push("X-Forwarded-For: 198.51.100.7".to_owned());
    }
    if mistake == Mistake::ReplacesHost {
        lines.retain(|line| !is(line, "host"));
        lines.push("Host: keyhouse.internal".to_owned());
    }
    let (mut head, mut body) = exchange(server, lines);
    let is_denied = head[0].contains(" 401 ");
    match mistake {
        Mistake::ReplacesUnauthorized if is_denied => {
            head.retain(|line| !is(line, "www-authenticate") && !is(line, "content-type"));
            head.push("Content-Type: text/html".to_owned());
            body = b"<h1>401</h1>".to_vec();
        },
        Mistake::StoresResponses => {
            head.retain(|line| !is(line, "cache-control"));
            head.push("Cache-Control: max-age=60".to_owned());
        },
        Mistake::AddsAge => head.push("Age: 3".to_owned()),
        Mistake::RemovesPolicy => head.retain(|line| !is(line, "content-security-policy")),
        Mistake::HasAnotherDate => {
            head.retain(|line| !is(line, "date"));
            head.push("Date: Sun, 06 Nov 1994 08:49:37 GMT".to_owned());
        },
        Mistake::None
        | Mistake::ReplacesHost
        | Mistake::OmitsForwardedFor
        | Mistake::PassesForwardedFor
        | Mistake::AnswersItself
        | Mistake::ReplacesUnauthorized
        | Mistake::OmitsCheck
        | Mistake::BreaksCheck
        | Mistake::ReplacesDenial
        | Mistake::PassesIdentity => {},
    }
    (head, body)
}

/// Checks a request with the gate, and answers in place of the application.
fn check(server: SocketAddr, request: &[String], target: &str, mistake: Mistake) -> Message {
    if mistake == Mistake::OmitsCheck {
        return page(200, "the application");
    }
    let mut lines = vec!["GET /v1/forward-auth/default HTTP/1.1".to_owned()];
    if mistake == Mistake::PassesIdentity {
        let is_passed = |line: &&String| line.to_lowercase().starts_with("x-keyhouse-");
        lines.extend(request.iter().filter(is_passed).cloned());
    }
    lines.extend(
        ["Host: keyhouse", "X-Forwarded-Method: GET", "X-Forwarded-Host: api"].map(Into::into),
    );
    lines
        .extend(["X-Forwarded-For: 198.51.100.7".to_owned(), format!("X-Forwarded-Uri: {target}")]);
    if mistake != Mistake::BreaksCheck {
        lines.push("X-Forwarded-Proto: https".to_owned());
    }
    let denied = exchange(server, lines);
    if mistake == Mistake::ReplacesDenial { page(401, "sign in") } else { denied }
}

fn exchange(server: SocketAddr, mut lines: Vec<String>) -> Message {
    lines.push("Connection: close".to_owned());
    let Ok(mut stream) = TcpStream::connect(server) else { return page(502, "no server") };
    let mut answer = Vec::new();
    let exchanged = stream
        .write_all(&bytes(&(lines, Vec::new())))
        .and_then(|()| stream.read_to_end(&mut answer));
    if exchanged.is_err() { page(502, "no answer") } else { message(&answer) }
}

fn page(status: u16, text: &str) -> Message {
    let head = [format!("HTTP/1.1 {status} Page"), "Content-Type: text/plain".to_owned()];
    (head.to_vec(), text.as_bytes().to_vec())
}

fn is(line: &str, name: &str) -> bool {
    line.split_once(':').is_some_and(|(it, _)| it.eq_ignore_ascii_case(name))
}

fn message(bytes: &[u8]) -> Message {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(bytes.len());
    let head = String::from_utf8_lossy(&bytes[..end]);
    let body = bytes.get(end + 4..).unwrap_or_default().to_vec();
    (head.split("\r\n").map(str::to_owned).collect(), body)
}

/// A message whose body ends with the connection.
fn bytes((head, body): &Message) -> Vec<u8> {
    let mut head = head.clone();
    head.retain(|line| !is(line, "content-length") && !is(line, "connection"));
    head.push("Connection: close".to_owned());
    [(head.join("\r\n") + "\r\n\r\n").as_bytes(), body].concat()
}
