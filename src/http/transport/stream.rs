//! A socket with deadlines for heads and writes, and a lingering close. It inserts a response's header
//! lines into the head that hyper writes.
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
use super::{Application, lines, oversize};

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
    in_place: Option<InPlace>,
    head_deadline: Deadline,
    head_timed: u64,
    write_deadline: Deadline,
    closing: Option<Closing>,
}

/// Bytes to write in place of bytes of hyper.
#[derive(Debug)]
struct InPlace {
    bytes: Vec<u8>,
    written: usize,
    /// The number of hyper's bytes that these replace. hyper may add bytes while these wait.
    replaced: usize,
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
    /// What replaces the bytes that hyper writes now: a head with the response's header lines, or the
    /// application's response to an oversized head, for which hyper has an empty one.
    fn replacement(&self, hypers: &[IoSlice<'_>]) -> io::Result<Option<InPlace>> {
        if let Some(lines) = self.connection.progress.take_lines() {
            let (bytes, replaced) = lines::inserted(&lines, hypers)?;
            return Ok(Some(InPlace { bytes, written: 0, replaced }));
        }
        if !hypers.first().is_some_and(|head| oversize::is_refused_by_hyper(head)) {
            return Ok(None);
        }
        let replaced = hypers.iter().map(|piece| piece.len()).sum();
        let refusal = oversize::refusal(&self.connection);
        Ok(refusal.map(|bytes| InPlace { bytes, written: 0, replaced }))
    }

    /// Writes in place of hyper's bytes, if something replaces them. Returns how many of hyper's bytes
    /// are done; `None` if nothing replaces them.
    fn poll_write_in_place(
        &mut self,
        context: &mut Context<'_>,
        hypers: &[IoSlice<'_>],
    ) -> Poll<io::Result<Option<usize>>> {
        if self.in_place.is_none() {
            self.in_place = self.replacement(hypers)?;
        }
        while let Some(InPlace { bytes, written, replaced }) = &mut self.in_place {
            let rest = bytes.get(*written..).unwrap_or_default();
            if rest.is_empty() {
                let replaced = *replaced;
                self.in_place = None;
                return Poll::Ready(Ok(Some(replaced)));
            }
            let outcome = Pin::new(&mut self.socket).poll_write(context, rest);
            match ready!(self.written(context, outcome))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => {
                    if let Some(InPlace { written, .. }) = &mut self.in_place {
                        *written += more;
                    }
                },
            }
        }
        Poll::Ready(Ok(None))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, A: Application> AsyncWrite for Stream<S, A> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Some(replaced) = ready!(this.poll_write_in_place(cx, &[IoSlice::new(buf)]))? {
            return Poll::Ready(Ok(replaced));
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
        if let Some(replaced) = ready!(this.poll_write_in_place(cx, bufs))? {
            return Poll::Ready(Ok(replaced));
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
