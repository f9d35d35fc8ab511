//! Answers requests while an instance starts: liveness, and for all other requests 503 `not_ready` with
//! how far the start is.
//!
//! It holds no instance, so nothing that it answers depends on a key or a user.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use rouille::{Request, Response};
use serde_json::json;

use crate::http::problem::Problem;
use crate::http::request_id::RequestId;
use crate::http::transport::{
    Application, Arrival, Executor, PreparedResponse, RequestOrigin, TransportRefusal,
};
use crate::http::{answer, health};

/// How far the start of an instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartState {
    pub stage: StartStage,
    /// The part of the stage that is done, if the whole is known.
    pub percent: Option<u8>,
    /// The number of records that were read.
    pub records: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartStage {
    /// Each page of the store is read, and its checksum verified.
    Verifying,
    /// The records are read for the index.
    Loading,
}

impl StartStage {
    const fn name(self) -> &'static str {
        match self {
            Self::Verifying => "verifying",
            Self::Loading => "loading",
        }
    }
}

impl fmt::Display for StartState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.stage, self.percent) {
            (StartStage::Verifying, Some(percent)) => write!(f, "verifying the store: {percent} %"),
            (StartStage::Verifying, None) => f.write_str("opening the store"),
            (StartStage::Loading, _) => write!(f, "loading the index: {} records", self.records),
        }
    }
}

/// The application of a server that is not ready yet.
pub struct Starting {
    state: Box<dyn Fn() -> StartState + Send + Sync>,
    request_ids: AtomicU64,
}

impl Starting {
    /// `state` returns how far the start is. `seed`: a random number, so that request ids of two
    /// starts differ.
    pub fn new(state: impl Fn() -> StartState + Send + Sync + 'static, seed: u64) -> Self {
        Self { state: Box::new(state), request_ids: AtomicU64::new(seed) }
    }

    fn new_id(&self) -> String {
        RequestId::New(self.request_ids.fetch_add(1, Ordering::Relaxed)).text(None)
    }

    fn not_ready(&self) -> Problem {
        let state = (self.state)();
        let StartState { stage, percent, records } = state;
        let start = json!({ "stage": stage.name(), "percent": percent, "records": records });
        Problem::not_ready(format!("the server is starting, {state}")).extra("start", start)
    }
}

impl fmt::Debug for Starting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Starting({})", (self.state)())
    }
}

impl Application for Starting {
    /// Whether the request is for liveness.
    type Routing = bool;

    fn route(&self, arrival: &Arrival<'_>) -> bool {
        arrival.parts.uri.path() == "/healthz"
    }

    fn executor(&self, _routing: &bool) -> Executor {
        Executor::Check { body: None }
    }

    fn check(&self, _arrival: &Arrival<'_>, routing: &bool, _body: &[u8]) -> PreparedResponse {
        if *routing { health::alive_response() } else { self.not_ready().prepared(&self.new_id()) }
    }

    fn handle(&self, _origin: RequestOrigin, _routing: &bool, _request: &Request) -> Response {
        answer::finish(self.not_ready().into_response(&self.new_id()))
    }

    /// A check endpoint returns no 400 or 431. A request that is rejected here may also be valid for
    /// the instance, which accepts larger heads from its trusted proxies.
    fn refuse(
        &self,
        _arrival: &Arrival<'_>,
        routing: Option<&bool>,
        refusal: &TransportRefusal,
    ) -> PreparedResponse {
        let problem = match routing {
            Some(false) => self.not_ready(),
            Some(true) | None => Problem::refused(refusal),
        };
        problem.prepared(&self.new_id())
    }

    /// The instance answers the next request.
    fn closes_connections(&self) -> bool {
        true
    }
}
