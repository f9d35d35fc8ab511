//! The state and size of the index, for monitoring.

use std::sync::atomic::Ordering;

use keyhouse_storage::Revision;

use crate::index::{Index, IndexState};
use crate::telemetry::measure::Histogram;

impl Index {
    /// The state of the index relative to its store.
    pub fn state(&self) -> IndexState {
        self.progress.state()
    }

    /// Whether the index has permanently stopped following its store.
    pub fn has_ended(&self) -> bool {
        matches!(self.progress.state(), IndexState::Ended(_))
    }

    /// The revision of the index.
    pub fn revision(&self) -> Revision {
        self.progress.revision()
    }

    /// The number of entries of each kind.
    pub fn size(&self) -> [(&'static str, usize); 5] {
        [
            ("organization", self.organizations.len()),
            ("role", self.roles.len()),
            ("secret", self.grants.len()),
            ("team", self.teams.len()),
            ("user", self.users.len()),
        ]
    }

    /// The durations of the writer's steps.
    pub const fn steps(&self) -> &Histogram {
        &self.steps
    }

    /// Records that the store has all uses that waited at `ticks`, a moment of the monotonic clock,
    /// except the uses of keys in their cool-down.
    pub fn set_flushed(&self, ticks: u64) {
        self.flushed_at.fetch_max(ticks, Ordering::Relaxed);
    }

    /// The moment of the last [`Index::set_flushed`]; 0 before the first call.
    pub fn flushed_at(&self) -> u64 {
        self.flushed_at.load(Ordering::Relaxed)
    }
}
