//! The parts of what requests share. No part can use up another's threads or memory.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use super::body::Purse;
use super::limits::{Limits, PartLimits};
use super::pool::Pool;

/// What a request's place on the pool, and the memory for its body, are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The control socket.
    Control,
    /// What hashes a password: sign-in, one-time links, changes of one's own account.
    SignIn,
    /// What anybody may read: the page, the API's description.
    Page,
    /// Single checks, and whatever else is asked with a small body on the event loop.
    Checks,
    /// Many checks in one request.
    Batch,
    /// Management.
    Management,
    /// Management that reads or writes many records.
    Long,
}

impl Part {
    /// All of them.
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

/// How many passwords may be hashed at once: each takes a core for about 40 ms, and 19 MiB.
pub(super) fn hashes_at_once() -> usize {
    available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The places and the memory of every part.
#[derive(Debug)]
pub(super) struct Parts([(Arc<Pool>, Arc<Purse>); 7]);

impl Parts {
    pub(super) fn new(limits: &Limits) -> Self {
        Self(Part::ALL.map(|part| {
            let PartLimits { places, body_bytes } = limits.of(part);
            let wait = match part {
                Part::SignIn => limits.sign_in_wait,
                Part::Control
                | Part::Page
                | Part::Checks
                | Part::Batch
                | Part::Management
                | Part::Long => limits.pool_wait,
            };
            (Pool::new(places, wait), Purse::new(body_bytes))
        }))
    }

    pub(super) fn pool(&self, part: Part) -> &Arc<Pool> {
        &self.of(part).0
    }

    pub(super) fn purse(&self, part: Part) -> &Arc<Purse> {
        &self.of(part).1
    }

    fn of(&self, part: Part) -> &(Arc<Pool>, Arc<Purse>) {
        let [control, sign_in, page, checks, batch, management, long] = &self.0;
        match part {
            Part::Control => control,
            Part::SignIn => sign_in,
            Part::Page => page,
            Part::Checks => checks,
            Part::Batch => batch,
            Part::Management => management,
            Part::Long => long,
        }
    }
}

/// Threads of the blocking pool that all parts may use at once.
pub(super) fn places_in_all(limits: &Limits) -> usize {
    Part::ALL.into_iter().map(|part| limits.of(part).places).sum()
}

/// How long a sign-in waits for its turn to hash.
pub(super) const SIGN_IN_WAIT: Duration = Duration::from_secs(10);
/// How long any other request waits for a place.
pub(super) const POOL_WAIT: Duration = Duration::from_secs(2);
