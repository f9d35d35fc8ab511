//! A compaction keeps every row and revision, and no byte of a removed row.
#![expect(clippy::unwrap_used, reason = "a test stops at the first error")]

use std::path::Path;

use keyhouse_storage::{At, Batch, OpenError, Range, Revision, Store};
use keyhouse_storage_redb::{CompactedFile, RedbSettings, RedbStore, compact};

const ROWS: u32 = 600;
const OLD: &[u8] = b"an old value that was plain text";

fn write_all(store: &RedbStore, value: impl Fn(u32) -> Vec<u8>) {
    let numbers: Vec<u32> = (0..ROWS).collect();
    for part in numbers.chunks(60) {
        let put = |batch: Batch, number: &u32| batch.put(format!("k/{number:06}"), value(*number));
        store.commit(part.iter().fold(Batch::new(), put)).unwrap();
    }
}

fn old_values(file: &Path) -> usize {
    let bytes = std::fs::read(file).unwrap();
    bytes.windows(OLD.len()).filter(|part| *part == OLD).count()
}

#[test]
fn a_compacted_store_has_its_rows_and_revisions_and_no_old_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let settings = RedbSettings::new(directory.path().join("store"));
    let store = RedbStore::open(&settings).unwrap();
    write_all(&store, |number| OLD.repeat(usize::try_from(1 + number % 40).unwrap()));
    write_all(&store, |number| number.to_string().into_bytes());
    let range = Range::prefix(b"");
    let before = store.scan(&range, At::Latest).unwrap();
    store.close().unwrap();
    let file = settings.directory.join("keyhouse.redb");
    assert!(old_values(&file) > 0, "unused pages have old bytes before");
    let length = std::fs::metadata(&file).unwrap().len();

    let CompactedFile { bytes_before, bytes_after } = compact(&settings).unwrap();
    assert_eq!(bytes_before, length);
    assert_eq!(bytes_after, std::fs::metadata(&file).unwrap().len());
    assert!(bytes_after < bytes_before / 4, "{bytes_before} -> {bytes_after}");
    assert_eq!(old_values(&file), 0);
    let names = std::fs::read_dir(&settings.directory).unwrap().count();
    assert_eq!(names, 2, "the file and its lock");

    let store = RedbStore::open(&settings).unwrap();
    assert_eq!(store.scan(&range, At::Latest).unwrap(), before);
    let next = store.commit(Batch::new().put("next", "")).unwrap();
    assert_eq!(next, Revision(before.revision.0 + 1), "the counter continues");
    store.close().unwrap();
    let again = compact(&settings).unwrap();
    assert!(again.bytes_after <= again.bytes_before);
}

#[test]
fn an_open_store_is_not_compacted() {
    let directory = tempfile::tempdir().unwrap();
    let settings = RedbSettings::new(directory.path().join("store"));
    let store = RedbStore::open(&settings).unwrap();
    assert!(matches!(compact(&settings), Err(OpenError::InUse(_))));
    store.commit(Batch::new().put("a", "1")).unwrap();
    store.close().unwrap();
}

/// A compaction that was killed leaves the file that it wrote. The next opening removes it.
#[test]
fn what_an_interrupted_compaction_left_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let settings = RedbSettings::new(directory.path().join("store"));
    let store = RedbStore::open(&settings).unwrap();
    store.commit(Batch::new().put("a", "1")).unwrap();
    store.close().unwrap();
    let left = settings.directory.join("keyhouse.redb.new");
    std::fs::write(&left, "half a copy").unwrap();
    compact(&settings).unwrap();
    assert!(!left.exists());
    let store = RedbStore::open(&settings).unwrap();
    assert_eq!(store.get(b"a", At::Latest).unwrap().unwrap().value, b"1");
}
