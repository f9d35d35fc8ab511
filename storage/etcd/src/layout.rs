//! The keys of a store in etcd, all below one prefix.
//!
//! | key | content |
//! |---|---|
//! | `m` | format; written once, so that its create revision is the base of all revisions |
//! | `d/`key | the rows |
//! | `e` | [head](crate::head): the last write of every batch |
//! | `l/0` | lane: the id of the last batch or fence of the node that writes |
//! | `n` | the node that has the store open; ends with its lease |
//!
//! A watch covers `d/` to `e/`: rows, heads, and what a later version writes below `e/`.

use std::ops::Bound;

use keyhouse_storage::Range;

/// The keys below the prefix of one store.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    prefix: Vec<u8>,
}

/// What a key of a watch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WatchKey<'a> {
    /// The row of this key.
    Row(&'a [u8]),
    Head,
    Other,
}

impl Layout {
    /// `name` is the path of the storage URL without slashes at its ends.
    pub(crate) fn new(name: &str) -> Self {
        let mut prefix = name.as_bytes().to_vec();
        prefix.push(b'/');
        Self { prefix }
    }

    fn key(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut key = self.prefix.clone();
        for part in parts {
            key.extend_from_slice(part);
        }
        key
    }

    pub(crate) fn meta(&self) -> Vec<u8> {
        self.key(&[b"m"])
    }

    pub(crate) fn head(&self) -> Vec<u8> {
        self.key(&[b"e"])
    }

    pub(crate) fn lane(&self) -> Vec<u8> {
        self.key(&[b"l/0"])
    }

    pub(crate) fn node(&self) -> Vec<u8> {
        self.key(&[b"n"])
    }

    pub(crate) fn row(&self, key: &[u8]) -> Vec<u8> {
        self.key(&[b"d/", key])
    }

    /// First key and end of the watch.
    pub(crate) fn watched(&self) -> (Vec<u8>, Vec<u8>) {
        (self.key(&[b"d/"]), self.key(&[b"f"]))
    }

    /// First key and end of the rows of a scan, or `None` if the range can have no row.
    pub(crate) fn rows(&self, range: &Range<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
        let (lower, upper) = range.bounds()?;
        let start = match lower {
            Bound::Included(key) => self.row(&key),
            // The smallest key above `key`.
            Bound::Excluded(key) => self.key(&[b"d/", &key, b"\0"]),
            Bound::Unbounded => self.row(b""),
        };
        let end = match upper {
            Bound::Excluded(key) => self.row(&key),
            Bound::Included(key) => self.key(&[b"d/", &key, b"\0"]),
            Bound::Unbounded => self.key(&[b"d0"]),
        };
        Some((start, end))
    }

    /// The key of a row below the prefix, or `None` if the key is no row.
    pub(crate) fn row_of<'a>(&self, key: &'a [u8]) -> Option<&'a [u8]> {
        key.strip_prefix(self.prefix.as_slice())?.strip_prefix(b"d/")
    }

    pub(crate) fn place<'a>(&self, key: &'a [u8]) -> WatchKey<'a> {
        if let Some(row) = self.row_of(key) {
            return WatchKey::Row(row);
        }
        if key.strip_prefix(self.prefix.as_slice()) == Some(b"e") {
            return WatchKey::Head;
        }
        WatchKey::Other
    }
}

#[cfg(test)]
mod tests {
    use keyhouse_storage::Order;

    use super::*;

    #[test]
    fn ranges_end_before_the_head() {
        let layout = Layout::new("keyhouse");
        let range = |prefix, after, order| layout.rows(&Range { prefix, after, limit: 1, order });
        let pair = |start: &[u8], end: &[u8]| Some((start.to_vec(), end.to_vec()));
        for (name, seen, expected) in [
            ("all", range(b"", None, Order::Ascending), pair(b"keyhouse/d/", b"keyhouse/d0")),
            ("prefix", range(b"a", None, Order::Ascending), pair(b"keyhouse/d/a", b"keyhouse/d/b")),
            (
                "after a row",
                range(b"a", Some(b"ab"), Order::Ascending),
                pair(b"keyhouse/d/ab\0", b"keyhouse/d/b"),
            ),
            (
                "prefix without successor",
                range(b"\xff", None, Order::Descending),
                pair(b"keyhouse/d/\xff", b"keyhouse/d0"),
            ),
            ("nothing", range(b"a", Some(b"b"), Order::Ascending), None),
        ] {
            assert_eq!(seen, expected, "{name}");
        }
    }

    #[test]
    fn keys_of_a_watch_are_rows_heads_or_neither() {
        let layout = Layout::new("a/b");
        assert_eq!(layout.place(b"a/b/d/k"), WatchKey::Row(b"k"));
        assert_eq!(layout.place(b"a/b/d/d/\xff"), WatchKey::Row(b"d/\xff"));
        assert_eq!(layout.place(b"a/b/e"), WatchKey::Head);
        for other in [&b"a/b/e/node"[..], b"a/b/m", b"other/d/k"] {
            assert_eq!(layout.place(other), WatchKey::Other);
        }
    }
}
