//! Sends a shape of request and records the answer.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use super::application::{Application, TAG};
use super::message::{Content, Head};
use super::table::Shape;

const READ_WAIT_MAX: Duration = Duration::from_mins(1);
/// Maximum wait of a client for 100 Continue or for the first event, after which the client
/// continues.
const EARLY_WAIT: Duration = Duration::from_secs(5);

/// What a client received.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) content_type: Option<String>,
    /// The announced length of an answer without a body.
    pub(super) length: Option<usize>,
    /// Whether 100 Continue came before the body was sent.
    pub(super) is_continued: bool,
    /// Whether the first event arrived before the application sent the last event.
    pub(super) is_early: bool,
    pub(super) body: Content,
}

/// Returns the code of a refusal.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) received: Received,
    pub(super) code: Option<String>,
}

/// A client's request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) shape: &'a Shape,
    pub(super) tag: &'a str,
    pub(super) key: Option<&'a str>,
}

/// Sends the request on its own connection.
pub(super) fn send(
    to: SocketAddr,
    request: Request<'_>,
    application: &Application,
) -> io::Result<Answer> {
    let stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(READ_WAIT_MAX))?;
    let (shape, expects) = (request.shape, request.shape.expects);
    let writer = stream.try_clone()?;
    let head = head(request);
    let mut reader = BufReader::with_capacity(64 * 1024, stream);
    (&writer).write_all(head.as_bytes())?;
    let mut received = Received::default();
    let mut early = None;
    if expects {
        writer.set_read_timeout(Some(EARLY_WAIT))?;
        early = Head::read(&mut reader).ok().flatten();
        writer.set_read_timeout(Some(READ_WAIT_MAX))?;
        received.is_continued = early.as_ref().is_some_and(|it| it.status() == 100);
    }
    let answered = early.filter(|it| it.status() != 100);
    if let Some(head) = answered {
        return read(&mut reader, &head, request, application, received);
    }
    thread::scope(|scope| {
        let (body, writer) = (shape.body, &writer);
        // The server may refuse a request and close the connection before the whole request is
        // written.
        scope.spawn(move || {
            let _sent = body.write(writer);
        });
        let answer = read_final(&mut reader, request, application, received);
        let _closed = writer.shutdown(Shutdown::Both);
        answer
    })
}

fn head(request: Request<'_>) -> String {
    let Request { shape, tag, key } = request;
    let key = key.map(|it| ("X-Api-Key", it));
    let own = [("Host", "app.example.com"), (TAG, tag)].into_iter().chain(key);
    let of_shape = shape.lines.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let expects = shape.expects.then_some(("Expect", "100-continue"));
    let lines = own.chain(of_shape).chain(expects);
    let lines: Vec<_> = lines.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let announced = shape.body.announced();
    let Shape { method, target, version, .. } = shape;
    format!("{method} {target} HTTP/{version}\r\n{}{announced}\r\n", lines.concat())
}

fn read_final(
    reader: &mut BufReader<TcpStream>,
    request: Request<'_>,
    application: &Application,
    received: Received,
) -> io::Result<Answer> {
    loop {
        let head = Head::read(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if head.status() != 100 {
            return read(reader, &head, request, application, received);
        }
    }
}

fn read(
    reader: &mut BufReader<TcpStream>,
    head: &Head,
    request: Request<'_>,
    application: &Application,
    mut received: Received,
) -> io::Result<Answer> {
    received.status = head.status();
    received.content_type = head.get("content-type").map(str::to_owned);
    let is_open = received.status == 200 && request.shape.target.starts_with("/events");
    if received.status == 101 {
        received.body.text = talk(reader)?;
    } else if request.shape.method == "HEAD" {
        received.length = head.length();
    } else if is_open {
        received.is_early = read_events(reader, head, request.tag, application, &mut received)?;
    } else {
        received.body = content(reader, head)?;
    }
    let code = head.get("x-keyhouse-code").map(str::to_owned);
    Ok(Answer { received, code })
}

fn content(reader: &mut BufReader<TcpStream>, head: &Head) -> io::Result<Content> {
    if head.has_chunks() {
        Content::in_chunks(reader)
    } else if let Some(bytes) = head.length() {
        Content::of_length(reader, bytes)
    } else {
        Content::to_end(reader)
    }
}

/// Reads events. The application sends the last event after the client confirmed the first event,
/// or after a timeout.
fn read_events(
    reader: &mut BufReader<TcpStream>,
    head: &Head,
    tag: &str,
    application: &Application,
    received: &mut Received,
) -> io::Result<bool> {
    reader.get_ref().set_read_timeout(Some(EARLY_WAIT))?;
    let is_early = io::BufRead::fill_buf(reader).is_ok_and(|held| !held.is_empty());
    reader.get_ref().set_read_timeout(Some(READ_WAIT_MAX))?;
    application.release(tag);
    received.body = content(reader, head)?;
    Ok(is_early)
}

/// Reads the greeting, writes a masked frame, reads its echo and the close.
fn talk(reader: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut greeting = [0; 7];
    reader.read_exact(&mut greeting)?;
    let mask = [1, 2, 3, 4];
    let text: Vec<u8> = b"ping".iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
    reader.get_ref().write_all(&[b"\x81\x84".as_slice(), &mask, &text].concat())?;
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest)?;
    Ok(format!("{:?} {:?}", String::from_utf8_lossy(&greeting), String::from_utf8_lossy(&rest)))
}
