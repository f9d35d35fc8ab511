//! Reads bounded sets of records at once, and cuts lists into pages.

use std::ops::ControlFlow;

use keyhouse_storage::Range;

use crate::actions::{ActionError, Actions};
use crate::records::{Record, Revised};

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
        let mut records = Vec::new();
        self.each_record(&Range::prefix(prefix), |held: Revised<T>| {
            records.push(held.record);
            ControlFlow::Continue(())
        })?;
        Ok(records)
    }
}
