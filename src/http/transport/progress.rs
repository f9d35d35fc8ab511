//! The state of a connection: how far its current request has arrived.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::answering::ConnectionCut;
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
    ///
    /// # Errors
    /// [`ConnectionCut`] if the lines of the response before are not taken yet. hyper can write several
    /// heads for a client that sends requests and reads no response, and lines must not get into the
    /// head of another response.
    pub(super) fn end_exchange(&self, lines: Vec<u8>, unread: bool) -> Result<(), ConnectionCut> {
        let mut state = self.lock();
        if state.lines.is_some() {
            return Err(ConnectionCut);
        }
        state.linger |= unread;
        state.lines = Some(lines);
        if state.record.has_bytes() {
            state.phase = Phase::Head;
            state.heads += 1;
        } else {
            state.phase = Phase::Idle;
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A client sent HEAD requests with a small body, which were denied, and read no response. The
    /// lines of a later response replaced those of an earlier one.
    #[test]
    fn lines_of_a_response_are_not_replaced() {
        let progress = StreamProgress::default();
        assert!(progress.end_exchange(b"a: 1\r\n".to_vec(), false).is_ok());
        assert!(progress.end_exchange(b"a: 2\r\n".to_vec(), false).is_err());
        assert_eq!(progress.take_lines().as_deref(), Some(&b"a: 1\r\n"[..]));
        assert_eq!(progress.take_lines(), None);
        assert!(progress.end_exchange(b"a: 3\r\n".to_vec(), false).is_ok());
        assert_eq!(progress.take_lines().as_deref(), Some(&b"a: 3\r\n"[..]));
    }
}
