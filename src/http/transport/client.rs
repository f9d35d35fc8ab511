//! Sends one request to a server on this host, for the command line.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use http::StatusCode;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

/// The longest wait for the head of a response.
const HEAD_TIMEOUT: Duration = Duration::from_mins(10);
/// The longest wait for the next piece of a download.
const PIECE_TIMEOUT: Duration = Duration::from_mins(1);
/// Maximum number of bytes of a response.
const RESPONSE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Sends a request to the server behind a socket, and returns status and body. Blocks, at most for
/// `within`.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] or [`io::ErrorKind::ConnectionRefused`] if no server listens, others if
/// the exchange fails or times out.
pub fn send(
    socket: &Path,
    request: http::Request<Vec<u8>>,
    within: Duration,
) -> io::Result<(u16, Vec<u8>)> {
    exchange(UnixStream::connect(socket), request, within)
}

/// Sends a request to the server at an address, like [`send`].
///
/// # Errors
/// Those of [`send`], except that a missing server has no file.
pub fn send_over_tcp(
    address: SocketAddr,
    request: http::Request<Vec<u8>>,
    within: Duration,
) -> io::Result<(u16, Vec<u8>)> {
    exchange(TcpStream::connect(address), request, within)
}

/// Sends a request like [`send`], and writes the body of a 200 to `sink` as it arrives. The body of
/// any other response is returned. Takes as long as the body arrives piece by piece.
///
/// # Errors
/// The errors of [`send`], and those of `sink`.
pub fn download(
    socket: &Path,
    request: http::Request<Vec<u8>>,
    sink: &mut dyn Write,
) -> io::Result<(u16, Vec<u8>)> {
    runtime()?.block_on(talk(UnixStream::connect(socket), request, |response| async {
        let status = response.status();
        let mut body = response.into_body();
        let mut kept = Vec::new();
        while let Some(frame) = within(PIECE_TIMEOUT, async { Ok(body.frame().await) }).await? {
            let Ok(piece) = frame.map_err(io::Error::other)?.into_data() else { continue };
            if status == StatusCode::OK {
                sink.write_all(&piece)?;
            } else if kept.len() + piece.len() <= RESPONSE_BYTES_MAX {
                kept.extend_from_slice(&piece);
            }
        }
        Ok((status.as_u16(), kept))
    }))
}

fn exchange<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    connect: impl Future<Output = io::Result<S>>,
    request: http::Request<Vec<u8>>,
    span: Duration,
) -> io::Result<(u16, Vec<u8>)> {
    let exchange = talk(connect, request, |response| async {
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), RESPONSE_BYTES_MAX).collect().await;
        let body = body.map_err(io::Error::other)?.to_bytes().to_vec();
        Ok((status, body))
    });
    runtime()?.block_on(within(span, exchange))
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Connects, sends the request, and reads the response with `receive`.
async fn talk<S: AsyncRead + AsyncWrite + Send + Unpin + 'static, T, F>(
    connect: impl Future<Output = io::Result<S>>,
    request: http::Request<Vec<u8>>,
    receive: impl FnOnce(http::Response<Incoming>) -> F,
) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    let stream = connect.await?;
    let (mut sender, connection) =
        handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let request = request.map(|body| Full::new(Bytes::from(body)));
    let answer = async {
        let head = async { sender.send_request(request).await.map_err(io::Error::other) };
        receive(within(HEAD_TIMEOUT, head).await?).await
    };
    tokio::pin!(answer);
    // The connection must be polled to read and write. Polling ends when the response is
    // complete.
    tokio::select! {
        answer = &mut answer => answer,
        ended = connection => {
            ended.map_err(io::Error::other)?;
            answer.await
        },
    }
}

async fn within<T>(span: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(span, work).await.unwrap_or_else(|_elapsed| {
        Err(io::Error::new(io::ErrorKind::TimedOut, "the server did not answer in time"))
    })
}
