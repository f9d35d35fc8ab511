//! HTTP on a socket: reads requests under limits, and ends gracefully.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::answer::{Answer, BODY_BYTES_MAX, Request};
use crate::application::{Application, Turn};
use crate::caller::organization_in;
use crate::impatient::Impatient;
use crate::places::Places;
use crate::refusal::Refusal;

const CONNECTIONS_MAX: usize = 256;
const HEAD_BYTES_MAX: usize = 64 << 10;
const HEADERS_MAX: usize = 128;
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of bytes that are read of a body after it was refused.
const DISCARDED_BYTES_MAX: usize = 16 << 20;
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Time that open requests have to finish after the end was requested.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// The wait after a failed accept, for example because the process has too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What every connection shares.
#[derive(Clone)]
struct Shared {
    application: Arc<Application>,
    /// A place for each request that is read or handled.
    requests: Arc<Places>,
    /// A place for each request that a handler works on.
    work: Arc<Semaphore>,
    /// Changes once the end was requested.
    ending: watch::Receiver<bool>,
}

/// Serves until `ended`, then lets open requests finish.
pub async fn serve(
    listener: TcpListener,
    application: Arc<Application>,
    ended: impl Future<Output = ()>,
) {
    let work = Arc::new(Semaphore::new(application.requests_max()));
    let (end, ending) = watch::channel(false);
    let shared = Shared { application, requests: Places::of(CONNECTIONS_MAX), work, ending };
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    tokio::pin!(ended);
    loop {
        let accepted = tokio::select! {
            () = &mut ended => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        match accepted {
            Ok((stream, place)) => start(stream, place, &shared, &graceful),
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                sleep(ACCEPT_PAUSE).await;
            },
        }
    }
    drop(listener);
    end.send_replace(true);
    if timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::warn!("cut connections that were still open");
    }
}

/// Accepts a connection when there is a place for it.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    // The semaphore is never closed.
    let place = Arc::clone(connections).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _address) = listener.accept().await?;
    Ok((stream, place))
}

/// Serves one connection on a task of its own.
fn start(
    stream: TcpStream,
    place: OwnedSemaphorePermit,
    shared: &Shared,
    graceful: &GracefulShutdown,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let shared = shared.clone();
    let service = service_fn(move |request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(exchange(&shared, request).await) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    let stream = TokioIo::new(Impatient::of(stream));
    let connection = graceful.watch(builder.serve_connection(stream, service));
    drop(tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection failed");
        }
        drop(place);
    }));
}

async fn exchange(
    shared: &Shared,
    request: hyper::Request<Incoming>,
) -> hyper::Response<Full<Bytes>> {
    // An organization with many slow requests leaves connections to the others.
    let Some(_place) = shared.requests.take(organization_in(request.headers())) else {
        return response(&Refusal::Busy("requests of the organization").into_answer());
    };
    let answer = match read(request).await {
        Ok(request) => work(shared, request).await,
        Err(refusal) => refusal.into_answer(),
    };
    response(&answer)
}

/// Reads a request whole.
async fn read(request: hyper::Request<Incoming>) -> Result<Request, Refusal> {
    let (parts, mut body) = request.into_parts();
    let known = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if known > BODY_BYTES_MAX {
        discard(body).await;
        return Err(Refusal::BodyTooLarge);
    }
    let limited = Limited::new(&mut body, BODY_BYTES_MAX);
    let body = match timeout(BODY_TIMEOUT, limited.collect()).await {
        Err(_elapsed) => return Err(Refusal::BodyTimeout),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            discard(body).await;
            return Err(Refusal::BodyTooLarge);
        },
        Ok(Err(error)) => return Err(Refusal::Body(format!("the body is not readable: {error}"))),
        Ok(Ok(body)) => body.to_bytes(),
    };
    Ok(Request {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers,
        body,
    })
}

/// Reads and drops the rest of a body that is too large. A proxy that still sends takes the end of the
/// connection for a failure of the service, and answers 502 instead of passing on the 413.
async fn discard(body: Incoming) {
    let mut body = Limited::new(body, DISCARDED_BYTES_MAX);
    let rest = async { while let Some(Ok(_frame)) = body.frame().await {} };
    if timeout(BODY_TIMEOUT, rest).await.is_err() {
        tracing::debug!("a body that is too large took too long");
    }
}

/// Runs the handler. A request that waits for something has no place among those in work, so that others are handled.
async fn work(shared: &Shared, request: Request) -> Answer {
    let request = Arc::new(request);
    let first = Arc::clone(&request);
    let turn = on_thread(shared, move |application| application.first_turn(&first)).await;
    let wait = match turn {
        Ok(Turn::Answered(answer)) => return answer,
        Ok(Turn::Waiting(wait)) => wait,
        Err(refusal) => return refusal.into_answer(),
    };
    let mut ending = shared.ending.clone();
    tokio::select! {
        () = wait.ended() => {},
        () = sleep(shared.application.wait_max()) => {},
        _ended = ending.changed() => {},
    }
    let turn = on_thread(shared, move |application| application.last_turn(&request, &wait)).await;
    turn.unwrap_or_else(Refusal::into_answer)
}

/// Runs a turn of a handler on a thread that may block.
async fn on_thread<T: Send + 'static>(
    shared: &Shared,
    turn: impl FnOnce(&Application) -> T + Send + 'static,
) -> Result<T, Refusal> {
    let place = Arc::clone(&shared.work).acquire_owned().await;
    let place = place.map_err(|error| Refusal::Internal(error.to_string()))?;
    let application = Arc::clone(&shared.application);
    let handled = spawn_blocking(move || {
        let done = turn(&application);
        drop(place);
        done
    });
    handled.await.map_err(|error| Refusal::Internal(error.to_string()))
}

fn response(answer: &Answer) -> hyper::Response<Full<Bytes>> {
    let mut builder = hyper::Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        builder = builder.header(*name, value);
    }
    // Names and values of headers are our own texts, which are valid.
    builder.body(Full::new(answer.body().clone())).unwrap_or_default()
}
