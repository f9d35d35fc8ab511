//! What the lane's thread, reads and feeds of a store share.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use etcd_client::{Client, KvClient, ResponseHeader, Txn, TxnResponse};
use keyhouse_storage::{Cause, FeedError, ReadError, Revision};

use crate::background::ClientRuntime;
use crate::fault::EtcdFault;
use crate::inbox::Inbox;
use crate::layout::Layout;
use crate::members::Members;
use crate::queue::LaneQueue;

/// Maximum size of a response in bytes. The client's default is 4 MiB; a page of the contract has 16 MiB.
pub(crate) const RESPONSE_BYTES_MAX: usize = 64 << 20;

#[derive(Debug)]
pub(crate) struct StoreState {
    pub(crate) layout: Layout,
    pub(crate) members: Members,
    pub(crate) background: ClientRuntime,
    pub(crate) queue: LaneQueue,
    state: Mutex<SettledState>,
    /// The greatest etcd revision of an answer. Later answers that are below it show that etcd was
    /// restored, or that a read was stale.
    seen: AtomicI64,
    /// The greatest known revision of the head.
    reached: AtomicU64,
    cluster: AtomicU64,
    /// The lease of the node's key.
    lease: AtomicI64,
    feeds: Mutex<Vec<Weak<Inbox>>>,
}

#[derive(Debug)]
struct SettledState {
    condition: Availability,
    base: Base,
    /// Feeds from an earlier revision would miss a batch whose outcome was unknown.
    floor: Revision,
    /// How often the store was settled.
    epoch: u64,
}

#[derive(Clone, Debug)]
enum Availability {
    Running,
    /// It is unknown whether a batch was committed, or whether etcd has lost writes.
    Settling(Cause),
    Closed,
}

/// The etcd revision at which the store was created: revision zero of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Base(pub(crate) i64);

impl Base {
    /// The etcd revision of a revision, or `None` if it is too large.
    pub(crate) fn etcd(self, revision: Revision) -> Option<i64> {
        i64::try_from(revision.0).ok()?.checked_add(self.0)
    }

    /// The revision of an etcd revision. Earlier ones than the store count as zero.
    pub(crate) fn revision(self, etcd: i64) -> Revision {
        Revision(u64::try_from(etcd.saturating_sub(self.0)).unwrap_or(0))
    }
}

impl StoreState {
    pub(crate) fn new(layout: Layout, members: Members, background: ClientRuntime) -> Self {
        let state = SettledState {
            condition: Availability::Running,
            base: Base(0),
            floor: Revision::ZERO,
            epoch: 0,
        };
        Self {
            layout,
            members,
            background,
            queue: LaneQueue::default(),
            state: Mutex::new(state),
            seen: AtomicI64::new(0),
            reached: AtomicU64::new(0),
            cluster: AtomicU64::new(0),
            lease: AtomicI64::new(0),
            feeds: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, SettledState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The base, while the store can be read.
    pub(crate) fn readable(&self) -> Result<Base, ReadError> {
        let state = self.lock();
        match &state.condition {
            Availability::Running => Ok(state.base),
            Availability::Settling(cause) => Err(ReadError::Unavailable(cause.clone())),
            Availability::Closed => Err(ReadError::Unavailable(Cause::new("store closed"))),
        }
    }

    pub(crate) fn base(&self) -> Base {
        self.lock().base
    }

    pub(crate) fn set_base(&self, base: Base) {
        self.lock().base = base;
    }

    pub(crate) fn lease(&self) -> i64 {
        self.lease.load(Ordering::Acquire)
    }

    pub(crate) fn set_lease(&self, lease: i64) {
        self.lease.store(lease, Ordering::Release);
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.lock().condition, Availability::Closed)
    }

    /// How often the store was settled.
    pub(crate) fn epoch(&self) -> u64 {
        self.lock().epoch
    }

    pub(crate) fn reached(&self) -> Revision {
        Revision(self.reached.load(Ordering::Acquire))
    }

    pub(crate) fn reach(&self, revision: Revision) {
        self.reached.fetch_max(revision.0, Ordering::AcqRel);
    }

    /// Makes the store unavailable until [`Self::settled`].
    pub(crate) fn unsettle(&self, cause: &Cause) {
        let mut state = self.lock();
        if !matches!(state.condition, Availability::Closed) {
            state.condition = Availability::Settling(cause.clone());
        }
        drop(state);
        self.queue.refuse(cause);
        self.each_feed(|inbox| inbox.interrupt(cause));
    }

    /// Ends all feeds, and makes the store available from the revision of its head.
    pub(crate) fn settled(&self, base: Base, head: Revision, etcd: i64) {
        self.seen.store(etcd, Ordering::Release);
        self.reached.store(head.0, Ordering::Release);
        // Before reads work again, so that a caller that has read can write.
        self.queue.accept();
        let mut state = self.lock();
        state.base = base;
        state.floor = head;
        state.epoch += 1;
        if !matches!(state.condition, Availability::Closed) {
            state.condition = Availability::Running;
        }
        drop(state);
        self.each_feed(|inbox| inbox.end(FeedError::Compacted));
    }

    /// Returns whether the store was open.
    pub(crate) fn close(&self) -> bool {
        let mut state = self.lock();
        let was_open = !matches!(state.condition, Availability::Closed);
        state.condition = Availability::Closed;
        drop(state);
        self.each_feed(Inbox::stop);
        was_open
    }

    /// Adds a feed, unless the store closed or settled since the epoch in which the feed's start was read.
    pub(crate) fn register(
        &self,
        inbox: &Arc<Inbox>,
        from: Revision,
        epoch: u64,
    ) -> Result<(), ReadError> {
        let mut feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        feeds.retain(|feed| feed.strong_count() > 0);
        feeds.push(Arc::downgrade(inbox));
        drop(feeds);
        self.readable()?;
        let state = self.lock();
        let is_whole = from >= state.floor && epoch == state.epoch;
        if is_whole { Ok(()) } else { Err(ReadError::Compacted) }
    }

    fn each_feed(&self, act: impl Fn(&Inbox)) {
        let feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner).clone();
        feeds.iter().filter_map(Weak::upgrade).for_each(|inbox| act(&inbox));
    }

    /// Sends a transaction that only reads, with an answer that is not older than any earlier answer.
    pub(crate) async fn ask(&self, txn: Txn) -> Result<TxnResponse, EtcdFault> {
        let before = self.seen();
        let answer = self.members.read(|client| transact(client, txn.clone())).await?;
        let etcd = self.revision_of(answer.header())?;
        if etcd < before {
            self.queue.settle();
            return Err(EtcdFault::Open(Cause::new(
                "etcd answered with an earlier revision than before: it was restored from a \
                 snapshot, or a read was stale",
            )));
        }
        self.seen.fetch_max(etcd, Ordering::AcqRel);
        Ok(answer)
    }

    /// Sends a transaction that writes. It may be executed later if the fault is [`EtcdFault::Open`].
    pub(crate) async fn change(&self, txn: Txn) -> Result<(TxnResponse, i64), EtcdFault> {
        let answer = self.members.write(|client| transact(client, txn.clone())).await?;
        // The transaction was executed, whatever its header shows.
        let etcd = self.revision_of(answer.header()).map_err(|it| EtcdFault::Open(it.cause()))?;
        Ok((answer, etcd))
    }

    pub(crate) fn seen(&self) -> i64 {
        self.seen.load(Ordering::Acquire)
    }

    pub(crate) fn see(&self, etcd: i64) {
        self.seen.fetch_max(etcd, Ordering::AcqRel);
    }

    /// The etcd revision of an answer of the same cluster as all answers before.
    fn revision_of(&self, header: Option<&ResponseHeader>) -> Result<i64, EtcdFault> {
        let missing = || EtcdFault::Open(Cause::new("an answer of etcd without a header"));
        let header = header.ok_or_else(missing)?;
        let cluster = header.cluster_id();
        let known = self.cluster.compare_exchange(0, cluster, Ordering::AcqRel, Ordering::Acquire);
        match known {
            Err(known) if known != cluster => Err(EtcdFault::Refused(Cause::new(
                "the members of the storage URL belong to different clusters of etcd",
            ))),
            Ok(_) | Err(_) => Ok(header.revision()),
        }
    }
}

async fn transact(client: Client, txn: Txn) -> Result<TxnResponse, etcd_client::Error> {
    kv(&client).txn(txn).await
}

fn kv(client: &Client) -> KvClient {
    client.kv_client().max_decoding_message_size(RESPONSE_BYTES_MAX)
}
