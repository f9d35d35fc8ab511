//! The end of a wait, on the monotonic clock of this process.

use std::time::{Duration, Instant};

/// A moment after which a wait is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitLimit(Instant);

impl WaitLimit {
    pub(crate) fn after(wait: Duration) -> Self {
        Self(now() + wait)
    }

    pub(crate) fn is_over(self) -> bool {
        now() >= self.0
    }
}

#[expect(clippy::disallowed_methods, reason = "limits of waits are no time of day")]
fn now() -> Instant {
    Instant::now()
}
