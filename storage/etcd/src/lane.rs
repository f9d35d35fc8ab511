//! The lane: a thread that sends one batch at a time, and knows the outcome of each.
//!
//! Each batch compares the revision of the lane's row and writes its id there. After an answer that
//! leaves the outcome open, a fence takes the lane: once the fence is in, the batch can no longer be
//! executed. Reading the rows back would not be enough, because etcd may execute a request long after
//! the client has given up.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Compare, CompareOp, GetOptions, KeyValue, Txn, TxnOp, TxnOpResponse};
use keyhouse_storage::{Batch, Cause, CommitError, Guard, InvalidBatch};

use crate::deadline::WaitLimit;
use crate::fault::EtcdFault;
use crate::head::BatchId;
use crate::queue::{LaneOutcome, Work};
use crate::read::{HeadSeen, head, head_is};
use crate::state::{Base, StoreState};
use crate::transaction::{
    LaneStep, REQUEST_BYTES_MAX, conditions, fits, request_bytes, transaction,
};

/// The longest time in which the outcome of one batch is determined. Then it is unknown.
const RESOLVE_TIME: Duration = Duration::from_secs(10);
/// The pause between two attempts to place a fence.
const FENCE_WAIT: Duration = Duration::from_millis(100);
/// Maximum number of attempts for a batch with more guards than a transaction has conditions.
const ROUNDS_MAX: usize = 64;
/// Guards that one read checks.
const READ_GUARDS_MAX: usize = 100;

/// The state of the lane's thread.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) shared: Arc<StoreState>,
    /// The etcd revision at which this process last wrote the lane.
    pub(crate) known: i64,
    /// The lease under which the store was opened.
    pub(crate) node: i64,
    pub(crate) number: u64,
}

/// What the row of the lane shows when a condition did not hold or a fence was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fence {
    /// The fence is in. An open batch is not, and never will be.
    Placed,
    /// The batch is in, at this etcd revision.
    Batch(i64),
    /// An earlier batch or fence of this process is in, whose answer did not arrive: at this etcd revision.
    Earlier(i64),
    /// Another process has taken the lane.
    Taken,
    /// etcd has lost writes.
    Lost,
}

/// The end of one attempt.
enum LaneAttempt {
    Outcome(LaneOutcome),
    /// The batch's outcome is open.
    Open(Cause),
    /// Another batch was committed meanwhile.
    Again,
}

impl LaneAttempt {
    const fn failed(error: CommitError) -> Self {
        Self::Outcome(Err(error))
    }
}

pub(crate) const TAKEN: &str =
    "another process has taken over this store in etcd: restart this one";

impl Lane {
    /// Works until the store closes.
    pub(crate) fn run(mut self) {
        loop {
            match self.shared.clone().queue.next() {
                Work::Close => return,
                Work::Settle => {
                    self.unsettle(&Cause::new("etcd answered with an earlier state"));
                },
                Work::Batch(submission) => {
                    let outcome = self.commit(&submission.batch);
                    if let Err(CommitError::Unknown(cause)) = &outcome {
                        // Reads are unavailable before the caller learns that the outcome is unknown.
                        self.shared.unsettle(cause);
                        let cause = cause.clone();
                        submission.answer(outcome);
                        self.unsettle(&cause);
                        continue;
                    }
                    submission.answer(outcome);
                },
            }
        }
    }

    fn next_id(&mut self) -> BatchId {
        self.number += 1;
        BatchId { node: self.node, number: self.number }
    }

    fn commit(&mut self, batch: &Batch) -> LaneOutcome {
        let shared = Arc::clone(&self.shared);
        let base = shared.base();
        if request_bytes(&shared.layout, batch) > REQUEST_BYTES_MAX {
            return Err(InvalidBatch::TooLarge.into());
        }
        let Some(compares) = conditions(&shared.layout, base, batch) else {
            return Err(CommitError::Conflict);
        };
        let is_direct = fits(batch.guards().len(), batch.writes().len());
        for _ in 0..ROUNDS_MAX {
            let step = LaneStep { known: self.known, id: self.next_id() };
            let compares = if is_direct {
                compares.clone()
            } else {
                match self.check_guards(batch, base) {
                    Ok(seen) => vec![head_is(&shared, base, seen.etcd)],
                    Err(error) => return Err(error),
                }
            };
            match self.attempt(compares, batch, step, is_direct) {
                LaneAttempt::Outcome(outcome) => return outcome,
                LaneAttempt::Open(cause) => return self.resolve(step.id, &cause),
                LaneAttempt::Again => {},
            }
        }
        Err(CommitError::Unavailable(Cause::new("other batches were always committed first")))
    }

    fn attempt(
        &mut self,
        compares: Vec<Compare>,
        batch: &Batch,
        step: LaneStep,
        is_direct: bool,
    ) -> LaneAttempt {
        let shared = Arc::clone(&self.shared);
        let Some(txn) = transaction(&shared.layout, compares, batch, step) else {
            return LaneAttempt::failed(InvalidBatch::TooManyWrites.into());
        };
        let (sender, before) = (Arc::clone(&shared), shared.seen());
        let answer = shared.background.run(async move { sender.change(txn).await });
        let closed = || Err(EtcdFault::Open(Cause::new("the client ended")));
        let (answer, etcd) = match answer.unwrap_or_else(closed) {
            Ok(answer) => answer,
            Err(fault) => return of_fault(fault),
        };
        if answer.succeeded() {
            self.known = etcd;
            let revision = shared.base().revision(etcd);
            if etcd <= before {
                // The last batch is there, but revisions after it were lost: feeds start again.
                shared.queue.settle();
            }
            shared.see(etcd);
            shared.reach(revision);
            return LaneAttempt::Outcome(Ok(revision));
        }
        match self.lane_shows(lane_row(&answer).as_ref(), step.id, None) {
            // A request of this process is in whose answer did not arrive: a fence must follow it.
            Fence::Batch(_) | Fence::Earlier(_) => {
                LaneAttempt::Open(Cause::new("etcd executed an earlier request late"))
            },
            Fence::Taken => {
                shared.unsettle(&Cause::new(TAKEN));
                LaneAttempt::failed(CommitError::Unavailable(Cause::new(TAKEN)))
            },
            Fence::Lost => {
                shared.queue.settle();
                LaneAttempt::failed(CommitError::Unavailable(Cause::new("etcd has lost writes")))
            },
            Fence::Placed if is_direct => LaneAttempt::failed(CommitError::Conflict),
            Fence::Placed => LaneAttempt::Again,
        }
    }

    /// Reads the guarded rows and the head in one state, for a batch with too many guards.
    fn check_guards(&self, batch: &Batch, base: Base) -> Result<HeadSeen, CommitError> {
        let shared = Arc::clone(&self.shared);
        let guards = batch.guards().to_vec();
        let read = async move {
            let before = head(&shared).await?;
            for guards in guards.chunks(READ_GUARDS_MAX) {
                let get = |guard: &Guard| {
                    let options = GetOptions::new().with_keys_only().with_revision(before.at);
                    TxnOp::get(shared.layout.row(guard.key()), Some(options))
                };
                let gets: Vec<TxnOp> = guards.iter().map(get).collect();
                let answer = shared.ask(Txn::new().and_then(gets)).await?;
                let found = answer.op_responses().into_iter().map(first_row);
                if !guards.iter().zip(found).all(|(guard, row)| holds(guard, base, row.as_ref())) {
                    return Ok(None);
                }
            }
            Ok(Some(before))
        };
        let ended = || Err(EtcdFault::Unsent(Cause::new("store closed")));
        match self.shared.background.run(read).unwrap_or_else(ended) {
            Ok(Some(seen)) => Ok(seen),
            Ok(None) => Err(CommitError::Conflict),
            Err(fault) => Err(CommitError::Unavailable(EtcdFault::cause(fault))),
        }
    }

    /// Determines an open outcome with a fence.
    fn resolve(&mut self, batch: BatchId, cause: &Cause) -> LaneOutcome {
        let shared = Arc::clone(&self.shared);
        let fence = self.next_id();
        let deadline = WaitLimit::after(RESOLVE_TIME);
        while !deadline.is_over() {
            match self.place(fence, batch) {
                Ok(Fence::Placed) => return Err(CommitError::Unavailable(cause.clone())),
                Ok(Fence::Batch(etcd)) => {
                    let revision = shared.base().revision(etcd);
                    shared.reach(revision);
                    return Ok(revision);
                },
                Ok(Fence::Earlier(_) | Fence::Taken) => break,
                Ok(Fence::Lost) => {
                    shared.queue.settle();
                    break;
                },
                // A store that closes waits for the outcome, too.
                Err(_) => {
                    let pause = async { tokio::time::sleep(FENCE_WAIT).await };
                    if shared.background.run(pause).is_none() {
                        break;
                    }
                },
            }
        }
        Err(CommitError::Unknown(cause.clone()))
    }

    /// Sends a fence. On success, [`Lane::known`] is the revision of the lane's row.
    fn place(&mut self, fence: BatchId, batch: BatchId) -> Result<Fence, EtcdFault> {
        let lane = self.shared.layout.lane();
        let txn = Txn::new()
            .when([Compare::mod_revision(lane.clone(), CompareOp::Equal, self.known)])
            .and_then([TxnOp::put(lane.clone(), fence.encode(), None)])
            .or_else([TxnOp::get(lane, None)]);
        let sender = Arc::clone(&self.shared);
        let answer = self.shared.background.run(async move { sender.change(txn).await });
        let ended = || Err(EtcdFault::Unsent(Cause::new("store closed")));
        let (answer, etcd) = answer.unwrap_or_else(ended)?;
        if answer.succeeded() {
            self.known = etcd;
            self.shared.see(etcd);
            return Ok(Fence::Placed);
        }
        let row = lane_row(&answer);
        let shown = self.lane_shows(row.as_ref(), batch, Some(fence));
        if let (Fence::Placed | Fence::Batch(_), Some(row)) = (shown, &row) {
            self.known = row.mod_revision();
            self.shared.see(etcd);
        }
        Ok(shown)
    }

    fn lane_shows(&self, row: Option<&KeyValue>, batch: BatchId, fence: Option<BatchId>) -> Fence {
        let Some(row) = row else { return Fence::Lost };
        if row.value() == batch.encode() {
            return Fence::Batch(row.mod_revision());
        }
        if fence.is_some_and(|fence| row.value() == fence.encode())
            || row.mod_revision() == self.known
        {
            return Fence::Placed;
        }
        if row.mod_revision() < self.known {
            return Fence::Lost;
        }
        if row.value().starts_with(&self.node.to_be_bytes()) {
            return Fence::Earlier(row.mod_revision());
        }
        Fence::Taken
    }

    /// Makes the store unavailable until a fence is in and the store was read again.
    fn unsettle(&mut self, cause: &Cause) {
        let shared = Arc::clone(&self.shared);
        shared.unsettle(cause);
        let fence = self.next_id();
        while !shared.queue.pause(FENCE_WAIT) {
            match self.place(fence, fence) {
                Ok(Fence::Placed | Fence::Batch(_)) => {
                    if self.read_again() {
                        return;
                    }
                },
                // The next fence follows it. All requests before are then decided.
                Ok(Fence::Earlier(etcd)) => self.known = etcd,
                // The store stays unavailable.
                Ok(Fence::Taken) => return shared.unsettle(&Cause::new(TAKEN)),
                // A restored store: the fence takes the lane as it is now.
                Ok(Fence::Lost) => self.known = self.lane_now().unwrap_or(self.known),
                Err(fault) => shared.unsettle(&fault.cause()),
            }
        }
    }

    /// Reads base and head after a fence, and ends all feeds.
    fn read_again(&self) -> bool {
        let shared = Arc::clone(&self.shared);
        let known = self.known;
        let read = async move {
            let get = |key| TxnOp::get(key, Some(GetOptions::new().with_keys_only()));
            let gets = [get(shared.layout.meta()), get(shared.layout.head())];
            let (answer, _) = shared.change(Txn::new().and_then(gets)).await.ok()?;
            let mut rows = answer.op_responses().into_iter().map(first_row);
            let (meta, head) = (rows.next().flatten()?, rows.next().flatten());
            let base = Base(meta.create_revision());
            let head = head.map_or(base.0, |head| head.mod_revision());
            shared.settled(base, base.revision(head), known);
            Some(())
        };
        self.shared.background.run(read).flatten().is_some()
    }

    /// The etcd revision of the lane's row.
    fn lane_now(&self) -> Option<i64> {
        let shared = Arc::clone(&self.shared);
        let read = async move {
            let get = TxnOp::get(shared.layout.lane(), None);
            let (answer, _) = shared.change(Txn::new().and_then([get])).await.ok()?;
            lane_row(&answer).map(|row| row.mod_revision())
        };
        self.shared.background.run(read).flatten()
    }
}

/// Without the thread, no batch has an outcome.
impl Drop for Lane {
    fn drop(&mut self) {
        self.shared.unsettle(&Cause::new("the thread of the lane ended"));
    }
}

fn of_fault(fault: EtcdFault) -> LaneAttempt {
    match fault {
        EtcdFault::Full(cause) => LaneAttempt::failed(CommitError::Full(cause)),
        EtcdFault::Open(cause) => LaneAttempt::Open(cause),
        EtcdFault::PageTooLarge => LaneAttempt::Open(fault.cause()),
        EtcdFault::Compacted
        | EtcdFault::Refused(_)
        | EtcdFault::SignedOut(_)
        | EtcdFault::Unsent(_) => LaneAttempt::failed(CommitError::Unavailable(fault.cause())),
    }
}

fn lane_row(answer: &etcd_client::TxnResponse) -> Option<KeyValue> {
    answer.op_responses().into_iter().next().and_then(first_row)
}

/// The row that one read of a transaction found.
pub(crate) fn first_row(response: TxnOpResponse) -> Option<KeyValue> {
    match response {
        TxnOpResponse::Get(mut get) => get.take_kvs().into_iter().next(),
        TxnOpResponse::Put(_) | TxnOpResponse::Delete(_) | TxnOpResponse::Txn(_) => None,
    }
}

fn holds(guard: &Guard, base: Base, row: Option<&KeyValue>) -> bool {
    match guard {
        Guard::Absent { .. } => row.is_none(),
        Guard::Unchanged { revision, .. } => {
            row.is_some_and(|row| Some(row.mod_revision()) == base.etcd(*revision))
        },
    }
}
