//! Opens a store: creates it if necessary, and registers this node as the only one.
//!
//! Several nodes on one store need more than a plugin: limits, sessions and seals of a node are its own.
//! Until the program supports several nodes, a second one is rejected. The key of a node has a lease, so
//! a node that was killed makes way after the lease. The lease is no lock: a paused node that continues
//! has lost the [lane](crate::lane), so its batches are rejected.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Compare, CompareOp, Error, KeyValue, PutOptions, Txn, TxnOp};
use keyhouse_storage::{Cause, OpenError};

use crate::deadline::WaitLimit;
use crate::fault::EtcdFault;
use crate::head::BatchId;
use crate::lane::{TAKEN, first_row};
use crate::members::Purpose;
use crate::state::{Base, StoreState};

/// The format of the keys and heads of a store.
const FORMAT: &[u8] = b"keyhouse 1";
const FORMAT_NAME: &[u8] = b"keyhouse ";
/// The time after which the key of a node that has ended without closing is removed, in seconds.
const LEASE_SECONDS: i64 = 6;
/// The interval at which a node renews its lease.
const RENEWAL: Duration = Duration::from_secs(2);
/// The longest wait for the lease of another node to end. A new leader of etcd extends leases.
const NODE_WAIT: Duration = Duration::from_secs(9);
/// The longest time of an opening without another node.
const OPEN_TIME: Duration = Duration::from_secs(20);
/// The pause before the next look at another node's key.
const LOOK_WAIT: Duration = Duration::from_millis(200);

/// The result of an opening.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenedStore {
    pub(crate) base: Base,
    /// The etcd revision at which the lane was taken.
    pub(crate) known: i64,
    pub(crate) lease: i64,
}

/// The rows of a store that an opening reads.
struct FoundKeys {
    meta: Option<KeyValue>,
    lane: Option<KeyValue>,
    node: Option<KeyValue>,
    head: Option<KeyValue>,
}

pub(crate) async fn open(shared: Arc<StoreState>) -> Result<OpenedStore, OpenError> {
    let lease = grant(&shared).await.map_err(unavailable)?;
    let opened = take(&shared, lease).await;
    if opened.is_err() {
        revoke(&shared, lease).await;
    }
    opened
}

/// Whether the prefix has a store.
pub(crate) async fn exists(shared: &StoreState) -> Result<bool, OpenError> {
    Ok(look(shared).await.map_err(unavailable)?.meta.is_some())
}

async fn take(shared: &StoreState, lease: i64) -> Result<OpenedStore, OpenError> {
    let (way, end) = (WaitLimit::after(NODE_WAIT), WaitLimit::after(OPEN_TIME));
    let id = BatchId { node: lease, number: 0 };
    let mut least = i64::MAX;
    loop {
        let found = look(shared).await.map_err(unavailable)?;
        verify(&found)?;
        if let (Some(meta), Some(node), Some(lane)) = (&found.meta, &found.node, &found.lane)
            && node.lease() == lease
        {
            let base = Base(meta.create_revision());
            return Ok(OpenedStore { base, known: lane.mod_revision(), lease });
        }
        if let Some(node) = &found.node {
            // A lease that has gained time was renewed: its node is alive.
            let left = seconds_left(shared, node.lease()).await;
            if way.is_over() || left.as_ref().is_ok_and(|left| *left > least) {
                return Err(in_use(node));
            }
            least = left.map_or(least, |left| left.min(least));
            tokio::time::sleep(LOOK_WAIT).await;
            continue;
        }
        if end.is_over() {
            return Err(OpenError::Unavailable(Cause::new("etcd did not open the store in time")));
        }
        match shared.change(taking(shared, &found, lease, id)).await {
            // The next look shows the result, also of an open outcome.
            Ok(_) | Err(EtcdFault::Open(_)) => {},
            Err(fault) => return Err(unavailable(fault)),
        }
    }
}

/// The seconds until a lease ends; -1 if it has ended.
async fn seconds_left(shared: &StoreState, lease: i64) -> Result<i64, EtcdFault> {
    let left = shared.members.read(|mut client| async move {
        client.lease_time_to_live(lease, None).await.map(|lease| lease.ttl())
    });
    left.await
}

/// Puts the node and its lane, and the format into a new store, if nothing has changed.
fn taking(shared: &StoreState, found: &FoundKeys, lease: i64, id: BatchId) -> Txn {
    let layout = &shared.layout;
    let created = found.meta.as_ref().map_or(0, KeyValue::create_revision);
    let conditions = [
        Compare::create_revision(layout.meta(), CompareOp::Equal, created),
        Compare::create_revision(layout.node(), CompareOp::Equal, 0),
    ];
    let mut writes = vec![
        TxnOp::put(layout.node(), description(), Some(PutOptions::new().with_lease(lease))),
        TxnOp::put(layout.lane(), id.encode(), None),
    ];
    if found.meta.is_none() {
        writes.push(TxnOp::put(layout.meta(), FORMAT, None));
    }
    Txn::new().when(conditions).and_then(writes)
}

async fn look(shared: &StoreState) -> Result<FoundKeys, EtcdFault> {
    let layout = &shared.layout;
    let keys = [layout.meta(), layout.lane(), layout.node(), layout.head()];
    let gets = keys.map(|key| TxnOp::get(key, None));
    let answer = shared.ask(Txn::new().and_then(gets)).await?;
    let mut rows = answer.op_responses().into_iter().map(first_row);
    let mut next = || rows.next().flatten();
    Ok(FoundKeys { meta: next(), lane: next(), node: next(), head: next() })
}

fn verify(found: &FoundKeys) -> Result<(), OpenError> {
    match &found.meta {
        None if found.head.is_some() => Err(OpenError::Damaged(Cause::new(
            "etcd has batches below this prefix, but not the key of their format",
        ))),
        None => Ok(()),
        Some(meta) if meta.value() == FORMAT => Ok(()),
        Some(meta) if meta.value().starts_with(FORMAT_NAME) => Err(OpenError::Newer(Cause::new(
            "a newer version wrote this store in etcd: use that version",
        ))),
        Some(_) => Err(OpenError::Damaged(Cause::new(
            "the prefix of the storage URL belongs to another program",
        ))),
    }
}

fn in_use(node: &KeyValue) -> OpenError {
    let name = String::from_utf8_lossy(node.value());
    OpenError::InUse(Cause::new(format!(
        "another node has this store open: {name}. Several nodes on one store are not supported yet, \
         because their limits and sessions would be wrong. Stop that node first"
    )))
}

/// Host and process of this node, for the error of another one.
fn description() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("host {}, process {}", host.trim(), std::process::id())
}

fn unavailable(fault: EtcdFault) -> OpenError {
    OpenError::Unavailable(Cause::new(format!("etcd: {}", fault.cause())))
}

async fn grant(shared: &StoreState) -> Result<i64, EtcdFault> {
    let grant = shared.members.read(|mut client| async move {
        client.lease_grant(LEASE_SECONDS, None).await.map(|lease| lease.id())
    });
    grant.await
}

/// Removes the node's key. If etcd does not answer, the key ends with its lease.
pub(crate) async fn revoke(shared: &StoreState, lease: i64) {
    let revoke =
        shared.members.ask(shared.members.current(), Purpose::Call, |mut client| async move {
            client.lease_revoke(lease).await
        });
    drop(revoke.await);
}

/// Renews the node's lease until the store closes or another node has opened it.
pub(crate) async fn keep(shared: Arc<StoreState>) {
    // The lease of a registration that etcd may still execute.
    let mut tried = None;
    loop {
        tokio::time::sleep(RENEWAL).await;
        if shared.is_closed() {
            return;
        }
        if renew(&shared, shared.lease()).await != Ok(false) {
            continue;
        }
        // No registration outlives its lease.
        if let Some(lease) = tried
            && renew(&shared, lease).await == Ok(false)
        {
            tried = None;
        }
        let lease = match tried {
            Some(lease) => lease,
            None => match grant(&shared).await {
                Ok(lease) => lease,
                Err(_) => continue,
            },
        };
        tried = Some(lease);
        match register_again(&shared, lease).await {
            Ok(Some(lease)) => {
                shared.set_lease(lease);
                tried = None;
            },
            Ok(None) => {
                shared.unsettle(&Cause::new(TAKEN));
                return;
            },
            Err(_) => {},
        }
    }
}

/// Renews a lease. False if it had ended: etcd then answers as if it were alive, but without a time,
/// which the client turns into an error.
async fn renew(shared: &StoreState, lease: i64) -> Result<bool, EtcdFault> {
    let renewal = shared.members.read(|mut client| async move {
        match client.lease_keep_alive(lease).await {
            Ok(_) => Ok(true),
            Err(Error::LeaseKeepAliveError(text)) if text == "lease not found" => Ok(false),
            Err(error) => Err(error),
        }
    });
    renewal.await
}

/// Puts the node's key with a new lease. `None` if another node has taken the store.
async fn register_again(shared: &StoreState, lease: i64) -> Result<Option<i64>, EtcdFault> {
    let node = shared.layout.node();
    let options = PutOptions::new().with_lease(lease);
    let txn = Txn::new()
        .when([Compare::create_revision(node.clone(), CompareOp::Equal, 0)])
        .and_then([TxnOp::put(node.clone(), description(), Some(options))])
        .or_else([TxnOp::get(node, None)]);
    let (answer, _) = shared.change(txn).await?;
    if answer.succeeded() {
        return Ok(Some(lease));
    }
    let row = answer.op_responses().into_iter().next().and_then(first_row);
    let ours = [lease, shared.lease()];
    Ok(row.map(|row| row.lease()).filter(|found| ours.contains(found)))
}
