//! A batch: guards that must hold, and writes that are then applied atomically.

use std::collections::HashSet;

use crate::Revision;

/// Maximum number of writes in one batch.
pub const BATCH_WRITES_MAX: usize = 1_024;
/// Maximum number of guards in one batch.
pub const BATCH_GUARDS_MAX: usize = 1_024;
/// Maximum size of the keys and values of one batch, in bytes.
pub const BATCH_BYTES_MAX: usize = 1 << 20;
/// Maximum size of a key, in bytes. A key has at least one byte.
pub const KEY_BYTES_MAX: usize = 512;

/// A condition on a key. A batch is committed only if all its guards hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The key has no row.
    Absent {
        /// The key of the row.
        key: Vec<u8>,
    },
    /// The key's row was last written at this revision.
    Unchanged {
        /// The key of the row.
        key: Vec<u8>,
        /// The revision of the row when it was read.
        revision: Revision,
    },
}

impl Guard {
    /// The key that the guard reads.
    pub fn key(&self) -> &[u8] {
        match self {
            Self::Absent { key } | Self::Unchanged { key, .. } => key,
        }
    }
}

/// A change to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Sets the value of the key.
    Put {
        /// The key of the row.
        key: Vec<u8>,
        /// The new value.
        value: Vec<u8>,
    },
    /// Removes the row of the key. The row need not exist.
    Delete {
        /// The key of the row.
        key: Vec<u8>,
    },
}

impl Write {
    /// The key that the write changes.
    pub fn key(&self) -> &[u8] {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }

    /// Size of the key and value in bytes. The bounds of batches and feeds use this size.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Put { key, value } => key.len() + value.len(),
            Self::Delete { key } => key.len(),
        }
    }
}

/// A rule that a batch breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBatch {
    /// The batch has no writes.
    #[error("no writes")]
    Empty,
    /// The batch has more than [`BATCH_WRITES_MAX`] writes.
    #[error("more than {BATCH_WRITES_MAX} writes")]
    TooManyWrites,
    /// The batch has more than [`BATCH_GUARDS_MAX`] guards.
    #[error("more than {BATCH_GUARDS_MAX} guards")]
    TooManyGuards,
    /// The batch has more than [`BATCH_BYTES_MAX`] bytes.
    #[error("more than {BATCH_BYTES_MAX} bytes")]
    TooLarge,
    /// A key is empty or longer than [`KEY_BYTES_MAX`].
    #[error("a key is empty or longer than {KEY_BYTES_MAX} bytes")]
    KeyLength,
    /// Two writes or two guards have the same key.
    #[error("two writes or two guards have the same key")]
    Repeated,
}

/// Guards and writes that a store commits atomically.
///
/// A batch has 1 to [`BATCH_WRITES_MAX`] writes, at most [`BATCH_GUARDS_MAX`] guards and at most
/// [`BATCH_BYTES_MAX`] bytes. The keys of all writes are distinct, and so are the keys of all
/// guards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    guards: Vec<Guard>,
    writes: Vec<Write>,
}

impl Batch {
    /// An empty batch. Add at least one write before submitting it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a guard that the key has no row.
    #[must_use]
    pub fn absent(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.guards.push(Guard::Absent { key: key.into() });
        self
    }

    /// Adds a guard that the key's row was last written at `revision`.
    #[must_use]
    pub fn unchanged(mut self, key: impl Into<Vec<u8>>, revision: Revision) -> Self {
        self.guards.push(Guard::Unchanged { key: key.into(), revision });
        self
    }

    /// Adds a write that sets the value of a key.
    #[must_use]
    pub fn put(mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.writes.push(Write::Put { key: key.into(), value: value.into() });
        self
    }

    /// Adds a write that removes the row of a key.
    #[must_use]
    pub fn delete(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.writes.push(Write::Delete { key: key.into() });
        self
    }

    /// The guards, in the order in which they were added.
    pub fn guards(&self) -> &[Guard] {
        &self.guards
    }

    /// The writes, in the order in which they were added.
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// The writes without the guards, for a feed.
    #[must_use]
    pub fn into_writes(self) -> Vec<Write> {
        self.writes
    }

    /// Checks the rules of a batch. A store calls this first in [`crate::Store::submit`].
    ///
    /// # Errors
    /// The first rule that the batch breaks.
    pub fn validate(&self) -> Result<(), InvalidBatch> {
        if self.writes.is_empty() {
            return Err(InvalidBatch::Empty);
        }
        if self.writes.len() > BATCH_WRITES_MAX {
            return Err(InvalidBatch::TooManyWrites);
        }
        if self.guards.len() > BATCH_GUARDS_MAX {
            return Err(InvalidBatch::TooManyGuards);
        }
        let guards_bytes: usize = self.guards.iter().map(|guard| guard.key().len()).sum();
        let writes_bytes: usize = self.writes.iter().map(Write::bytes).sum();
        if guards_bytes + writes_bytes > BATCH_BYTES_MAX {
            return Err(InvalidBatch::TooLarge);
        }
        let guarded = self.guards.iter().map(Guard::key);
        let written = self.writes.iter().map(Write::key);
        if guarded
            .clone()
            .chain(written.clone())
            .any(|key| !(1..=KEY_BYTES_MAX).contains(&key.len()))
        {
            return Err(InvalidBatch::KeyLength);
        }
        if repeats(guarded) || repeats(written) {
            return Err(InvalidBatch::Repeated);
        }
        Ok(())
    }
}

fn repeats<'a>(mut keys: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut seen = HashSet::new();
    !keys.all(|key| seen.insert(key))
}
