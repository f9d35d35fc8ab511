//! Measures opening, single commits and grouped commits on the disk of a directory.
//!
//! `cargo run --release -p keyhouse-storage-redb --example measure -- [DIRECTORY [ROWS]]`
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant};
use std::{env, io};

use keyhouse_storage::{At, Batch, Pending, Range, Store};
use keyhouse_storage_redb::{RedbSettings, RedbStore};

const VALUE_BYTES: usize = 350;
const STEPS: usize = 400;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let directory = arguments.next().unwrap_or_else(|| "target/measure".to_owned());
    let rows: usize = arguments.next().map_or(Ok(100_000), |rows| rows.parse())?;
    let settings = RedbSettings::new(directory);
    let mut out = io::stdout();

    let store = RedbStore::open(&settings)?;
    let begun = Instant::now();
    let mut pending = Vec::new();
    for batch in 0..rows / 500 {
        let keys = (0..500).map(|row| format!("row/{:012}", batch * 500 + row));
        let full = keys.fold(Batch::new(), |batch, key| batch.put(key, vec![7; VALUE_BYTES]));
        pending.push(store.submit(full));
    }
    pending.into_iter().try_for_each(|pending| pending.wait().map(drop))?;
    writeln!(out, "fill {rows} rows: {:?}", begun.elapsed())?;

    for size in [1, 64, 256] {
        let mut taken = Vec::new();
        for step in 0..STEPS {
            let keys = (0..size).map(|row| format!("new/{step:06}/{size}/{row}"));
            let batches: Vec<_> = keys
                .map(|key| Batch::new().absent(key.clone()).put(key, vec![7; VALUE_BYTES]))
                .collect();
            let begun = Instant::now();
            let pending: Vec<Pending> =
                batches.into_iter().map(|batch| store.submit(batch)).collect();
            pending.into_iter().try_for_each(|pending| pending.wait().map(drop))?;
            taken.push(begun.elapsed());
        }
        taken.sort();
        let at = |part: usize| taken.get(STEPS * part / 100).copied().unwrap_or_default();
        let each = at(50) / size;
        writeln!(out, "{size} batches: p50 {:?}, p99 {:?}, each {each:?}", at(50), at(99))?;
    }

    let begun = Instant::now();
    for _ in 0..10_000 {
        store.get(b"row/000000000777", At::Latest)?;
    }
    writeln!(out, "get: {:?}", begun.elapsed() / 10_000)?;
    let begun = Instant::now();
    let mut page = store.scan(&Range::prefix(b"row/"), At::LatestHeld)?;
    let mut read = page.rows.len();
    while page.more {
        let after = page.rows.last().map(|row| row.key.clone());
        let range = Range { after: after.as_deref(), ..Range::prefix(b"row/") };
        page = store.scan(&range, At::Revision(page.revision))?;
        read += page.rows.len();
    }
    writeln!(out, "scan {read} rows: {:?}", begun.elapsed())?;
    let begun = Instant::now();
    store.check()?;
    writeln!(out, "check of the open file: {:?}", begun.elapsed())?;
    store.close()?;
    drop(store);

    let begun = Instant::now();
    let store = RedbStore::open(&settings)?;
    writeln!(out, "open and check, closed: {:?}", begun.elapsed())?;
    store.commit(Batch::new().put("last", ""))?;
    // The file is copied while the store is open, which gives the content after a kill.
    let copy = settings.directory.with_extension("killed");
    let open_file = settings.directory.join("keyhouse.redb");
    let killed = RedbSettings { directory: copy, ..settings };
    drop(RedbStore::open(&killed)?);
    std::fs::copy(open_file, killed.directory.join("keyhouse.redb"))?;
    let begun = Instant::now();
    drop(RedbStore::open(&killed)?);
    let killed_open: Duration = begun.elapsed();
    writeln!(out, "open, check and close, killed: {killed_open:?}")?;
    Ok(())
}
