//! The chain of seals: how each hash is made, and where the chain ends.

use blake3::Hasher;
use keyhouse_storage::{At, Order, Range, Row, Rows, Store};

use crate::model::moment::Moment;
use crate::model::secret::Digest;
use crate::records::event::{CutRecord, SEAL_VERSION, SealRecord};
use crate::records::place::StoreKey;
use crate::records::{Revised, read_row};
use crate::upkeep::error::UpkeepError;

/// Maximum number of seals read at once.
const SEALS_A_PAGE: usize = 100;
/// Prefix of the input of every seal hash, by the seal's version. The prefix prevents other hashes
/// from being used as seal hashes.
const DOMAIN_1: &[u8] = b"keyhouse audit seal 1";
const DOMAIN_2: &[u8] = b"keyhouse audit seal 2";

/// The end of the chain: the last seal, or the last seal that was cut, or the empty start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// The number of the last seal. 0 before the first seal.
    pub number: u64,
    /// The hash of the last seal. Before the first seal, the hash of no input.
    pub hash: Digest,
    /// When the last seal was made or cut. `None` before the first seal.
    pub at: Option<Moment>,
    /// The version of the last seal. 1 after a cut without an event, 0 before the first seal.
    pub(crate) version: u8,
    /// The earliest possible time of an event without a seal.
    pub(crate) floor: Moment,
    /// The latest possible time of an event under a stored seal.
    pub(crate) latest: Moment,
}

impl AuditHead {
    /// The end of a chain without seals.
    pub(crate) fn none() -> Self {
        let (floor, latest) = (Moment::BEGINNING, Moment::BEGINNING);
        Self { number: 0, hash: Digest::of(b""), at: None, version: 0, floor, latest }
    }

    /// Reads the end of the stored chain.
    pub(crate) fn read(store: &dyn Store) -> Result<Self, UpkeepError> {
        let page = seals(store, None, Order::Descending, 1)?;
        if let Some(row) = page.rows.first() {
            let seal = read_row::<SealRecord>(row)?.record;
            return Ok(Self::of(&seal));
        }
        Ok(cut(store)?.map_or_else(Self::none, |held| Self::behind(&held.record)))
    }

    /// The end of a chain with this last seal.
    pub(crate) fn of(seal: &SealRecord) -> Self {
        let (number, hash, at) = (seal.number, seal.hash, Some(seal.at));
        let (version, floor, latest) = (seal.version, seal.floor, seal.latest);
        Self { number, hash, at, version, floor, latest }
    }

    /// The end of a chain whose seals are all cut.
    pub(crate) fn behind(cut: &CutRecord) -> Self {
        let version = if cut.event.is_some() { SEAL_VERSION } else { 1 };
        let (number, hash, floor) = (cut.number, cut.hash, cut.floor);
        Self { number, hash, at: Some(cut.at), version, floor, latest: Moment::BEGINNING }
    }
}

/// Returns the cut of the chain, if there is one.
pub(crate) fn cut(store: &dyn Store) -> Result<Option<Revised<CutRecord>>, UpkeepError> {
    Ok(cut_row(store)?.as_ref().map(read_row).transpose()?)
}

/// Returns the stored row of the cut.
pub(crate) fn cut_row(store: &dyn Store) -> Result<Option<Row>, UpkeepError> {
    Ok(store.get(&StoreKey::Cut.to_bytes(), At::Latest)?)
}

/// Returns a page of stored seals after a number, in an order.
pub(crate) fn seals(
    store: &dyn Store,
    after: Option<u64>,
    order: Order,
    limit: usize,
) -> Result<keyhouse_storage::Page, UpkeepError> {
    let after = after.map(|number| StoreKey::Seal(number).to_bytes());
    let limit = limit.min(SEALS_A_PAGE);
    let range = Range { prefix: StoreKey::SEALS, after: after.as_deref(), limit, order };
    Ok(store.scan(&range, At::Latest)?)
}

/// Returns the rows of all stored seals, in an order.
pub(crate) fn seal_rows(store: &dyn Store, order: Order) -> Rows<'_> {
    let range = Range { prefix: StoreKey::SEALS, after: None, limit: SEALS_A_PAGE, order };
    store.rows(&range, At::Latest)
}

/// Computes the hash of a seal. Two different seals never have the same input, since its encoding
/// is unambiguous.
pub(crate) struct SealHasher(Hasher);

impl SealHasher {
    /// Starts the hash of the seal after another.
    pub(crate) fn new(version: u8, number: u64, previous: Digest) -> Self {
        let mut hasher = Hasher::new();
        let domain = if version == 1 { DOMAIN_1 } else { DOMAIN_2 };
        hasher.update(domain).update(previous.bytes()).update(&number.to_be_bytes());
        Self(hasher)
    }

    /// Adds an event as it is stored: the store key and the value, each preceded by its length.
    pub(crate) fn take(&mut self, row: &Row) {
        for bytes in [&row.key, &row.value] {
            self.0.update(&length(bytes.len())).update(bytes);
        }
    }

    /// Adds the seal's own fields and returns the hash.
    pub(crate) fn finish(mut self, seal: &SealRecord) -> Digest {
        for moment in [seal.at, seal.floor, seal.latest] {
            self.0.update(&moment.milliseconds().to_be_bytes());
        }
        self.0.update(&length(seal.events.len()));
        Digest::from_bytes(*self.0.finalize().as_bytes())
    }
}

fn length(bytes: usize) -> [u8; 8] {
    // Every length fits into 64 bits.
    u64::try_from(bytes).unwrap_or(u64::MAX).to_be_bytes()
}
