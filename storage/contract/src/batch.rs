//! A batch: guards that must hold, and writes that then happen together.

use std::collections::HashSet;

use crate::Revision;

/// Most writes in one batch.
pub const BATCH_WRITES_MAX: usize = 1_024;
/// Most guards in one batch.
pub const BATCH_GUARDS_MAX: usize = 1_024;
/// Most bytes of keys and values in one batch.
pub const BATCH_BYTES_MAX: usize = 1 << 20;
/// Most bytes of one key. A key has at least one byte.
pub const KEY_BYTES_MAX: usize = 512;

/// What must be true of a key for a batch to go in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The key has no row.
    Absent {
        /// The key.
        key: Vec<u8>,
    },
    /// The key's row is still the one written at that revision.
    Unchanged {
        /// The key.
        key: Vec<u8>,
        /// The revision of the row, as it was read.
        revision: Revision,
    },
}

impl Guard {
    /// The key it speaks of.
    pub fn key(&self) -> &[u8] {
        match self {
            Self::Absent { key } | Self::Unchanged { key, .. } => key,
        }
    }
}

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// The key has this value from now on.
    Put {
        /// The key.
        key: Vec<u8>,
        /// The value.
        value: Vec<u8>,
    },
    /// The key has no row from now on; it need not have had one.
    Delete {
        /// The key.
        key: Vec<u8>,
    },
}

impl Write {
    /// The key it changes.
    pub fn key(&self) -> &[u8] {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }

    /// Bytes of its key and value, as the bounds of batches and feeds count them.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Put { key, value } => key.len() + value.len(),
            Self::Delete { key } => key.len(),
        }
    }
}

/// Why a batch can't be submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBatch {
    /// It changes nothing.
    #[error("no writes")]
    Empty,
    /// More than [`BATCH_WRITES_MAX`] writes.
    #[error("over {BATCH_WRITES_MAX} writes")]
    TooManyWrites,
    /// More than [`BATCH_GUARDS_MAX`] guards.
    #[error("over {BATCH_GUARDS_MAX} guards")]
    TooManyGuards,
    /// More than [`BATCH_BYTES_MAX`] bytes.
    #[error("over {BATCH_BYTES_MAX} bytes")]
    TooLarge,
    /// A key is empty or longer than [`KEY_BYTES_MAX`].
    #[error("a key of no byte or over {KEY_BYTES_MAX}")]
    KeyLength,
    /// Two writes, or two guards, name one key.
    #[error("one key named twice")]
    Repeated,
}

/// Guards and writes that are decided as one.
///
/// A batch holds 1 to [`BATCH_WRITES_MAX`] writes and at most [`BATCH_GUARDS_MAX`] guards, each
/// set over distinct keys, [`BATCH_BYTES_MAX`] bytes in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    guards: Vec<Guard>,
    writes: Vec<Write>,
}

impl Batch {
    /// An empty batch, to be filled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Demands that a key has no row.
    #[must_use]
    pub fn absent(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.guards.push(Guard::Absent { key: key.into() });
        self
    }

    /// Demands that a key's row is still the one of `revision`.
    #[must_use]
    pub fn unchanged(mut self, key: impl Into<Vec<u8>>, revision: Revision) -> Self {
        self.guards.push(Guard::Unchanged { key: key.into(), revision });
        self
    }

    /// Writes a value.
    #[must_use]
    pub fn put(mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.writes.push(Write::Put { key: key.into(), value: value.into() });
        self
    }

    /// Removes a row.
    #[must_use]
    pub fn delete(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.writes.push(Write::Delete { key: key.into() });
        self
    }

    /// The guards, in the order given.
    pub fn guards(&self) -> &[Guard] {
        &self.guards
    }

    /// The writes, in the order given.
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// The writes alone, for a feed.
    #[must_use]
    pub fn into_writes(self) -> Vec<Write> {
        self.writes
    }

    /// Whether the batch keeps the rules; a store asks before anything else.
    ///
    /// # Errors
    /// The first rule that is broken.
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
