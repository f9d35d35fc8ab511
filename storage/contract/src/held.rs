//! Revisions that a store keeps readable, so that a scan can continue at its revision.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::{At, Page, Revision};

/// Maximum number of revisions held at once. Revisions of scans that did not continue are dropped
/// first, the least recently used one before the others.
pub const HELD_MAX: usize = 8;
/// The time for which a revision is held after its last use.
pub const HELD_AGE_MAX: Duration = Duration::from_mins(1);

/// A bounded number of recent snapshots, by revision.
///
/// The revision of a finished scan stays held, because a caller may scan several prefixes at one
/// revision. Revisions of finished scans are dropped before those of scans in progress, and among
/// these, revisions from which only a first page was read before those of scans that continued.
/// Scans that did not continue therefore do not end a scan of the whole store.
#[derive(Debug)]
pub struct Snapshots<T> {
    snapshots: BTreeMap<Revision, HeldRevision<T>>,
}

#[derive(Debug)]
struct HeldRevision<T> {
    snapshot: T,
    used: Instant,
    scans: usize,
    /// Whether the revision was read again after the first page.
    is_continued: bool,
}

impl<T> Default for Snapshots<T> {
    fn default() -> Self {
        Self { snapshots: BTreeMap::new() }
    }
}

impl<T> Snapshots<T> {
    /// Records a page that a scan returned. If the page has rows and more rows follow, and the scan may
    /// continue at its revision, the snapshot is held. If no more rows follow, the scan counts as
    /// finished.
    pub fn note(&mut self, page: &Page, at: At, snapshot: impl FnOnce() -> T) {
        match (page.more, at) {
            (true, _) if page.rows.is_empty() => {},
            (true, At::LatestHeld) => self.begin(page.revision, snapshot, now()),
            (true, At::Revision(revision)) if self.resume(revision) => {},
            (true, At::Revision(revision)) => self.begin(revision, snapshot, now()),
            (false, At::Revision(revision)) => self.end(revision),
            (_, At::Latest) | (false, At::LatestHeld) => {},
        }
    }

    /// The snapshot of a revision, if it is still held. The call counts as a use of the revision.
    pub fn get(&mut self, revision: Revision) -> Option<&T> {
        self.get_at(revision, now())
    }

    /// Drops snapshots that were not used for [`HELD_AGE_MAX`].
    pub fn expire(&mut self) {
        self.expire_at(now());
    }

    /// Drops all snapshots.
    pub fn clear(&mut self) {
        self.snapshots.clear();
    }

    fn end(&mut self, revision: Revision) {
        if let Some(entry) = self.snapshots.get_mut(&revision) {
            entry.scans = entry.scans.saturating_sub(1);
        }
    }

    /// Counts a scan in progress at a held revision, also after another scan of that revision ended.
    /// Returns whether the revision is held.
    fn resume(&mut self, revision: Revision) -> bool {
        let Some(entry) = self.snapshots.get_mut(&revision) else { return false };
        entry.scans = entry.scans.max(1);
        entry.is_continued = true;
        true
    }

    fn begin(&mut self, revision: Revision, snapshot: impl FnOnce() -> T, now: Instant) {
        self.expire_at(now);
        let entry = self.snapshots.entry(revision);
        let entry = entry.or_insert_with(|| HeldRevision {
            snapshot: snapshot(),
            used: now,
            scans: 0,
            is_continued: false,
        });
        entry.used = now;
        entry.scans += 1;
        if self.snapshots.len() > HELD_MAX {
            let others = self.snapshots.iter().filter(|(other, _)| **other != revision);
            let oldest =
                others.min_by_key(|(_, entry)| (entry.scans > 0, entry.is_continued, entry.used));
            if let Some(oldest) = oldest.map(|(revision, _)| *revision) {
                self.snapshots.remove(&oldest);
            }
        }
    }

    fn get_at(&mut self, revision: Revision, now: Instant) -> Option<&T> {
        self.expire_at(now);
        let entry = self.snapshots.get_mut(&revision)?;
        entry.used = now;
        entry.is_continued = true;
        Some(&entry.snapshot)
    }

    fn expire_at(&mut self, now: Instant) {
        self.snapshots.retain(|_, entry| now.duration_since(entry.used) <= HELD_AGE_MAX);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the age of a held snapshot only bounds memory; no product rule depends on it"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Row;

    #[test]
    fn revision_is_held_for_a_minute_after_its_last_use() {
        let start = now();
        let mut held = Snapshots::default();
        held.begin(Revision(1), || "one", start);
        assert_eq!(held.get_at(Revision(1), start + Duration::from_secs(59)), Some(&"one"));
        assert_eq!(held.get_at(Revision(1), start + Duration::from_secs(119)), Some(&"one"));
        assert_eq!(held.get_at(Revision(1), start + Duration::from_mins(3)), None);
    }

    #[test]
    fn first_page_of_a_list_holds_no_revision() {
        let row = Row { key: vec![1], value: Vec::new(), revision: Revision(1) };
        let page = Page { rows: vec![row], more: true, revision: Revision(1) };
        for (at, is_held) in [(At::Latest, false), (At::LatestHeld, true)] {
            let mut held = Snapshots::default();
            held.note(&page, at, || "one");
            assert_eq!(held.get(Revision(1)).is_some(), is_held, "{at:?}");
        }
    }

    #[test]
    fn revisions_of_finished_scans_are_dropped_first() {
        let start = now();
        let mut held = Snapshots::default();
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
