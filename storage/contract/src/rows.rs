//! Iterators over all pages or all rows of a range of any size.

use std::vec::IntoIter;

use crate::{At, Order, Page, Range, ReadError, Row, Store};

impl<'s> dyn Store + 's {
    /// All pages of a range. `range.limit` is the maximum number of rows in a page.
    ///
    /// Each page is read when the iterator reaches it. At [`At::Latest`], each page shows the state
    /// at its own revision, and rows that change meanwhile appear as they are when their page is
    /// read. The iterator ends after its first error.
    ///
    /// ```
    /// use keyhouse_storage::{At, Batch, MemoryStore, Range, Store};
    ///
    /// let store: Box<dyn Store> = Box::new(MemoryStore::new());
    /// store.commit(Batch::new().put("a", "1").put("b", "2").put("c", "3")).unwrap();
    /// let range = Range { limit: 2, ..Range::prefix(b"") };
    /// let sizes = store.pages(&range, At::Latest).map(|page| page.unwrap().rows.len());
    /// assert_eq!(sizes.collect::<Vec<_>>(), [2, 1]);
    /// assert_eq!(store.rows(&range, At::Latest).count(), 3);
    /// ```
    pub fn pages<'a>(&'a self, range: &Range<'a>, at: At) -> Pages<'a>
    where
        's: 'a,
    {
        let Range { prefix, after, limit, order } = *range;
        let after = after.map(<[u8]>::to_vec);
        Pages { store: self, prefix, after, limit, order, at, is_done: false }
    }

    /// All rows of a range, read in pages of `range.limit` rows as by [`pages`](#method.pages).
    pub fn rows<'a>(&'a self, range: &Range<'a>, at: At) -> Rows<'a>
    where
        's: 'a,
    {
        Rows { pages: self.pages(range, at), page: Vec::new().into_iter() }
    }
}

/// The pages of a range.
#[derive(Debug)]
pub struct Pages<'a> {
    store: &'a dyn Store,
    prefix: &'a [u8],
    after: Option<Vec<u8>>,
    limit: usize,
    order: Order,
    at: At,
    is_done: bool,
}

impl Pages<'_> {
    /// Whether the last page was returned, so that [`Iterator::next`] returns `None` without a read.
    pub const fn is_done(&self) -> bool {
        self.is_done
    }
}

impl Iterator for Pages<'_> {
    type Item = Result<Page, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let Self { prefix, limit, order, .. } = *self;
        let range = Range { prefix, after: self.after.as_deref(), limit, order };
        let page = self.store.scan(&range, self.at);
        let last = page.as_ref().ok().filter(|page| page.more).and_then(|page| page.rows.last());
        self.after = last.map(|row| row.key.clone());
        self.is_done = self.after.is_none();
        Some(page)
    }
}

/// The rows of a range.
#[derive(Debug)]
pub struct Rows<'a> {
    pages: Pages<'a>,
    page: IntoIter<Row>,
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.page.next() {
                return Some(Ok(row));
            }
            match self.pages.next()? {
                Ok(page) => self.page = page.rows.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{At, Batch, FaultyStore, InjectedFault, MemoryStore, StoreOperation};
    use crate::{Order, Range, Store};

    fn filled() -> MemoryStore {
        let store = MemoryStore::new();
        let batch = Batch::new().put("a1", "").put("a2", "").put("a3", "").put("a4", "");
        store.commit(batch.put("b", "")).unwrap();
        store
    }

    fn keys(store: &dyn Store, range: &Range<'_>, at: At) -> Vec<String> {
        let rows = store.rows(range, at).map(|row| String::from_utf8(row.unwrap().key).unwrap());
        rows.collect()
    }

    #[test]
    fn rows_are_complete_whatever_the_size_of_a_page() {
        let store = filled();
        for limit in [1, 2, 3, 4, 5, usize::MAX] {
            let range = Range { limit, ..Range::prefix(b"a") };
            assert_eq!(keys(&store, &range, At::Latest), ["a1", "a2", "a3", "a4"], "{limit}");
            let range = Range { order: Order::Descending, after: Some(b"a4"), ..range };
            assert_eq!(keys(&store, &range, At::Latest), ["a3", "a2", "a1"], "{limit}");
        }
        let nothing = Range { limit: 0, ..Range::prefix(b"a") };
        assert_eq!(keys(&store, &nothing, At::Latest), [""; 0]);
    }

    #[test]
    fn only_rows_at_a_revision_are_of_one_state() {
        let store = filled();
        let range = Range { limit: 2, ..Range::prefix(b"a") };
        let held = store.scan(&range, At::LatestHeld).unwrap().revision;
        let store: &dyn Store = &store;
        let mut latest = store.rows(&range, At::Latest);
        assert_eq!(latest.next().unwrap().unwrap().key, b"a1");
        store.commit(Batch::new().delete("a3").put("a5", "")).unwrap();
        let rest: Vec<_> = latest.map(|row| row.unwrap().key).collect();
        assert_eq!(rest, [b"a2", b"a4", b"a5"]);
        assert_eq!(keys(store, &range, At::Revision(held)), ["a1", "a2", "a3", "a4"]);
    }

    #[test]
    fn an_error_is_the_last_item() {
        let store = FaultyStore::new(filled());
        let range = Range { limit: 3, ..Range::prefix(b"a") };
        let mut rows = (&store as &dyn Store).rows(&range, At::Latest);
        assert!(rows.next().unwrap().is_ok());
        store.inject_always(StoreOperation::Scan, InjectedFault::Unavailable);
        let rest: Vec<bool> = rows.map(|row| row.is_ok()).collect();
        assert_eq!(rest, [true, true, false]);
    }
}
