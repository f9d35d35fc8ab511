//! A socket with deadlines for heads and writes, and a lingering close.
//!
//! hyper's own `header_read_timeout` starts when the connection becomes idle, so it cannot
//! distinguish an idle connection from one that sends a head byte by byte. The stream can
//! distinguish the two, because `StreamProgress` records whether a head has begun.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::exchange::Connection;
use super::{Application, oversize};

/// Time for which a connection is still read after the last byte of the response. A client that is
/// still sending then reads the response instead of a reset (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 16 * 1024 * 1024;

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
pub(super) struct Stream<S, A> {
    socket: S,
    connection: Arc<Connection<A>>,
    /// Bytes to write in place of hyper's own response, and how many are written.
    in_place: Option<(Vec<u8>, usize)>,
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

impl<S, A> Stream<S, A> {
    pub(super) fn new(socket: S, connection: Arc<Connection<A>>) -> Self {
        Self {
            socket,
            connection,
            in_place: None,
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
        self.head_deadline.has_passed(context, self.connection.limits.head_timeout)
    }

    fn written<T>(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let write_timeout = self.connection.limits.write_timeout;
        if outcome.is_pending() && self.write_deadline.has_passed(context, write_timeout) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        outcome
    }
}

impl<S: AsyncRead + Unpin, A> AsyncRead for Stream<S, A> {
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

impl<S: AsyncWrite + Unpin, A: Application> Stream<S, A> {
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

impl<S: AsyncRead + AsyncWrite + Unpin, A: Application> AsyncWrite for Stream<S, A> {
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
