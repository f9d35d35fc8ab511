//! Benchmark of the in-process check at 1 k, 100 k and 1 M keys, with the memory per key.
//!
//! The check parses, hashes, looks up and decides. The floor of a check is BLAKE3 of the text and one
//! lookup in a plain hash map. The benchmark also measures the check with counting, for keys that were
//! called before, and the counting of a busy key on one thread and on two threads at once. The last row
//! checks the longest requirement against the longest lists, and for comparison the same requirement
//! pattern by pattern.
//!
//! The memory includes the threads of the instance, and the allocator takes it in steps of 2 MiB, so
//! the bytes a key are meaningful from 100 k keys on.
//!
//! `cargo bench --bench check -- 10000000` measures this number of keys alone.
//!
//! Blocks of checks and blocks of the floor are timed alternately, so that their ratio is stable on
//! a machine whose speed drifts. Quote the ratio, not the times.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a benchmark reads clocks, prints, and stops at the first failure"
)]

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use keyhouse::clock::{Clock, Now};
use keyhouse::index::CallOrigin;
use keyhouse::instance::{Instance, InstanceParameters};
use keyhouse::model::id::{KeyId, OrganizationId, UserId};
use keyhouse::model::key_text::{Environment, Prefix, generate};
use keyhouse::model::moment::Moment;
use keyhouse::model::permission::{PATTERNS_MAX, Patterns};
use keyhouse::model::requirement::{REQUIREMENT_NAMES_MAX, Requirement};
use keyhouse::model::role::BuiltinRole;
use keyhouse::model::secret::Secret;
use keyhouse::records::access::{OrganizationRecord, PlanRecord, UserRecord};
use keyhouse::records::key::{KeyRecord, MAXIMA_MAX, SecretRecord};
use keyhouse::records::notice::Notices;
use keyhouse::records::place::StoreKey;
use keyhouse::records::{Record, encode};
use keyhouse::verify::{Code, Decision, Request, ReservationWait, WaitPayer};
use keyhouse_storage::{
    At, Batch, Feed, MemoryStore, Page, Pending, Range, ReadError, Revision, Row, Store,
};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A clock that stands still and costs nothing to read.
#[derive(Debug)]
struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Now {
        NOW
    }
}

/// No key here has a quota.
struct NoWait;

impl ReservationWait for NoWait {
    fn wait(&self, _payer: WaitPayer, _wait: impl FnOnce() -> bool) -> Option<bool> {
        None
    }
}

const NOW: Now = Now { wall: Moment::from_milliseconds(1_800_000_000_000), ticks: 1 };
/// Number of keys that share an owner.
const KEYS_A_USER: usize = 20;
/// Number of distinct secrets, enough to make caches as cold as in production.
const PRESENTED_MAX: usize = 200_000;
const BLOCKS: usize = 21;
/// Number of calls of the busy key.
const BUSY_CALLS: usize = 1_000_000;

fn main() {
    println!(
        "keys       floor ns   check ns   ratio   bytes a key   counted ns   busy ns   by two"
    );
    let numbers: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    if numbers.is_empty() {
        [1_000, 100_000, 1_000_000].into_iter().for_each(measure);
        measure_long_lists();
    }
    numbers.into_iter().for_each(measure);
}

fn measure(keys: usize) {
    let presented = presented(keys);
    let floor = floor_map(keys);
    // The allocations of the first instance in the process are not memory of keys.
    instance_over(Arc::new(MemoryStore::new())).stop();
    let before = resident_bytes();
    let instance = instance_over(Arc::new(Made { keys, feed: MemoryStore::new() }));
    assert_eq!(instance.actions().index().len(), keys);
    let bytes = resident_bytes().saturating_sub(before) as f64 / keys as f64;

    let requirement = "diagrams:read".parse().unwrap();
    let ip = Some("192.0.2.7".parse().unwrap());
    let request = Request { requirement: Some(&requirement), ip, ..Request::default() };
    let block = presented.len() / BLOCKS;
    let checker = instance.checker(NoWait);
    let (mut floors, mut checks, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for texts in presented.chunks_exact(block) {
        // Both find the texts in the cache. Otherwise the first would load them for the second.
        let _loaded = timed(texts, str::is_ascii);
        let floor_ns = timed(texts, |text| {
            let digest = *blake3::hash(text.as_bytes()).as_bytes();
            floor.get(&digest).is_some_and(|value| black_box(value)[0] > 0)
        });
        let check_ns =
            timed(texts, |text| checker.preview(text.as_bytes(), &request, is_valid).unwrap());
        floors.push(floor_ns);
        checks.push(check_ns);
        ratios.push(check_ns / floor_ns);
    }
    let (floor_ns, check_ns, ratio) = (median(floors), median(checks), median(ratios));
    print!("{keys:<10} {floor_ns:>8.0} {check_ns:>10.0} {ratio:>7.2} {bytes:>13.0}");
    measure_counting(&instance, &presented, &request);
    instance.stop();
}

fn instance_over(store: Arc<dyn Store>) -> Instance {
    let parameters = InstanceParameters { interval_writes: false, ..InstanceParameters::default() };
    Instance::assemble(store, Arc::new(FixedClock), StdRng::seed_from_u64(1), parameters).unwrap()
}

fn is_valid(decision: Decision<'_>) -> bool {
    decision.verdict.is_valid()
}

fn measure_counting(instance: &Instance, presented: &[String], request: &Request<'_>) {
    let origin =
        CallOrigin { ip: request.ip, user_agent: Some("curl/8.5.0"), ..CallOrigin::default() };
    let (index, checker) = (instance.actions().index(), instance.checker(NoWait));
    let request = Request { user_agent: origin.user_agent, ..*request };
    let counted = |text: &str| checker.check(text.as_bytes(), &request, is_valid).unwrap();
    let _first_calls = timed(presented, counted);
    let block = presented.len() / BLOCKS;
    let counted_ns = median(presented.chunks_exact(block).map(|it| timed(it, counted)).collect());
    let text = presented.first().unwrap();
    let digest = Secret::new(text.clone()).digest();
    let grant = index.grant(&digest).unwrap();
    let texts = vec![text.clone(); BUSY_CALLS];
    let busy = || {
        timed(&texts, |_text| {
            index.note_call(&grant, Code::Valid, NOW.wall, origin);
            true
        })
    };
    let busy_ns = busy();
    let by_two = std::thread::scope(|threads| {
        let both = [threads.spawn(busy), threads.spawn(busy)];
        both.map(|thread| thread.join().unwrap())
    });
    println!("{counted_ns:>13.0} {busy_ns:>9.0} {:>8.0}", by_two[0].max(by_two[1]));
}

/// Measures the longest requirement against a transferred key with the longest lists. The lists cross,
/// and the last pattern of each list grants the permissions.
fn measure_long_lists() {
    let list = |list: usize| -> Patterns {
        let pattern = |at: usize| {
            let literal = |place: usize| (place == at % 8).then(|| format!("l{list}p{}", at / 8));
            let segment = |place: usize| literal(place).unwrap_or_else(|| "*".to_owned());
            (0..8).map(segment).collect::<Vec<_>>().join(":")
        };
        let patterns: Vec<_> = (1..PATTERNS_MAX).map(pattern).collect();
        format!("{} *:*:*:*:*:*:*:last", patterns.join(" ")).parse().unwrap()
    };
    let (text, mut key) = made(0);
    (key.owner, key.permissions) = (None, Some(list(0)));
    key.maxima = (1..=MAXIMA_MAX).map(list).collect();
    let names = (0..REQUIREMENT_NAMES_MAX).map(|at| format!("f{at}:b:c:d:e:f:g:last"));
    let requirement = Requirement::all(names.map(|name| name.parse().unwrap()).collect()).unwrap();
    let request = Request { requirement: Some(&requirement), ..Request::default() };

    let store = Arc::new(MemoryStore::new());
    instance_over(Arc::<MemoryStore>::clone(&store)).stop();
    let people = Made { keys: 0, feed: MemoryStore::new() }.people(&Range::prefix(b""));
    let rows = people.into_iter().chain([Made::row(&key.place(), &key)]);
    let batch = rows.fold(Batch::new(), |batch, row| batch.put(row.key, row.value));
    store.commit(batch).unwrap();
    let instance = instance_over(store);

    let texts = [text];
    let lists: Vec<_> = key.permissions.iter().chain(&key.maxima).map(Patterns::as_set).collect();
    let checker = instance.checker(NoWait);
    let (mut by_pattern, mut decided, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..BLOCKS {
        let by_pattern_ns = timed(&texts, |_text| {
            requirement.is_met(|name| lists.iter().all(|list| list.grants(name.as_str())))
        });
        let decided_ns =
            timed(&texts, |text| checker.preview(text.as_bytes(), &request, is_valid).unwrap());
        by_pattern.push(by_pattern_ns);
        decided.push(decided_ns);
        ratios.push(by_pattern_ns / decided_ns);
    }
    let (by_pattern_ns, decided_ns, ratio) = (median(by_pattern), median(decided), median(ratios));
    println!(
        "{REQUIREMENT_NAMES_MAX} names of {} lists of {PATTERNS_MAX} patterns that cross: \
         pattern by pattern {by_pattern_ns:.0} ns, decided {decided_ns:.0} ns, ratio {ratio:.1}",
        lists.len()
    );
    instance.stop();
}

/// Returns the nanoseconds per check of a text. Every text must pass.
fn timed(texts: &[String], mut passes: impl FnMut(&str) -> bool) -> f64 {
    let begun = Instant::now();
    let passed = texts.iter().filter(|text| passes(black_box(text))).count();
    let elapsed = begun.elapsed();
    assert_eq!(passed, texts.len());
    elapsed.as_nanos() as f64 / texts.len() as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}

/// The `number`th key. The key's secret, id and record are the same in every run.
fn made(number: usize) -> (String, KeyRecord) {
    let mut random = StdRng::seed_from_u64(number as u64);
    let key = generate(&Prefix::default(), &Environment::default(), &mut random);
    let user = number / KEYS_A_USER;
    let (name, organization) = (format!("build bot {number}"), OrganizationId::from_bytes([1; 16]));
    let record = KeyRecord {
        description: "pushes to the registry".to_owned(),
        owner: Some(UserId::from_bytes(*id(user).bytes())),
        secrets: vec![SecretRecord::of(&key, NOW.wall)],
        permissions: Some("diagrams:read diagrams:write".parse().unwrap()),
        ..KeyRecord::new(id(number), organization, name, NOW.wall)
    };
    (key.secret.reveal().to_owned(), record)
}

fn id(number: usize) -> KeyId {
    let mut bytes = [7; 16];
    if let Some(chunk) = bytes.first_chunk_mut() {
        *chunk = (number as u64).to_be_bytes();
    }
    KeyId::from_bytes(bytes)
}

fn presented(keys: usize) -> Vec<String> {
    let mut random = StdRng::seed_from_u64(4_711);
    let count = PRESENTED_MAX.min(keys.max(20_000));
    (0..count).map(|_| made(usize::try_from(random.next_u64()).unwrap() % keys).0).collect()
}

type FloorMap = HashMap<[u8; 32], [u64; 8], BuildHasherDefault<FirstBytes>>;

fn floor_map(keys: usize) -> FloorMap {
    // A map that grew would leave freed memory, which the instance would then use.
    let mut map = FloorMap::with_capacity_and_hasher(keys, BuildHasherDefault::default());
    for number in 0..keys {
        map.insert(*made(number).1.secrets.first().unwrap().digest.bytes(), [1; 8]);
    }
    map
}

/// Hashes a digest by its first bytes, which is the cheapest hash.
#[derive(Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _length: usize) {}
}

/// A store that creates its rows on read, so that the measured memory is that of the index.
#[derive(Debug)]
struct Made {
    keys: usize,
    feed: MemoryStore,
}

impl Made {
    fn row<T: Record>(place: &StoreKey, record: &T) -> Row {
        Row {
            key: place.to_bytes(),
            value: encode(place, record).unwrap(),
            revision: Revision::ZERO,
        }
    }

    fn people(&self, range: &Range<'_>) -> Vec<Row> {
        let organization = OrganizationId::from_bytes([1; 16]);
        let users = (0..self.keys.div_ceil(KEYS_A_USER)).map(|number| {
            let id = UserId::from_bytes(*id(number).bytes());
            let record = UserRecord {
                id,
                organization,
                email: format!("user{number}@example.com"),
                email_unconfirmed: false,
                name: format!("User {number}"),
                password: String::new(),
                role: BuiltinRole::User.into(),
                operator: false,
                disabled: false,
                teams: Vec::new(),
                locale: None,
                notices: Notices::default(),
                password_changes: 0,
                created_at: NOW.wall,
                version: 1,
            };
            Self::row(&StoreKey::User(id), &record)
        });
        let plan = PlanRecord::unlimited("pro", &["api_access", "teams"]);
        let whole = OrganizationRecord::new(organization, "Example".to_owned(), "pro", NOW.wall);
        let others = [
            Self::row(&StoreKey::Plan("pro".into()), &plan),
            Self::row(&StoreKey::Organization(organization), &whole),
        ];
        users.chain(others).filter(|row| row.key.starts_with(range.prefix)).collect()
    }
}

impl Store for Made {
    fn get(&self, _key: &[u8], _at: At) -> Result<Option<Row>, ReadError> {
        Ok(None)
    }

    fn scan(&self, range: &Range<'_>, _at: At) -> Result<Page, ReadError> {
        if range.prefix.is_empty() {
            // The instance writes its format to a store that is empty.
            return Ok(Page { rows: Vec::new(), more: false, revision: Revision::ZERO });
        }
        if range.prefix != b"key/" {
            return Ok(Page { rows: self.people(range), more: false, revision: Revision::ZERO });
        }
        let last = range.after.and_then(|key| key.get(20..28)?.first_chunk().copied());
        let from = last.map_or(0, |bytes| usize::try_from(u64::from_be_bytes(bytes)).unwrap() + 1);
        let until = (from + 1_000).min(self.keys);
        let rows = (from..until).map(|number| {
            let record = made(number).1;
            Self::row(&record.place(), &record)
        });
        Ok(Page { rows: rows.collect(), more: until < self.keys, revision: Revision::ZERO })
    }

    fn submit(&self, batch: Batch) -> Pending {
        self.feed.submit(batch)
    }

    fn follow(&self, from: Revision) -> Result<Box<dyn Feed>, ReadError> {
        self.feed.follow(from)
    }

    fn check(&self) -> Result<(), ReadError> {
        Ok(())
    }

    fn close(&self) -> Result<(), ReadError> {
        self.feed.close()
    }
}
