//! Replaces hyper's response to an oversized head by the application's response.
//!
//! hyper's own response has no body and no code.
//!
//! A trusted proxy's request to a gate repeats its client's target, so its head may have 80 KiB.
//! Every other head may have 16 KiB. Below the gates the response is 403 `REQUEST_REFUSED`, because
//! nginx forwards no 431.

use std::time::Duration;

use http::request::Parts;
use http::{Method, Request, Uri};
use hyper::body::Body;

use super::exchange::Connection;
use super::limits::HeadLimits;
use super::prepared::SentResponse;
use super::{Application, Arrival, TransportRefusal};

/// Status lines of hyper's responses to a target, and to a head, that is too large.
const STATUS_LINES: [&[u8]; 2] = [b"HTTP/1.1 414 ", b"HTTP/1.1 431 "];
/// Maximum length of the recorded path. Every route's path is shorter.
const PATH_BYTES_MAX: usize = 512;

/// Whether bytes are the start of hyper's own response to an oversized head. The application's
/// responses are not affected, because hyper writes them while no head is being read.
pub(super) fn is_refused_by_hyper(written: &[u8]) -> bool {
    STATUS_LINES.iter().any(|it| written.starts_with(it))
}

/// The application's complete response. `None` if no head is being read, or the application fails.
pub(super) fn refusal<A: Application>(connection: &Connection<A>) -> Option<Vec<u8>> {
    let parts = begun(&connection.progress.first_line()?)?;
    let arrival = Arrival { listener: connection.listener, peer: connection.peer, parts: &parts };
    let routing = connection.route(&arrival).ok();
    let HeadLimits { lines_max, bytes_max } = connection.heads;
    let refusal = TransportRefusal::HeadTooLarge { lines_max, bytes_max };
    let mut response = connection.refuse(&arrival, routing.as_ref(), &refusal).ok()?;
    connection.send_off(&arrival, routing.as_ref(), &mut response, Duration::ZERO).ok()?;
    bytes(response)
}

/// Method and path of a request whose head is incomplete. No route matches a path that is cut.
fn begun(line: &[u8]) -> Option<Parts> {
    let mut words = line.split(|byte| *byte == b' ');
    let method = Method::from_bytes(words.next()?).unwrap_or_default();
    let path = words.next().unwrap_or_default().split(|byte| *byte == b'?').next()?;
    let path = path.get(..path.len().min(PATH_BYTES_MAX))?;
    let uri = Uri::try_from(path).ok().filter(|it| it.path().starts_with('/')).unwrap_or_default();
    Request::builder().method(method).uri(uri).body(()).ok().map(|it| it.into_parts().0)
}

fn bytes(response: SentResponse) -> Option<Vec<u8>> {
    let SentResponse { status, lines, body } = response;
    let length = body.size_hint().exact().unwrap_or_default();
    let mut bytes = format!("HTTP/1.1 {status}\r\n").into_bytes();
    bytes.extend(lines.into_bytes()?);
    let end = format!("content-length: {length}\r\nconnection: close\r\n\r\n");
    bytes.extend(end.into_bytes());
    bytes.extend(body.into_bytes());
    Some(bytes)
}
