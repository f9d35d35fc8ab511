//! Builds the transaction of a batch.
//!
//! etcd accepts 128 conditions and 128 operations in one transaction. Transactions inside a transaction
//! have a limit of their own: 128 less the greater number of the outer one. They still get one revision,
//! and their events keep the order of the operations.

use etcd_client::{Compare, CompareOp, Txn, TxnOp};
use keyhouse_storage::{Batch, Guard, Write};

use crate::head::{BatchHead, BatchId};
use crate::layout::Layout;
use crate::state::Base;

/// Maximum number of conditions or operations of a transaction: etcd's default of `--max-txn-ops`.
const OPERATIONS_MAX: usize = 128;
/// Maximum size of a request in bytes, below etcd's default of 1.5 MiB for all its parts.
pub(crate) const REQUEST_BYTES_MAX: usize = 1_572_864 - 4_096;
/// Upper bound of what the encoding adds to a condition or operation, besides the prefix.
const OVERHEAD_BYTES: usize = 32;
/// Operations of every batch besides its writes: lane and head.
const OWN_OPERATIONS: usize = 2;

/// The lane's row before a batch, and the batch's id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LaneStep {
    /// The etcd revision at which the lane was last written.
    pub(crate) known: i64,
    pub(crate) id: BatchId,
}

/// The conditions of a batch, or `None` if one cannot hold: its revision is beyond etcd's numbers.
pub(crate) fn conditions(layout: &Layout, base: Base, batch: &Batch) -> Option<Vec<Compare>> {
    let condition = |guard: &Guard| match guard {
        // `mod_revision == 0` would also be true of an absent key.
        Guard::Absent { key } => {
            Some(Compare::create_revision(layout.row(key), CompareOp::Equal, 0))
        },
        Guard::Unchanged { key, revision } => {
            let etcd = base.etcd(*revision)?;
            Some(Compare::mod_revision(layout.row(key), CompareOp::Equal, etcd))
        },
    };
    batch.guards().iter().map(condition).collect()
}

/// Whether a transaction has room for so many guards and writes.
pub(crate) const fn fits(guards: usize, writes: usize) -> bool {
    chunk_writes(guards + 1, writes).is_some()
}

/// The number of writes in each inner transaction; `writes` itself if there need be none.
const fn chunk_writes(conditions: usize, writes: usize) -> Option<usize> {
    if conditions <= OPERATIONS_MAX && writes + OWN_OPERATIONS <= OPERATIONS_MAX {
        return Some(writes);
    }
    let mut chunks = 1;
    while chunks + OWN_OPERATIONS < OPERATIONS_MAX {
        let operations = chunks + OWN_OPERATIONS;
        let outer = if conditions > operations { conditions } else { operations };
        let inner = OPERATIONS_MAX.saturating_sub(outer);
        if inner > 0 && inner * chunks >= writes {
            return Some(inner);
        }
        chunks += 1;
    }
    None
}

/// The transaction of a batch. If a condition fails, it reads the lane.
pub(crate) fn transaction(
    layout: &Layout,
    mut conditions: Vec<Compare>,
    batch: &Batch,
    step: LaneStep,
) -> Option<Txn> {
    conditions.push(Compare::mod_revision(layout.lane(), CompareOp::Equal, step.known));
    let chunk = chunk_writes(conditions.len(), batch.writes().len())?;
    let operation = |write: &Write| match write {
        Write::Put { key, value } => TxnOp::put(layout.row(key), value.as_slice(), None),
        Write::Delete { key } => TxnOp::delete(layout.row(key), None),
    };
    let mut operations: Vec<TxnOp> = if chunk >= batch.writes().len() {
        batch.writes().iter().map(operation).collect()
    } else {
        let chunks = batch.writes().chunks(chunk);
        let inner = |writes: &[Write]| {
            TxnOp::txn(Txn::new().and_then(writes.iter().map(operation).collect::<Vec<_>>()))
        };
        chunks.map(inner).collect()
    };
    operations.push(TxnOp::put(layout.lane(), step.id.encode(), None));
    // The head is the last event of the batch in a watch.
    let head = BatchHead::of(batch.writes()).encode(step.id);
    operations.push(TxnOp::put(layout.head(), head, None));
    let otherwise = TxnOp::get(layout.lane(), None);
    Some(Txn::new().when(conditions).and_then(operations).or_else([otherwise]))
}

/// An upper bound of the size of a batch's request in bytes.
pub(crate) fn request_bytes(layout: &Layout, batch: &Batch) -> usize {
    let each = layout.row(b"").len() + OVERHEAD_BYTES;
    let guards: usize = batch.guards().iter().map(|guard| guard.key().len() + each).sum();
    let writes: usize = batch.writes().iter().map(|write| write.bytes() + each).sum();
    let head = BatchHead::of(batch.writes()).encode(BatchId { node: 0, number: 0 });
    guards + writes + head.len() + 4 * each
}

#[cfg(test)]
mod tests {
    use keyhouse_storage::{BATCH_GUARDS_MAX, BATCH_WRITES_MAX, KEY_BYTES_MAX};

    use super::*;

    #[test]
    fn every_inner_transaction_is_within_etcds_limits() {
        for guards in 0..=BATCH_GUARDS_MAX {
            for writes in [1, 2, 100, 125, 126, 127, 128, 500, 1_000, BATCH_WRITES_MAX] {
                let Some(inner) = chunk_writes(guards + 1, writes) else { continue };
                let chunks = writes.div_ceil(inner);
                let outer = if inner >= writes { writes } else { chunks } + OWN_OPERATIONS;
                let outer = outer.max(guards + 1);
                assert!(outer <= OPERATIONS_MAX, "{guards} {writes}");
                assert!(chunks == 1 || inner + outer <= OPERATIONS_MAX, "{guards} {writes}");
            }
        }
    }

    #[test]
    fn largest_batches_fit_with_few_guards_only() {
        assert!(fits(0, BATCH_WRITES_MAX) && fits(118, BATCH_WRITES_MAX));
        assert!(!fits(119, BATCH_WRITES_MAX));
        assert!(fits(127, 126) && !fits(128, 1));
    }

    #[test]
    fn only_a_batch_of_long_deletions_exceeds_a_request() {
        let layout = Layout::new("keyhouse");
        let key = |number: usize| {
            let mut key = vec![b'x'; KEY_BYTES_MAX];
            key.splice(..8, format!("{number:08}").into_bytes());
            key
        };
        let large = Batch::new().put("a", vec![0; (1 << 20) - 1]);
        assert!(request_bytes(&layout, &large) <= REQUEST_BYTES_MAX);
        let deletes = (0..BATCH_WRITES_MAX).fold(Batch::new(), |it, each| it.delete(key(each)));
        assert!(request_bytes(&layout, &deletes) <= REQUEST_BYTES_MAX);
        let halves = (0..1_000).fold(Batch::new(), |it, each| it.delete(key(each)));
        let both = halves.put("a", vec![0; 530_000]);
        assert!(both.validate().is_ok() && request_bytes(&layout, &both) > REQUEST_BYTES_MAX);
    }
}
