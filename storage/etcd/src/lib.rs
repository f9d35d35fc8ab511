//! A store of Keyhouse in a cluster of etcd 3.4 or later.
//!
//! Use [`EtcdSettings::parse`] and [`EtcdStore::open`]. The store fulfils the promises of
//! [`keyhouse_storage::Store`] as follows:
//!
//! - **Revisions.** The revision of a batch is its etcd revision less that of the store's creation. Other
//!   programs on the cluster, fences and leases take revisions too.
//! - **Atomicity.** A batch is one transaction of etcd: guards as conditions, then its writes, its id in
//!   the lane, and its head. More than about 118 guards are checked in one state first, and the
//!   transaction then requires that no batch was committed since.
//! - **Outcomes.** One thread sends one batch at a time. If an answer leaves the outcome open, a fence
//!   decides it within 10 s; otherwise the outcome is unknown, and the store is unavailable until a
//!   fence is in.
//! - **Reads.** All reads are linearizable, and of one state. A scan continues at its revision for as
//!   long as etcd keeps it: the retention of etcd's compaction must be several minutes.
//! - **Feeds.** A feed is a watch. It returns a batch only when the batch is whole and the next one.
//!   Progress is proved by a read of the head, never by a message of the watch.
//! - **Failures of members.** Every request has 2 s. The next request goes to the next member.
//! - **A restored cluster.** An answer with an earlier revision than before makes the store read etcd
//!   again, and ends all feeds. A replaced cluster needs a restart.
//! - **Other nodes.** One node can have the store open. A second one is rejected; see
//!   [`EtcdStore::open`].
//!
//! The store does not compact, defragment or heal etcd. It does not retry batches.

mod assembly;
mod background;
mod bisection;
mod deadline;
mod fault;
mod feed;
mod head;
mod health;
mod inbox;
mod lane;
mod layout;
mod members;
mod opening;
mod queue;
mod read;
mod settings;
mod state;
mod store;
mod transaction;

pub use settings::{ENDPOINTS_MAX, EtcdSettings, FILE_BYTES_MAX, InvalidUrl, PREFIX_BYTES_MAX};
pub use store::EtcdStore;
