//! The format of a whole store: written once, checked at every start, upgraded in steps.

use keyhouse_storage::{At, Batch, Range, Revision, Store};
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use crate::model::seed::SeedKeys;
use crate::records::codec::{Record, encode, read_row};
use crate::records::error::PrepareError;
use crate::records::place::StoreKey;
use crate::records::upgrade::{STEPS, STORE_FORMAT, UpgradeStep, Upgrading};

#[derive(Clone, Copy, Serialize, Deserialize)]
struct FormatRecord {
    #[serde(rename = "f")]
    format: u32,
    /// The format at the start of an upgrade, until the upgrade is complete.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    upgraded_from: Option<u32>,
}

impl Record for FormatRecord {}

/// The upgrade that a store needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingUpgrade {
    /// The format of the store, or its format before an upgrade that was interrupted.
    pub from: u32,
    /// Whether an earlier upgrade was interrupted.
    pub has_begun: bool,
}

impl PendingUpgrade {
    /// The steps of the upgrade, in their order.
    pub fn steps(self) -> impl Iterator<Item = &'static UpgradeStep> {
        STEPS.iter().filter(move |step| self.from < step.format)
    }
}

/// The upgrade that a store needs before this program can use it. `None` for an empty store and for
/// a store of the current format. Changes nothing.
///
/// # Errors
/// [`PrepareError::Newer`], and [`PrepareError::Read`].
pub fn pending(store: &dyn Store) -> Result<Option<PendingUpgrade>, PrepareError> {
    Ok(read_format(store)?.and_then(|found| found.pending))
}

/// Prepares a store for this program: writes the format of an empty store, upgrades a store of an
/// older format, and rejects a store of a later format. An interrupted upgrade continues at the
/// next start. `keys` encrypt the seeds that an older format stored as plain text.
pub fn prepare(
    store: &dyn Store,
    keys: &SeedKeys,
    random: &mut StdRng,
) -> Result<(), PrepareError> {
    let done = FormatRecord { format: STORE_FORMAT, upgraded_from: None };
    let Some(found) = read_format(store)? else {
        let any = Range { limit: 1, ..Range::prefix(b"") };
        if !store.scan(&any, At::Latest)?.rows.is_empty() {
            return Err(PrepareError::Unfinished);
        }
        return mark(store, done, None).map(drop);
    };
    let Some(pending) = found.pending else { return Ok(()) };
    // The new format is written first, because a program of the older format must not open a store
    // that is half upgraded.
    let begun = FormatRecord { upgraded_from: Some(pending.from), ..done };
    let revision = mark(store, begun, Some(found.revision))?;
    let mut upgrading = Upgrading { store, keys, random };
    for step in pending.steps() {
        (step.run)(&mut upgrading)?;
    }
    mark(store, done, Some(revision)).map(drop)
}

/// The format of a store at a revision. `None` for a store without rows.
pub fn format_of(store: &dyn Store, at: At) -> Result<Option<u32>, PrepareError> {
    let row = store.get(&StoreKey::Format.to_bytes(), at)?;
    Ok(row.as_ref().map(read_row::<FormatRecord>).transpose()?.map(|held| held.record.format))
}

struct FoundFormat {
    revision: Revision,
    pending: Option<PendingUpgrade>,
}

fn read_format(store: &dyn Store) -> Result<Option<FoundFormat>, PrepareError> {
    let Some(row) = store.get(&StoreKey::Format.to_bytes(), At::Latest)? else { return Ok(None) };
    let found = read_row::<FormatRecord>(&row)?.record;
    if found.format > STORE_FORMAT {
        return Err(PrepareError::Newer { found: found.format, supported: STORE_FORMAT });
    }
    let has_begun = found.upgraded_from.is_some();
    let from = found.upgraded_from.unwrap_or(found.format);
    let pending = (from < STORE_FORMAT).then_some(PendingUpgrade { from, has_begun });
    Ok(Some(FoundFormat { revision: row.revision, pending }))
}

fn mark(
    store: &dyn Store,
    record: FormatRecord,
    over: Option<Revision>,
) -> Result<Revision, PrepareError> {
    let key = StoreKey::Format.to_bytes();
    let value = encode(&StoreKey::Format, &record)?;
    let batch = match over {
        Some(revision) => Batch::new().unchanged(key.clone(), revision),
        None => Batch::new().absent(key.clone()),
    };
    Ok(store.commit(batch.put(key, value))?)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::id::{OrganizationId, UserId};
    use crate::model::moment::Moment;
    use crate::model::secret::Secret;
    use crate::records::Stored;
    use crate::records::access::EmailRecord;
    use crate::records::codec::decode;
    use crate::records::people::TotpRecord;
    use keyhouse_storage::MemoryStore;
    use rand::SeedableRng as _;

    fn organization() -> OrganizationId {
        OrganizationId::from_bytes([7; 16])
    }

    fn format_of(store: &MemoryStore) -> (u32, Option<u32>) {
        let row = store.get(&StoreKey::Format.to_bytes(), At::Latest).unwrap().unwrap();
        let record = read_row::<FormatRecord>(&row).unwrap().record;
        (record.format, record.upgraded_from)
    }

    pub(crate) fn prepared(store: &dyn Store) -> Result<(), PrepareError> {
        let mut random = StdRng::seed_from_u64(1);
        let keys = SeedKeys::generate(&mut random);
        prepare(store, &keys, &mut random)
    }

    fn put(store: &MemoryStore, key: &[u8], json: &str) {
        let value = [&[1], json.as_bytes()].concat();
        store.commit(Batch::new().put(key.to_vec(), value)).unwrap();
    }

    /// Returns the addresses of a store, each with its organization and its user.
    fn emails(store: &MemoryStore) -> Vec<(String, OrganizationId, UserId)> {
        let range = Range { limit: 10_000, ..Range::prefix(StoreKey::EMAILS) };
        let rows = store.scan(&range, At::Latest).unwrap().rows;
        let read = rows.iter().map(|row| {
            let StoreKey::Email(email, organization) = StoreKey::parse(&row.key).unwrap() else {
                panic!("{}", row.key.escape_ascii());
            };
            (email, organization, read_row::<EmailRecord>(row).unwrap().record.user)
        });
        read.collect()
    }

    /// The rows that the programs of formats 1 and 2 wrote: the address alone is the row key.
    fn store_of_format(
        format: u32,
        users: u16,
    ) -> (MemoryStore, Vec<(String, OrganizationId, UserId)>) {
        let store = MemoryStore::new();
        put(&store, b"format", &format!("{{\"f\":{format}}}"));
        let (organization, mut expected) = (organization(), Vec::new());
        for number in 0..users {
            let [high, low] = number.to_be_bytes();
            let user = UserId::from_bytes([1, high, low, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            let email = format!("user{number:05}/x@example.com");
            let record = format!(
                "{{\"g\":\"{organization}\",\"e\":\"{email}\",\"n\":\"N\",\"pw\":\"\",\"r\":\"user\",\
                 \"c\":1767225600000,\"v\":1}}"
            );
            put(&store, &StoreKey::User(user).to_bytes(), &record);
            put(&store, format!("email/{email}").as_bytes(), &format!("{{\"u\":\"{user}\"}}"));
            expected.push((email, organization, user));
        }
        (store, expected)
    }

    #[test]
    fn a_store_that_was_restored_in_part_is_refused() {
        let store = MemoryStore::new();
        put(&store, b"user/1", "{}");
        let error = prepared(&store).unwrap_err().to_string();
        assert!(error.starts_with("the store has records but no format"), "{error}");
    }

    #[test]
    fn an_empty_store_is_marked_and_a_later_one_refused() {
        let store = MemoryStore::new();
        prepared(&store).unwrap();
        prepared(&store).unwrap();
        assert_eq!(format_of(&store), (STORE_FORMAT, None));
        put(&store, b"format", r#"{"f":5}"#);
        let error = prepared(&store).unwrap_err().to_string();
        assert!(error.starts_with("the store has format 5, this program supports 4"), "{error}");
    }

    #[test]
    fn a_store_of_an_older_format_keeps_every_address_under_its_organization() {
        for format in [1, 2] {
            let (store, expected) = store_of_format(format, 600);
            assert_upgraded(&store, &expected);
        }
    }

    fn assert_upgraded(store: &MemoryStore, expected: &[(String, OrganizationId, UserId)]) {
        prepared(store).unwrap();
        assert_eq!(emails(store), expected);
        assert_eq!(format_of(store), (STORE_FORMAT, None));
        // The index can parse every row.
        let page = store.scan(&Range { limit: 10_000, ..Range::prefix(b"user/") }, At::Latest);
        for row in page.unwrap().rows {
            let read = crate::records::read(&row.key, &row.value).unwrap();
            assert!(matches!(read, Stored::User(user) if !user.email_unconfirmed));
        }
    }

    /// A process that was killed during an upgrade left rows of both formats.
    #[test]
    fn an_upgrade_that_was_broken_off_goes_on() {
        let (store, expected) = store_of_format(1, 3);
        put(&store, b"format", r#"{"f":4,"u":1}"#);
        let (email, _, user) = &expected[0];
        let place = StoreKey::Email(email.clone(), organization());
        put(&store, &place.to_bytes(), &format!("{{\"u\":\"{user}\"}}"));
        let old = format!("email/{email}").into_bytes();
        store.commit(Batch::new().delete(old)).unwrap();
        prepared(&store).unwrap();
        assert_eq!(emails(&store), expected);
        assert_eq!(format_of(&store), (STORE_FORMAT, None));
    }

    #[test]
    fn the_seeds_of_an_older_format_are_encrypted_for_their_users() {
        let store = MemoryStore::new();
        put(&store, b"format", r#"{"f":3}"#);
        let users = [UserId::from_bytes([1; 16]), UserId::from_bytes([2; 16])];
        let seeds = ["JBSWY3DPEHPK3PXP", "GEZDGNBVGY3TQOJQ"];
        for (user, seed) in users.into_iter().zip(seeds) {
            let record = format!(r#"{{"s":"{seed}","on":true,"l":7,"c":1767225600000}}"#);
            put(&store, &StoreKey::Totp(user).to_bytes(), &record);
        }
        let mut random = StdRng::seed_from_u64(1);
        let keys = SeedKeys::generate(&mut random);
        let upgrade = pending(&store).unwrap().unwrap();
        assert_eq!(upgrade, PendingUpgrade { from: 3, has_begun: false });
        assert_eq!(upgrade.steps().map(|step| step.format).collect::<Vec<_>>(), [4]);
        // The second run continues an upgrade that was interrupted after its last row.
        for _ in 0..2 {
            prepare(&store, &keys, &mut random).unwrap();
            for (user, seed) in users.into_iter().zip(seeds) {
                let row = store.get(&StoreKey::Totp(user).to_bytes(), At::Latest).unwrap().unwrap();
                assert!(!row.value.windows(seed.len()).any(|part| part == seed.as_bytes()));
                let record = read_row::<TotpRecord>(&row).unwrap().record;
                assert_eq!((record.confirmed, record.step_last), (true, 7));
                assert_eq!(record.created_at, Moment::from_milliseconds(1_767_225_600_000));
                let decrypted = keys.decrypt(user, &record.seed).unwrap();
                assert_eq!(decrypted, Secret::new(seed.to_owned()));
            }
            assert_eq!(pending(&store).unwrap(), None);
            put(&store, b"format", r#"{"f":4,"u":3}"#);
        }
    }

    /// A program that writes format 1 reads only the field `f`. It must reject the new format at
    /// its start.
    #[test]
    fn an_upgrade_is_marked_before_it_begins() {
        #[derive(Deserialize)]
        struct OfFormat1 {
            f: u32,
        }
        let record = FormatRecord { format: STORE_FORMAT, upgraded_from: Some(1) };
        let bytes = encode(&StoreKey::Format, &record).unwrap();
        let read: OfFormat1 = decode(&StoreKey::Format, &bytes).unwrap();
        assert_eq!(read.f, STORE_FORMAT);
    }
}
