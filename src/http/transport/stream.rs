//! A socket with deadlines for heads and writes, and a lingering close.
//!
//! hyper's own `header_read_timeout` starts when the connection becomes idle, so it cannot
//! distinguish an idle connection from one that sends a head byte by byte. The stream can
//! distinguish the two, because `StreamProgress` records whether a head has begun.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::exchange::Connection;
use super::head::{HeadRecord, RawHead};
use super::limits::TransportLimits;
use super::oversize;

/// Time for which a connection is still read after the last byte of the response. A client that is
/// still sending then reads the response instead of a reset (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// State of a connection, shared by the stream below hyper and the service above it.
#[derive(Debug, Default)]
pub(super) struct StreamProgress {
    state: Mutex<StreamState>,
}

#[derive(Debug, Default)]
struct StreamState {
    phase: Phase,
    /// Number of heads that have begun, so that each head gets a deadline of its own.
    heads: u64,
    record: HeadRecord,
    linger: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// No byte of the next request has arrived.
    #[default]
    Idle,
    /// A head has begun and is incomplete.
    Head,
    /// A head was parsed, and its response is not ready.
    Exchange,
}

impl StreamProgress {
    /// Records that hyper has parsed a head with this body (`None`: of unknown length). Returns facts
    /// about the head's bytes, or `None` if they were not recorded.
    pub(super) fn begin_exchange(&self, body_bytes: Option<u64>) -> Option<RawHead> {
        let mut state = self.lock();
        state.phase = Phase::Exchange;
        let head = state.record.take(body_bytes.unwrap_or_default());
        if body_bytes.is_none() {
            state.record.lose();
        }
        head
    }

    /// Records that the response is ready. `unread`: the client may still be sending a body.
    pub(super) fn end_exchange(&self, unread: bool) {
        let mut state = self.lock();
        state.linger |= unread;
        if state.record.has_bytes() {
            state.phase = Phase::Head;
            state.heads += 1;
        } else {
            state.phase = Phase::Idle;
        }
    }

    fn add(&self, read: &[u8]) {
        let mut state = self.lock();
        state.record.add(read);
        if state.phase == Phase::Idle {
            state.phase = Phase::Head;
            state.heads += 1;
        }
    }

    /// The number of the head that is being read.
    fn head_begun(&self) -> Option<u64> {
        let state = self.lock();
        (state.phase == Phase::Head).then_some(state.heads)
    }

    /// The first line of the head that is being read, as far as it has arrived.
    pub(super) fn first_line(&self) -> Option<Vec<u8>> {
        let state = self.lock();
        (state.phase == Phase::Head).then(|| state.record.first_line().to_vec())
    }

    fn lingers(&self) -> bool {
        let state = self.lock();
        state.linger || state.phase == Phase::Head
    }

    fn lock(&self) -> MutexGuard<'_, StreamState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A deadline whose timer is created only when it is first needed.
#[derive(Debug, Default)]
struct Deadline {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: bool,
}

impl Deadline {
    /// Whether `after` has passed since the first call after `disarm`. Wakes the task when the time
    /// has passed.
    fn has_passed(&mut self, context: &mut Context<'_>, after: Duration) -> bool {
        let until = Instant::now() + after;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if !self.armed {
            self.armed = true;
            sleep.as_mut().reset(until);
        }
        sleep.as_mut().poll(context).is_ready()
    }

    fn disarm(&mut self) {
        self.armed = false;
    }
}

/// The socket of one connection.
pub(super) struct Stream<S> {
    socket: S,
    connection: Arc<Connection>,
    /// Bytes to write in place of hyper's own response, and how many are written.
    in_place: Option<(Vec<u8>, usize)>,
    head_timeout: Duration,
    write_timeout: Duration,
    head_deadline: Deadline,
    head_timed: u64,
    write_deadline: Deadline,
    closing: Option<Closing>,
}

#[derive(Debug, Default)]
struct Closing {
    deadline: Deadline,
    bytes: usize,
}

impl<S> Stream<S> {
    pub(super) fn new(socket: S, connection: Arc<Connection>, limits: &TransportLimits) -> Self {
        Self {
            socket,
            connection,
            in_place: None,
            head_timeout: limits.head_timeout,
            write_timeout: limits.write_timeout,
            head_deadline: Deadline::default(),
            head_timed: 0,
            write_deadline: Deadline::default(),
            closing: None,
        }
    }

    fn head_is_late(&mut self, context: &mut Context<'_>) -> bool {
        let Some(head) = self.connection.progress.head_begun() else { return false };
        if self.head_timed != head {
            self.head_timed = head;
            self.head_deadline.disarm();
        }
        self.head_deadline.has_passed(context, self.head_timeout)
    }

    fn written<T>(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_pending() && self.write_deadline.has_passed(context, self.write_timeout) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        outcome
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let outcome = Pin::new(&mut this.socket).poll_read(cx, buf);
        match outcome {
            Poll::Ready(Ok(())) => {
                let read = buf.filled().get(before..).unwrap_or_default();
                if !read.is_empty() {
                    this.connection.progress.add(read);
                }
            },
            Poll::Ready(Err(_)) => {},
            Poll::Pending => {
                if this.head_is_late(cx) {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            },
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> Stream<S> {
    /// Whether hyper is writing its own empty response to an oversized head, and the application has a
    /// response to replace it.
    fn is_in_place(&mut self, hypers: &[u8]) -> bool {
        if self.in_place.is_none() && oversize::is_refused_by_hyper(hypers) {
            self.in_place = oversize::refusal(&self.connection).map(|bytes| (bytes, 0));
        }
        self.in_place.is_some()
    }

    fn poll_write_in_place(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((bytes, sent)) = &mut self.in_place {
            let rest = bytes.get(*sent..).unwrap_or_default();
            if rest.is_empty() {
                self.in_place = None;
                break;
            }
            let outcome = Pin::new(&mut self.socket).poll_write(context, rest);
            match ready!(self.written(context, outcome))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => {
                    if let Some((_, sent)) = &mut self.in_place {
                        *sent += more;
                    }
                },
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_in_place(buf) {
            ready!(this.poll_write_in_place(cx))?;
            return Poll::Ready(Ok(buf.len()));
        }
        let outcome = Pin::new(&mut this.socket).poll_write(cx, buf);
        this.written(cx, outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_in_place(bufs.first().map_or(&[], |it| &**it)) {
            ready!(this.poll_write_in_place(cx))?;
            return Poll::Ready(Ok(bufs.iter().map(|it| it.len()).sum()));
        }
        let outcome = Pin::new(&mut this.socket).poll_write_vectored(cx, bufs);
        this.written(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    /// hyper flushes once everything is written, which ends the deadline of the write.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.socket).poll_flush(cx);
        if outcome.is_ready() {
            this.write_deadline.disarm();
        }
        this.written(cx, outcome)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.closing.is_none() {
            ready!(Pin::new(&mut this.socket).poll_shutdown(cx))?;
            if !this.connection.progress.lingers() {
                return Poll::Ready(Ok(()));
            }
        }
        let closing = this.closing.get_or_insert_default();
        let mut scrap = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut scrap);
            match Pin::new(&mut this.socket).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    closing.bytes += buffer.filled().len();
                    if closing.bytes > LINGER_BYTES_MAX {
                        return Poll::Ready(Ok(()));
                    }
                },
                Poll::Ready(Ok(()) | Err(_)) => return Poll::Ready(Ok(())),
                Poll::Pending if closing.deadline.has_passed(cx, LINGER) => {
                    return Poll::Ready(Ok(()));
                },
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
