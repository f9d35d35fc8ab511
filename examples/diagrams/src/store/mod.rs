//! The store: diagrams, accounts and the callers that have requested `/user/me`, in one redb file.
//!
//! A change is one transaction, which is on disk when the change is answered. Keys begin with the organization.

pub(crate) mod records;

use std::fs::OpenOptions;
use std::io;
use std::ops::RangeInclusive;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use redb::{
    Builder, Database, ReadableDatabase as _, ReadableTable, Table, TableDefinition,
    WriteTransaction,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::refusal::Refusal;
use records::{Account, Diagram, RowKey};

type Rows = TableDefinition<'static, &'static str, &'static [u8]>;
type WritableRows<'a> = Table<'a, &'static str, &'static [u8]>;

const DIAGRAMS: Rows = TableDefinition::new("diagrams");
/// The content of each diagram, byte by byte as its client wrote it.
const CONTENTS: Rows = TableDefinition::new("contents");
const ACCOUNTS: Rows = TableDefinition::new("accounts");
/// Client secrets of Azure accounts. No response has them.
const SECRETS: Rows = TableDefinition::new("secrets");
/// When a caller was first seen.
const CALLERS: Rows = TableDefinition::new("callers");
const META: Rows = TableDefinition::new("meta");

const FORMAT: &[u8] = b"1";
/// Only the owner of the process reads the file.
const FILE_MODE: u32 = 0o600;
/// The default of redb is 1 GiB.
const CACHE_BYTES: usize = 64 << 20;
/// The key from which external ids are derived.
pub(crate) type InstanceKey = [u8; 32];

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the store: {0}")]
    Database(Box<redb::Error>),
    #[error("the file of the store: {0}")]
    File(#[from] io::Error),
    #[error("a row of the store is not readable: {0}")]
    Row(#[from] serde_json::Error),
    #[error("the store has another format than this version reads")]
    Format,
}

macro_rules! from_redb {
    ($($error:ident),*) => {
        $(impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> Self {
                Self::Database(Box::new(error.into()))
            }
        })*
    };
}

from_redb!(DatabaseError, TransactionError, TableError, StorageError, CommitError);

/// The open store.
#[derive(Debug)]
pub struct Store {
    database: Database,
    instance_key: InstanceKey,
}

/// The tables of one change.
pub(crate) struct Changing<'a> {
    diagrams: WritableRows<'a>,
    contents: WritableRows<'a>,
    accounts: WritableRows<'a>,
    secrets: WritableRows<'a>,
    callers: WritableRows<'a>,
}

impl Store {
    /// Opens the file, or creates it. `random` gives the random bytes of a new store.
    pub fn open(path: &Path, random: impl FnOnce() -> [u8; 32]) -> Result<Self, StoreError> {
        let mut options = OpenOptions::new();
        options.create(true).read(true).write(true).truncate(false).mode(FILE_MODE);
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE_BYTES);
        let database = builder.create_file(options.open(path)?)?;
        let instance_key = prepare(&database, random)?;
        Ok(Self { database, instance_key })
    }

    pub(crate) fn instance_key(&self) -> &InstanceKey {
        &self.instance_key
    }

    /// The diagrams of an organization, without their contents, by id.
    pub(crate) fn diagrams(&self, organization: &str) -> Result<Vec<Diagram>, StoreError> {
        all_of(&self.database.begin_read()?.open_table(DIAGRAMS)?, organization)
    }

    pub(crate) fn diagram(&self, key: &RowKey) -> Result<Option<Diagram>, StoreError> {
        one_of(&self.database.begin_read()?.open_table(DIAGRAMS)?, key)
    }

    /// A diagram and its content, of one moment.
    pub(crate) fn content(&self, key: &RowKey) -> Result<Option<(Diagram, Vec<u8>)>, StoreError> {
        let transaction = self.database.begin_read()?;
        let diagram = one_of(&transaction.open_table(DIAGRAMS)?, key)?;
        let content = transaction.open_table(CONTENTS)?.get(key.as_str())?;
        Ok(diagram.zip(content.map(|row| row.value().to_vec())))
    }

    pub(crate) fn accounts(&self, organization: &str) -> Result<Vec<Account>, StoreError> {
        all_of(&self.database.begin_read()?.open_table(ACCOUNTS)?, organization)
    }

    /// An account and its client secret, of one moment.
    pub(crate) fn account_with_secret(
        &self,
        key: &RowKey,
    ) -> Result<Option<(Account, Option<String>)>, StoreError> {
        let transaction = self.database.begin_read()?;
        let account = one_of(&transaction.open_table(ACCOUNTS)?, key)?;
        let secret = transaction.open_table(SECRETS)?.get(key.as_str())?;
        let secret = secret.map(|row| String::from_utf8_lossy(row.value()).into_owned());
        Ok(account.map(|account| (account, secret)))
    }

    pub(crate) fn account(&self, key: &RowKey) -> Result<Option<Account>, StoreError> {
        one_of(&self.database.begin_read()?.open_table(ACCOUNTS)?, key)
    }

    /// When a caller was first seen; `None` if it was not, or is not remembered.
    pub(crate) fn first_seen(
        &self,
        (organization, identity): (&str, &str),
    ) -> Result<Option<i64>, StoreError> {
        let key = RowKey::of_identity(organization, identity);
        one_of(&self.database.begin_read()?.open_table(CALLERS)?, &key)
    }

    /// Makes a change. Nothing is stored if `work` fails. Changes are made one after the other.
    pub(crate) fn change<T>(
        &self,
        work: impl FnOnce(&mut Changing<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let transaction = self.database.begin_write().map_err(StoreError::from)?;
        let mut tables = Changing::open(&transaction)?;
        let made = work(&mut tables);
        drop(tables);
        match made {
            Ok(value) => {
                transaction.commit().map_err(StoreError::from)?;
                Ok(value)
            },
            Err(refusal) => {
                transaction.abort().map_err(StoreError::from)?;
                Err(refusal)
            },
        }
    }
}

impl<'a> Changing<'a> {
    fn open(transaction: &'a WriteTransaction) -> Result<Self, StoreError> {
        Ok(Self {
            diagrams: transaction.open_table(DIAGRAMS)?,
            contents: transaction.open_table(CONTENTS)?,
            accounts: transaction.open_table(ACCOUNTS)?,
            secrets: transaction.open_table(SECRETS)?,
            callers: transaction.open_table(CALLERS)?,
        })
    }

    pub(crate) fn diagram(&self, key: &RowKey) -> Result<Option<Diagram>, StoreError> {
        one_of(&self.diagrams, key)
    }

    pub(crate) fn count_diagrams(&self, organization: &str) -> Result<usize, StoreError> {
        count_of(&self.diagrams, organization)
    }

    pub(crate) fn put_diagram(
        &mut self,
        key: &RowKey,
        diagram: &Diagram,
        content: &[u8],
    ) -> Result<(), StoreError> {
        put(&mut self.diagrams, key, diagram)?;
        drop(self.contents.insert(key.as_str(), content)?);
        Ok(())
    }

    pub(crate) fn remove_diagram(&mut self, key: &RowKey) -> Result<(), StoreError> {
        drop(self.diagrams.remove(key.as_str())?);
        drop(self.contents.remove(key.as_str())?);
        Ok(())
    }

    pub(crate) fn account(&self, key: &RowKey) -> Result<Option<Account>, StoreError> {
        one_of(&self.accounts, key)
    }

    pub(crate) fn count_accounts(&self, organization: &str) -> Result<usize, StoreError> {
        count_of(&self.accounts, organization)
    }

    /// Stores an account. `None` keeps its secret.
    pub(crate) fn put_account(
        &mut self,
        key: &RowKey,
        account: &Account,
        secret: Option<&str>,
    ) -> Result<(), StoreError> {
        put(&mut self.accounts, key, account)?;
        if let Some(secret) = secret {
            drop(self.secrets.insert(key.as_str(), secret.as_bytes())?);
        }
        Ok(())
    }

    pub(crate) fn remove_account(&mut self, key: &RowKey) -> Result<(), StoreError> {
        drop(self.accounts.remove(key.as_str())?);
        drop(self.secrets.remove(key.as_str())?);
        Ok(())
    }

    /// When the caller was first seen, which is `now_ms` for a caller that was not seen before. At most
    /// `maximum` callers of an organization are remembered.
    pub(crate) fn first_seen(
        &mut self,
        (organization, identity): (&str, &str),
        now_ms: i64,
        maximum: usize,
    ) -> Result<i64, StoreError> {
        let key = RowKey::of_identity(organization, identity);
        if let Some(at) = one_of(&self.callers, &key)? {
            return Ok(at);
        }
        if count_of(&self.callers, organization)? < maximum {
            put(&mut self.callers, &key, &now_ms)?;
        }
        Ok(now_ms)
    }
}

/// Creates the tables of a new store, and reads the key of the instance.
fn prepare(
    database: &Database,
    random: impl FnOnce() -> [u8; 32],
) -> Result<InstanceKey, StoreError> {
    let transaction = database.begin_write()?;
    let mut meta = transaction.open_table(META)?;
    let format = meta.get("format")?.map(|row| row.value().to_vec());
    let key = match format.as_deref() {
        None => {
            let key = random();
            drop(meta.insert("format", FORMAT)?);
            drop(meta.insert("instance_key", key.as_slice())?);
            key
        },
        Some(FORMAT) => {
            let row = meta.get("instance_key")?.ok_or(StoreError::Format)?;
            InstanceKey::try_from(row.value()).map_err(|_length| StoreError::Format)?
        },
        Some(_) => return Err(StoreError::Format),
    };
    drop(meta);
    drop(Changing::open(&transaction)?);
    transaction.commit()?;
    Ok(key)
}

fn put<T: Serialize>(
    table: &mut WritableRows<'_>,
    key: &RowKey,
    record: &T,
) -> Result<(), StoreError> {
    let bytes = serde_json::to_vec(record)?;
    drop(table.insert(key.as_str(), bytes.as_slice())?);
    Ok(())
}

fn one_of<T: DeserializeOwned>(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    key: &RowKey,
) -> Result<Option<T>, StoreError> {
    let row = table.get(key.as_str())?;
    Ok(row.map(|row| serde_json::from_slice(row.value())).transpose()?)
}

fn all_of<T: DeserializeOwned>(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    organization: &str,
) -> Result<Vec<T>, StoreError> {
    let bounds = bounds_of(organization);
    let mut records = Vec::new();
    for row in table.range::<&str>(bounds.start().as_str()..=bounds.end().as_str())? {
        let (_key, record) = row?;
        records.push(serde_json::from_slice(record.value())?);
    }
    Ok(records)
}

fn count_of(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    organization: &str,
) -> Result<usize, StoreError> {
    let bounds = bounds_of(organization);
    let mut count = 0;
    for row in table.range::<&str>(bounds.start().as_str()..=bounds.end().as_str())? {
        let _row = row?;
        count += 1;
    }
    Ok(count)
}

/// The keys of an organization: `0` follows `/`, and no key ends with it.
fn bounds_of(organization: &str) -> RangeInclusive<String> {
    format!("{organization}/")..=format!("{organization}0")
}

/// The id in a path or a body, in the form of RFC 9562.
pub(crate) fn id_in(text: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(text).ok()?;
    // Other forms of the same id, such as without hyphens or in braces, are not accepted.
    (id.as_hyphenated().to_string() == text.to_ascii_lowercase()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_keeps_its_key_and_is_readable_by_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("diagrams.redb");
        drop(Store::open(&path, || [7; 32]).unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, FILE_MODE);
        let again = Store::open(&path, || [8; 32]).unwrap();
        assert_eq!(again.instance_key(), &[7; 32]);
    }

    #[test]
    fn a_store_of_another_format_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("diagrams.redb");
        let store = Store::open(&path, || [7; 32]).unwrap();
        let transaction = store.database.begin_write().unwrap();
        drop(transaction.open_table(META).unwrap().insert("format", b"2".as_slice()).unwrap());
        transaction.commit().unwrap();
        drop(store);
        let error = Store::open(&path, || [7; 32]).unwrap_err();
        assert!(matches!(error, StoreError::Format), "{error}");
    }

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        let id = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        assert!(id_in(id).is_some() && id_in(&id.to_uppercase()).is_some());
        for other in
            ["67e5504410b1426f9247bb680e5fe0c8", "{67e55044-10b1-426f-9247-bb680e5fe0c8}", "", "x"]
        {
            assert!(id_in(other).is_none(), "{other}");
        }
    }
}
