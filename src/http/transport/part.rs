//! The parts into which threads and memory are divided. A part cannot use the capacity of another
//! part.

use std::thread::available_parallelism;
use std::time::Duration;

/// The part that provides a request's place on the pool and the memory for its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Requests on the control socket.
    Control,
    /// Requests that hash a password: sign-in, one-time links, changes of the user's own account.
    SignIn,
    /// Requests without authentication that read: the page, the `OpenAPI` document.
    Page,
    /// Single checks, and other requests with a small body on the event loop.
    Checks,
    /// Batch checks: many checks in one request.
    Batch,
    /// Management requests that are not long.
    Management,
    /// Management requests that read or write many records.
    Long,
}

impl Part {
    /// All parts, in the order of the table of bounds.
    pub const ALL: [Self; 7] = [
        Self::Control,
        Self::SignIn,
        Self::Page,
        Self::Checks,
        Self::Batch,
        Self::Management,
        Self::Long,
    ];

    /// The name in metrics, in the log and in the table of bounds.
    pub fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::SignIn => "sign_in",
            Self::Page => "page",
            Self::Checks => "checks",
            Self::Batch => "batch",
            Self::Management => "management",
            Self::Long => "long",
        }
    }
}

/// The number of passwords that are hashed at once. Each hash uses a core for about 40 ms, and 19
/// MiB.
pub(super) fn hashes_at_once() -> usize {
    available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Time that a sign-in waits until its password is hashed.
pub(super) const SIGN_IN_WAIT: Duration = Duration::from_secs(10);
/// Time that any other request waits for a place.
pub(super) const POOL_WAIT: Duration = Duration::from_secs(2);
