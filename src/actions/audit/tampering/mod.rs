//! Tests that the check detects a change of any row of a small log.
//!
//! With a saved head, the check detects every change. Without a head, the check cannot detect the
//! removal of the end or a completely rewritten log.

mod beginning;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use keyhouse_storage::{At, Batch, MemoryStore, Range, Row, Store};
use rand::rngs::StdRng;

use crate::actions::audit::check::{CheckedLog, FaultKind, Terms, check_once};
use crate::actions::turns::ReadTurns;
use crate::clock::{Clock, ManualClock};
use crate::model::moment::Moment;
use crate::model::retention::Retention;
use crate::records::event::tests::event;
use crate::records::event::{CutRecord, EventRecord, SealRecord};
use crate::records::place::StoreKey;
use crate::records::{Record, encode, read_row};
use crate::upkeep::audit::chain::AuditHead;
use crate::upkeep::audit::seal::Sealer;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

fn random() -> StdRng {
    rand::SeedableRng::from_rng(&mut rand::rng())
}

/// A stored log, the time of the check, and a saved head.
struct Log {
    rows: Vec<Row>,
    now: Moment,
    head: AuditHead,
}

impl Log {
    /// Creates a log that was cut. The log had six seals over two events each, hours apart. The
    /// first two seals are cut, and a further seal covers the event of the cut.
    fn cut() -> Self {
        let clock = Arc::new(ManualClock::at("2027-01-31T12:00:00Z".parse().unwrap()));
        let store = Arc::new(MemoryStore::new());
        let mut sealer = sealer(&store, &clock);
        sealer.begin().unwrap();
        for span in [HOUR, HOUR, 10 * DAY, HOUR, 389 * DAY, HOUR] {
            for _ in 0..2 {
                put(&store, &event(clock.now().wall));
                clock.advance(Duration::from_mins(20));
            }
            sealer.turn(Duration::from_millis(1));
            clock.advance(span);
        }
        clock.advance(2 * DAY);
        sealer.turn(Duration::from_millis(1));
        let (now, head) = (clock.now().wall, AuditHead::read(&*store).unwrap());
        let log = Self { rows: rows(&store, &[]), now, head };
        assert!(log.seals().first().is_some_and(|seal| seal.number > 1), "it was cut");
        assert!(log.seals().len() >= 4);
        let checked = log.check(&log.rows, true);
        assert_eq!(checked.faults, [], "{checked:?}");
        assert!(checked.cut.is_some());
        log
    }

    fn check(&self, rows: &[Row], with_head: bool) -> CheckedLog {
        let store = MemoryStore::new();
        if !rows.is_empty() {
            let puts = rows
                .iter()
                .fold(Batch::new(), |batch, row| batch.put(row.key.clone(), row.value.clone()));
            store.commit(puts).unwrap();
        }
        self.check_store(&store, with_head)
    }

    fn check_store(&self, store: &dyn Store, with_head: bool) -> CheckedLog {
        let head = with_head.then_some(self.head.hash);
        let terms = Terms { head, now: self.now, retention: Retention::default() };
        check_once(store, terms, &|| None).unwrap().unwrap()
    }

    fn assert_found(&self, rows: &[Row], what: &str) {
        for with_head in [false, true] {
            let checked = self.check(rows, with_head);
            assert_ne!(checked.faults, [], "{what}, with a head: {with_head}; {checked:?}");
        }
    }

    fn seals(&self) -> Vec<SealRecord> {
        let seals = self.rows.iter().filter(|row| row.key.starts_with(StoreKey::SEALS));
        seals.map(|row| read_row(row).unwrap().record).collect()
    }

    fn cut_row(&self) -> CutRecord {
        let row = self.rows.iter().find(|row| row.key == StoreKey::Cut.to_bytes()).unwrap();
        read_row(row).unwrap().record
    }
}

/// Regression: while operators checked a long log, all other lists were blocked, because the check
/// took no turns.
#[test]
fn a_check_gives_way_between_any_two_pages() {
    let log = Log::cut();
    let store = MemoryStore::new();
    let puts = |batch: Batch, row: &Row| batch.put(row.key.clone(), row.value.clone());
    store.commit(log.rows.iter().fold(Batch::new(), puts)).unwrap();
    // With a single turn, a second turn is available only after the first is returned.
    let (turns, taken) = (ReadTurns::new(1), Cell::new(0));
    let turn = || {
        taken.set(taken.get() + 1);
        Some(turns.take([1; 16]))
    };
    let terms = Terms { head: None, now: log.now, retention: Retention::default() };
    let checked = check_once(&store, terms, &turn).unwrap().unwrap();
    assert_eq!(checked.faults, []);
    // The check takes one turn for each seal with its events, one for each seal's list of ids, and
    // one for the page of all events.
    assert_eq!(taken.get(), 2 * log.seals().len() + 1);
}

fn sealer(store: &Arc<MemoryStore>, clock: &Arc<ManualClock>) -> Sealer {
    let store = Arc::clone(store) as Arc<dyn Store>;
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    Sealer::new(store, clock, random(), Retention::default())
}

fn rows(store: &dyn Store, prefix: &[u8]) -> Vec<Row> {
    store.scan(&Range { limit: 1_000, ..Range::prefix(prefix) }, At::Latest).unwrap().rows
}

fn put(store: &dyn Store, event: &EventRecord) {
    let row = row(&StoreKey::Event(event.id), event);
    store.commit(Batch::new().put(row.key, row.value)).unwrap();
}

fn row<T: Record>(place: &StoreKey, record: &T) -> Row {
    let (key, value) = (place.to_bytes(), encode(place, record).unwrap());
    Row { key, value, revision: keyhouse_storage::Revision::default() }
}

fn is_same_kind(one: &Row, other: &Row) -> bool {
    let kind = |row: &Row| row.key.split(|byte| *byte == b'/').next().map(<[u8]>::to_vec);
    kind(one) == kind(other)
}

fn without(rows: &[Row], gone: impl Fn(&Row) -> bool) -> Vec<Row> {
    rows.iter().filter(|row| !gone(row)).cloned().collect()
}

#[test]
fn a_row_that_is_removed_is_found_at_every_position() {
    let log = Log::cut();
    let last = log.seals().last().unwrap().number;
    for gone in &log.rows {
        let left = without(&log.rows, |row| row.key == gone.key);
        if gone.key == StoreKey::Seal(last).to_bytes() {
            // Removing the last seal also removes the proof of the cut. For every other row, the
            // check needs a head to detect the removal.
            assert_ne!(log.check(&left, true).faults, []);
            continue;
        }
        log.assert_found(&left, &format!("{:?} removed", StoreKey::parse(&gone.key)));
    }
}

/// Changes each field of each row, and replaces each row with invalid bytes.
#[test]
fn a_row_that_is_altered_is_found_at_every_position() {
    let log = Log::cut();
    for at in 0..log.rows.len() {
        let place = StoreKey::parse(&log.rows[at].key).unwrap();
        let text = String::from_utf8(log.rows[at].value.clone()).unwrap();
        let begin = text.find('{').unwrap();
        let (mark, json) = text.split_at(begin);
        let fields: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(json).unwrap();
        let mut others = vec!["gone".to_owned()];
        for (name, value) in &fields {
            let other: serde_json::Value = match value {
                serde_json::Value::Number(number) => (number.as_i64().unwrap() - 1).into(),
                serde_json::Value::String(text) => text.chars().rev().collect::<String>().into(),
                serde_json::Value::Array(list) => list[..list.len().saturating_sub(1)].into(),
                serde_json::Value::Object(_) => serde_json::json!({"number": 1}),
                serde_json::Value::Null | serde_json::Value::Bool(_) => serde_json::Value::Null,
            };
            let mut altered = fields.clone();
            altered.insert(name.clone(), other);
            others.push(format!("{mark}{}", serde_json::Value::from(altered)));
            let mut shortened = fields.clone();
            shortened.remove(name);
            others.push(format!("{mark}{}", serde_json::Value::from(shortened)));
        }
        let is_same = |other: &String| {
            let json = other.strip_prefix(mark).and_then(|json| serde_json::from_str(json).ok());
            json == Some(fields.clone())
        };
        for other in others.into_iter().filter(|other| !is_same(other)) {
            let mut rows = log.rows.clone();
            rows[at].value = other.clone().into();
            log.assert_found(&rows, &format!("{place:?} became {other}"));
        }
    }
}

#[test]
fn rows_that_change_places_are_found_at_every_pair_of_positions() {
    let log = Log::cut();
    for one in 0..log.rows.len() {
        for other in one + 1..log.rows.len() {
            if !is_same_kind(&log.rows[one], &log.rows[other]) {
                continue;
            }
            let mut rows = log.rows.clone();
            let value = std::mem::replace(&mut rows[one].value, log.rows[other].value.clone());
            let is_alike = value == rows[one].value;
            rows[other].value = value;
            if !is_alike {
                log.assert_found(&rows, &format!("{one} and {other} exchanged"));
            }
        }
    }
}

/// Detects a changed order of events under a seal.
#[test]
fn events_of_a_seal_in_another_order_are_found() {
    let log = Log::cut();
    for seal in log.seals().into_iter().filter(|seal| seal.events.len() > 1) {
        let place = StoreKey::Seal(seal.number);
        let mut other = seal.clone();
        other.events.reverse();
        let mut rows = without(&log.rows, |row| row.key == place.to_bytes());
        rows.push(row(&place, &other));
        log.assert_found(&rows, &format!("the events of seal {} in reverse order", seal.number));
    }
}

/// Inserts an event before each event, and a seal after each seal and before the first. An event
/// that is inserted after the youngest event, or up to ten minutes before it, counts as an event
/// without a seal yet.
#[test]
fn a_row_that_is_put_in_is_found_at_every_position() {
    let log = Log::cut();
    let floor = log.head.floor;
    let (mut found, mut waiting) = (0, 0);
    for at in log.rows.iter().filter_map(|row| match StoreKey::parse(&row.key) {
        Ok(StoreKey::Event(id)) => Some(id.moment().before(Duration::from_millis(1))),
        Ok(_) | Err(_) => None,
    }) {
        let event = event(at);
        let mut rows = log.rows.clone();
        rows.push(row(&StoreKey::Event(event.id), &event));
        if at < floor {
            log.assert_found(&rows, &format!("an added event at {at}"));
            found += 1;
        } else {
            let checked = log.check(&rows, true);
            assert_eq!((checked.faults.len(), checked.unsealed), (0, 1), "{checked:?}");
            waiting += 1;
        }
    }
    assert_eq!((found, waiting), (7, 2));
    let seals = log.seals();
    let last = seals.last().unwrap();
    for number in [seals[0].number - 1, 0, last.number + 1, last.number + 2] {
        for copied in [&seals[0], last] {
            let mut rows = log.rows.clone();
            rows.push(row(&StoreKey::Seal(number), copied));
            log.assert_found(&rows, &format!("a seal {number}"));
        }
    }
}

/// Removes the end at every seal, with or without its events. The check needs a head to detect the
/// removal, except that of the seal that proves the cut.
#[test]
fn an_end_that_is_cut_off_is_found_at_every_position_with_a_head() {
    let log = Log::cut();
    for seal in log.seals() {
        for with_events in [false, true] {
            let gone = |row: &Row| match StoreKey::parse(&row.key) {
                Ok(StoreKey::Seal(number)) => number >= seal.number,
                Ok(StoreKey::Event(id)) => {
                    let behind = log.seals().into_iter().filter(|it| it.number >= seal.number);
                    with_events && behind.flat_map(|it| it.events).any(|it| it == id)
                },
                Ok(_) | Err(_) => false,
            };
            let checked = log.check(&without(&log.rows, gone), true);
            assert_eq!(checked.faults[0].kind, FaultKind::HeadUnknown, "{checked:?}");
        }
    }
    let unsealed = event(log.now);
    let mut rows = log.rows.clone();
    rows.push(row(&StoreKey::Event(unsealed.id), &unsealed));
    assert_eq!(log.check(&rows, true).unsealed, 1);
    assert_eq!(
        log.check(&log.rows, true).faults,
        [],
        "a deleted event that no seal covers is not detected"
    );
}
