//! The seals of the audit log prove that the log was not changed. A check detects changes in the
//! store of a stopped server, and the server's own operations keep the log intact.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use keyhouse::model::id::{EventId, OrganizationId};
use keyhouse::model::moment::Moment;
use keyhouse::model::secret::Digest;
use keyhouse::records::event::{CutRecord, EventRecord, SealRecord};
use keyhouse::records::place::StoreKey;
use keyhouse::records::{encode, read_row};
use keyhouse_storage::{At, Batch, Range, Row, Store as _};
use keyhouse_storage_redb::{RedbSettings, RedbStore};
use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::deadlines::run_within;
use crate::server::{Home, Server};
use crate::test_server::{TestServer, serve_empty, write_settings};

/// A refused start ends immediately.
const REFUSED_WITHIN: Duration = Duration::from_secs(10);

/// Opens the store of a stopped server.
pub(crate) fn opened(home: &Home) -> RedbStore {
    RedbStore::open(&RedbSettings::new(home.data())).unwrap()
}

/// Inserts a forged event.
pub(crate) fn insert(
    store: &RedbStore,
    id: EventId,
    action: &str,
    organization: Option<OrganizationId>,
) {
    let event = EventRecord {
        id,
        at: id.moment(),
        actor: None,
        address: None,
        organization,
        action: action.into(),
        target: "made up".to_owned(),
        before: serde_json::Map::new(),
        after: serde_json::Map::new(),
    };
    put(store, &StoreKey::Event(id), &event);
}

fn put<T: keyhouse::records::Record>(store: &RedbStore, place: &StoreKey, record: &T) {
    store.commit(Batch::new().put(place.to_bytes(), encode(place, record).unwrap())).unwrap();
}

fn delete(store: &RedbStore, place: &StoreKey) {
    store.commit(Batch::new().delete(place.to_bytes())).unwrap();
}

fn rows(store: &RedbStore, prefix: &[u8]) -> Vec<Row> {
    store.scan(&Range::prefix(prefix), At::Latest).unwrap().rows
}

fn seals(store: &RedbStore) -> Vec<SealRecord> {
    rows(store, StoreKey::SEALS).iter().map(|row| read_row(row).unwrap().record).collect()
}

/// Computes the hash of a seal from the documentation, without the program's code.
fn hash_of(store: &RedbStore, seal: &SealRecord) -> Digest {
    let mut text = b"keyhouse audit seal 2".to_vec();
    text.extend(seal.previous.bytes());
    text.extend(seal.number.to_be_bytes());
    for id in &seal.events {
        let key = [b"event/", &id.bytes()[..]].concat();
        let value = store.get(&key, At::Latest).unwrap().unwrap().value;
        for part in [key, value] {
            text.extend((part.len() as u64).to_be_bytes());
            text.extend(part);
        }
    }
    for moment in [seal.at, seal.floor, seal.latest] {
        text.extend(moment.milliseconds().to_be_bytes());
    }
    text.extend((seal.events.len() as u64).to_be_bytes());
    Digest::of(&text)
}

fn check(home: &Home, head: Option<&str>) -> (Option<i32>, Value) {
    let with_head = head.map_or_else(Vec::new, |head| vec!["--head", head]);
    let args = [&["audit", "check", "--json"][..], &with_head].concat();
    let ended = home.run_cli(&args, "");
    let reported =
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    (ended.code, reported)
}

fn head_of(home: &Home) -> String {
    check(home, None).1["head"]["hash"].as_str().unwrap().to_owned()
}

/// Creates a home without a server and with a log of at least six seals. Each command adds a seal.
fn logged() -> Arc<Home> {
    let mut instance = TestServer::start();
    instance.stop();
    let home = Arc::clone(instance.home());
    for number in 0..5 {
        let name = format!("key {number}");
        let ended = home.run_cli(&["key", "create", "--name", &name], "");
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    home
}

#[test]
fn an_untouched_log_passes_the_check() {
    let home = logged();
    let (code, reported) = check(&home, None);
    assert_eq!(
        (code, &reported["ok"], &reported["faults"]),
        (Some(0), &json!(true), &json!([])),
        "{reported}"
    );
    assert_eq!(reported["unsealed"], 0, "{reported}");
    assert_eq!(reported["events"], 2 + 5, "{reported}");
    let head = reported["head"]["hash"].as_str().unwrap();
    assert_eq!(check(&home, Some(head)).0, Some(0));
    let store = opened(&home);
    let seals = seals(&store);
    let mut previous = Digest::of(b"");
    for (seal, number) in seals.iter().zip(1..) {
        assert_eq!((seal.number, seal.previous), (number, previous));
        assert_eq!(seal.hash, hash_of(&store, seal), "seal {number}");
        previous = seal.hash;
    }
    assert_eq!(previous.to_string(), head);
    assert_eq!(reported["seals"], seals.len());
}

/// Each row: a manipulation of the log, and the faults that a check must report without and with
/// the earlier head.
struct Case {
    name: &'static str,
    tamper: fn(&RedbStore) -> Vec<Value>,
    only_with_head: bool,
}

#[test]
fn every_tampering_with_the_log_is_detected() {
    let home = logged();
    let head = head_of(&home);
    let file = home.data().join("keyhouse.redb");
    let kept = fs::read(&file).unwrap();
    for case in CASES {
        fs::write(&file, &kept).unwrap();
        let expected = (case.tamper)(&opened(&home));
        let (code, reported) = check(&home, None);
        let found = reported["faults"].as_array().unwrap();
        if case.only_with_head {
            assert_eq!((code, found.len()), (Some(0), 0), "{}: {reported}", case.name);
        } else {
            assert_eq!(
                (code, &reported["ok"]),
                (Some(1), &json!(false)),
                "{}: {reported}",
                case.name
            );
            for fault in &expected {
                assert!(found.contains(fault), "{}: no {fault} in {reported}", case.name);
            }
        }
        fs::write(&file, &kept).unwrap();
        let expected = (case.tamper)(&opened(&home));
        let (code, reported) = check(&home, Some(&head));
        let found = reported["faults"].as_array().unwrap();
        assert_eq!(code, Some(1), "{}: {reported}", case.name);
        for fault in &expected {
            assert!(found.contains(fault), "{}: no {fault} in {reported}", case.name);
        }
    }
}

const CASES: &[Case] = &[
    Case { name: "an event was removed", tamper: remove_event, only_with_head: false },
    Case { name: "an event was altered", tamper: alter_event, only_with_head: false },
    Case { name: "two events were exchanged", tamper: exchange_events, only_with_head: false },
    Case { name: "an event was made up", tamper: insert_event, only_with_head: false },
    Case { name: "a seal was removed", tamper: remove_seal, only_with_head: false },
    Case { name: "the first seal was removed", tamper: remove_first_seal, only_with_head: false },
    Case { name: "two seals were exchanged", tamper: exchange_seals, only_with_head: false },
    Case { name: "a seal was altered", tamper: alter_seal, only_with_head: false },
    Case { name: "a seal was overwritten", tamper: garble_seal, only_with_head: false },
    Case { name: "an event was sealed again", tamper: seal_twice, only_with_head: false },
    Case {
        name: "an event and its seal were rewritten",
        tamper: rewrite_seal,
        only_with_head: false,
    },
    Case { name: "the beginning was removed", tamper: remove_beginning, only_with_head: false },
    Case { name: "the chain was rewritten", tamper: rewrite_chain, only_with_head: true },
    Case { name: "the last seal was removed", tamper: remove_last_seal, only_with_head: true },
    Case { name: "the end of the log was removed", tamper: remove_end, only_with_head: true },
    Case { name: "the whole log was removed", tamper: remove_all, only_with_head: true },
];

fn unknown_head() -> Vec<Value> {
    vec![json!({"kind": "head_unknown"})]
}

/// The third seal, and the only event that it covers.
fn third(store: &RedbStore) -> (SealRecord, EventId) {
    let seal = seals(store).swap_remove(2);
    let id = seal.events[0];
    (seal, id)
}

fn remove_event(store: &RedbStore) -> Vec<Value> {
    let (seal, id) = third(store);
    delete(store, &StoreKey::Event(id));
    vec![json!({"kind": "event_removed", "seal": seal.number, "event": id.to_string()})]
}

/// Replaces the creator of the key in the event of its creation.
fn alter_event(store: &RedbStore) -> Vec<Value> {
    let (seal, id) = third(store);
    alter(store, id);
    vec![json!({"kind": "altered", "seal": seal.number, "event": id.to_string()})]
}

fn alter(store: &RedbStore, id: EventId) {
    let row = store.get(&StoreKey::Event(id).to_bytes(), At::Latest).unwrap().unwrap();
    let mut event = read_row::<EventRecord>(&row).unwrap().record;
    event.actor = None;
    put(store, &StoreKey::Event(id), &event);
}

fn exchange_events(store: &RedbStore) -> Vec<Value> {
    let seals = seals(store);
    let (one, two) = (seals[2].events[0], seals[3].events[0]);
    let [first, second] = [one, two]
        .map(|id| store.get(&StoreKey::Event(id).to_bytes(), At::Latest).unwrap().unwrap());
    let batch = Batch::new().put(first.key, second.value).put(second.key, first.value);
    store.commit(batch).unwrap();
    let fault = |seal: &SealRecord, id: EventId| json!({"kind": "altered", "seal": seal.number, "event": id.to_string()});
    vec![fault(&seals[2], one), fault(&seals[3], two)]
}

fn insert_event(store: &RedbStore) -> Vec<Value> {
    let (seal, _) = third(store);
    let id = EventId::new(seal.at.before(Duration::from_hours(1)), &mut rand::rng());
    insert(store, id, "key.create", None);
    vec![json!({"kind": "event_inserted", "event": id.to_string()})]
}

fn remove_seal(store: &RedbStore) -> Vec<Value> {
    let (seal, _) = third(store);
    delete(store, &StoreKey::Seal(seal.number));
    vec![json!({"kind": "seal_removed", "seal": seal.number})]
}

fn remove_first_seal(store: &RedbStore) -> Vec<Value> {
    delete(store, &StoreKey::Seal(1));
    vec![json!({"kind": "seal_removed", "seal": 1})]
}

fn exchange_seals(store: &RedbStore) -> Vec<Value> {
    let seals = seals(store);
    put(store, &StoreKey::Seal(seals[2].number), &seals[3]);
    put(store, &StoreKey::Seal(seals[3].number), &seals[2]);
    vec![json!({"kind": "chain_broken", "seal": seals[2].number})]
}

fn alter_seal(store: &RedbStore) -> Vec<Value> {
    let (mut seal, _) = third(store);
    seal.at = seal.at.before(Duration::from_hours(24));
    put(store, &StoreKey::Seal(seal.number), &seal);
    vec![json!({"kind": "altered", "seal": seal.number})]
}

fn garble_seal(store: &RedbStore) -> Vec<Value> {
    let (seal, _) = third(store);
    store.commit(Batch::new().put(StoreKey::Seal(seal.number).to_bytes(), "gone")).unwrap();
    vec![json!({"kind": "seal_unreadable", "seal": seal.number})]
}

/// Makes the last seal also cover an earlier event, and computes its hash again.
fn seal_twice(store: &RedbStore) -> Vec<Value> {
    let (_, id) = third(store);
    let mut seal = seals(store).pop().unwrap();
    seal.events.push(id);
    seal.hash = hash_of(store, &seal);
    put(store, &StoreKey::Seal(seal.number), &seal);
    vec![json!({"kind": "sealed_twice", "seal": seal.number, "event": id.to_string()})]
}

fn rewrite_seal(store: &RedbStore) -> Vec<Value> {
    let (mut seal, id) = third(store);
    alter(store, id);
    seal.hash = hash_of(store, &seal);
    put(store, &StoreKey::Seal(seal.number), &seal);
    vec![json!({"kind": "chain_broken", "seal": seal.number + 1})]
}

fn rewrite_chain(store: &RedbStore) -> Vec<Value> {
    let (seal, id) = third(store);
    alter(store, id);
    let mut previous = seal.previous;
    for mut seal in seals(store).split_off(2) {
        seal.previous = previous;
        seal.hash = hash_of(store, &seal);
        put(store, &StoreKey::Seal(seal.number), &seal);
        previous = seal.hash;
    }
    unknown_head()
}

fn remove_last_seal(store: &RedbStore) -> Vec<Value> {
    delete(store, &StoreKey::Seal(seals(store).pop().unwrap().number));
    unknown_head()
}

fn remove_end(store: &RedbStore) -> Vec<Value> {
    for seal in seals(store).split_off(3) {
        seal.events.iter().for_each(|id| delete(store, &StoreKey::Event(*id)));
        delete(store, &StoreKey::Seal(seal.number));
    }
    unknown_head()
}

/// Found in a review: an attacker removes the beginning of the log, and adds a forged cut that
/// claims its expiry.
fn remove_beginning(store: &RedbStore) -> Vec<Value> {
    let first = seals(store).swap_remove(0);
    let (number, hash, floor, at) = (first.number, first.hash, first.floor, first.at);
    first.events.iter().for_each(|id| delete(store, &StoreKey::Event(*id)));
    delete(store, &StoreKey::Seal(number));
    put(store, &StoreKey::Cut, &CutRecord { number, hash, floor, at, event: None });
    vec![json!({"kind": "cut_unproved"})]
}

fn remove_all(store: &RedbStore) -> Vec<Value> {
    for row in [rows(store, StoreKey::SEALS), rows(store, StoreKey::EVENTS)].concat() {
        store.commit(Batch::new().delete(row.key)).unwrap();
    }
    unknown_head()
}

#[test]
fn the_command_prints_the_faults_of_a_check() {
    let home = logged();
    let ended = home.run_cli(&["audit", "check"], "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.starts_with("the audit log is intact\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains(&head_of(&home)), "{}", ended.stdout);
    let (seal, id) = third(&opened(&home));
    delete(&opened(&home), &StoreKey::Event(id));
    let ended = home.run_cli(&["audit", "check"], "");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("not intact"), "{}", ended.stderr);
    let line = format!("event_removed seal {} {id}", seal.number);
    assert!(ended.stdout.contains(&line), "{}", ended.stdout);
    let listed = home.run_cli(&["audit", "list", "--action", "key.*", "--limit", "3"], "");
    assert_eq!(listed.stdout.matches("key.create").count(), 3, "{}", listed.stdout);
}

/// The check reports an unreadable record, and all other operations keep working.
#[test]
fn a_broken_chain_blocks_neither_start_nor_changes() {
    let home = logged();
    let last = seals(&opened(&home)).pop().unwrap();
    let garbage = Batch::new().put(StoreKey::Seal(last.number).to_bytes(), "gone");
    opened(&home).commit(garbage).unwrap();
    let server = Server::start_in(&home, &[]);
    server.sign_in().make_key(&json!({"name": "after"}));
    let (code, reported) = check(&home, None);
    assert_eq!(code, Some(1), "{reported}");
    let fault = json!({"kind": "seal_unreadable", "seal": last.number});
    assert!(reported["faults"].as_array().unwrap().contains(&fault), "{reported}");
}

#[test]
fn the_chain_continues_after_stops_and_kills() {
    let mut instance = TestServer::start();
    let mut heads = Vec::new();
    for round in 0..4 {
        for number in 0..20 {
            instance.create(&json!({"name": format!("key {round} {number}")}));
        }
        if round % 2 == 0 {
            instance.kill();
        } else {
            instance.stop();
        }
        instance.restart();
        heads.push(sealed_head(&instance));
    }
    instance.sign_in();
    instance.stop();
    for head in heads {
        let (code, reported) = check(instance.home(), Some(&head));
        assert_eq!((code, &reported["unsealed"]), (Some(0), &json!(0)), "{reported}");
        assert_eq!(reported["events"], 3 + 4 * 20, "{reported}");
    }
}

/// Waits until all events are sealed, which takes about a second, and returns the head.
fn sealed_head(instance: &TestServer) -> String {
    loop {
        let reported = instance.ask(&Ask::post("/v1/audit/check", &json!({}))).expect(200);
        assert_eq!(reported["ok"], true, "{reported}");
        if reported["unsealed"] == 0 {
            let head = instance.ask(&Ask::get("/v1/audit/head")).expect(200);
            assert_eq!(head, reported["head"]);
            return head["hash"].as_str().unwrap().to_owned();
        }
    }
}

#[test]
fn the_head_is_logged() {
    let instance = TestServer::start();
    let line = instance.server().log().wait_for("audit head").unwrap();
    assert!(line.contains("hash="), "{line}");
}

#[test]
fn a_clock_an_hour_behind_the_log_is_refused_unless_accepted() {
    let home = logged();
    let now = keyhouse::upkeep::audit::latest_moment(&opened(&home)).unwrap().unwrap();
    let file: PathBuf = home.data().join("keyhouse.redb");
    let kept = fs::read(&file).unwrap();
    let event: fn(&RedbStore, Moment) = |store, at| {
        insert(store, EventId::new(at, &mut rand::rng()), "key.create", None);
    };
    // All older events and their seals were removed.
    let cut: fn(&RedbStore, Moment) = |store, at| {
        let last = seals(store).pop().unwrap();
        remove_all(store);
        let (number, hash, floor) = (last.number, last.hash, last.floor);
        put(store, &StoreKey::Cut, &CutRecord { number, hash, floor, at, event: None });
    };
    let seal: fn(&RedbStore, Moment) = |store, at| {
        let mut last = seals(store).pop().unwrap();
        (last.at, last.number) = (at, last.number + 1);
        put(store, &StoreKey::Seal(last.number), &last);
    };
    for (name, tell) in [("an event", event), ("a cut", cut), ("a seal", seal)] {
        fs::write(&file, &kept).unwrap();
        tell(&opened(&home), now.after(Duration::from_mins(50)));
        drop(Server::launch_command(&home, serve_empty(&home)).unwrap());
        fs::write(&file, &kept).unwrap();
        tell(&opened(&home), now.after(Duration::from_mins(90)));
        let ended = run_within(REFUSED_WITHIN, &mut serve_empty(&home));
        assert_eq!(ended.code, Some(1), "{name}: {ended:?}");
        assert!(ended.stderr.contains("--accept-clock"), "{name}: {}", ended.stderr);
        let mut command = serve_empty(&home);
        command.arg("--accept-clock");
        let server = Server::launch_command(&home, command).unwrap();
        assert!(server.log().wait_for("accepted").is_some(), "{name}");
    }
}

/// A person with write access to keyhouse.toml can shorten the retention, but the log records it.
#[test]
fn a_retention_from_the_configuration_file_is_in_the_log() {
    let home = logged();
    let file = write_settings(&home, "[audit]\nretention = \"30d\"\n");
    let (code, reported) = check(&home, None);
    assert_eq!((code, &reported["cut"]), (Some(0), &Value::Null), "{reported}");
    let listed = home.run_cli(&["audit", "list", "--action", "audit.*", "--json"], "");
    let events: Value = serde_json::from_str(&listed.stdout).unwrap();
    let (before, after) = (&events[0]["before"], &events[0]["after"]);
    assert_eq!((before, after), (&json!({"retention": "400d"}), &json!({"retention": "30d"})));
    assert_eq!(events[0]["actor"]["kind"], "none", "{events}");
    assert_eq!(events.as_array().unwrap().len(), 1, "said once: {events}");
    for wrong in ["7d", "400", "9600h"] {
        fs::write(&file, format!("[audit]\nretention = \"{wrong}\"\n")).unwrap();
        let ended = home.run_cli(&["audit", "check"], "");
        assert_eq!(ended.code, Some(2), "{ended:?}");
        let said = "keyhouse.toml:2)";
        assert!(ended.stderr.contains(said) && ended.stderr.contains("30d to 3650d"), "{ended:?}");
    }
}

/// A running server writes its seals to a file, and its metrics show the progress.
#[test]
fn sealed_events_and_heads_are_written_to_a_file() {
    let home = Home::new();
    let path = home.folder().join("audit.jsonl");
    write_settings(&home, &format!("[audit]\nexport = \"file:{}\"\n", path.display()));
    let server = Server::start_in(&home, &["--metrics-listen", "127.0.0.1:0"]);
    let made = server.sign_in().make_key(&json!({"name": "exported"}));
    let wanted = format!("\"target\":\"{}\"", made.id);
    let (event, head) = loop {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let lines: Vec<_> = lines.collect();
        let event = text.lines().position(|line| line.contains(&wanted));
        let Some(at) = event.filter(|at| *at + 1 < lines.len()) else { continue };
        let head = lines[at..].iter().find(|line| line["type"] == "head");
        if let Some(head) = head {
            break (lines[at].clone(), head.clone());
        }
    };
    assert_eq!((&event["action"], &event["seal"]), (&json!("key.create"), &head["number"]));
    assert_eq!(event["actor"]["kind"], "user");
    server.stop();
    let (code, reported) = check(&home, head["hash"].as_str());
    assert_eq!((code, &reported["faults"]), (Some(0), &json!([])), "{reported}");
    write_settings(&home, "[audit]\nexport = \"udp://127.0.0.1\"\n");
    let ended = home.run_cli(&["audit", "check"], "");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("keyhouse.toml:2): \"udp://127.0.0.1\""), "{ended:?}");
}
