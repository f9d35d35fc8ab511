//! Time, size and peak memory of a backup and a restore of a store with many keys.
//!
//! `cargo bench --bench backup -- 100000 1000000` measures stores with so many keys. Each step runs in a
//! process of its own, because the peak of a process never falls.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program for measurements prints, and stops at the first error"
)]

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use keyhouse::backup::{BackupReader, BackupStream, Recipients, restore_into};
use keyhouse::clock::{Clock as _, SystemClock};
use keyhouse::instance::{InstanceParameters, complete_restore, system_random};
use keyhouse::model::id::{Id, OrganizationId};
use keyhouse::model::seed::SeedKeys;
use keyhouse::records::place::StoreKey;
use keyhouse::records::prepare::prepare;
use keyhouse_storage::{BATCH_WRITES_MAX, Batch, Store};
use keyhouse_storage_redb::{RedbSettings, RedbStore, Replacement};
use rand::Rng as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEYS_DEFAULT: [&str; 2] = ["100000", "1000000"];
/// Each key has a record and a row with its last use.
const ROWS_A_KEY: usize = 2;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with("--")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["fill", keys, place] => fill(keys.parse().unwrap(), Path::new(place)),
        ["backup", place] => backup(Path::new(place)),
        ["restore", place] => restore(Path::new(place)),
        [] => KEYS_DEFAULT.into_iter().for_each(measure),
        _ => words.into_iter().for_each(measure),
    }
}

fn measure(keys: &str) {
    let directory = tempfile::tempdir_in(".").unwrap();
    let place = directory.path().to_str().unwrap();
    println!("{keys} keys");
    for step in [&["fill", keys, place][..], &["backup", place], &["restore", place]] {
        let program = std::env::current_exe().unwrap();
        assert!(Command::new(program).args(step).status().unwrap().success());
    }
}

fn fill(keys: usize, place: &Path) {
    let store = RedbStore::open(&RedbSettings::new(place.join("old"))).unwrap();
    let mut seeded = system_random().unwrap();
    let seed_keys = SeedKeys::generate(&mut seeded);
    prepare(&store, &seed_keys, &mut seeded).unwrap();
    let (now, mut random) = (SystemClock::start().now().wall, rand::rng());
    let organization: OrganizationId = Id::new(now, &mut random);
    let mut left = keys;
    while left > 0 {
        let mut batch = Batch::new();
        for _ in 0..left.min(BATCH_WRITES_MAX / ROWS_A_KEY) {
            let id = Id::new(now, &mut random);
            let (digest, hint) = (hex(&mut random, 32), hex(&mut random, 2));
            let record = format!(
                "\u{1}{{\"k\":\"s\",\"n\":\"deploy {hint}\",\"s\":[{{\"d\":\"{digest}\",\"h\":\"kh_live_{hint}\",\
                 \"c\":{0}}}],\"p\":[\"orders:read\",\"orders:write\",\"diagrams:*\"],\"c\":{0},\"m\":{0},\
                 \"by\":\"local\",\"e\":\"live\",\"st\":\"a\",\"v\":1,\"t\":{{\"team\":\"{hint}\"}}}}",
                now.milliseconds() + i64::from(random.next_u32() >> 4),
            );
            let used = format!("\u{1}{{\"t\":{},\"i\":\"192.0.2.7\"}}", now.milliseconds());
            batch = batch.put(StoreKey::Key(organization, id).to_bytes(), record);
            batch = batch.put(StoreKey::Use(id).to_bytes(), used);
            left -= 1;
        }
        store.commit(batch).unwrap();
    }
    store.close().unwrap();
    println!("  store    {} MiB", mebibytes(&place.join("old/keyhouse.redb")));
}

fn backup(place: &Path) {
    let store: Arc<dyn Store> =
        Arc::new(RedbStore::open(&RedbSettings::new(place.join("old"))).unwrap());
    let opened = peak_mebibytes();
    let begun = Instant::now();
    let clock = SystemClock::start();
    let mut stream = BackupStream::begin(store, clock.now().wall, &Recipients::default()).unwrap();
    let file = place.join("a.khb");
    io::copy(&mut stream, &mut File::create(&file).unwrap()).unwrap();
    let took = begun.elapsed();
    let peak = peak_mebibytes();
    println!(
        "  backup   {took:.1?}, {} MiB, peak {peak} MiB ({opened} MiB before)",
        mebibytes(&file)
    );
    let begun = Instant::now();
    BackupReader::open(File::open(&file).unwrap(), None).unwrap().finish().unwrap();
    println!("  verify   {:.1?}", begun.elapsed());
}

fn restore(place: &Path) {
    let begun = Instant::now();
    let new = Replacement::begin(&RedbSettings::new(place.join("new"))).unwrap();
    let file = BufReader::new(File::open(place.join("a.khb")).unwrap());
    let restored = restore_into(BackupReader::open(file, None).unwrap(), &*new.store()).unwrap();
    complete_restore(new.store(), &restored, &InstanceParameters::default()).unwrap();
    new.take_place("restore").unwrap();
    let (took, size) = (begun.elapsed(), mebibytes(&place.join("new/keyhouse.redb")));
    println!("  restore  {took:.1?}, {size} MiB, peak {} MiB", peak_mebibytes());
}

fn hex(random: &mut impl rand::Rng, bytes: usize) -> String {
    (0..bytes * 2).map(|_| char::from_digit(random.next_u32() % 16, 16).unwrap()).collect()
}

fn mebibytes(file: &Path) -> u64 {
    fs::metadata(file).unwrap().len() >> 20
}

/// The largest memory of this process so far.
fn peak_mebibytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() >> 10
}
