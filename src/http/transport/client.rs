//! Sends one request to a server on this host, for the command line.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

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

fn exchange<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    connect: impl Future<Output = io::Result<S>>,
    request: http::Request<Vec<u8>>,
    within: Duration,
) -> io::Result<(u16, Vec<u8>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let exchange = async {
        let stream = connect.await?;
        let (mut sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let request = request.map(|body| Full::new(Bytes::from(body)));
        let answer = async {
            let response = sender.send_request(request).await.map_err(io::Error::other)?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), RESPONSE_BYTES_MAX).collect().await;
            let body = body.map_err(io::Error::other)?.to_bytes().to_vec();
            Ok((status, body))
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
    };
    runtime.block_on(async {
        timeout(within, exchange).await.unwrap_or_else(|_elapsed| {
            Err(io::Error::new(io::ErrorKind::TimedOut, "the server did not answer in time"))
        })
    })
}
