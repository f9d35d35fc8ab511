//! A new store takes the place of the present one in one step, whatever the present one contains.
#![expect(clippy::unwrap_used, reason = "a failed step ends the test")]

use std::fs;
use std::path::Path;

use keyhouse_storage::{At, Batch, OpenError, Store};
use keyhouse_storage_redb::{RedbSettings, RedbStore, Replacement};

const FILE: &str = "keyhouse.redb";
const KEPT: &str = "keyhouse.redb.before-restore";

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn value(directory: &Path) -> Option<Vec<u8>> {
    let store = RedbStore::open(&RedbSettings::new(directory)).unwrap();
    store.get(b"a", At::Latest).unwrap().map(|row| row.value)
}

fn put(store: &dyn Store, value: &str) {
    store.commit(Batch::new().put("a", value)).unwrap();
}

#[test]
fn a_new_store_takes_an_empty_place() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("deep/store");
    let replacement = Replacement::begin(&RedbSettings::new(&place)).unwrap();
    put(&*replacement.store(), "new");
    assert_eq!(names(&place), ["keyhouse.lock", "keyhouse.redb.new"]);
    assert_eq!(replacement.take_place("restore").unwrap(), None);
    assert_eq!(names(&place), ["keyhouse.lock", FILE]);
    assert_eq!(value(&place).unwrap(), b"new");
}

#[test]
fn a_damaged_store_is_replaced_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let settings = RedbSettings::new(directory.path().join("store"));
    put(&RedbStore::open(&settings).unwrap(), "old");
    let file = settings.directory.join(FILE);
    fs::write(&file, b"damage").unwrap();
    let replacement = Replacement::begin(&settings).unwrap();
    put(&*replacement.store(), "new");
    let kept = replacement.take_place("restore").unwrap().unwrap();
    assert_eq!(kept, settings.directory.join(KEPT));
    assert_eq!(fs::read(&kept).unwrap(), b"damage");
    assert_eq!(value(&settings.directory).unwrap(), b"new");
    assert_eq!(names(&settings.directory), ["keyhouse.lock", FILE, KEPT]);
}

#[test]
fn a_replacement_that_is_dropped_leaves_the_present_store() {
    let directory = tempfile::tempdir().unwrap();
    let settings = RedbSettings::new(directory.path().join("store"));
    put(&RedbStore::open(&settings).unwrap(), "old");
    let replacement = Replacement::begin(&settings).unwrap();
    put(&*replacement.store(), "new");
    let in_use = RedbStore::open(&settings).unwrap_err();
    assert!(matches!(in_use, OpenError::InUse(_)), "{in_use}");
    drop(replacement);
    assert_eq!(value(&settings.directory).unwrap(), b"old");
    assert_eq!(names(&settings.directory), ["keyhouse.lock", FILE]);
}

/// A process that was killed between the two steps left the present store under two names.
#[test]
fn a_second_name_of_the_present_store_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let settings = RedbSettings::new(directory.path().join("store"));
    put(&RedbStore::open(&settings).unwrap(), "old");
    let at = |name: &str| settings.directory.join(name);
    fs::hard_link(at(FILE), at(KEPT)).unwrap();
    fs::write(at("keyhouse.redb.before-other"), b"another store").unwrap();
    fs::write(at("keyhouse.redb.new"), b"half").unwrap();
    assert_eq!(value(&settings.directory).unwrap(), b"old");
    let left = ["keyhouse.lock", FILE, "keyhouse.redb.before-other"];
    assert_eq!(names(&settings.directory), left);
}

#[test]
fn an_open_store_is_not_replaced_and_a_kept_one_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let settings = RedbSettings::new(directory.path().join("store"));
    let open = RedbStore::open(&settings).unwrap();
    put(&open, "old");
    let in_use = Replacement::begin(&settings).unwrap_err();
    assert!(matches!(in_use, OpenError::InUse(_)), "{in_use}");
    drop(open);
    fs::write(settings.directory.join(KEPT), b"earlier").unwrap();
    let replacement = Replacement::begin(&settings).unwrap();
    put(&*replacement.store(), "new");
    let failed = replacement.take_place("restore").unwrap_err().to_string();
    assert!(failed.contains("exists"), "{failed}");
    assert_eq!(value(&settings.directory).unwrap(), b"old");
    assert_eq!(fs::read(settings.directory.join(KEPT)).unwrap(), b"earlier");
}
