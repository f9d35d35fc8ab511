//! The response to a request, for hyper: at once, or from a task that waits.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::{CONNECTION, HeaderValue};
use http::{HeaderMap, Response};

use super::prepared::SentResponse;
use super::streamed::SentBody;

/// The largest map of headers that an idle connection keeps, in header lines.
const HEADERS_KEPT_MAX: usize = 32;

/// No response can be sent, not even an error. The connection is closed.
#[derive(Debug, thiserror::Error)]
#[error("no response can be sent on the connection")]
pub(super) struct ConnectionCut;

/// The response to a request. Only a request that waits for its body, or for a place on the pool,
/// allocates a future.
pub(super) enum Answering {
    /// `None` once the response is taken.
    Ready(Option<Answered>),
    Waiting(Pin<Box<dyn Future<Output = Answered> + Send>>),
}

pub(super) type Answered = Result<Response<SentBody>, ConnectionCut>;

impl Future for Answering {
    type Output = Answered;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answered> {
        match self.get_mut() {
            Self::Ready(answered) => answered.take().map_or(Poll::Pending, Poll::Ready),
            Self::Waiting(task) => task.as_mut().poll(cx),
        }
    }
}

/// The response for hyper, and the header lines that the stream inserts into its head. `headers` is
/// the request's map, whose memory hyper uses for the next request.
pub(super) fn sent(
    response: SentResponse,
    mut headers: HeaderMap,
    closes: bool,
) -> Result<(Response<SentBody>, Vec<u8>), ConnectionCut> {
    let SentResponse { status, lines, body } = response;
    let lines = lines.into_bytes().ok_or(ConnectionCut)?;
    // The capacity does not count further lines of one name.
    if headers.capacity().max(headers.len()) > HEADERS_KEPT_MAX {
        headers = HeaderMap::new();
    }
    headers.clear();
    if closes {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let mut sent = Response::new(body);
    (*sent.status_mut(), *sent.headers_mut()) = (status, headers);
    Ok((sent, lines))
}
