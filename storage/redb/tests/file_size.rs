//! The size of the file while rows are written.

use std::fs;

use keyhouse_storage::{At, Batch, Range, Store};
use keyhouse_storage_redb::{RedbSettings, RedbStore};

const MIB: u64 = 1 << 20;
const ROWS: usize = 500;
const ROUNDS: usize = 20;

/// The first page of a list once held its revision for a minute. No replaced page was reused in
/// that time, and an import of a million keys filled the file with 3 GB of them.
#[test]
fn replaced_pages_are_reused_while_first_pages_of_lists_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = RedbStore::open(&RedbSettings::new(&path)).unwrap();
    let length = || fs::metadata(path.join("keyhouse.redb")).unwrap().len();
    let mut early = 0;
    for round in 0..ROUNDS {
        let rows = (0..ROWS).map(|row| format!("row/{row:04}"));
        let batch = rows.fold(Batch::new(), |batch, key| batch.put(key, [7; 400]));
        store.commit(batch).unwrap();
        let first = Range { limit: 1, ..Range::prefix(b"row/") };
        assert!(store.scan(&first, At::Latest).unwrap().more);
        if round == 4 {
            early = length();
        }
    }
    assert_eq!(length(), early);
}

/// redb doubles the length of a file that is smaller than 4 GiB. A file made by this store grows by
/// 32 MiB.
#[test]
fn file_grows_by_32_mib() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = RedbStore::open(&RedbSettings::new(&path)).unwrap();
    for row in 0..140 {
        store.commit(Batch::new().put(format!("{row:03}"), vec![7; 500_000])).unwrap();
    }
    let length = fs::metadata(path.join("keyhouse.redb")).unwrap().len();
    assert!((70 * MIB..=97 * MIB).contains(&length), "{length}");
    store.check().unwrap();
}
