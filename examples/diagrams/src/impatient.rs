//! A stream that fails when its reader is slow, so that a client cannot hold a connection by not reading its response.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Time in which a client must read [`READ_BYTES_MIN`] of its response.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// A client on a slow line reads more: this is 2 KiB in a second.
const READ_BYTES_MIN: usize = 64 << 10;

/// A stream whose writes end with [`io::ErrorKind::TimedOut`] if the reader is too slow.
pub(crate) struct Impatient<S> {
    stream: S,
    /// Set while the reader is behind.
    deadline: Option<Pin<Box<Sleep>>>,
    /// The bytes that were written since `deadline` was set.
    written_bytes: usize,
}

impl<S> Impatient<S> {
    pub(crate) fn of(stream: S) -> Self {
        Self { stream, deadline: None, written_bytes: 0 }
    }

    /// Notes the result of a write, and replaces a wait that has lasted too long with an error.
    fn judged(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(result) = written {
            self.written_bytes += result.as_ref().copied().unwrap_or_default();
            if self.written_bytes >= READ_BYTES_MIN {
                self.deadline = None;
            }
            return Poll::Ready(result);
        }
        if self.deadline.is_none() {
            self.written_bytes = 0;
        }
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(WRITE_TIMEOUT)));
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.judged(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.judged(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        // The response is written whole.
        self.deadline = None;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpSocket, TcpStream};
    use tokio::time::Instant;

    use super::*;

    /// More than the kernel keeps for a connection.
    const RESPONSE_BYTES: usize = 64 << 20;

    /// Runs a test with a clock that jumps to the next timer when nothing else is to do.
    fn with_a_jumping_clock(test: impl Future<Output = ()>) {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap().block_on(test);
    }

    /// A client with a short buffer, and the server's end of its connection.
    async fn connected() -> (TcpStream, Impatient<TcpStream>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4 << 10).unwrap();
        let client = socket.connect(listener.local_addr().unwrap()).await.unwrap();
        (client, Impatient::of(listener.accept().await.unwrap().0))
    }

    /// Reads a response whole with a pause after each megabyte. Returns its length.
    async fn read_slowly(client: &mut TcpStream) -> usize {
        let mut pause = tokio::time::interval(WRITE_TIMEOUT / 2);
        let (mut read, mut part) = (0, vec![0; 1 << 20]);
        while read < RESPONSE_BYTES {
            let count = client.read(&mut part).await.unwrap();
            assert_ne!(count, 0, "the server has closed the connection");
            read += count;
            if read % part.len() < count {
                pause.tick().await;
            }
        }
        assert_eq!(client.read(&mut part).await.unwrap(), 0);
        read
    }

    #[test]
    fn a_client_that_reads_nothing_is_cut_off_after_the_timeout() {
        with_a_jumping_clock(async {
            let (client, mut server) = connected().await;
            let start = Instant::now();
            let error = server.write_all(&vec![0; RESPONSE_BYTES]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            let waited = start.elapsed();
            assert!(waited >= WRITE_TIMEOUT && waited < WRITE_TIMEOUT * 2, "{waited:?}");
            drop(client);
        });
    }

    #[test]
    fn a_client_that_reads_some_bytes_only_is_cut_off_too() {
        with_a_jumping_clock(async {
            let (mut client, mut server) = connected().await;
            let response = vec![0; RESPONSE_BYTES];
            let mut trickle = tokio::time::interval(WRITE_TIMEOUT / 4);
            let reader = async {
                let mut some = [0; 1 << 10];
                for _ in 0..100 {
                    client.read_exact(&mut some).await.unwrap();
                    trickle.tick().await;
                }
            };
            let error = tokio::select! {
                result = server.write_all(&response) => result.unwrap_err(),
                () = reader => panic!("the server has waited too long"),
            };
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        });
    }

    #[test]
    fn a_client_on_a_slow_line_gets_its_response_whole() {
        with_a_jumping_clock(async {
            let (mut client, mut server) = connected().await;
            let response = vec![0; RESPONSE_BYTES];
            let writer = async {
                server.write_all(&response).await.unwrap();
                server.shutdown().await.unwrap();
            };
            let start = Instant::now();
            let ((), read) = tokio::join!(writer, read_slowly(&mut client));
            assert_eq!(read, RESPONSE_BYTES);
            assert!(start.elapsed() > WRITE_TIMEOUT, "the response takes longer than the timeout");
        });
    }
}
