//! The directory of a store: one process at a time, no access for other users, no newer format.
#![expect(clippy::unwrap_used, reason = "a failed step ends the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use keyhouse_storage::{Batch, OpenError, Store};
use keyhouse_storage_redb::{RedbSettings, RedbStore};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn second_opening_fails_and_names_the_holder_until_the_first_closes() {
    let directory = tempfile::tempdir().unwrap();
    let settings = RedbSettings::new(directory.path().join("store"));
    let first = RedbStore::open(&settings).unwrap();
    let Err(OpenError::InUse(cause)) = RedbStore::open(&settings) else { panic!("opened twice") };
    let place = settings.directory.display();
    assert_eq!(cause.to_string(), format!("{place} is in use by process {}", std::process::id()));
    first.close().unwrap();
    RedbStore::open(&settings).unwrap();
}

#[test]
fn new_directory_and_files_are_private() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("deep/store");
    let _store = RedbStore::open(&RedbSettings::new(&place)).unwrap();
    assert_eq!(mode(&place), 0o700);
    for file in ["keyhouse.redb", "keyhouse.lock"] {
        assert_eq!(mode(&place.join(file)), 0o600, "{file}");
    }
    assert_eq!(fs::read_dir(&place).unwrap().count(), 2);
}

#[test]
fn access_of_other_users_is_rejected_with_a_remedy() {
    let cases = [("", 0o750, "chmod 700"), ("keyhouse.redb", 0o640, "chmod 600")];
    for (file, opened, remedy) in cases {
        let directory = tempfile::tempdir().unwrap();
        let settings = RedbSettings::new(directory.path().join("store"));
        drop(RedbStore::open(&settings).unwrap());
        let path = settings.directory.join(file);
        fs::set_permissions(&path, fs::Permissions::from_mode(opened)).unwrap();
        let Err(OpenError::Unavailable(cause)) = RedbStore::open(&settings) else {
            panic!("{file}: opened")
        };
        assert!(cause.to_string().contains(remedy), "{cause}");
    }
}

#[test]
fn incomplete_new_file_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let settings = RedbSettings::new(directory.path().join("store"));
    drop(RedbStore::open(&settings).unwrap());
    fs::remove_file(settings.directory.join("keyhouse.redb")).unwrap();
    fs::write(settings.directory.join("keyhouse.redb.new"), "half").unwrap();
    let store = RedbStore::open(&settings).unwrap();
    store.commit(Batch::new().put("a", "")).unwrap();
    assert!(!settings.directory.join("keyhouse.redb.new").exists());
}

#[test]
fn newer_format_is_rejected_and_not_changed() {
    let directory = tempfile::tempdir().unwrap();
    let settings = RedbSettings::new(directory.path().join("store"));
    drop(RedbStore::open(&settings).unwrap());
    let file = settings.directory.join("keyhouse.redb");
    let database = redb::Database::open(&file).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta = redb::TableDefinition::<&str, u64>::new("meta");
    transaction.open_table(meta).unwrap().insert("format", 2).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let before = fs::read(&file).unwrap();
    let refused = RedbStore::open(&settings);
    let Err(OpenError::Newer(cause)) = refused else { panic!("{refused:?}") };
    assert!(cause.to_string().contains("format 2"), "{cause}");
    assert!(fs::read(&file).unwrap() == before);
}
