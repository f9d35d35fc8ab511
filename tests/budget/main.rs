//! The budget of a check: it allocates nothing, and takes a stated number of instructions.
//!
//! The instructions are counted by callgrind, so that the count is the same on a busy machine and on
//! a quiet one. The count changes with the compiler, the dependencies and the code of a check.
//!
//! A change that makes a check cheaper or dearer on purpose changes the numbers below: the failed
//! tests print the new ones. `./test tests -- budget` counts the instructions of the debug build,
//! and `./test budget` those of an optimized build.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;

use keyhouse::clock::ManualClock;
use keyhouse::index::refused_calls::REFUSED_CALLS_A_KEY_MAX;
use keyhouse::instance::{Instance, InstanceParameters};
use keyhouse::model::gate::GateNumber;
use keyhouse::model::id::{KeyId, OrganizationId, UserId};
use keyhouse::model::key_text::{Environment, Prefix, generate};
use keyhouse::model::moment::Moment;
use keyhouse::model::role::BuiltinRole;
use keyhouse::records::access::{OrganizationRecord, PlanRecord, UserRecord};
use keyhouse::records::encode;
use keyhouse::records::key::{KeyRecord, SecretRecord};
use keyhouse::records::notice::Notices;
use keyhouse::records::place::StoreKey;
use keyhouse::verify::{CallGate, Decision, Request, ReservationWait, WaitPayer};
use keyhouse_storage::{Batch, MemoryStore, Store as _};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

/// The instructions of one check that passes and is counted, in a debug build.
const INSTRUCTIONS_DEBUG: u64 = 15_982;
/// The same in an optimized build, for which [`OPTIMIZED`] is set.
const INSTRUCTIONS_OPTIMIZED: u64 = 2_064;
const OPTIMIZED: &str = "KEYHOUSE_BUDGET";
/// The share by which a count may differ from its number, in percent.
const TOLERANCE_PERCENT: u64 = 3;

const KEYS: u64 = 64;
const ROUNDS: u64 = 16;
const NOW: Moment = Moment::from_milliseconds(1_800_000_000_000);

#[test]
fn a_check_allocates_nothing() {
    let (instance, texts) = instance();
    let requirement = "diagrams:read".parse().unwrap();
    let ip = Some("192.0.2.7".parse().unwrap());
    let user_agent = Some("curl/8.5.0");
    let request = Request { requirement: Some(&requirement), ip, user_agent, ..Request::default() };
    let checker = instance.checker(NoWait);
    let check = |text: &str| checker.check(text.as_bytes(), &request, is_valid).unwrap();
    // The first call of a key allocates its counters.
    assert!(texts.iter().all(|text| check(text)));
    let mut passed = 0;
    let allocated = allocation_counter::measure(|| passed = measured_checks(&texts, check));
    assert_eq!(passed, KEYS * ROUNDS);
    assert_eq!(allocated.count_total, 0);
    instance.stop();
}

/// A flood of refused calls must not fill the memory: the calls of a key take the places of its older
/// calls, and those of unknown keys are not kept.
#[test]
fn a_refused_check_allocates_nothing_once_its_key_has_the_most_calls() {
    let (instance, mut texts) = instance();
    let requirement = "diagrams:remove".parse().unwrap();
    let ip = Some("192.0.2.7".parse().unwrap());
    let gate = Some(CallGate { name: "orders", number: GateNumber::at(1) });
    let request = Request { requirement: Some(&requirement), ip, gate, ..Request::default() };
    let checker = instance.checker(NoWait);
    let check = |text: &String| checker.check(text.as_bytes(), &request, is_valid).unwrap();
    for _ in 0..REFUSED_CALLS_A_KEY_MAX {
        assert!(!texts.iter().any(check));
    }
    let mut random = StdRng::seed_from_u64(3);
    let unknown = generate(&Prefix::default(), &Environment::default(), &mut random);
    texts.push(unknown.secret.reveal().to_owned());
    let mut passed = false;
    let allocated = allocation_counter::measure(|| passed = texts.iter().any(check));
    assert!(!passed);
    assert_eq!(allocated.count_total, 0);
    let kept = instance.actions().index().refused_calls().of(KeyId::from_bytes([0; 16]));
    assert_eq!(kept.len(), REFUSED_CALLS_A_KEY_MAX);
    assert!(kept.iter().all(|call| call.gate.as_deref() == Some("orders") && call.ip == ip));
    instance.stop();
}

/// Counts the instructions of the checks of the first test, in a process of its own.
#[test]
#[expect(clippy::disallowed_methods, reason = "./test says in the environment what it built")]
fn a_check_takes_the_stated_number_of_instructions() {
    let directory = tempfile::tempdir().unwrap();
    let counts = directory.path().join("counts");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*measured_checks*"])
        .arg(format!("--callgrind-out-file={}", counts.display()))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "a_check_allocates_nothing"])
        .output()
        .expect("valgrind counts the instructions; ./test installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let counts = std::fs::read_to_string(counts).unwrap();
    let total = counts.lines().find_map(|line| line.strip_prefix("totals: ")).unwrap();
    let counted = total.trim().parse::<u64>().unwrap() / (KEYS * ROUNDS);
    let is_optimized = std::env::var_os(OPTIMIZED).is_some();
    let stated = if is_optimized { INSTRUCTIONS_OPTIMIZED } else { INSTRUCTIONS_DEBUG };
    assert!(
        counted.abs_diff(stated) * 100 <= stated * TOLERANCE_PERCENT,
        "a check takes {counted} instructions, and {stated} are stated in this file"
    );
}

/// Checks every text several times, and returns how many checks passed. Callgrind counts the
/// instructions between its call and its return, so it has no closure of its own: a closure's name
/// contains that of its function, and its call would end the count.
#[inline(never)]
fn measured_checks(texts: &[String], check: impl Fn(&str) -> bool) -> u64 {
    let mut passed = 0;
    for _ in 0..ROUNDS {
        for text in texts {
            passed += u64::from(check(black_box(text)));
        }
    }
    passed
}

fn is_valid(decision: Decision<'_>) -> bool {
    decision.verdict.is_valid()
}

/// No key here has a quota.
struct NoWait;

impl ReservationWait for NoWait {
    fn wait(&self, _payer: WaitPayer, _wait: impl FnOnce() -> bool) -> Option<bool> {
        None
    }
}

/// An instance with an organization, a user and the user's keys, and the texts of the keys.
fn instance() -> (Instance, Vec<String>) {
    let mut random = StdRng::seed_from_u64(1);
    let (organization, user) = (OrganizationId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
    let plan = PlanRecord::unlimited("pro", &["api_access", "teams"]);
    let mut batch = Batch::new();
    let mut put = |place: StoreKey, value: Vec<u8>| {
        batch = std::mem::take(&mut batch).put(place.to_bytes(), value);
    };
    let place = StoreKey::Plan("pro".into());
    put(place.clone(), encode(&place, &plan).unwrap());
    let place = StoreKey::Organization(organization);
    let record = OrganizationRecord::new(organization, "Example".to_owned(), "pro", NOW);
    put(place.clone(), encode(&place, &record).unwrap());
    let place = StoreKey::User(user);
    put(place.clone(), encode(&place, &user_record(user, organization)).unwrap());
    let mut texts = Vec::new();
    for number in 0..KEYS {
        let made = generate(&Prefix::default(), &Environment::default(), &mut random);
        let mut id = [0; 16];
        id[15] = u8::try_from(number).unwrap();
        let name = format!("build bot {number}");
        let record = KeyRecord {
            owner: Some(user),
            secrets: vec![SecretRecord::of(&made, NOW)],
            permissions: Some("diagrams:read diagrams:write".parse().unwrap()),
            ..KeyRecord::new(KeyId::from_bytes(id), organization, name, NOW)
        };
        put(record.place(), encode(&record.place(), &record).unwrap());
        texts.push(made.secret.reveal().to_owned());
    }
    let store = Arc::new(MemoryStore::new());
    // The first start writes the store's format.
    instance_over(&store).stop();
    store.commit(batch).unwrap();
    (instance_over(&store), texts)
}

fn instance_over(store: &Arc<MemoryStore>) -> Instance {
    let (store, random) = (Arc::<MemoryStore>::clone(store), StdRng::seed_from_u64(2));
    let parameters = InstanceParameters { interval_writes: false, ..InstanceParameters::default() };
    Instance::assemble(store, Arc::new(ManualClock::at(NOW)), random, parameters).unwrap()
}

fn user_record(id: UserId, organization: OrganizationId) -> UserRecord {
    UserRecord {
        id,
        organization,
        email: "ada@example.com".to_owned(),
        email_unconfirmed: false,
        name: "Ada".to_owned(),
        password: String::new(),
        role: BuiltinRole::User.into(),
        operator: false,
        disabled: false,
        teams: Vec::new(),
        locale: None,
        notices: Notices::default(),
        password_changes: 0,
        created_at: NOW,
        version: 1,
    }
}
