//! Reads: one row, and the pages of scans.
//!
//! Every read is a transaction, so that rows and head are of one etcd revision. If a revision of the
//! store was compacted although nothing of the store has changed since, the latest rows are the same:
//! the transaction then compares the head.

use std::convert::Infallible;
use std::sync::Arc;

use etcd_client::{
    Compare, CompareOp, GetOptions, GetResponse, KeyValue, SortOrder, SortTarget, Txn, TxnOp,
    TxnOpResponse, TxnResponse,
};
use keyhouse_storage::{
    At, Cause, Order, PAGE_BYTES_MAX, PAGE_ROWS_MAX, Page, Range, ReadError, Revision, Row,
};

use crate::bisection::{Bisection, SORTED_ROWS_MAX};
use crate::fault::EtcdFault;
use crate::state::{Base, StoreState};

/// Rows of the first request of a page. Rows have up to 1 MiB, and etcd has no limit in bytes.
const FIRST_ROWS: usize = 1_000;
/// Rows of a request that fit into a response at any size of rows.
const ROWS_MIN: usize = 16;

/// A head as a read found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeadSeen {
    /// The etcd revision of the head, or the base if there is no batch.
    pub(crate) etcd: i64,
    /// The number of batches.
    pub(crate) version: i64,
    /// The etcd revision of the read.
    pub(crate) at: i64,
}

/// Reads the latest head.
pub(crate) async fn head(shared: &StoreState) -> Result<HeadSeen, EtcdFault> {
    let only_key = GetOptions::new().with_keys_only();
    let get = TxnOp::get(shared.layout.head(), Some(only_key));
    let answer = shared.ask(Txn::new().and_then([get])).await?;
    let seen = head_of(shared.base(), &answer, gets(&answer).first());
    shared.reach(shared.base().revision(seen.etcd));
    Ok(seen)
}

fn head_of(base: Base, answer: &TxnResponse, get: Option<&GetResponse>) -> HeadSeen {
    let at = answer.header().map_or(0, etcd_client::ResponseHeader::revision);
    match get.and_then(|get| get.kvs().first()) {
        None => HeadSeen { etcd: base.0, version: 0, at },
        Some(row) => HeadSeen { etcd: row.mod_revision(), version: row.version(), at },
    }
}

/// The version of the head at a revision, for a feed that starts there.
pub(crate) async fn head_version_at(shared: &StoreState, etcd: i64) -> Result<i64, EtcdFault> {
    let options = GetOptions::new().with_keys_only().with_revision(etcd);
    let get = TxnOp::get(shared.layout.head(), Some(options));
    let answer = shared.ask(Txn::new().and_then([get])).await?;
    Ok(head_of(shared.base(), &answer, gets(&answer).first()).version)
}

pub(crate) async fn get(
    shared: Arc<StoreState>,
    key: Vec<u8>,
    at: At,
) -> Result<Option<Row>, ReadError> {
    let base = shared.readable()?;
    let key = shared.layout.row(&key);
    let ask = |options: GetOptions| TxnOp::get(key.clone(), Some(options));
    let mut view = View::of(&shared, base, at).await?;
    let (answer, _) = view.ask(&shared, base, ask).await?;
    let mut gets = gets(&answer);
    let row = gets.pop().and_then(|mut get| get.take_kvs().into_iter().next());
    Ok(row.and_then(|row| row_of(&shared, base, row)))
}

fn row_of(shared: &StoreState, base: Base, row: KeyValue) -> Option<Row> {
    let key = shared.layout.row_of(row.key())?.to_vec();
    let revision = base.revision(row.mod_revision());
    let (_, value) = row.into_key_value();
    Some(Row { key, value, revision })
}

fn gets(answer: &TxnResponse) -> Vec<GetResponse> {
    let responses = answer.op_responses().into_iter();
    responses
        .filter_map(|response| match response {
            TxnOpResponse::Get(get) => Some(get),
            TxnOpResponse::Put(_) | TxnOpResponse::Delete(_) | TxnOpResponse::Txn(_) => None,
        })
        .collect()
}

/// The state that a read returns.
#[derive(Clone, Copy, Debug)]
enum View {
    Latest,
    /// The state at this etcd revision, while the head was as stated.
    At {
        etcd: i64,
        head: i64,
    },
    /// The latest state, if the head is as stated. The etcd revision was compacted.
    While {
        head: i64,
    },
}

impl View {
    async fn of(shared: &StoreState, base: Base, at: At) -> Result<Self, ReadError> {
        let At::Revision(revision) = at else { return Ok(Self::Latest) };
        let etcd = base.etcd(revision).ok_or(ReadError::Compacted)?;
        // etcd answers for a revision that another program's write took, so the head decides.
        if revision > shared.reached() && base.etcd(revision) > Some(head(shared).await?.etcd) {
            return Err(ReadError::Compacted);
        }
        Ok(Self::At { etcd, head: etcd })
    }

    /// Asks for rows, and returns the head's revision. The view then names what was read, so that the
    /// next request reads the same state.
    async fn ask(
        &mut self,
        shared: &StoreState,
        base: Base,
        operation: impl Fn(GetOptions) -> TxnOp,
    ) -> Result<(TxnResponse, i64), EtcdFault> {
        if let Self::At { etcd, head } = *self {
            let options = GetOptions::new().with_revision(etcd);
            match shared.ask(Txn::new().and_then([operation(options)])).await {
                Ok(answer) => return Ok((answer, head)),
                Err(EtcdFault::Compacted) => *self = Self::While { head },
                Err(fault) => return Err(fault),
            }
        }
        let only_key = GetOptions::new().with_keys_only();
        let get_head = TxnOp::get(shared.layout.head(), Some(only_key));
        let mut txn = Txn::new();
        if let Self::While { head } = *self {
            txn = txn.when([head_is(shared, base, head)]);
        }
        let answer = shared.ask(txn.and_then([get_head, operation(GetOptions::new())])).await?;
        if !answer.succeeded() {
            return Err(EtcdFault::Compacted);
        }
        let seen = head_of(base, &answer, gets(&answer).first());
        shared.reach(base.revision(seen.etcd));
        if matches!(self, Self::Latest) {
            *self = Self::At { etcd: seen.at, head: seen.etcd };
        }
        Ok((answer, seen.etcd))
    }
}

/// The condition that no batch was committed after the head.
pub(crate) fn head_is(shared: &StoreState, base: Base, etcd: i64) -> Compare {
    if etcd == base.0 {
        Compare::create_revision(shared.layout.head(), CompareOp::Equal, 0)
    } else {
        Compare::mod_revision(shared.layout.head(), CompareOp::Equal, etcd)
    }
}

/// A scan with its bounds in etcd.
#[derive(Debug)]
pub(crate) struct RangeScan {
    /// First key and end, or `None` for a range that can have no row.
    pub(crate) bounds: Option<(Vec<u8>, Vec<u8>)>,
    pub(crate) limit: usize,
    pub(crate) order: Order,
}

pub(crate) async fn scan(
    shared: Arc<StoreState>,
    scan: RangeScan,
    at: At,
) -> Result<Page, ReadError> {
    let base = shared.readable()?;
    let mut view = View::of(&shared, base, at).await?;
    let outcome = Reading { shared: &shared, base, view: &mut view }.page(scan, at).await;
    match (outcome, at) {
        // Only a compaction between two requests of one page ends here.
        (Err(EtcdFault::Compacted), At::Latest | At::LatestHeld) => {
            Err(ReadError::Unavailable(Cause::new("etcd compacted the revision of a page")))
        },
        (outcome, _) => Ok(outcome?),
    }
}

struct Reading<'a> {
    shared: &'a StoreState,
    base: Base,
    view: &'a mut View,
}

impl Reading<'_> {
    async fn page(&mut self, scan: RangeScan, at: At) -> Result<Page, EtcdFault> {
        let limit = scan.limit.min(PAGE_ROWS_MAX);
        // etcd takes a limit of zero for no limit. One row shows whether there are rows.
        let wanted = limit.max(1);
        let (mut start, mut end) = scan.bounds.clone().unwrap_or_default();
        let (mut rows, mut bytes, mut more, mut head) = (Vec::new(), 0, false, self.base.0);
        if scan.bounds.is_none() {
            head = self.head().await?;
        } else if scan.order == Order::Descending {
            start = self.lower_bound(start, &end, wanted + 1).await?;
        }
        let mut chunk_rows = FIRST_ROWS;
        while scan.bounds.is_some() {
            let chunk = chunk_rows.min(wanted - rows.len());
            let answer = match self.chunk(&start, &end, chunk, scan.order).await {
                Err(EtcdFault::PageTooLarge) if chunk > ROWS_MIN => {
                    chunk_rows = (chunk / 4).max(ROWS_MIN);
                    continue;
                },
                answer => answer?,
            };
            head = answer.head;
            more = answer.more;
            bytes += answer.bytes();
            let last = answer.rows.last().map(|row| row.key().to_vec());
            rows.extend(answer.rows);
            let Some(last) = last.filter(|_| more && rows.len() < wanted) else { break };
            if bytes >= PAGE_BYTES_MAX {
                break;
            }
            match scan.order {
                Order::Ascending => start = [last.as_slice(), b"\0"].concat(),
                Order::Descending => end = last,
            }
            let row_bytes = (bytes / rows.len()).max(1);
            let space = (PAGE_BYTES_MAX - bytes) / row_bytes + 1;
            chunk_rows = space.clamp(ROWS_MIN, PAGE_ROWS_MAX);
        }
        let revision = match at {
            At::Revision(revision) => revision,
            At::Latest | At::LatestHeld => self.base.revision(head),
        };
        Ok(self.collect(limit, revision, rows, more))
    }

    /// Ends the page at its bounds.
    fn collect(&self, limit: usize, revision: Revision, rows: Vec<KeyValue>, more: bool) -> Page {
        let range = Range { limit, ..Range::prefix(b"") };
        let rows = rows.into_iter().filter_map(|row| row_of(self.shared, self.base, row));
        let page = Page::collect(&range, revision, rows.map(Ok::<_, Infallible>));
        let page = page.unwrap_or_else(|never| match never {});
        Page { more: page.more || more, ..page }
    }

    async fn chunk(
        &mut self,
        start: &[u8],
        end: &[u8],
        rows: usize,
        order: Order,
    ) -> Result<PageChunk, EtcdFault> {
        let limit = i64::try_from(rows).unwrap_or(i64::MAX);
        let (answer, head) = self
            .view
            .ask(self.shared, self.base, |options| {
                let options = options.with_range(end).with_limit(limit);
                let options = match order {
                    Order::Ascending => options,
                    Order::Descending => options.with_sort(SortTarget::Key, SortOrder::Descend),
                };
                TxnOp::get(start, Some(options))
            })
            .await?;
        let get = gets(&answer).pop();
        let more = get.as_ref().is_some_and(GetResponse::more);
        let rows = get.map(|mut get| get.take_kvs()).unwrap_or_default();
        Ok(PageChunk { rows, more, head })
    }

    async fn head(&mut self) -> Result<i64, EtcdFault> {
        let key = self.shared.layout.meta();
        let ask = |options: GetOptions| TxnOp::get(key.clone(), Some(options.with_keys_only()));
        Ok(self.view.ask(self.shared, self.base, ask).await?.1)
    }

    async fn count(&mut self, start: &[u8], end: &[u8]) -> Result<usize, EtcdFault> {
        let (answer, _) = self
            .view
            .ask(self.shared, self.base, |options| {
                TxnOp::get(start, Some(options.with_range(end).with_count_only()))
            })
            .await?;
        let count = gets(&answer).pop().map_or(0, |get| get.count());
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// A lower bound from which a descending scan has the rows of its page.
    async fn lower_bound(
        &mut self,
        start: Vec<u8>,
        end: &[u8],
        needed: usize,
    ) -> Result<Vec<u8>, EtcdFault> {
        if self.count(&start, end).await? <= SORTED_ROWS_MAX.max(needed) {
            return Ok(start);
        }
        let mut bisection = Bisection::new(start, end.to_vec(), needed);
        while let Some(probe) = bisection.probe() {
            let rows = self.count(&probe, end).await?;
            bisection.counted(probe, rows);
        }
        Ok(bisection.into_bound())
    }
}

#[derive(Debug)]
struct PageChunk {
    rows: Vec<KeyValue>,
    more: bool,
    head: i64,
}

impl PageChunk {
    fn bytes(&self) -> usize {
        self.rows.iter().map(|row| row.key().len() + row.value().len()).sum()
    }
}
