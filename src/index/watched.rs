//! The state and size of the index, as monitoring reads them.

use std::sync::atomic::Ordering;

use keyhouse_storage::Revision;

use crate::index::{Index, State};
use crate::telemetry::measure::Histogram;

impl Index {
    /// The state of the index relative to its store.
    pub fn state(&self) -> State {
        self.progress.state()
    }

    /// Whether the index has permanently stopped following its store.
    pub fn has_ended(&self) -> bool {
        matches!(self.progress.state(), State::Ended(_))
    }

    /// The revision of the index.
    pub fn revision(&self) -> Revision {
        self.progress.revision()
    }

    /// How many entries of each kind it holds, for monitoring.
    pub fn size(&self) -> [(&'static str, usize); 5] {
        [
            ("organization", self.organizations.len()),
            ("role", self.roles.len()),
            ("secret", self.grants.len()),
            ("team", self.teams.len()),
            ("user", self.users.len()),
        ]
    }

    /// How long each step of the writer took.
    pub const fn steps(&self) -> &Histogram {
        &self.steps
    }

    /// Records that all uses that waited at a moment of the monotonic clock are in the store,
    /// except those of keys that rest.
    pub fn set_flushed(&self, ticks: u64) {
        self.flushed_at.fetch_max(ticks, Ordering::Relaxed);
    }

    /// The moment of [`Index::set_flushed`]; 0 before the first.
    pub fn flushed_at(&self) -> u64 {
        self.flushed_at.load(Ordering::Relaxed)
    }
}
