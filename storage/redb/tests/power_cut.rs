//! Simulated power cuts at many steps: unsynced writes may be lost, acknowledged commits are not.
#![expect(clippy::unwrap_used, reason = "a failed step ends the test")]

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex};

use keyhouse_storage::{At, Batch, CommitError, Range, Store};
use keyhouse_storage_redb::{Disk, DiskFile, RedbSettings, RedbStore};

const SECTOR_BYTES: usize = 512;
const COMMITS: u64 = 12;
/// The distance between the steps at which the power is cut. 1 would try all steps.
const STEP: u64 = 3;

/// A file whose unsynced sectors may each be lost.
#[derive(Clone, Debug)]
struct Cut {
    state: Arc<Mutex<Image>>,
}

#[derive(Debug)]
struct Image {
    seen: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
    steps_left: u64,
    random: u64,
}

#[derive(Debug)]
enum Change {
    Length(usize),
    Sector(usize, Vec<u8>),
}

impl Image {
    /// Counts a step, and fails when the power is cut.
    fn step(&mut self) -> io::Result<()> {
        if self.steps_left == 0 {
            return Err(io::Error::other("no power"));
        }
        self.steps_left -= 1;
        Ok(())
    }

    fn coin(&mut self) -> bool {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random & 1 == 0
    }

    /// The content of the disk after the cut: a random part of the unsynced changes is lost.
    fn after_the_cut(&mut self) -> Vec<u8> {
        let mut left = self.durable.clone();
        for change in std::mem::take(&mut self.unsynced) {
            match change {
                Change::Length(length) if self.coin() => left.resize(length, 0),
                Change::Sector(offset, bytes) if self.coin() => put(&mut left, offset, &bytes),
                Change::Length(_) | Change::Sector(..) => {},
            }
        }
        left
    }
}

/// Writes the bytes if they are within the file.
fn put(file: &mut [u8], offset: usize, bytes: &[u8]) {
    if let Some(place) = file.get_mut(offset..offset + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

impl Disk for Cut {
    fn open(&self, _path: &Path) -> io::Result<Box<dyn DiskFile>> {
        if self.state.lock().unwrap().steps_left == 0 {
            return Err(io::Error::other("no power"));
        }
        Ok(Box::new(self.clone()))
    }
}

impl DiskFile for Cut {
    fn length(&self) -> io::Result<u64> {
        Ok(self.state.lock().unwrap().seen.len() as u64)
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let image = self.state.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        let there = image.seen.get(offset..offset + into.len());
        into.copy_from_slice(there.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut image = self.state.lock().unwrap();
        image.step()?;
        let offset = usize::try_from(offset).unwrap();
        put(&mut image.seen, offset, bytes);
        for (number, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
            let change = Change::Sector(offset + number * SECTOR_BYTES, sector.to_vec());
            image.unsynced.push(change);
        }
        Ok(())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let mut image = self.state.lock().unwrap();
        image.step()?;
        let length = usize::try_from(length).unwrap();
        image.seen.resize(length, 0);
        image.unsynced.push(Change::Length(length));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut image = self.state.lock().unwrap();
        image.step()?;
        let Image { seen, durable, unsynced, .. } = &mut *image;
        durable.clone_from(seen);
        unsynced.clear();
        Ok(())
    }
}

/// The n-th batch: it writes its number to a row, and enough data to make the file grow.
fn batch(number: u64) -> Batch {
    let filler = vec![u8::try_from(number % 251).unwrap(); 120_000];
    Batch::new()
        .put("last", number.to_be_bytes())
        .put(format!("row {}", number % 40), filler)
        .delete(format!("row {}", (number + 20) % 40))
}

fn write_private(path: &Path, bytes: &[u8]) {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    file.unwrap().write_all(bytes).unwrap();
}

/// The result of a run.
struct Left {
    file: Vec<u8>,
    acknowledged: u64,
    /// Whether the last outcome was unknown.
    unknown: bool,
    cut: bool,
}

/// Commits until the power is cut after `steps` steps, or until all commits are done.
fn run(place: &RedbSettings, start: &[u8], steps: u64) -> Left {
    write_private(&place.directory.join("keyhouse.redb"), start);
    let image = Image {
        seen: start.to_vec(),
        durable: start.to_vec(),
        unsynced: Vec::new(),
        steps_left: steps,
        random: 0x9e37_79b9_7f4a_7c15 ^ (steps << 20),
    };
    let disk = Cut { state: Arc::new(Mutex::new(image)) };
    let mut acknowledged = 0;
    let mut unknown = false;
    if let Ok(store) = RedbStore::open_on(place, Arc::new(disk.clone())) {
        for number in 1..=COMMITS {
            match store.commit(batch(number)) {
                Ok(revision) => acknowledged = revision.0,
                Err(error) => {
                    unknown = matches!(error, CommitError::Unknown(_));
                    break;
                },
            }
        }
        drop(store);
    }
    let mut image = disk.state.lock().unwrap();
    let cut = image.steps_left == 0;
    Left { file: image.after_the_cut(), acknowledged, unknown, cut }
}

#[test]
fn power_cut_at_any_step_loses_no_acknowledged_commit() {
    let directory = tempfile::tempdir().unwrap();
    let place = RedbSettings::new(directory.path().join("store"));
    fs::DirBuilder::new().mode(0o700).create(&place.directory).unwrap();
    drop(RedbStore::open(&place).unwrap());
    let start = fs::read(place.directory.join("keyhouse.redb")).unwrap();
    let mut steps = 0;
    loop {
        steps += STEP;
        let Left { file, acknowledged, unknown, cut } = run(&place, &start, steps);
        write_private(&place.directory.join("keyhouse.redb"), &file);
        let store = RedbStore::open(&place).unwrap();
        let page = store.scan(&Range::prefix(b""), At::Latest).unwrap();
        let found = page.revision.0;
        assert!(
            (acknowledged..=acknowledged + u64::from(unknown)).contains(&found),
            "{steps}: {found}"
        );
        let last = store.get(b"last", At::Latest).unwrap().map(|row| row.value);
        let expected = (found > 0).then(|| found.to_be_bytes().to_vec());
        assert_eq!(last, expected, "{steps}");
        assert_eq!(page.rows.len() as u64, if found == 0 { 0 } else { found + 1 }, "{steps}");
        if !cut {
            break;
        }
    }
    assert!(steps > 60, "{steps} steps");
}
