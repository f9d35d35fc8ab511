//! Flipped bits and truncated files: the store rejects a damaged file without changing it, or the
//! damage is harmless.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step ends the test"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use keyhouse_storage::{At, Batch, OpenError, Range, Row, Store};
use keyhouse_storage_redb::{RedbSettings, RedbStore};
use tempfile::TempDir;

const PAGE_BYTES: usize = 4_096;

fn rows(store: &RedbStore) -> Vec<Row> {
    store.scan(&Range::prefix(b""), At::Latest).unwrap().rows
}

/// The bytes of a store's file, closed or as after a kill, and the rows of the store.
fn sample(closed: bool) -> (Vec<u8>, Vec<Row>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = RedbStore::open(&RedbSettings::new(&path)).unwrap();
    for number in 0..300_u16 {
        let batch = Batch::new().put(format!("{number:04}"), vec![7; 350]);
        store.commit(batch.delete(format!("{:04}", number / 2 + 1_000))).unwrap();
    }
    let rows = rows(&store);
    if closed {
        store.close().unwrap();
    }
    (fs::read(path.join("keyhouse.redb")).unwrap(), rows)
}

fn place(bytes: &[u8]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let file = directory.path().join("keyhouse.redb");
    fs::write(&file, bytes).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    directory
}

/// Opens a store. A rejected file must not have been changed.
fn open(directory: &Path, bytes: &[u8], name: &str) -> Option<RedbStore> {
    match RedbStore::open(&RedbSettings::new(directory)) {
        Ok(store) => Some(store),
        Err(OpenError::Damaged(cause)) => {
            let file = directory.join("keyhouse.redb");
            assert!(cause.to_string().contains(file.to_str().unwrap()), "{name}: {cause}");
            assert!(cause.to_string().contains("keyhouse restore"), "{name}: {cause}");
            assert!(fs::read(file).unwrap() == bytes, "{name}: the rejected file was changed");
            None
        },
        Err(other) => panic!("{name}: {other:?}"),
    }
}

/// Counts of the outcomes of opening files with flipped bits.
#[derive(Debug, Default)]
struct Swept {
    rejected: usize,
    harmless: usize,
    /// The flips after which the store opened with wrong rows.
    wrong: Vec<String>,
}

/// Opens one damaged file for each flip: a position, and a mask of the bits that are flipped.
fn sweep(closed: bool, flips: impl Iterator<Item = (usize, u8)>) -> Swept {
    let (mut bytes, expected) = sample(closed);
    let mut swept = Swept::default();
    for (position, mask) in flips {
        let Some(byte) = bytes.get_mut(position) else { break };
        *byte ^= mask;
        let name = format!("byte {position} ^ {mask:#x}");
        let directory = place(&bytes);
        match open(directory.path(), &bytes, &name) {
            None => swept.rejected += 1,
            Some(store) if rows(&store) == expected => {
                assert_eq!(store.check(), Ok(()), "{name}");
                swept.harmless += 1;
            },
            Some(_) => swept.wrong.push(name),
        }
        bytes[position] ^= mask;
    }
    swept
}

#[test]
fn flipped_bit_in_any_page_is_rejected_or_harmless() {
    for closed in [true, false] {
        // Two positions in each page, near the head and in the middle.
        let places = (1..).flat_map(|page| [page * PAGE_BYTES + 9, page * PAGE_BYTES + 2_000]);
        let swept = sweep(closed, places.step_by(5).map(|place| (place, 8)));
        assert_eq!(swept.wrong, Vec::<String>::new(), "closed {closed}");
        assert!(swept.rejected > 10, "closed {closed}: {swept:?}");
    }
}

#[test]
fn flipped_bit_in_the_header_is_rejected_or_harmless() {
    // All bits of redb's flags, and one bit of every third byte.
    let flips = || (0..8).map(|bit| (9, 1 << bit)).chain((0..320).step_by(3).map(one_bit));
    for (closed, wrong) in [(true, vec![]), (false, vec!["byte 9 ^ 0x1"])] {
        let swept = sweep(closed, flips());
        // This bit selects the newer of two roots. In a file that was not closed, the flip looks like a
        // crash between the two phases of a commit, so redb accepts it.
        assert_eq!(swept.wrong, wrong, "closed {closed}");
        assert!(swept.rejected > 30, "closed {closed}: {swept:?}");
    }
}

fn one_bit(byte: usize) -> (usize, u8) {
    (byte, 1 << (byte % 8))
}

#[test]
fn truncated_file_is_rejected() {
    for closed in [true, false] {
        let (bytes, _) = sample(closed);
        for length in [0, 1, 9, 512, 4_096, 8_192, bytes.len() / 2, bytes.len() - 4_096] {
            let name = format!("closed {closed}, cut to {length}");
            let cut = &bytes[..length];
            let directory = place(cut);
            assert!(open(directory.path(), cut, &name).is_none(), "{name}: accepted");
        }
    }
}

#[test]
fn file_that_is_not_a_store_is_rejected() {
    let text = b"this is not the file you are looking for".repeat(1_000);
    let directory = place(&text);
    assert!(open(directory.path(), &text, "text").is_none());
}
