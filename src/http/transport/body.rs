//! Reads a request's body: whole, in time, and within its own limit and that of all bodies.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::Refusal;
use super::rules::Framing;

/// How bodies are read.
#[derive(Debug)]
pub(super) struct BodyLimits {
    pub(super) timeout: Duration,
    /// A permit for each byte that may be held at once.
    pub(super) held: Arc<Semaphore>,
    pub(super) retry_after_seconds: u32,
}

/// A body in memory; its bytes count against all bodies until it is dropped.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    pub(super) held: Option<OwnedSemaphorePermit>,
}

impl BodyLimits {
    /// Reads `incoming`. One that announces more than `bytes_max` is refused before a byte of it
    /// is read, so a client that waits for `100 Continue` never sends it.
    ///
    /// Memory is counted as bytes arrive, not as announced: holding it costs the client as much.
    pub(super) async fn read(
        &self,
        incoming: Incoming,
        framing: Framing,
        bytes_max: usize,
    ) -> Result<Body, Refusal> {
        let too_large = Refusal::BodyTooLarge { bytes_max };
        match framing {
            Framing::Empty => return Ok(Body::default()),
            Framing::Length(bytes) if usize::try_from(bytes).map_or(true, |it| it > bytes_max) => {
                return Err(too_large);
            },
            Framing::Length(_) | Framing::Chunked => {},
        }
        match timeout(self.timeout, self.collect(incoming, bytes_max)).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(Refusal::BodyTimeout),
        }
    }

    async fn collect(&self, mut incoming: Incoming, bytes_max: usize) -> Result<Body, Refusal> {
        let mut body = Body::default();
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|error| {
                tracing::debug!(%error, "could not read a request's body");
                Refusal::BodyBroken
            })?;
            // Trailers carry nothing that anyone here decides on.
            let Ok(chunk) = frame.into_data() else { continue };
            if body.bytes.len() + chunk.len() > bytes_max {
                return Err(Refusal::BodyTooLarge { bytes_max });
            }
            let permits = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
            let Ok(permit) = Arc::clone(&self.held).try_acquire_many_owned(permits) else {
                return Err(Refusal::Busy { retry_after_seconds: self.retry_after_seconds });
            };
            match &mut body.held {
                Some(held) => held.merge(permit),
                None => body.held = Some(permit),
            }
            body.bytes.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}
