//! The default store of Keyhouse: one redb file in a directory of its own.
//!
//! Use [`RedbStore::open`]. The store fulfils the promises of [`keyhouse_storage::Store`] as
//! follows:
//!
//! - **Other processes.** The store locks its own lock file, `keyhouse.lock`, which contains the process
//!   id of the holder. A second process fails at once.
//! - **Other users.** The directory is created with mode 0700, the files with 0600. The store does not
//!   open a directory or file that other users can access.
//! - **Damage.** Before it opens the file, the store reads it through an overlay that keeps all
//!   changes in memory, and verifies every checksum. It rejects a damaged file without changing a
//!   byte. One bit cannot be verified: in a file that was not closed, a flip of the bit that
//!   selects the newer of two roots looks like a crash.
//! - **A kill or a power cut.** Every commit is durable before it is acknowledged. A commit has two
//!   phases: the root of the database changes only when all data that it references is on disk. A
//!   store that was killed at any moment opens again with every acknowledged commit. A new file
//!   gets its name only when it is a complete empty store, so an empty file is always damage.
//! - **Many writers.** One thread commits. It takes up to 256 queued batches into one durable commit;
//!   each batch has its own guards, outcome and revision. No batch waits for a timer. `submit` blocks
//!   while 4,096 batches or 32 MiB are queued.
//! - **A failing disk.** If a commit fails after its first sync started, its outcome is unknown. If
//!   the commit fails earlier, nothing changed. In both cases the store stops writing to the file
//!   and reopens it with the same checks: at once, after 100 ms, and then with a wait that doubles
//!   up to 10 s. Until the file is reopened, all operations are unavailable, and the store keeps
//!   its lock. Afterwards feeds end as compacted, and reads return the content of the file.
//! - **Slow readers.** A scan that began at `At::LatestHeld` continues at its revision in a read
//!   transaction, which the store holds for a minute. No page that the transaction can read is
//!   reused meanwhile. The store holds at most eight such transactions. Slow feeds read from a
//!   bounded backlog in memory. The backlog is empty after opening.
//!
//! - **A replacement.** [`Replacement`] fills a new file beside the present one, which may be damaged.
//!   The new file then takes its place in one step, and the present file is kept under another
//!   name.
//! - **Unused pages.** The file doubles up to 32 MiB, and then grows by 32 MiB. A closed file has
//!   no unused pages at its end. The file keeps the other pages of removed rows, with their bytes,
//!   for later rows. [`compact`] replaces the file of a closed store by one that has only the rows.
//!
//! The store keeps no history: only the latest revision, and the revisions held for scans, can be
//! read. A copy of the file of a running store is not a valid backup. The rows of a scan are.

mod compaction;
mod disk;
mod faulty_disk;
mod group;
mod opening;
mod overlay;
mod place;
mod queue;
mod regions;
mod replacement;
mod settings;
mod state;
mod store;
mod tables;
mod writer;

pub use compaction::{CompactedFile, compact};
pub use disk::{Disk, DiskFile, Files};
pub use faulty_disk::{DiskOperation, FaultyDisk};
pub use replacement::Replacement;
pub use settings::{CACHE_BYTES_DEFAULT, RedbSettings};
pub use store::RedbStore;
