//! Handles one request: its routing, rules, admission, body, place on the pool, application.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::answering::{Answered, Answering, ConnectionCut, sent};
use super::body::{Allowance, Body, BodyLimits};
use super::caller::Caller;
use super::counters::{OnPool, TransportCounters, count};
use super::head::RawHead;
use super::limits::{HeadLimits, TransportLimits};
use super::parts::Parts;
use super::pool::PoolSlot;
use super::prepared::{PreparedResponse, SentResponse};
use super::progress::StreamProgress;
use super::rules::Framing;
use super::{
    Application, Arrival, Executor, ListenerKind, Peer, RequestOrigin, ResponseHead, Take,
    TransportRefusal, bridge, rules,
};

/// State that all connections of a server share.
pub(super) struct Service<A> {
    application: Arc<A>,
    response_bytes_max: usize,
    retry_after_seconds: u32,
    parts: Parts,
    counters: Arc<TransportCounters>,
    /// Whether each response closes its connection, because the server is stopping.
    draining: Arc<AtomicBool>,
}

/// One connection, for its requests.
pub(super) struct Connection<A> {
    pub(super) service: Arc<Service<A>>,
    pub(super) listener: ListenerKind,
    pub(super) peer: Peer,
    pub(super) progress: StreamProgress,
    /// The limits when the connection was accepted.
    pub(super) limits: Arc<TransportLimits>,
    /// The largest head that hyper reads on this connection.
    pub(super) heads: HeadLimits,
}

/// The state of a request, and whether more bytes of its body may arrive.
struct Exchange {
    framing: Framing,
    unread: bool,
    /// Admission has answered the request.
    is_denied: bool,
}

/// Largest announced body of a denied request after which the connection stays open. hyper discards
/// the bytes that arrived with the head, and closes the connection if more bytes are outstanding.
const DISCARDED_BYTES_MAX: u64 = 4 * 1024;

impl Exchange {
    /// Whether no further request can be read from this connection.
    fn ends_connection(&self) -> bool {
        let is_small = matches!(self.framing, Framing::Length(it) if it <= DISCARDED_BYTES_MAX);
        // Only hyper knows the end of a chunked body, so the next head could not be verified.
        let is_chunked = self.framing == Framing::Chunked;
        is_chunked || (self.unread && !(self.is_denied && is_small))
    }
}

impl<A> Service<A> {
    pub(super) fn new(
        application: Arc<A>,
        limits: &TransportLimits,
        counters: Arc<TransportCounters>,
        draining: Arc<AtomicBool>,
    ) -> Self {
        Self {
            application,
            response_bytes_max: limits.response_bytes_max,
            retry_after_seconds: limits.retry_after_seconds,
            parts: Parts::new(limits),
            counters,
            draining,
        }
    }

    fn busy(&self) -> TransportRefusal {
        TransportRefusal::Busy { retry_after_seconds: self.retry_after_seconds }
    }
}

/// A request's head, with the facts that hyper does not report.
struct Head {
    parts: http::request::Parts,
    raw: Option<RawHead>,
    begun: Instant,
}

impl<A: Application> Connection<A> {
    /// Answers one request: at once, unless it must wait.
    pub(super) fn answer(self: Arc<Self>, request: Request<Incoming>) -> Answering {
        let framing = Framing::of(request.headers());
        // hyper may read further bytes as soon as this function returns.
        let raw = self.progress.begin_exchange(framing.body_bytes());
        let (parts, incoming) = request.into_parts();
        let head = Head { parts, raw, begun: Instant::now() };
        let exchange = Exchange { framing, unread: framing != Framing::Empty, is_denied: false };
        let (routing, executor) = self.prepare(&head, &exchange);
        match (routing, executor) {
            (Some(routing), Ok(executor)) if !executor.is_immediate() => {
                Answering::Waiting(Box::pin(async move {
                    let mut exchange = exchange;
                    let run = self.run(&head, (&routing, executor), incoming, &mut exchange);
                    let outcome = run.await;
                    self.finish(head, Some(&routing), &exchange, outcome)
                }))
            },
            (routing, executor) => {
                let outcome = executor.and_then(|_check| {
                    let routing = routing.as_ref().ok_or(TransportRefusal::Panicked)?;
                    self.run_check(&self.arrival(&head.parts), routing, &[])
                });
                Answering::Ready(Some(self.finish(head, routing.as_ref(), &exchange, outcome)))
            },
        }
    }

    /// Finds the route, applies the rules for every request, and chooses where the request runs.
    fn prepare(
        &self,
        head: &Head,
        exchange: &Exchange,
    ) -> (Option<A::Routing>, Result<Executor, TransportRefusal>) {
        let arrival = self.arrival(&head.parts);
        let routing = match self.route(&arrival) {
            Ok(routing) => routing,
            Err(refusal) => return (None, Err(refusal)),
        };
        let executor = rules::check(&head.parts, exchange.framing, head.raw)
            .and_then(|()| self.check_size(&arrival, &routing, head.raw))
            .and_then(|()| caught(|| self.service.application.executor(&routing)));
        (Some(routing), executor)
    }

    /// The response to send, with its header lines left to the stream.
    fn finish(
        &self,
        head: Head,
        routing: Option<&A::Routing>,
        exchange: &Exchange,
        outcome: Result<SentResponse, TransportRefusal>,
    ) -> Answered {
        let arrival = self.arrival(&head.parts);
        let mut closes = exchange.ends_connection()
            || self.service.draining.load(Ordering::Acquire)
            || self.service.application.closes_connections();
        let mut response = match outcome {
            Ok(response) => response,
            Err(refusal) => {
                closes |= ends_connection(&refusal);
                self.refuse(&arrival, routing, &refusal)?
            },
        };
        self.send_off(&arrival, routing, &mut response, head.begun.elapsed())?;
        let (response, lines) = sent(response, head.parts.headers, closes)?;
        self.progress.end_exchange(lines, closes || exchange.unread)?;
        Ok(response)
    }

    fn arrival<'a>(&self, parts: &'a http::request::Parts) -> Arrival<'a> {
        Arrival { listener: self.listener, peer: self.peer, parts }
    }

    pub(super) fn route(&self, arrival: &Arrival<'_>) -> Result<A::Routing, TransportRefusal> {
        caught(|| self.service.application.route(arrival))
    }

    pub(super) fn send_off(
        &self,
        arrival: &Arrival<'_>,
        routing: Option<&A::Routing>,
        response: &mut SentResponse,
        took: Duration,
    ) -> Result<(), ConnectionCut> {
        let mut head = ResponseHead { status: response.status, lines: &mut response.lines };
        caught(|| self.service.application.send_off(arrival, routing, &mut head, took))
            .map_err(|_panicked| ConnectionCut)
    }

    /// A trusted proxy may send a large head only if the request repeats the client's head.
    fn check_size(
        &self,
        arrival: &Arrival<'_>,
        routing: &A::Routing,
        raw: Option<RawHead>,
    ) -> Result<(), TransportRefusal> {
        let service = &self.service;
        let repeats = caught(|| service.application.repeats_a_head(routing))?;
        let limits = if repeats { self.heads } else { self.limits.of_heads() };
        rules::check_size(arrival.parts, raw.unwrap_or_default().bytes, limits)
    }

    async fn run(
        &self,
        head: &Head,
        (routing, executor): (&A::Routing, Executor),
        incoming: Incoming,
        exchange: &mut Exchange,
    ) -> Result<SentResponse, TransportRefusal> {
        let (service, arrival) = (&self.service, self.arrival(&head.parts));
        let take = match executor {
            Executor::Check { body: None } => return self.run_check(&arrival, routing, &[]),
            Executor::Check { body: Some(take) } => take,
            Executor::Pool { body: take } => {
                rules::check_for_pool(&head.parts)?;
                take
            },
        };
        let caller = match caught(|| service.application.admit(&arrival, routing))? {
            Ok(caller) => caller,
            Err(denied) => return self.deny(*denied, exchange),
        };
        let body = self.body(incoming, take, &caller, exchange).await?;
        if let Executor::Check { .. } = executor {
            return self.run_check(&arrival, routing, &body.bytes);
        }
        let place = service.parts.pool(take.part).enter(&caller).await;
        let place = place.ok_or_else(|| service.busy())?;
        self.run_on_pool(&arrival, routing.clone(), body, place).await
    }

    /// Answers without reading the body.
    fn deny(
        &self,
        denied: PreparedResponse,
        exchange: &mut Exchange,
    ) -> Result<SentResponse, TransportRefusal> {
        exchange.is_denied = true;
        denied.into_sent(self.service.response_bytes_max)
    }

    fn run_check(
        &self,
        arrival: &Arrival<'_>,
        routing: &A::Routing,
        body: &[u8],
    ) -> Result<SentResponse, TransportRefusal> {
        let response = caught(|| self.service.application.check(arrival, routing, body))?;
        response.into_sent(self.service.response_bytes_max)
    }

    async fn body(
        &self,
        incoming: Incoming,
        take: Take,
        caller: &Caller,
        exchange: &mut Exchange,
    ) -> Result<Body, TransportRefusal> {
        let budget = self.service.parts.budget(take.part);
        let allowance = Allowance { budget, caller, bytes_max: take.body_bytes_max };
        let limits = BodyLimits {
            timeout: self.limits.body_timeout,
            retry_after_seconds: self.limits.retry_after_seconds,
        };
        let body = limits.read(incoming, exchange.framing, allowance).await?;
        exchange.unread = false;
        Ok(body)
    }

    async fn run_on_pool(
        &self,
        arrival: &Arrival<'_>,
        routing: A::Routing,
        body: Body,
        place: PoolSlot,
    ) -> Result<SentResponse, TransportRefusal> {
        let service = Arc::clone(&self.service);
        let origin = RequestOrigin { listener: self.listener, peer: self.peer };
        let request = bridge::request(arrival.parts, self.peer, body.bytes)?;
        let (application, bytes_max) =
            (Arc::clone(&service.application), service.response_bytes_max);
        let (counted, handed_over) = (OnPool::enter(&service.counters), Instant::now());
        let task = spawn_blocking(move || {
            counted.is_taken_up(handed_over.elapsed());
            // The place, the bytes and the counter are held until the handler has finished, even if
            // the client has disconnected.
            let _held = (place, body.held, counted);
            let response = application.handle(origin, &routing, &request);
            PreparedResponse::from(response).into_sent(bytes_max)
        });
        match task.await {
            Ok(outcome) => outcome,
            Err(error) if error.is_panic() => Err(TransportRefusal::Panicked),
            // The server is stopping, and the pool accepts no more requests.
            Err(_cancelled) => Err(service.busy()),
        }
    }

    pub(super) fn refuse(
        &self,
        arrival: &Arrival<'_>,
        routing: Option<&A::Routing>,
        refusal: &TransportRefusal,
    ) -> Result<SentResponse, ConnectionCut> {
        let service = &self.service;
        count(&service.counters.requests_refused);
        if matches!(refusal, TransportRefusal::Panicked) {
            count(&service.counters.panics);
        } else if matches!(refusal, TransportRefusal::Busy { .. }) {
            count(&service.counters.busy);
        }
        let response = caught(|| service.application.refuse(arrival, routing, refusal));
        response
            .and_then(|it| it.into_sent(service.response_bytes_max))
            .map_err(|_refusal_of_refusal| ConnectionCut)
    }
}

/// Runs the application, and turns a panic into a rejection. The application must stay usable after
/// a panic.
fn caught<T>(run: impl FnOnce() -> T) -> Result<T, TransportRefusal> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|_payload| TransportRefusal::Panicked)
}

/// Whether the connection must be closed after this rejection, because the start of the next
/// request is unknown, or finding it would cost too much.
fn ends_connection(refusal: &TransportRefusal) -> bool {
    match refusal {
        TransportRefusal::LengthAndEncoding
        | TransportRefusal::EncodingNotSupported
        | TransportRefusal::LineFeedAlone
        | TransportRefusal::HeadUnseen
        | TransportRefusal::HeadTooLarge { .. }
        | TransportRefusal::TunnelAsked
        | TransportRefusal::NoHost
        | TransportRefusal::HostNotValid
        | TransportRefusal::HostMismatch
        | TransportRefusal::BodyTooLarge { .. }
        | TransportRefusal::BodyTimeout
        | TransportRefusal::BodyBroken => true,
        TransportRefusal::DoubledHeader { name } => name == http::header::CONTENT_LENGTH,
        TransportRefusal::HeaderNotText { .. }
        | TransportRefusal::Busy { .. }
        | TransportRefusal::Panicked
        | TransportRefusal::ResponseNotSendable => false,
    }
}
