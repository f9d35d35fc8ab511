//! The format of a whole store: written once, checked at every start, upgraded in steps.

use keyhouse_storage::{At, Batch, CommitError, Range, ReadError, Revision, Row, Store};
use serde::{Deserialize, Serialize};

use crate::records::access::{EmailRecord, UserRecord};
use crate::records::codec::{Record, decode, encode, read_row};
use crate::records::error::RecordError;
use crate::records::place::StoreKey;

/// Format that this program reads and writes. A later format adds a step to [`upgrade`], which
/// converts the store from the previous format in atomic, resumable batches.
///
/// 2: seals of the audit log have a version, and each cut has an event. `upkeep::audit` upgrades
/// older logs: the first seal of the new version covers an event for the older cut.
///
/// 3: an email address is unique in each organization. Before format 3, an address was unique in
/// the instance.
const STORE_FORMAT: u32 = 3;
/// Format that added the organization to the row keys of email addresses.
const FORMAT_OF_EMAILS: u32 = 3;
/// Number of rows that a step reads at once. Each row becomes at most two writes.
const ROWS_A_BATCH: usize = 250;

/// Reasons why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error(
        "the store has format {found}, this program supports {STORE_FORMAT}: use the version that \
         wrote it, or a later version"
    )]
    Newer { found: u32 },
    /// The stored format does not parse.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The format could not be read.
    #[error("could not read the store's format")]
    Read(#[from] ReadError),
    /// The format could not be written.
    #[error("could not write the store's format")]
    Commit(#[from] CommitError),
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct FormatRecord {
    #[serde(rename = "f")]
    format: u32,
    /// The format at the start of an upgrade, until the upgrade is complete.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    upgraded_from: Option<u32>,
}

impl Record for FormatRecord {}

/// Prepares a store for this program: writes the format of an empty store, upgrades a store of an
/// older format, and rejects a store of a later format. An interrupted upgrade continues at the
/// next start.
pub fn prepare(store: &dyn Store) -> Result<(), PrepareError> {
    let done = FormatRecord { format: STORE_FORMAT, upgraded_from: None };
    let Some(row) = store.get(&StoreKey::Format.to_bytes(), At::Latest)? else {
        return mark(store, done, None).map(drop);
    };
    let found = read_row::<FormatRecord>(&row)?.record;
    if found.format > STORE_FORMAT {
        return Err(PrepareError::Newer { found: found.format });
    }
    let from = found.upgraded_from.unwrap_or(found.format);
    if from == STORE_FORMAT {
        return Ok(());
    }
    // The new format is written first, because a program of the older format must not open a store
    // that is half upgraded.
    let begun = FormatRecord { upgraded_from: Some(from), ..done };
    let revision = mark(store, begun, Some(row.revision))?;
    upgrade(store, from)?;
    mark(store, done, Some(revision)).map(drop)
}

/// Runs every step from the format `from` to the current format.
fn upgrade(store: &dyn Store, from: u32) -> Result<(), PrepareError> {
    if from < FORMAT_OF_EMAILS {
        emails_by_organization(store)?;
    }
    Ok(())
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

/// Adds the organization of an address's user to the row key of the address.
fn emails_by_organization(store: &dyn Store) -> Result<(), PrepareError> {
    let range = Range { limit: ROWS_A_BATCH, ..Range::prefix(StoreKey::EMAILS) };
    for page in store.pages(&range, At::Latest) {
        let mut batch = Batch::new();
        for row in &page?.rows {
            batch = with_organization(store, batch, row)?;
        }
        if !batch.writes().is_empty() {
            store.commit(batch)?;
        }
    }
    Ok(())
}

fn with_organization(store: &dyn Store, batch: Batch, row: &Row) -> Result<Batch, PrepareError> {
    let email = row.key.strip_prefix(StoreKey::EMAILS).and_then(|text| str::from_utf8(text).ok());
    // A row key of the current format contains a zero byte before the id; no address contains this
    // byte.
    let Some(email) = email.filter(|email| !email.contains('\0')) else { return Ok(batch) };
    let batch = batch.delete(row.key.clone());
    let record: EmailRecord = decode(&StoreKey::Format, &row.value)?;
    let user = store.get(&StoreKey::User(record.user).to_bytes(), At::Latest)?;
    let Some(user) = user else { return Ok(batch) };
    let organization = read_row::<UserRecord>(&user)?.record.organization;
    let place = StoreKey::Email(email.to_owned(), organization);
    Ok(batch.put(place.to_bytes(), encode(&place, &record)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::{OrganizationId, UserId};
    use crate::records::Stored;
    use keyhouse_storage::MemoryStore;

    fn organization() -> OrganizationId {
        OrganizationId::from_bytes([7; 16])
    }

    fn format_of(store: &MemoryStore) -> (u32, Option<u32>) {
        let row = store.get(&StoreKey::Format.to_bytes(), At::Latest).unwrap().unwrap();
        let record = read_row::<FormatRecord>(&row).unwrap().record;
        (record.format, record.upgraded_from)
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
    fn an_empty_store_is_marked_and_a_later_one_refused() {
        let store = MemoryStore::new();
        prepare(&store).unwrap();
        prepare(&store).unwrap();
        assert_eq!(format_of(&store), (STORE_FORMAT, None));
        put(&store, b"format", r#"{"f":4}"#);
        let error = prepare(&store).unwrap_err().to_string();
        assert!(error.starts_with("the store has format 4, this program supports 3"), "{error}");
    }

    #[test]
    fn a_store_of_an_older_format_keeps_every_address_under_its_organization() {
        for format in [1, 2] {
            let (store, expected) = store_of_format(format, 600);
            assert_upgraded(&store, &expected);
        }
    }

    fn assert_upgraded(store: &MemoryStore, expected: &[(String, OrganizationId, UserId)]) {
        prepare(store).unwrap();
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
        put(&store, b"format", r#"{"f":3,"u":1}"#);
        let (email, _, user) = &expected[0];
        let place = StoreKey::Email(email.clone(), organization());
        put(&store, &place.to_bytes(), &format!("{{\"u\":\"{user}\"}}"));
        let old = format!("email/{email}").into_bytes();
        store.commit(Batch::new().delete(old)).unwrap();
        prepare(&store).unwrap();
        assert_eq!(emails(&store), expected);
        assert_eq!(format_of(&store), (STORE_FORMAT, None));
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
