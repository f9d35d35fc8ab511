//! The state of a connection: how far its current request has arrived.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::head::{HeadRecord, RawHead};

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
    /// The header lines of a response of which hyper has not yet written the head.
    lines: Option<Vec<u8>>,
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

    /// Records that the response is ready, with its header lines. `unread`: the client may still be
    /// sending a body.
    pub(super) fn end_exchange(&self, lines: Vec<u8>, unread: bool) {
        let mut state = self.lock();
        state.linger |= unread;
        state.lines = Some(lines);
        if state.record.has_bytes() {
            state.phase = Phase::Head;
            state.heads += 1;
        } else {
            state.phase = Phase::Idle;
        }
    }

    /// Takes the header lines that belong into the head that hyper writes now.
    pub(super) fn take_lines(&self) -> Option<Vec<u8>> {
        self.lock().lines.take()
    }

    pub(super) fn add(&self, read: &[u8]) {
        let mut state = self.lock();
        state.record.add(read);
        if state.phase == Phase::Idle {
            state.phase = Phase::Head;
            state.heads += 1;
        }
    }

    /// The number of the head that is being read.
    pub(super) fn head_begun(&self) -> Option<u64> {
        let state = self.lock();
        (state.phase == Phase::Head).then_some(state.heads)
    }

    /// The first line of the head that is being read, as far as it has arrived.
    pub(super) fn first_line(&self) -> Option<Vec<u8>> {
        let state = self.lock();
        (state.phase == Phase::Head).then(|| state.record.first_line().to_vec())
    }

    pub(super) fn lingers(&self) -> bool {
        let state = self.lock();
        state.linger || state.phase == Phase::Head
    }

    fn lock(&self) -> MutexGuard<'_, StreamState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
