//! Revisions that a store keeps readable so that scans can go on where they stopped.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::{At, Page, Revision};

/// Most revisions held at once; the one that was used longest ago goes first.
pub const HELD_MAX: usize = 8;
/// How long a revision stays held after its last use.
pub const HELD_AGE_MAX: Duration = Duration::from_mins(1);

/// Snapshots by revision, few and young.
///
/// A finished scan doesn't let its revision go, because whoever scans several prefixes at one
/// revision comes back; but finished ones make room before those still under way.
#[derive(Debug)]
pub struct Held<T> {
    snapshots: BTreeMap<Revision, Entry<T>>,
}

#[derive(Debug)]
struct Entry<T> {
    snapshot: T,
    used: Instant,
    scans: usize,
}

impl<T> Default for Held<T> {
    fn default() -> Self {
        Self { snapshots: BTreeMap::new() }
    }
}

impl<T> Held<T> {
    /// Notes a page that a scan returned: holds the state it was read from when the page has rows
    /// and more are to come, and counts the scan as finished when none are.
    pub fn note(&mut self, page: &Page, at: At, snapshot: impl FnOnce() -> T) {
        match (page.more, at) {
            (true, _) if page.rows.is_empty() => {},
            (true, At::Latest) => self.begin(page.revision, snapshot, now()),
            (true, At::Revision(revision)) if self.snapshots.contains_key(&revision) => {},
            (true, At::Revision(revision)) => self.begin(revision, snapshot, now()),
            (false, At::Revision(revision)) => self.end(revision),
            (false, At::Latest) => {},
        }
    }

    /// The snapshot of a revision, if it is still held. This counts as use.
    pub fn get(&mut self, revision: Revision) -> Option<&T> {
        self.get_at(revision, now())
    }

    /// Lets go of what is older than [`HELD_AGE_MAX`].
    pub fn expire(&mut self) {
        self.expire_at(now());
    }

    /// Lets go of everything.
    pub fn clear(&mut self) {
        self.snapshots.clear();
    }

    fn end(&mut self, revision: Revision) {
        if let Some(entry) = self.snapshots.get_mut(&revision) {
            entry.scans = entry.scans.saturating_sub(1);
        }
    }

    fn begin(&mut self, revision: Revision, snapshot: impl FnOnce() -> T, now: Instant) {
        self.expire_at(now);
        let entry = self.snapshots.entry(revision);
        let entry = entry.or_insert_with(|| Entry { snapshot: snapshot(), used: now, scans: 0 });
        entry.used = now;
        entry.scans += 1;
        if self.snapshots.len() > HELD_MAX {
            let others = self.snapshots.iter().filter(|(other, _)| **other != revision);
            let oldest = others.min_by_key(|(_, entry)| (entry.scans > 0, entry.used));
            if let Some(oldest) = oldest.map(|(revision, _)| *revision) {
                self.snapshots.remove(&oldest);
            }
        }
    }

    fn get_at(&mut self, revision: Revision, now: Instant) -> Option<&T> {
        self.expire_at(now);
        let entry = self.snapshots.get_mut(&revision)?;
        entry.used = now;
        Some(&entry.snapshot)
    }

    fn expire_at(&mut self, now: Instant) {
        self.snapshots.retain(|_, entry| now.duration_since(entry.used) <= HELD_AGE_MAX);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the age of a held read bounds memory alone; no rule of the product depends on it"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_revision_lives_a_minute_after_its_last_use() {
        let start = now();
        let mut held = Held::default();
        held.begin(Revision(1), || "one", start);
        assert_eq!(held.get_at(Revision(1), start + Duration::from_secs(59)), Some(&"one"));
        assert_eq!(held.get_at(Revision(1), start + Duration::from_secs(119)), Some(&"one"));
        assert_eq!(held.get_at(Revision(1), start + Duration::from_mins(3)), None);
    }

    #[test]
    fn finished_scans_make_room_first_and_the_number_is_bounded() {
        let start = now();
        let mut held = Held::default();
        for revision in 1..=8 {
            held.begin(Revision(revision), || revision, start + Duration::from_secs(revision));
        }
        held.end(Revision(5));
        held.begin(Revision(9), || 9, start + Duration::from_secs(9));
        assert_eq!(held.get_at(Revision(5), start + Duration::from_secs(9)), None, "finished");
        held.begin(Revision(10), || 10, start + Duration::from_secs(10));
        assert_eq!(held.get_at(Revision(1), start + Duration::from_secs(10)), None, "oldest");
        assert_eq!(held.snapshots.len(), HELD_MAX);
    }
}
