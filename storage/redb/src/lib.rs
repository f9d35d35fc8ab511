//! The default store of Keyhouse: one redb file in a directory of its own.
//!
//! [`RedbStore::open`] is all that is needed to use it. It keeps every promise of
//! [`keyhouse_storage::Store`]; how, in the order in which things can go wrong:
//!
//! - **Another process.** A lock file of its own, `keyhouse.lock`, with the holder's process
//!   number inside. Whoever comes second is refused at once.
//! - **Other people.** The directory is made 0700 and the files 0600; what is open to others is
//!   refused.
//! - **Damage.** Before the file is opened for real it is read through an overlay that keeps all
//!   changes in memory, and every checksum is checked. A damaged file is refused and left as it is,
//!   byte for byte. One bit can't be told from an honest crash: the one that names the newer of
//!   two roots, in a file that was not closed.
//! - **A kill, or a power cut.** Every commit is durable before it is acknowledged, in two phases:
//!   the root of the database moves only once everything it points to is on the disk. A store that
//!   was killed at any moment opens again with all that was acknowledged. A file gets its name only
//!   when it is a whole, empty store, so an empty file is damage, never a beginning.
//! - **Many writers.** One thread commits, taking what has queued up: at most 256 batches share the
//!   cost of one durable commit, each with guards, outcome and revision of its own. Nothing waits
//!   for a timer. `submit` blocks while 4,096 batches or 32 MiB wait.
//! - **A failing disk.** A commit that fails once the disk was asked to make something durable is
//!   unknown; one that fails before changed nothing. Either way the database is given up, without
//!   another write to the file, and opened anew through the same checks, as often as it takes: at
//!   once, then after 100 ms, then twice as long each time up to 10 s. Meanwhile everything is
//!   unavailable; then feeds end as compacted and reads see what is there. The lock is kept.
//! - **Slow readers.** Scans go on at their revision in a read transaction that is held for a
//!   minute, at most eight of them; feeds that are behind are served from a bounded backlog in
//!   memory. A store that was just opened has no backlog.
//!
//! It keeps no history: only revisions held for scans can be read besides the latest. Copying the
//! file of a running store makes no backup; a scan does.

mod disk;
mod faulty_disk;
mod group;
mod opening;
mod overlay;
mod place;
mod queue;
mod state;
mod store;
mod tables;
mod writer;

pub use disk::{Disk, DiskFile, Files};
pub use faulty_disk::{DiskOperation, FaultyDisk};
pub use store::{CACHE_BYTES_DEFAULT, RedbStore, Settings};
