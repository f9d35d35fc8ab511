//! The chain of seals: how the hash of each is made, and where it ends today.

use blake3::Hasher;
use keyhouse_storage::{At, Order, Range, Row, Store};

use crate::actions::audit::ChainError;
use crate::model::moment::Moment;
use crate::model::secret::Digest;
use crate::records::event::{CutRecord, SEAL_VERSION, SealRecord};
use crate::records::place::Place;
use crate::records::{Held, read_row};

/// Most seals that are read at once.
const SEALS_A_PAGE: usize = 100;
/// What every hash of a seal begins with, by the seal's version: nothing else hashes to the same.
const DOMAIN_1: &[u8] = b"keyhouse audit seal 1";
const DOMAIN_2: &[u8] = b"keyhouse audit seal 2";

/// The end of the chain: the last seal, or the last that was cut off, or nothing yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the last seal; 0 before the first.
    pub number: u64,
    /// Its hash; the hash of nothing before the first.
    pub hash: Digest,
    /// When it was made, or cut off; `None` before the first.
    pub at: Option<Moment>,
    /// The last seal's version; 1 behind a cut that no event names; 0 before the first seal.
    pub(super) version: u8,
    /// No event is older that is in no seal.
    pub(super) floor: Moment,
    /// No event is younger that is in a seal that is there.
    pub(super) latest: Moment,
}

impl Head {
    /// The end of a chain that has no seal yet.
    pub(super) fn none() -> Self {
        let (floor, latest) = (Moment::BEGINNING, Moment::BEGINNING);
        Self { number: 0, hash: Digest::of(b""), at: None, version: 0, floor, latest }
    }

    /// Where the chain ends as it is stored.
    pub(super) fn read(store: &dyn Store) -> Result<Self, ChainError> {
        let page = seals(store, None, Order::Descending, 1)?;
        if let Some(row) = page.rows.first() {
            let seal = read_row::<SealRecord>(row)?.record;
            return Ok(Self::of(&seal));
        }
        Ok(cut(store)?.map_or_else(Self::none, |held| Self::behind(&held.record)))
    }

    /// The end of a chain whose last seal this is.
    pub(super) fn of(seal: &SealRecord) -> Self {
        let (number, hash, at) = (seal.number, seal.hash, Some(seal.at));
        let (version, floor, latest) = (seal.version, seal.floor, seal.latest);
        Self { number, hash, at, version, floor, latest }
    }

    /// The end of a chain all of whose seals are cut off.
    pub(super) fn behind(cut: &CutRecord) -> Self {
        let version = if cut.event.is_some() { SEAL_VERSION } else { 1 };
        let (number, hash, floor) = (cut.number, cut.hash, cut.floor);
        Self { number, hash, at: Some(cut.at), version, floor, latest: Moment::BEGINNING }
    }
}

/// Where the chain was cut, if it was.
pub(super) fn cut(store: &dyn Store) -> Result<Option<Held<CutRecord>>, ChainError> {
    Ok(cut_row(store)?.as_ref().map(read_row).transpose()?)
}

/// The row of the cut as it is stored.
pub(super) fn cut_row(store: &dyn Store) -> Result<Option<Row>, ChainError> {
    Ok(store.get(&Place::Cut.to_bytes(), At::Latest)?)
}

/// Some seals beyond a number, in an order, as they are stored.
pub(super) fn seals(
    store: &dyn Store,
    after: Option<u64>,
    order: Order,
    limit: usize,
) -> Result<keyhouse_storage::Page, ChainError> {
    let after = after.map(|number| Place::Seal(number).to_bytes());
    let limit = limit.min(SEALS_A_PAGE);
    let range = Range { prefix: Place::SEALS, after: after.as_deref(), limit, order };
    Ok(store.scan(&range, At::Latest)?)
}

/// Calls `visit` with every seal that is stored beyond a number, in an order, until it says stop.
pub(super) fn each_seal(
    store: &dyn Store,
    order: Order,
    mut visit: impl FnMut(&Row) -> Result<Visit, ChainError>,
) -> Result<(), ChainError> {
    let mut after: Option<Vec<u8>> = None;
    loop {
        let after_key = after.as_deref();
        let range = Range { prefix: Place::SEALS, after: after_key, limit: SEALS_A_PAGE, order };
        let page = store.scan(&range, At::Latest)?;
        for row in &page.rows {
            match visit(row)? {
                Visit::Next => {},
                Visit::Stop => return Ok(()),
            }
        }
        after = page.rows.last().map(|row| row.key.clone());
        if !page.more {
            return Ok(());
        }
    }
}

/// Whether a walk over seals goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visit {
    Next,
    Stop,
}

/// Makes the hash of a seal. What goes in can be taken apart again in one way only, so that no two
/// seals share a hash.
pub(super) struct SealHasher(Hasher);

impl SealHasher {
    /// Begins the hash of the seal behind another.
    pub(super) fn new(version: u8, number: u64, previous: Digest) -> Self {
        let mut hasher = Hasher::new();
        let domain = if version == 1 { DOMAIN_1 } else { DOMAIN_2 };
        hasher.update(domain).update(previous.bytes()).update(&number.to_be_bytes());
        Self(hasher)
    }

    /// Takes in an event as it is stored: key and value, each behind its length.
    pub(super) fn take(&mut self, row: &Row) {
        for bytes in [&row.key, &row.value] {
            self.0.update(&length(bytes.len())).update(bytes);
        }
    }

    /// Ends with what the seal says of itself.
    pub(super) fn finish(mut self, seal: &SealRecord) -> Digest {
        for moment in [seal.at, seal.floor, seal.latest] {
            self.0.update(&moment.milliseconds().to_be_bytes());
        }
        self.0.update(&length(seal.events.len()));
        Digest::from_bytes(*self.0.finalize().as_bytes())
    }
}

fn length(bytes: usize) -> [u8; 8] {
    // No length here is longer than 64 bits.
    u64::try_from(bytes).unwrap_or(u64::MAX).to_be_bytes()
}
