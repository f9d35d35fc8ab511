//! What a repair writes, and what a repair that ends early leaves.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use keyhouse_storage::{
    At, Batch, FaultyStore, InjectedFault, MemoryStore, Range, Store, StoreOperation,
};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::inspection::tests::store::{
    NOW, OTHER, PERSONAL, Rows, SERVICE, USER, email, filled, id, inspected, seed_keys,
    surroundings, user,
};
use crate::inspection::{
    FINDINGS_MAX, FindingCode, InspectionError, RepairError, Repaired, RowChange, Surroundings,
    inspect, repair,
};
use crate::model::id::KeyId;
use crate::records::access::{OrganizationRecord, UserRecord};
use crate::records::event::EventRecord;
use crate::records::key::Author;
use crate::records::place::StoreKey;
use crate::records::read_row;
use crate::records::uses::UseRecord;

fn repaired(
    store: &Arc<dyn Store>,
    keep: &mut dyn FnMut(&[RowChange]) -> io::Result<()>,
) -> Result<Repaired, RepairError> {
    let keys = seed_keys();
    repair(store, surroundings(&keys), &mut StdRng::seed_from_u64(4), keep)
}

fn events(store: &Arc<dyn Store>) -> Vec<EventRecord> {
    let rows = store.rows(&Range::prefix(StoreKey::EVENTS), At::Latest);
    let events = rows.map(|row| read_row::<EventRecord>(&row.unwrap()).unwrap().record);
    events.filter(|event| &*event.action == "instance.repair").collect()
}

fn with_orphans(count: u16) -> Rows {
    let mut rows = filled();
    for number in 0..count {
        let [high, low] = number.to_be_bytes();
        let mut bytes = [200; 16];
        (bytes[0], bytes[1]) = (high, low);
        let key = KeyId::from_bytes(bytes);
        rows.put(&StoreKey::Use(key), &UseRecord::at(NOW));
    }
    rows
}

#[test]
fn a_repair_of_a_sound_store_changes_nothing() {
    let store = filled().store();
    let before = store.scan(&Range::prefix(b""), At::Latest).unwrap();
    let done = repaired(&store, &mut |_| panic!("there is no change")).unwrap();
    assert!(done.changes.is_empty() && done.left.is_clean());
    assert_eq!(store.scan(&Range::prefix(b""), At::Latest).unwrap(), before);
}

#[test]
fn every_batch_has_an_event_of_the_local_operator() {
    let mut rows = with_orphans(2);
    rows.break_record(&rows.key(PERSONAL));
    let store = rows.store();
    let done = repaired(&store, &mut |_| Ok(())).unwrap();
    assert_eq!(done.changes, BTreeMap::from([("record_undecodable", 1), ("row_orphan", 2)]));
    let events = events(&store);
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!((event.at, event.actor), (NOW, Some(Author::Local)));
    assert_eq!(event.after["changes"], 3);
    assert_eq!(event.after["findings"]["row_orphan"], 2);
    assert_eq!(event.after["places"][0], rows.key(PERSONAL).to_string());
}

/// A repair that wrote the row of the address would let the first of the two users sign in with it,
/// even if the row led to the other.
#[test]
fn a_missing_row_that_two_records_claim_is_not_written() {
    let mut rows = filled();
    let mut twin: Option<UserRecord> = None;
    rows.change::<UserRecord>(&user(USER), |record| twin = Some(record.clone()));
    rows.put(&user(78), &twin.unwrap());
    rows.remove(&email(&rows));
    rows.change::<OrganizationRecord>(&StoreKey::Organization(id(OTHER)), |record| {
        record.domains.push("keyhouse.example".into());
    });
    rows.remove(&StoreKey::Domain("keyhouse.example".into()));
    let store = rows.store();
    let done = repaired(&store, &mut |_| panic!("there is no change")).unwrap();
    let mut codes: Vec<_> = done.left.findings.iter().map(|finding| finding.code).collect();
    codes.sort_unstable();
    let (email, domain) = (FindingCode::EmailShared, FindingCode::DomainShared);
    assert_eq!(codes, [email, email, domain, domain]);
}

/// With a clock that was behind, no seal covered the event of a repair, and the next check found a
/// fault of the audit log.
#[test]
fn the_event_of_a_repair_is_not_older_than_the_newest_event() {
    let store = with_orphans(1).store();
    let keys = seed_keys();
    let behind = NOW.before(Duration::from_mins(30));
    let surroundings = Surroundings { now: behind, ..surroundings(&keys) };
    let mut random = StdRng::seed_from_u64(4);
    let done = repair(&store, surroundings, &mut random, &mut |_| Ok(())).unwrap();
    assert!(done.left.is_clean(), "{:?}", done.left);
    assert_eq!(events(&store)[0].at, NOW);
}

/// A damaged user is moved out, and then the user's address, sessions, second factor and keys.
#[test]
fn a_mend_that_uncovers_findings_is_followed_by_theirs() {
    let mut rows = filled();
    rows.break_record(&StoreKey::User(id(USER)));
    let store = rows.store();
    let done = repaired(&store, &mut |_| Ok(())).unwrap();
    let expected = [
        ("email_row_orphan", 1),
        ("owner_missing", 1),
        ("record_undecodable", 1),
        ("row_orphan", 4),
    ];
    assert_eq!(done.changes, BTreeMap::from(expected));
    assert!(done.left.is_clean());
}

#[test]
fn changes_that_do_not_fit_into_one_batch_are_split() {
    let store = with_orphans(900).store();
    let mut batches = Vec::new();
    let more = with_orphans(2_000).by_key;
    for (key, value) in more.into_iter().filter(|(key, _)| key.starts_with(b"use/")) {
        let batch = Batch::new().put(key, value);
        store.commit(batch).unwrap();
    }
    let done = repaired(&store, &mut |changes| {
        batches.push(changes.len());
        Ok(())
    });
    assert_eq!(done.unwrap().changes["row_orphan"], 2_000);
    assert_eq!(batches, [1_023, 977]);
    assert_eq!(events(&store).len(), 2);
}

/// Rows of different store keys can have the same place in a finding. A second pass over such rows
/// was taken for a repetition of the first, and ended the repair.
#[test]
fn more_rows_than_a_pass_mends_are_all_mended() {
    let store = filled().store();
    let unknown: Vec<_> = (0..=2 * FINDINGS_MAX).map(|number| format!("other/{number}")).collect();
    for part in unknown.chunks(1_000) {
        let put = |batch: Batch, key: &String| batch.put(key.clone(), "");
        store.commit(part.iter().fold(Batch::new(), put)).unwrap();
    }
    let done = repaired(&store, &mut |_| Ok(())).unwrap();
    assert_eq!(done.changes, BTreeMap::from([("row_unknown", 20_001)]));
    assert!(done.left.is_clean(), "{:?}", done.left);
}

/// A process that is killed in a repair has committed some of its batches. A check reads the store,
/// and a second repair continues.
#[test]
fn a_repair_that_ends_early_is_continued() {
    let faults = [
        (InjectedFault::Unavailable, false),
        (InjectedFault::UnknownApplied, true),
        (InjectedFault::UnknownDropped, false),
    ];
    for (fault, is_applied) in faults {
        let store = Arc::new(FaultyStore::new(MemoryStore::new()));
        let shared: Arc<dyn Store> = Arc::<FaultyStore<MemoryStore>>::clone(&store);
        let mut rows = filled();
        rows.break_record(&StoreKey::User(id(USER)));
        rows.break_record(&rows.key(SERVICE));
        let batch = |batch: Batch, (key, value): (&Vec<u8>, &Vec<u8>)| {
            batch.put(key.clone(), value.clone())
        };
        shared.commit(rows.by_key.iter().fold(Batch::new(), batch)).unwrap();
        // The first pass commits. The second is the last.
        store.inject(StoreOperation::Submit, 2, fault);
        let failed = repaired(&shared, &mut |_| Ok(())).unwrap_err();
        assert!(matches!(failed, RepairError::Commit(_)), "{failed}");
        assert_eq!(inspected(&shared).is_clean(), is_applied);
        let done = repaired(&shared, &mut |_| Ok(())).unwrap();
        assert!(done.left.is_clean(), "{:?}", done.left);
    }
}

/// A change that is in no report is not made.
#[test]
fn a_repair_whose_report_fails_changes_nothing() {
    let store = with_orphans(1).store();
    let before = store.scan(&Range::prefix(b""), At::Latest).unwrap();
    let failed = repaired(&store, &mut |_| Err(io::ErrorKind::StorageFull.into())).unwrap_err();
    assert!(matches!(failed, RepairError::Keep(_)), "{failed}");
    assert_eq!(store.scan(&Range::prefix(b""), At::Latest).unwrap(), before);
}

#[test]
fn a_store_of_an_older_format_is_not_inspected() {
    let mut rows = filled();
    rows.by_key.insert(b"format".to_vec(), b"\x01{\"f\":3}".to_vec());
    let keys = seed_keys();
    let refused = inspect(&rows.store(), surroundings(&keys)).unwrap_err();
    assert!(matches!(refused, InspectionError::Format { from: 3 }), "{refused}");
}
