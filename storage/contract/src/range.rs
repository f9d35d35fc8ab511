//! The range of a scan, and the page that it returns.

use std::ops::Bound;

use crate::{Revision, Row};

/// Maximum number of rows in a page, regardless of the requested limit.
pub const PAGE_ROWS_MAX: usize = 10_000;
/// A page ends when its keys and values have this size in bytes, regardless of the requested limit.
pub const PAGE_BYTES_MAX: usize = 16 << 20;

/// The lower and the upper bound of the keys of a range.
pub type KeyBounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// The direction of a scan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// From the smallest key to the greatest.
    #[default]
    Ascending,
    /// From the greatest key to the smallest.
    Descending,
}

/// The rows that a scan returns.
#[derive(Clone, Copy, Debug)]
pub struct Range<'a> {
    /// Only keys that start with these bytes. Empty means all keys.
    pub prefix: &'a [u8],
    /// Only keys after this key in the direction of the scan. This key need not exist.
    pub after: Option<&'a [u8]>,
    /// Maximum number of rows. A store returns at most [`PAGE_ROWS_MAX`]. A limit of zero returns
    /// no row.
    pub limit: usize,
    /// The direction of the scan.
    pub order: Order,
}

impl<'a> Range<'a> {
    /// All rows whose key starts with `prefix`, in ascending order, up to a full page.
    pub const fn prefix(prefix: &'a [u8]) -> Self {
        Self { prefix, after: None, limit: PAGE_ROWS_MAX, order: Order::Ascending }
    }

    /// The bounds of the keys, or `None` if no key can be in the range.
    ///
    /// The bounds are in order, so `BTreeMap::range` does not panic.
    pub fn bounds(&self) -> Option<KeyBounds> {
        let mut lower = Bound::Included(self.prefix.to_vec());
        let end = successor(self.prefix);
        let before_end = |key: &[u8]| end.as_deref().is_none_or(|end| key < end);
        let mut upper = end.clone().map_or(Bound::Unbounded, Bound::Excluded);
        match (self.order, self.after) {
            (_, None) => {},
            (Order::Ascending, Some(after)) => {
                if !before_end(after) {
                    return None;
                }
                if after >= self.prefix {
                    lower = Bound::Excluded(after.to_vec());
                }
            },
            (Order::Descending, Some(after)) => {
                if after <= self.prefix {
                    return None;
                }
                if before_end(after) {
                    upper = Bound::Excluded(after.to_vec());
                }
            },
        }
        Some((lower, upper))
    }
}

/// The first key after all keys that start with `prefix`, or `None` if there is none.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut next = prefix.to_vec();
    while let Some(last) = next.pop() {
        if let Some(last) = last.checked_add(1) {
            next.push(last);
            return Some(next);
        }
    }
    None
}

/// The rows of one scan, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The rows. A page ends early when it reaches [`PAGE_BYTES_MAX`]: use [`Page::more`], not the
    /// number of rows, to detect the end.
    pub rows: Vec<Row>,
    /// Whether the range has more rows after the last row of this page.
    pub more: bool,
    /// The revision that was read. After a scan at [`crate::At::LatestHeld`], pass it as
    /// [`crate::At::Revision`] to read the next page of the same state.
    pub revision: Revision,
}

impl Page {
    /// Collects rows until the page is full. The rows must be in the order of the scan and within
    /// [`Range::bounds`].
    ///
    /// # Errors
    /// The first error of `rows`.
    pub fn collect<E>(
        range: &Range<'_>,
        revision: Revision,
        rows: impl IntoIterator<Item = Result<Row, E>>,
    ) -> Result<Self, E> {
        let limit = range.limit.min(PAGE_ROWS_MAX);
        let mut page = Self { rows: Vec::new(), more: false, revision };
        let mut bytes = 0;
        for row in rows {
            if page.rows.len() >= limit || bytes >= PAGE_BYTES_MAX {
                page.more = true;
                break;
            }
            let row = row?;
            bytes += row.key.len() + row.value.len();
            page.rows.push(row);
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn bounds(prefix: &[u8], after: Option<&[u8]>, order: Order) -> String {
        let range = Range { prefix, after, limit: 1, order };
        range.bounds().map_or_else(
            || "none".to_owned(),
            |(lower, upper)| {
                let keys: BTreeSet<Vec<u8>> = BTreeSet::new();
                assert_eq!(keys.range((lower.clone(), upper.clone())).count(), 0);
                format!("{lower:?} {upper:?}")
            },
        )
    }

    type Case<'a> = (&'a str, &'a [u8], Option<&'a [u8]>, Order, &'a str);

    #[test]
    fn bounds_are_in_order_for_every_prefix_and_start() {
        use Order::{Ascending, Descending};
        let cases: &[Case<'_>] = &[
            ("all", b"", None, Ascending, "Included([]) Unbounded"),
            ("prefix", b"a", None, Ascending, "Included([97]) Excluded([98])"),
            ("carry", b"a\xff", None, Ascending, "Included([97, 255]) Excluded([98])"),
            ("no end", b"\xff\xff", None, Ascending, "Included([255, 255]) Unbounded"),
            ("after below", b"b", Some(b"a"), Ascending, "Included([98]) Excluded([99])"),
            ("after prefix", b"b", Some(b"b"), Ascending, "Excluded([98]) Excluded([99])"),
            ("after end", b"b", Some(b"c"), Ascending, "none"),
            ("down from above", b"b", Some(b"c"), Descending, "Included([98]) Excluded([99])"),
            ("down within", b"b", Some(b"ba"), Descending, "Included([98]) Excluded([98, 97])"),
            ("down from prefix", b"b", Some(b"b"), Descending, "none"),
            ("down below", b"b", Some(b"a"), Descending, "none"),
        ];
        for (name, prefix, after, order, expected) in cases {
            assert_eq!(&bounds(prefix, *after, *order), expected, "{name}");
        }
    }
}
