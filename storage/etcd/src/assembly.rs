//! Assembles the events of a watch to whole commits, and finds gaps.
//!
//! A watch may split a batch between messages. Known versions of etcd omit events after a compaction or
//! go back in time after a snapshot. A batch is therefore complete only at its head, whose version is one
//! above that of the batch before, and whose counts match the events.

use etcd_client::{Event, EventType};
use keyhouse_storage::{BATCH_WRITES_MAX, Commit};

use crate::head::{BatchHead, DamagedHead};
use crate::layout::{Layout, WatchKey};
use crate::state::Base;

/// The events of a watch since the last commit.
#[derive(Debug)]
pub(crate) struct Assembly {
    layout: Layout,
    base: Base,
    /// The etcd revision from which the next watch starts.
    next: i64,
    /// The version of the head of the last commit.
    version: i64,
    /// The etcd revision of the events below.
    current: i64,
    puts: Vec<(Vec<u8>, Vec<u8>)>,
    deletes: Vec<Vec<u8>>,
}

/// The watch does not show every batch whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap;

impl From<DamagedHead> for Gap {
    fn from(_: DamagedHead) -> Self {
        Self
    }
}

/// An event without the types of the client.
#[derive(Debug)]
pub(crate) struct WatchChange<'a> {
    pub(crate) key: &'a [u8],
    /// `None` for a deletion.
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) revision: i64,
    pub(crate) version: i64,
}

impl Assembly {
    /// `next` is the first etcd revision of the watch, `version` that of the head before.
    pub(crate) fn new(layout: Layout, base: Base, next: i64, version: i64) -> Self {
        let (puts, deletes) = Default::default();
        Self { layout, base, next, version, current: 0, puts, deletes }
    }

    /// The etcd revision from which the next watch starts: after the last commit, never after the
    /// revision in the header of a message, which is the store's revision at the time of sending.
    pub(crate) const fn next(&self) -> i64 {
        self.next
    }

    /// Forgets the events of an incomplete batch, before the next watch.
    pub(crate) fn restart(&mut self) {
        self.current = 0;
        self.puts.clear();
        self.deletes.clear();
    }

    pub(crate) fn take(&mut self, event: &Event) -> Result<Option<Commit>, Gap> {
        let row = event.kv().ok_or(Gap)?;
        let value = match event.event_type() {
            EventType::Put => Some(row.value()),
            EventType::Delete => None,
        };
        self.change(&WatchChange {
            key: row.key(),
            value,
            revision: row.mod_revision(),
            version: row.version(),
        })
    }

    /// Takes the next event. Returns the commit that the event completes.
    fn change(&mut self, change: &WatchChange<'_>) -> Result<Option<Commit>, Gap> {
        let layout = self.layout.clone();
        let place = layout.place(change.key);
        if place == WatchKey::Other {
            return Ok(None);
        }
        if change.revision < self.next {
            return Err(Gap);
        }
        let has_events = !self.puts.is_empty() || !self.deletes.is_empty();
        if has_events && change.revision != self.current {
            return Err(Gap);
        }
        self.current = change.revision;
        match (place, change.value) {
            (WatchKey::Row(key), Some(value)) => self.puts.push((key.to_vec(), value.to_vec())),
            (WatchKey::Row(key), None) => self.deletes.push(key.to_vec()),
            (WatchKey::Head, Some(value)) => return self.complete(change, value).map(Some),
            (WatchKey::Head, None) | (WatchKey::Other, _) => return Err(Gap),
        }
        if self.puts.len() + self.deletes.len() > BATCH_WRITES_MAX {
            return Err(Gap);
        }
        Ok(None)
    }

    fn complete(&mut self, change: &WatchChange<'_>, value: &[u8]) -> Result<Commit, Gap> {
        if change.version != self.version + 1 {
            return Err(Gap);
        }
        let head = BatchHead::decode(value)?;
        if !self.deletes.iter().all(|key| head.deletes(key)) {
            return Err(Gap);
        }
        let puts = std::mem::take(&mut self.puts);
        let writes = head.writes(puts)?;
        self.version = change.version;
        self.next = change.revision.saturating_add(1);
        self.restart();
        Ok(Commit { revision: self.base.revision(change.revision), writes })
    }
}

#[cfg(test)]
mod tests {
    use keyhouse_storage::{Revision, Write};

    use super::*;
    use crate::head::BatchId;

    const BASE: Base = Base(100);

    fn assembly() -> Assembly {
        Assembly::new(Layout::new("k"), BASE, 101, 0)
    }

    fn writes() -> Vec<Write> {
        vec![
            Write::Put { key: b"a".to_vec(), value: b"1".to_vec() },
            Write::Delete { key: b"never was".to_vec() },
            Write::Delete { key: b"b".to_vec() },
        ]
    }

    fn head() -> Vec<u8> {
        BatchHead::of(&writes()).encode(BatchId { node: 1, number: 1 })
    }

    fn change<'a>(key: &'a [u8], value: Option<&'a [u8]>, revision: i64) -> WatchChange<'a> {
        WatchChange { key, value, revision, version: 1 }
    }

    #[test]
    fn batch_is_complete_at_its_head() {
        let (mut assembly, head) = (assembly(), head());
        assert_eq!(assembly.change(&change(b"k/d/a", Some(b"1"), 105)), Ok(None));
        assert_eq!(assembly.change(&change(b"k/e/node", Some(b"x"), 105)), Ok(None));
        assert_eq!(assembly.change(&change(b"k/d/b", None, 105)), Ok(None));
        let commit = Commit { revision: Revision(5), writes: writes() };
        assert_eq!(assembly.change(&change(b"k/e", Some(&head), 105)), Ok(Some(commit)));
        assert_eq!(assembly.next(), 106);
    }

    #[test]
    fn anything_but_the_next_whole_batch_is_a_gap() {
        let head = head();
        let put = || change(b"k/d/a", Some(b"1"), 105);
        let end = || change(b"k/e", Some(&head), 105);
        let cases: [(&str, Vec<WatchChange<'_>>); 7] = [
            ("no events", vec![end()]),
            ("a batch without a head", vec![put(), change(b"k/d/a", Some(b"2"), 106)]),
            ("one event too many", vec![put(), change(b"k/d/c", Some(b"1"), 105), end()]),
            ("an unknown deletion", vec![put(), change(b"k/d/c", None, 105), end()]),
            ("an earlier revision", vec![change(b"k/d/a", Some(b"1"), 100)]),
            ("a deleted head", vec![change(b"k/e", None, 105)]),
            ("a batch left out", vec![put(), WatchChange { version: 3, ..end() }]),
        ];
        for (name, changes) in cases {
            let mut assembly = assembly();
            let outcomes: Result<Vec<_>, _> =
                changes.iter().map(|change| assembly.change(change)).collect();
            assert_eq!(outcomes.map(drop), Err(Gap), "{name}");
        }
    }
}
