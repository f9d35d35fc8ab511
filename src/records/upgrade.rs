//! The formats of a store, and the steps that convert a store from one format to the next.
//!
//! A step works in atomic batches and can run again: it skips the rows that it has converted.

use keyhouse_storage::{At, Batch, Range, Row, Store};
use rand::rngs::StdRng;
use serde::Deserialize;

use crate::model::moment::Moment;
use crate::model::secret::{Digest, Secret};
use crate::model::seed::SeedKeys;
use crate::records::access::{EmailRecord, UserRecord};
use crate::records::codec::{decode, encode, read_row};
use crate::records::error::PrepareError;
use crate::records::people::TotpRecord;
use crate::records::place::StoreKey;
use crate::records::text;

/// The format that this program reads and writes.
///
/// 2: seals of the audit log have a version, and each cut has an event. `upkeep::audit` upgrades
/// older logs: the first seal of the new version covers an event for the older cut.
pub const STORE_FORMAT: u32 = 4;
/// Number of rows that a step reads at once. Each row becomes at most two writes.
const ROWS_A_BATCH: usize = 250;

/// The steps, in the order of their formats.
pub const STEPS: [UpgradeStep; 2] = [
    UpgradeStep {
        format: 3,
        title: "an email address is unique in each organization, not in the instance",
        rows: StoreKey::EMAILS,
        run: emails_by_organization,
    },
    UpgradeStep {
        format: 4,
        title: "the seeds of second factors are encrypted",
        rows: StoreKey::TOTPS,
        run: encrypted_seeds,
    },
];

/// The conversion of a store to one format.
#[derive(Debug)]
pub struct UpgradeStep {
    /// The format after the step.
    pub format: u32,
    /// The difference to the format before, for a dry run.
    pub title: &'static str,
    /// Prefix of the rows that the step reads.
    pub rows: &'static [u8],
    pub(super) run: fn(&mut Upgrading<'_>) -> Result<(), PrepareError>,
}

/// What a step works with.
pub(super) struct Upgrading<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) keys: &'a SeedKeys,
    pub(super) random: &'a mut StdRng,
}

impl Upgrading<'_> {
    /// Converts each row under a prefix. `convert` adds the writes of a row to the batch.
    fn each_row(
        &mut self,
        prefix: &[u8],
        mut convert: impl FnMut(&mut Self, Batch, &Row) -> Result<Batch, PrepareError>,
    ) -> Result<(), PrepareError> {
        let store = self.store;
        let range = Range { limit: ROWS_A_BATCH, ..Range::prefix(prefix) };
        for page in store.pages(&range, At::Latest) {
            let mut batch = Batch::new();
            for row in &page?.rows {
                batch = convert(self, batch, row)?;
            }
            if !batch.writes().is_empty() {
                store.commit(batch)?;
            }
        }
        Ok(())
    }
}

/// Adds the organization of an address's user to the row key of the address.
fn emails_by_organization(upgrading: &mut Upgrading<'_>) -> Result<(), PrepareError> {
    upgrading.each_row(StoreKey::EMAILS, |upgrading, batch, row| {
        let email = row.key.strip_prefix(StoreKey::EMAILS);
        let email = email.and_then(|text| str::from_utf8(text).ok());
        // A row key of the current format contains a zero byte before the id; no address contains
        // this byte.
        let Some(email) = email.filter(|email| !email.contains('\0')) else { return Ok(batch) };
        let batch = batch.delete(row.key.clone());
        let record: EmailRecord = decode(&StoreKey::Format, &row.value)?;
        let user = upgrading.store.get(&StoreKey::User(record.user).to_bytes(), At::Latest)?;
        let Some(user) = user else { return Ok(batch) };
        let organization = read_row::<UserRecord>(&user)?.record.organization;
        let place = StoreKey::Email(email.to_owned(), organization);
        Ok(batch.put(place.to_bytes(), encode(&place, &record)?))
    })
}

/// A second factor before format 4, whose seed was plain text.
#[derive(Deserialize)]
struct PlainTotp {
    #[serde(rename = "s")]
    seed: String,
    #[serde(rename = "on", default)]
    confirmed: bool,
    #[serde(rename = "l", default)]
    step_last: u64,
    #[serde(rename = "b", default, with = "text::list")]
    backup: Vec<Digest>,
    #[serde(rename = "c", with = "text::moment")]
    created_at: Moment,
}

/// Encrypts the seeds of second factors.
fn encrypted_seeds(upgrading: &mut Upgrading<'_>) -> Result<(), PrepareError> {
    upgrading.each_row(StoreKey::TOTPS, |upgrading, batch, row| {
        let place = StoreKey::parse(&row.key)?;
        let StoreKey::Totp(user) = place else { return Ok(batch) };
        if decode::<TotpRecord>(&place, &row.value).is_ok() {
            return Ok(batch);
        }
        let plain: PlainTotp = decode(&place, &row.value)?;
        let seed = Secret::new(plain.seed);
        let record = TotpRecord {
            seed: upgrading.keys.encrypt(user, &seed, upgrading.random)?,
            confirmed: plain.confirmed,
            step_last: plain.step_last,
            backup: plain.backup,
            created_at: plain.created_at,
        };
        Ok(batch.put(row.key.clone(), encode(&place, &record)?))
    })
}
