//! Reads rows that have a bound all at once, and cuts lists into pages.

use keyhouse_storage::{At, Range};

use crate::actions::{ActionError, Actions};
use crate::records::{Record, read_row};

/// A page of a list.
#[derive(Debug)]
pub struct Listed<T> {
    /// The things.
    pub items: Vec<T>,
    /// Whether more follow.
    pub more: bool,
}

impl<T> Listed<T> {
    /// The first `limit` of these.
    pub(super) fn first(limit: usize, all: impl IntoIterator<Item = T>) -> Self {
        let mut items: Vec<T> = all.into_iter().take(limit.saturating_add(1)).collect();
        let more = items.len() > limit;
        items.truncate(limit);
        Self { items, more }
    }
}

impl Actions {
    /// Every record below a prefix, in the order of their places; for what has a bound.
    pub(super) fn read_all<T: Record>(&self, prefix: &[u8]) -> Result<Vec<T>, ActionError> {
        let (mut records, mut after): (Vec<T>, Option<Vec<u8>>) = (Vec::new(), None);
        loop {
            let range = Range { after: after.as_deref(), ..Range::prefix(prefix) };
            let page = self.store.scan(&range, At::Latest)?;
            for row in &page.rows {
                records.push(read_row(row)?.record);
            }
            after = page.rows.last().map(|row| row.key.clone());
            if !page.more {
                return Ok(records);
            }
        }
    }
}
