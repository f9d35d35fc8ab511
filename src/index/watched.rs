//! What is told of the index to whoever watches the instance: how it stands, and how much it holds.

use std::sync::atomic::Ordering;

use keyhouse_storage::Revision;

use crate::index::{Index, State};
use crate::telemetry::measure::Histogram;

impl Index {
    /// How the index stands with its store.
    pub fn state(&self) -> State {
        self.progress.state()
    }

    /// Whether the index no longer follows its store, and never will again.
    pub fn has_ended(&self) -> bool {
        matches!(self.progress.state(), State::Ended(_))
    }

    /// The revision the index has.
    pub fn revision(&self) -> Revision {
        self.progress.revision()
    }

    /// How much of each kind it holds, for whoever watches it grow.
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

    /// Says that all uses that waited at a moment of the monotonic clock are in the store, those of
    /// keys that rest aside.
    pub fn set_flushed(&self, ticks: u64) {
        self.flushed_at.fetch_max(ticks, Ordering::Relaxed);
    }

    /// The moment of [`Index::set_flushed`]; 0 before the first.
    pub fn flushed_at(&self) -> u64 {
        self.flushed_at.load(Ordering::Relaxed)
    }
}
