//! What is told of the index to whoever watches the instance, and to nobody else.

use std::sync::atomic::Ordering;

use crate::index::Index;

impl Index {
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
