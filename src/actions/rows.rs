//! Reads bounded sets of records at once, and cuts lists into pages.

use std::iter::from_fn;

use keyhouse_storage::{At, Order, Range, ReadError, Row, Store};

use crate::actions::{ActionError, Actions};
use crate::records::{Record, Revised, read_row};

/// Maximum number of rows read at once, and in one turn.
pub(super) const ROWS_A_PAGE: usize = 500;

#[derive(Debug)]
pub struct Listed<T> {
    pub items: Vec<T>,
    pub more: bool,
}

impl<T> Listed<T> {
    pub(super) fn first(limit: usize, all: impl IntoIterator<Item = T>) -> Self {
        let mut items: Vec<T> = all.into_iter().take(limit.saturating_add(1)).collect();
        let more = items.len() > limit;
        items.truncate(limit);
        Self { items, more }
    }
}

impl Actions {
    /// Reads every record below a prefix, in the order of their keys. The number of these records
    /// must have a limit.
    pub(super) fn read_all<T: Record>(&self, prefix: &[u8]) -> Result<Vec<T>, ActionError> {
        self.records(&Range::prefix(prefix)).map(|held| Ok(held?.record)).collect()
    }

    /// The records of a range, each with its revision.
    pub(super) fn records<'a, T: Record>(
        &'a self,
        range: &Range<'a>,
    ) -> impl Iterator<Item = Result<Revised<T>, ActionError>> + use<'a, T> {
        let range = Range { limit: ROWS_A_PAGE, ..*range };
        self.store.rows(&range, At::Latest).map(|row| Ok(read_row(&row?)?))
    }
}

/// The rows of a range. Each page is read in a turn, which ends when the last row of the page was
/// used.
pub(super) fn rows_in_turns<'a, T>(
    store: &'a dyn Store,
    range: &Range<'a>,
    turn: impl Fn() -> T,
) -> impl Iterator<Item = Result<Row, ReadError>> {
    let mut pages = store.pages(&Range { limit: ROWS_A_PAGE, ..*range }, At::Latest);
    let (mut page, mut taken) = (Vec::new().into_iter(), None);
    from_fn(move || {
        loop {
            if let Some(row) = page.next() {
                return Some(Ok(row));
            }
            drop(taken.take());
            if pages.is_done() {
                return None;
            }
            taken = Some(turn());
            match pages.next()? {
                Ok(read) => page = read.rows.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    })
}

/// All rows below a prefix, the newest first.
pub(super) fn newest_first<'a>(prefix: &'a [u8], after: Option<&'a [u8]>) -> Range<'a> {
    Range { after, order: Order::Descending, ..Range::prefix(prefix) }
}
