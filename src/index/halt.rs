//! The signal that ends a background thread at its next pause, so that it can finish its work.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyhouse_storage::Stop;

/// The signal, which also ends a pause or a wait for the feed.
#[derive(Debug, Default)]
pub struct Halt {
    state: Mutex<HaltState>,
    halted: Condvar,
}

#[derive(Debug, Default)]
struct HaltState {
    is_halted: bool,
    feed: Option<Box<dyn Stop>>,
}

impl Halt {
    /// Sends the signal: current and later pauses return at once.
    pub fn halt(&self) {
        let mut state = self.lock();
        state.is_halted = true;
        if let Some(feed) = &state.feed {
            feed.stop();
        }
        self.halted.notify_all();
    }

    /// Registers the feed on which the thread waits, so that the signal stops it too.
    pub fn watch(&self, feed: Box<dyn Stop>) {
        let mut state = self.lock();
        if state.is_halted {
            feed.stop();
        }
        state.feed = Some(feed);
    }

    /// Waits for `span`; returns whether the thread must end.
    pub fn pause(&self, span: Duration) -> bool {
        let going = |state: &mut HaltState| !state.is_halted;
        let waited = self.halted.wait_timeout_while(self.lock(), span, going);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_halted
    }

    fn lock(&self) -> MutexGuard<'_, HaltState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
