//! Encrypts the seeds of second factors again, with the current key.

use keyhouse_storage::{At, Batch, CommitError, Range, Row, Store};
use rand::rngs::StdRng;

use crate::model::seed::SeedKeys;
use crate::records::people::TotpRecord;
use crate::records::place::StoreKey;
use crate::records::{Revised, encode, read_row};
use crate::upkeep::error::UpkeepError;

/// The result of a pass over all seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reencrypted {
    /// Seeds that the current key encrypts now, and another key before.
    pub changed: usize,
    /// Seeds that no key of the file decrypts. They are left as they are.
    pub unreadable: usize,
}

/// Encrypts each seed that another key encrypted with the current key of `keys`. Blocks until every
/// change is committed.
///
/// # Errors
/// [`UpkeepError`] if the store fails. A repeated call continues with the remaining seeds.
pub fn reencrypt(
    store: &dyn Store,
    keys: &SeedKeys,
    random: &mut StdRng,
) -> Result<Reencrypted, UpkeepError> {
    let mut done = Reencrypted::default();
    for page in store.pages(&Range::prefix(StoreKey::TOTPS), At::Latest) {
        for row in page?.rows {
            reencrypt_row(store, keys, random, row, &mut done)?;
        }
    }
    Ok(done)
}

/// Encrypts the seed of one row. Reads the row again while its user changes it.
fn reencrypt_row(
    store: &dyn Store,
    keys: &SeedKeys,
    random: &mut StdRng,
    row: Row,
    done: &mut Reencrypted,
) -> Result<(), UpkeepError> {
    let place = StoreKey::parse(&row.key)?;
    let StoreKey::Totp(user) = place else { return Ok(()) };
    let mut found = Some(row);
    while let Some(row) = found.take() {
        let Revised { record, revision } = read_row::<TotpRecord>(&row)?;
        if record.seed.key() == keys.current() {
            break;
        }
        let seed = keys.decrypt(user, &record.seed).ok();
        let encrypted = seed.and_then(|seed| keys.encrypt(user, &seed, random).ok());
        let Some(seed) = encrypted else {
            done.unreadable += 1;
            break;
        };
        let record = TotpRecord { seed, ..record };
        let batch = Batch::new().unchanged(row.key.clone(), revision);
        match store.commit(batch.put(row.key.clone(), encode(&place, &record)?)) {
            Ok(_revision) => done.changed += 1,
            Err(CommitError::Conflict) => found = store.get(&row.key, At::Latest)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
