//! Tests that a removed and forged start of the log is detected, and that a log cut by an earlier
//! version can be upgraded.

use std::sync::Arc;
use std::time::Duration;

use keyhouse_storage::{Batch, MemoryStore, Row, Store as _};

use crate::actions::audit::check::{FaultKind, Terms, check_once};
use crate::actions::audit::tampering::{DAY, Log, row, sealer, without};
use crate::clock::ManualClock;
use crate::model::id::EventId;
use crate::model::retention::Retention;
use crate::records::encode;
use crate::records::event::{CutRecord, SEAL_VERSION, SealRecord};
use crate::records::place::StoreKey;
use crate::upkeep::audit::chain::{AuditHead, SealHasher};
use crate::upkeep::audit::own::CutEvent;

/// The rows that an attacker, who knows the format, writes after removing the start of the log.
#[derive(Clone, Copy, Debug)]
enum Forged {
    /// The row of the cut stays unchanged.
    Nothing,
    /// A row of a cut without an event, as an earlier version wrote it.
    OldRow,
    /// A row of a cut, and an event without a seal.
    Event,
    /// A row of a cut, its event, and a valid seal over the event, with the current time.
    Seal,
    /// Like `Seal`, with a future time at which the removed events are old enough.
    SealAhead,
    /// Like `Seal`, as if an earlier version had cut the log.
    Adopted,
}

#[test]
fn a_beginning_that_is_removed_is_found_at_every_position_however_it_is_forged() {
    let log = Log::cut();
    let seals = log.seals();
    for gone in &seals[..seals.len() - 1] {
        for forged in [
            Forged::Nothing,
            Forged::OldRow,
            Forged::Event,
            Forged::Seal,
            Forged::SealAhead,
            Forged::Adopted,
        ] {
            let store = forge(&log, gone, forged);
            for with_head in [false, true] {
                let checked = log.check_store(&store, with_head);
                assert_ne!(checked.faults, [], "{gone:?} {forged:?} {with_head}: {checked:?}");
            }
            // A restart of the server does not hide the fault.
            let store = Arc::new(store);
            let clock = Arc::new(ManualClock::at(log.now));
            let mut sealer = sealer(&store, &clock);
            sealer.begin().unwrap();
            sealer.turn(Duration::from_millis(1));
            for with_head in [false, true] {
                let checked = log.check_store(&*store, with_head);
                assert_ne!(
                    checked.faults,
                    [],
                    "a log restarted without {gone:?} and with {forged:?}: {checked:?}"
                );
            }
        }
    }
}

fn forge(log: &Log, gone: &SealRecord, forged: Forged) -> MemoryStore {
    let is_gone = |row: &Row| match StoreKey::parse(&row.key) {
        Ok(StoreKey::Seal(number)) => number <= gone.number,
        Ok(StoreKey::Event(id)) => {
            let before = log.seals().into_iter().filter(|seal| seal.number <= gone.number);
            before.flat_map(|seal| seal.events).any(|it| it == id)
        },
        Ok(_) | Err(_) => false,
    };
    let mut rows = without(&log.rows, is_gone);
    let at = match forged {
        Forged::SealAhead => log.now.after(500 * DAY),
        Forged::Nothing | Forged::OldRow | Forged::Event | Forged::Seal | Forged::Adopted => {
            log.now
        },
    };
    let id = EventId::new(at, &mut rand::rng());
    let retention = (!matches!(forged, Forged::Adopted)).then(Retention::default);
    let (number, hash, floor) = (gone.number, gone.hash, gone.floor);
    let event = CutEvent { number, hash, floor, at, retention }.event(id, at, None);
    let names_event = !matches!(forged, Forged::OldRow);
    let cut = CutRecord { number, hash, floor, at, event: names_event.then_some(id) };
    if !matches!(forged, Forged::Nothing) {
        rows.retain(|row| row.key != StoreKey::Cut.to_bytes());
        rows.push(row(&StoreKey::Cut, &cut));
    }
    if matches!(forged, Forged::Event | Forged::Seal | Forged::SealAhead | Forged::Adopted) {
        rows.push(row(&StoreKey::Event(id), &event));
    }
    if matches!(forged, Forged::Seal | Forged::SealAhead | Forged::Adopted) {
        let last = log.seals().pop().unwrap();
        let mut seal = SealRecord {
            number: last.number + 1,
            version: SEAL_VERSION,
            at,
            floor: last.floor,
            latest: at,
            events: vec![id],
            previous: last.hash,
            hash: last.hash,
        };
        let mut hasher = SealHasher::new(seal.version, seal.number, seal.previous);
        hasher.take(&row(&StoreKey::Event(id), &event));
        seal.hash = hasher.finish(&seal);
        rows.push(row(&StoreKey::Seal(seal.number), &seal));
    }
    let store = MemoryStore::new();
    let puts = rows.into_iter().fold(Batch::new(), |batch, row| batch.put(row.key, row.value));
    store.commit(puts).unwrap();
    store
}

/// Creates a store that an earlier version cut: seals of version 1, and a cut without an event.
fn cut_earlier(log: &Log) -> Vec<Row> {
    let mut previous = log.cut_row().hash;
    let mut rows = Vec::new();
    for mut seal in log.seals() {
        (seal.version, seal.previous) = (1, previous);
        let mut hasher = SealHasher::new(1, seal.number, previous);
        for id in &seal.events {
            let key = StoreKey::Event(*id).to_bytes();
            let event = log.rows.iter().find(|row| row.key == key).unwrap();
            hasher.take(event);
            rows.push(event.clone());
        }
        seal.hash = hasher.finish(&seal);
        previous = seal.hash;
        // The stored form of version 1 has no version field.
        let mut stored = row(&StoreKey::Seal(seal.number), &seal);
        let text = String::from_utf8(stored.value).unwrap();
        assert!(text.contains("\"v\":1,"), "{text}");
        stored.value = text.replacen("\"v\":1,", "", 1).into();
        rows.push(stored);
    }
    let cut = CutRecord { event: None, at: log.now.before(3 * DAY), ..log.cut_row() };
    rows.push(row(&StoreKey::Cut, &cut));
    rows
}

fn stored(rows: &[Row]) -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    let puts =
        rows.iter().fold(Batch::new(), |batch, row| batch.put(row.key.clone(), row.value.clone()));
    store.commit(puts).unwrap();
    store
}

/// Regression: an upgrade with a changed retention, or with a clock that was behind, wrote another
/// seal first. The cut of the earlier version then stayed unproved permanently.
#[test]
fn a_cut_by_an_earlier_version_is_adopted_before_any_other_seal() {
    let log = Log::cut();
    let rows = cut_earlier(&log);
    for (retention, back) in [("30d", Duration::ZERO), ("400d", 2 * DAY), ("30d", 2 * DAY)] {
        let retention: Retention = retention.parse().unwrap();
        let store = stored(&rows);
        let clock = Arc::new(ManualClock::at(log.now.before(back)));
        let mut sealer = sealer(&store, &clock);
        sealer.retention = retention;
        sealer.begin().unwrap();
        let terms = Terms { head: None, now: log.now, retention };
        let checked = check_once(&*store, terms, &|| None).unwrap().unwrap();
        assert_eq!(checked.faults, [], "{retention} {back:?}: {checked:?}");
        assert_eq!(checked.cut.map(|cut| cut.retention), Some(None));
    }
}

/// The upgrade writes the event once. After the upgrade, a cut without an event is not accepted.
#[test]
fn a_cut_by_an_earlier_version_is_adopted_once() {
    let log = Log::cut();
    let rows = cut_earlier(&log);
    let cut = CutRecord { event: None, at: log.now.before(3 * DAY), ..log.cut_row() };
    let checked = log.check(&rows, false);
    assert_eq!(
        checked.faults.iter().map(|it| it.kind).collect::<Vec<_>>(),
        [FaultKind::CutUnproved]
    );

    let store = stored(&rows);
    let clock = Arc::new(ManualClock::at(log.now));
    for _ in 0..2 {
        let mut sealer = sealer(&store, &clock);
        sealer.begin().unwrap();
        let checked = log.check_store(&*store, false);
        assert_eq!(checked.faults, [], "{checked:?}");
        assert_eq!(checked.cut.map(|cut| cut.retention), Some(None));
    }
    let kept = AuditHead::read(&*store).unwrap();

    // An attacker removes more events and attributes the cut to the earlier version.
    let first = log.seals().swap_remove(0);
    let more = Batch::new().delete(StoreKey::Seal(first.number).to_bytes()).put(
        StoreKey::Cut.to_bytes(),
        encode(&StoreKey::Cut, &CutRecord { number: first.number, ..cut }).unwrap(),
    );
    let more =
        first.events.iter().fold(more, |batch, id| batch.delete(StoreKey::Event(*id).to_bytes()));
    store.commit(more).unwrap();
    let mut sealer = sealer(&store, &clock);
    sealer.begin().unwrap();
    let terms = Terms { head: Some(kept.hash), now: log.now, retention: Retention::default() };
    let checked = check_once(&*store, terms, &|| None).unwrap().unwrap();
    let kinds: Vec<_> = checked.faults.iter().map(|fault| fault.kind).collect();
    assert!(kinds.contains(&FaultKind::CutUnproved), "{kinds:?}");
}
