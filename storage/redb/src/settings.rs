//! The settings of a store: its directory, its memory bounds, and what reports its opening.

use std::path::PathBuf;
use std::sync::Arc;

use keyhouse_storage::{Bounds, Progress};

/// Default size of redb's cache.
pub const CACHE_BYTES_DEFAULT: usize = 64 << 20;

/// The directory of a store, its memory bounds, and the progress of its opening.
#[derive(Clone, Debug)]
pub struct RedbSettings {
    /// The directory of the store, which contains nothing else. A missing directory is created.
    pub directory: PathBuf,
    /// Maximum size of redb's cache, in bytes.
    pub cache_bytes: usize,
    /// Bounds of the commits that are kept for slow feeds.
    pub backlog: Bounds,
    /// How much of the file an opening has verified, in bytes that were read.
    pub verified: Arc<Progress>,
}

impl RedbSettings {
    /// Settings with the default bounds.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            cache_bytes: CACHE_BYTES_DEFAULT,
            backlog: Bounds::default(),
            verified: Arc::default(),
        }
    }
}
