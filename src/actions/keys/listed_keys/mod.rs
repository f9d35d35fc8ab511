//! Tests that compare lists of keys with a second implementation: orders, filters, searches, pages and
//! totals, for actors who see different keys.

mod fixture;
mod oracle;

use std::collections::{BTreeMap, BTreeSet};

use keyhouse_storage::Batch;
use proptest::prelude::*;

use crate::actions::ActionError;
use crate::actions::actor::Actor;
use crate::actions::keys::{COUNTED_MAX, KeyTotal, OwnerWanted, Query, Sort, TeamWanted, Wanted};
use crate::index::CallOrigin;
use crate::model::code::Code;
use crate::model::id::KeyId;
use crate::model::moment::Moment;
use crate::records::encode;
use crate::records::key::{KeyRecord, ShareRecord, TeamAccess};
use fixture::{Fixture, Reader};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// In every order, with every filter, the pages have exactly the keys that the reader may see,
    /// each once, and the total is their number.
    #[test]
    fn pages_and_totals_are_those_of_a_second_implementation(seed: u64) {
        let mut fixture = Fixture::new(seed);
        let readers = fixture.readers();
        let mut keys: Vec<KeyRecord> = (0..30).map(|_| fixture.add()).collect();
        for round in 0..24 {
            let mut query = fixture.query(Sort::ALL[round % Sort::ALL.len()].0);
            for reader in &readers {
                let expected = fixture.expected(reader, &query);
                let (listed, totals) = fixture.pages(&reader.actor, &mut query, |_| {});
                prop_assert_eq!(&listed, &expected, "{}: {:?}", reader.name, query);
                let total = KeyTotal { keys: expected.len(), is_exceeded: false };
                prop_assert!(totals.iter().all(|it| *it == total), "{}: {:?}", reader.name, totals);
            }
            // Keys are created, changed, used and removed, and one of the lists is opened again.
            keys.push(fixture.add());
            let at = fixture.random.random_range(0..keys.len());
            let changed = KeyRecord { id: keys[at].id, created_at: keys[at].created_at, ..fixture.key() };
            keys[at] = KeyRecord { secrets: keys[at].secrets.clone(), ..changed };
            fixture.write(&keys[at]);
            let removed = keys.swap_remove(fixture.random.random_range(0..keys.len()));
            fixture.remove(&removed);
            let used = fixture.one_of(&keys);
            fixture.use_key(&used);
            if fixture.random.random_bool(0.2) {
                fixture.instance.actions.index().key_lists.close_unused();
                fixture.instance.actions.index().key_lists.close_unused();
            }
        }
    }

    /// While other keys are created, changed and removed between two pages, each key that does not
    /// change is listed once.
    #[test]
    fn a_key_that_does_not_change_is_on_one_page(seed: u64) {
        let mut fixture = Fixture::new(seed);
        let readers = fixture.readers();
        let steady: BTreeSet<KeyId> = (0..25).map(|_| fixture.add().id).collect();
        let mut others: Vec<KeyRecord> = (0..25).map(|_| fixture.add()).collect();
        for (sort, _) in Sort::ALL {
            for reader in &readers {
                let mut query = fixture.query(sort);
                let expected: BTreeMap<KeyId, bool> =
                    fixture.expected(reader, &query).into_iter().collect();
                let (listed, _) = fixture.pages(&reader.actor, &mut query, |fixture| {
                    let at = fixture.random.random_range(0..others.len());
                    let new = fixture.key();
                    let secrets = others[at].secrets.clone();
                    others[at] = KeyRecord { id: others[at].id, secrets, ..new };
                    fixture.write(&others[at]);
                    let used = others[at].clone();
                    fixture.use_key(&used);
                    others.push(fixture.add());
                    let removed = others.swap_remove(fixture.random.random_range(0..others.len()));
                    fixture.remove(&removed);
                });
                let mut seen: Vec<_> =
                    listed.into_iter().filter(|(id, _)| steady.contains(id)).collect();
                seen.sort();
                let wanted: Vec<_> =
                    expected.into_iter().filter(|(id, _)| steady.contains(id)).collect();
                prop_assert_eq!(seen, wanted, "{}: {:?}", reader.name, query);
            }
        }
    }
}

/// All answers to a reader that must not depend on the key `hidden`: the keys of the unfiltered list
/// without this key, and the keys and totals of the list with each filter.
fn answers(fixture: &mut Fixture, reader: &Reader, sort: Sort, hidden: KeyId) -> Vec<ListAnswer> {
    let mut plain = Query { status: Wanted::All, ..Query::of(3, sort) };
    let owner = Some(OwnerWanted::User(fixture.instance.owner));
    let mut queries = vec![
        Query { owner, ..plain.clone() },
        Query { team: Some(TeamWanted::Team(fixture.others)), ..plain.clone() },
        Query { team: Some(TeamWanted::Mine), ..plain.clone() },
        Query { environment: Some("secret".parse().unwrap()), ..plain.clone() },
        Query { unused: true, ..plain.clone() },
        Query { expires_before: Some(Moment::NEVER), ..plain.clone() },
        Query { unused_since: Some(Moment::NEVER), ..plain.clone() },
        Query { endless: true, ..plain.clone() },
        Query { old_secret_used: true, ..plain.clone() },
    ];
    for needle in ["unicorn", "ada", "ada@", "secrets:", "203.0.113.9", "key_", "kh_live"] {
        queries.push(Query { search: Some(needle.to_owned()), ..plain.clone() });
    }
    let (listed, _) = fixture.pages(&reader.actor, &mut plain, |_| {});
    let others = listed.into_iter().filter(|(id, _)| *id != hidden).collect();
    let filtered = queries.iter_mut().map(|query| fixture.pages(&reader.actor, query, |_| {}));
    let filtered: Vec<ListAnswer> = filtered.collect();
    [vec![(others, Vec::new())], filtered].concat()
}

type ListAnswer = (Vec<(KeyId, bool)>, Vec<KeyTotal>);

/// No filter, search, order or total reveals anything about a key that a member does not see: all answers
/// are the same before the key is created, after it, and after the key was shared and used.
#[test]
fn hidden_keys_change_no_answer_to_a_member() {
    let mut fixture = Fixture::new(7);
    for _ in 0..10 {
        fixture.add();
    }
    let readers = fixture.readers();
    let mut hidden = fixture.key();
    hidden.owner = Some(fixture.instance.owner);
    hidden.name = "unicorn".to_owned();
    hidden.environment = "secret".parse().unwrap();
    hidden.permissions = Some("secrets:read".parse().unwrap());
    let now = fixture.instance.clock_now().wall;
    hidden.expires_at = Some(Moment::from_milliseconds(now.milliseconds() + 1_000));
    let all = |fixture: &mut Fixture| -> Vec<ListAnswer> {
        let mut all = Vec::new();
        for reader in readers.iter().filter(|reader| !reader.sees_keys) {
            for (sort, _) in Sort::ALL {
                all.extend(answers(fixture, reader, sort, hidden.id));
            }
        }
        all
    };
    let before = all(&mut fixture);
    let share = ShareRecord { team: fixture.others, access: TeamAccess::Read };
    for teams in [vec![share], Vec::new()] {
        let record = KeyRecord { teams: teams.clone(), ..hidden.clone() };
        fixture.write(&record);
        let grant = fixture.instance.actions.index().grant(&hidden.secrets[0].digest).unwrap();
        let origin = CallOrigin {
            ip: Some([203, 0, 113, 9].into()),
            user_agent: None,
            ..CallOrigin::default()
        };
        fixture.instance.actions.index().note_call(&grant, Code::Valid, now, origin);
        assert_eq!(all(&mut fixture), before, "{teams:?}");
    }
}

/// A page of the newest keys is returned before the whole list was read. Its total is then exceeded.
#[test]
fn a_first_page_of_many_keys_counts_to_ten_thousand_until_the_list_was_read() {
    let mut fixture = Fixture::new(7);
    let owner = fixture.instance.owner();
    let (mut batch, count) = (Batch::new(), COUNTED_MAX + 6_000);
    for number in 0..count {
        let mut record = fixture.key();
        (record.revoked_at, record.name) = (None, format!("n{number}"));
        let value = encode(&record.place(), &record).unwrap();
        batch = batch.put(record.place().to_bytes(), value);
        if batch.writes().len() == 100 || number + 1 == count {
            let full = std::mem::take(&mut batch);
            fixture.instance.commit(full);
        }
    }
    let mut query = Query::of(50, Sort::NEWEST_FIRST);
    let page = |query: &Query| fixture.instance.actions.list_keys(&owner, query).unwrap();
    let first = page(&query);
    assert_eq!(first.total, KeyTotal { keys: COUNTED_MAX, is_exceeded: true });
    let (_, read) = fixture.instance.actions.index().key_lists.size();
    assert!(read > COUNTED_MAX && read < count, "{read} of {count} were read");
    let whole = KeyTotal { keys: count, is_exceeded: false };
    let by_name = page(&Query { sort: "name".parse().unwrap(), ..query.clone() });
    assert_eq!((by_name.total, &*by_name.keys[0].0.name), (whole, "n0"));
    assert_eq!(page(&query).total, whole);
    let ids = |keys: &[(KeyRecord, bool)]| keys.iter().map(|(key, _)| key.id).collect::<Vec<_>>();
    assert_eq!(ids(&page(&query).keys), ids(&first.keys));
    query.search = Some(format!("n{}", count - 1));
    let found = page(&query);
    assert_eq!((found.keys.len(), found.total.keys), (1, 1));
}

#[test]
fn a_key_without_a_permission_on_keys_lists_none() {
    let mut fixture = Fixture::new(7);
    let mut record = fixture.key();
    record.permissions = Some("orders:read".parse().unwrap());
    fixture.write(&record);
    let digest = record.secrets[0].digest;
    let grant = fixture.instance.actions.index().grant(&digest).unwrap();
    let query = fixture.query(Sort::NEWEST_FIRST);
    let refused = fixture.instance.actions.list_keys(&Actor::key(digest, &grant, None), &query);
    assert!(matches!(refused, Err(ActionError::PermissionRequired(_))), "{refused:?}");
}
