//! A table of faults: each is planted in a sound store, found exactly once, and mended or not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keyhouse_storage::{At, Range, Store};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::inspection::tests::damage::{AUDIT_LOG, BROKEN, ORPHANS};
use crate::inspection::tests::references::REFERENCES;
use crate::inspection::tests::store::{
    Fault, IMPORTED, NOW, Outcome, PERSONAL, PURGED, Rows, SERVICE, digest, filled, granted, id,
    inspected, seed_keys, surroundings,
};
use crate::inspection::{FindingCode, SeedKeysFound, Surroundings, inspect, repair};
use crate::model::id::KeyId;
use crate::model::limit::QUOTA_CALLS_MAX;
use crate::records::key::KeyRecord;
use crate::records::place::StoreKey;
use crate::records::reservation::ReservationRecord;
use crate::records::taken::TakenRecord;
use crate::records::{Record, read_row};

#[test]
fn a_store_without_faults_has_no_findings() {
    let rows = filled();
    let store = rows.store();
    let report = inspected(&store);
    assert_eq!(report.findings, [], "{report:?}");
    assert_eq!((report.rows, report.keys), (u64::try_from(rows.by_key.len()).unwrap(), 4));
    let expected = [(PERSONAL, "a:read"), (SERVICE, "a:read"), (IMPORTED, "a:read")];
    assert_eq!(granted(&store), Some(BTreeSet::from(expected)), "the test sees rights");
}

#[test]
fn each_fault_of_a_reference_is_found_once() {
    require(REFERENCES);
}

#[test]
fn each_orphan_is_found_once() {
    require(ORPHANS);
}

#[test]
fn each_record_that_does_not_decode_is_found_once() {
    require(BROKEN);
}

#[test]
fn each_fault_of_the_audit_log_is_found_once() {
    require(AUDIT_LOG);
}

/// Plants each fault in a sound store of its own. A repair grants nothing that the store with the
/// fault did not grant, or, if no server starts on it, the sound store.
fn require(faults: &[Fault]) {
    let sound = filled();
    let keys = seed_keys();
    for (name, plant, code, outcome) in faults {
        let mut rows = sound.clone();
        plant(&mut rows);
        let store = rows.store();
        let report = inspected(&store);
        let found: Vec<_> = report.findings.iter().map(|finding| finding.code).collect();
        assert_eq!(found, [*code], "{name}: {report:?}");
        let finding = &report.findings[0];
        assert_eq!(finding.mend.is_some(), *outcome != Outcome::Left, "{name}");
        assert!(!finding.remedy().is_empty(), "{name}");

        let rights = granted(&store).or_else(|| granted(&sound.store())).unwrap();
        let mut lost = Vec::new();
        let mut random = StdRng::seed_from_u64(4);
        let repaired = repair(&store, surroundings(&keys), &mut random, &mut |changes| {
            lost.extend(changes.iter().map(|change| (change.key.clone(), change.before.clone())));
            Ok(())
        });
        let left: Vec<_> = repaired.unwrap().left.findings.iter().map(|it| it.code).collect();
        let expected = match outcome {
            Outcome::Mended => Vec::new(),
            Outcome::Left => vec![*code],
            Outcome::Leaves(code) => vec![*code],
        };
        assert_eq!(left, expected, "{name}");
        assert_kept(&rows, &store, &lost, name);
        let now = granted(&store).unwrap_or_default();
        assert!(now.is_subset(&rights), "{name}: {now:?} of {rights:?}");
    }
}

/// The store key of a changed row, and its former value.
type LostRow = (Vec<u8>, Option<Vec<u8>>);

/// Everything that a repair removed or replaced is in its report.
fn assert_kept(before: &Rows, after: &Arc<dyn Store>, lost: &[LostRow], name: &str) {
    let range = Range::prefix(b"");
    let found: BTreeMap<_, _> = after
        .rows(&range, At::Latest)
        .map(|row| row.unwrap())
        .map(|row| (row.key, row.value))
        .collect();
    for (key, value) in &before.by_key {
        let is_kept =
            found.get(key) == Some(value) || lost.contains(&(key.clone(), Some(value.clone())));
        assert!(is_kept, "{name}: {}", key.escape_ascii());
    }
}

#[test]
fn a_missing_seal_key_file_is_found_once() {
    let store = filled().store();
    let keys = seed_keys();
    let missing = Surroundings { seed_keys: SeedKeysFound::Missing, ..surroundings(&keys) };
    let report = inspect(&store, missing).unwrap();
    let codes: Vec<_> = report.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [FindingCode::SealKeyMissing]);
    let unchecked = Surroundings { seed_keys: SeedKeysFound::NotChecked, ..missing };
    assert!(inspect(&store, unchecked).unwrap().is_clean());
}

#[test]
fn a_revoked_key_keeps_an_owner_who_was_removed() {
    let mut rows = filled();
    let key = rows.key(PERSONAL);
    rows.change::<KeyRecord>(&key, |record| {
        (record.owner, record.revoked_at) = (Some(id(80)), Some(NOW));
    });
    assert!(inspected(&rows.store()).is_clean());
}

/// The store of these rows after a repair, and its record at a place.
fn mended<T: Record>(rows: &Rows, place: &StoreKey) -> (Arc<dyn Store>, T) {
    let (store, keys) = (rows.store(), seed_keys());
    let mut random = StdRng::seed_from_u64(4);
    repair(&store, surroundings(&keys), &mut random, &mut |_| Ok(())).unwrap();
    let row = store.get(&place.to_bytes(), At::Latest).unwrap().unwrap();
    (store, read_row::<T>(&row).unwrap().record)
}

#[test]
fn a_quota_whose_reservation_is_lost_counts_as_used_up() {
    for place in
        [|_: &Rows| StoreKey::Quota(id(SERVICE)), |it: &Rows| StoreKey::PlanQuota(it.organization)]
    {
        let mut rows = filled();
        let place = place(&rows);
        rows.break_record(&place);
        let (store, record) = mended::<ReservationRecord>(&rows, &place);
        let limit = if matches!(place, StoreKey::Quota(_)) { 100 } else { 1_000 };
        assert_eq!(record.reserved, limit, "{place}");
        assert!(record.begins <= NOW && NOW < record.ends, "{place}");
        assert!(!granted(&store).unwrap().iter().any(|(key, _)| *key == SERVICE));
    }
}

/// The plan is created again later: the lost use of the month would then be free.
#[test]
fn a_quota_of_a_plan_that_is_lost_too_counts_as_used_up() {
    let mut rows = filled();
    let place = StoreKey::PlanQuota(rows.organization);
    rows.break_record(&place);
    rows.break_record(&StoreKey::Plan("limited".into()));
    let (_, record) = mended::<ReservationRecord>(&rows, &place);
    assert_eq!(record.reserved, QUOTA_CALLS_MAX);
    assert!(record.begins <= NOW && NOW < record.ends);
}

#[test]
fn the_digest_of_a_key_stays_bound_to_it() {
    for (number, bound) in [(IMPORTED, id(IMPORTED)), (PURGED, KeyId::default())] {
        let mut rows = filled();
        let place = StoreKey::Taken(digest(number));
        rows.break_record(&place);
        let (store, record) = mended::<TakenRecord>(&rows, &place);
        assert_eq!(record.key, bound);
        assert_eq!(granted(&store), granted(&filled().store()));
    }
}

/// The imported secret was rotated out. A binding that is not retired would let an import accept the
/// secret again, by another digest of the same text.
#[test]
fn a_digest_that_was_rotated_out_stays_retired() {
    for is_removed in [false, true] {
        let mut rows = filled();
        let key = rows.key(IMPORTED);
        rows.change::<KeyRecord>(&key, |record| record.secrets[0].digest = digest(90));
        let place = StoreKey::Taken(digest(IMPORTED));
        if is_removed {
            rows.remove(&place);
        } else {
            rows.break_record(&place);
        }
        let (_, record) = mended::<TakenRecord>(&rows, &place);
        assert_eq!(record, TakenRecord::retired(id(IMPORTED)), "removed: {is_removed}");
    }
}
