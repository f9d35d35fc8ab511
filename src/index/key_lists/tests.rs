//! Tests of lists: comparisons with a map while keys change and parts are read, and the bounds of memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use keyhouse_storage::{Batch, MemoryStore, Progress, Store as _, Write};

use super::*;
use crate::index::key_lists::entry::{EntryFacts, Values};
use crate::index::key_lists::keys::KEY_BYTES;
use crate::index::writer::Writer;
use crate::index::{CallOrigin, Index};
use crate::model::id::{TeamId, UserId};
use crate::model::moment::Moment;
use crate::records::encode;
use crate::records::key::{ShareRecord, TeamAccess, tests::record};

/// A key whose id depends on `number`, and whose fields depend on `version`.
fn key(number: u16, version: u8) -> KeyRecord {
    let mut record = record();
    record.id = id(number);
    record.name = format!("Bot É {number} {version}");
    record.description = "d".repeat(usize::from(version) * 20);
    record.owner = (!version.is_multiple_of(3)).then(|| UserId::from_bytes([version % 5; 16]));
    let team = TeamId::from_bytes([version % 7; 16]);
    record.teams = vec![ShareRecord { team, access: TeamAccess::Read }; usize::from(version % 2)];
    record.permissions =
        (!version.is_multiple_of(4)).then(|| format!("a:p{version}").parse().unwrap());
    record.environment = ["live", "test"][usize::from(version % 2)].parse().unwrap();
    record.expires_at =
        (!version.is_multiple_of(2)).then(|| Moment::from_milliseconds(version.into()));
    record.revoked_at = (version.is_multiple_of(6)).then_some(Moment::BEGINNING);
    record
}

fn id(number: u16) -> KeyId {
    let [high, low] = number.to_be_bytes();
    let mut bytes = [9; 16];
    (bytes[0], bytes[1]) = (high, low);
    KeyId::from_bytes(bytes)
}

fn put(record: &KeyRecord) -> ListChange {
    ListChange::Put(Box::new(EntryDraft::new(record, None)))
}

/// Adds a change as the index's writer does.
fn follow(list: &KeyList, change: ListChange) {
    if list.needs(change.id()) {
        assert!(list.push(change));
    }
}

/// Checks that a list has exactly these keys.
fn check(list: &KeyList, expected: &BTreeMap<KeyId, KeyRecord>) {
    let keys = list.read();
    let common = keys.common();
    let mut left = expected.values().rev();
    for entry in keys.before(None).flat_map(ChunkPart::entries) {
        let record = left.next().unwrap();
        assert_eq!(entry.id, record.id);
        assert_eq!(entry.name(), record.name.to_lowercase().as_bytes());
        assert_eq!(entry.is_service(), record.is_service());
        for now in [0, 3, 200].map(Moment::from_milliseconds) {
            assert_eq!(entry.status(now), record.status(now));
        }
        let owner = SlotMemo::default().of(&common.owners, entry.owner(), |owner| *owner);
        assert_eq!(owner, record.owner);
        let team = SlotMemo::default().of(&common.sharings, entry.sharing(), |teams| teams[0]);
        assert_eq!(team, record.teams.first().map(|share| share.team));
        let is_profile = |profile: &Arc<KeyProfile>| {
            let list = record.permissions.as_ref().map(|it| it.as_set().as_str().as_bytes());
            profile.permissions.as_deref() == list && profile.environment == record.environment
        };
        let profile = SlotMemo::default().of(&common.profiles, entry.profile(), is_profile);
        assert_eq!(profile, Some(true));
        let has = |text: &str| entry.contains(&memchr::memmem::Finder::new(text));
        assert!(has("bot e ") && has(&record.description) && has("kh_live_abcd") && !has("ee"));
    }
    assert!(left.next().is_none());
    let not_revoked = expected.values().filter(|record| record.revoked_at.is_none()).count();
    assert_eq!(keys.before(None).map(ChunkPart::not_revoked).sum::<usize>(), not_revoked);
    assert_eq!(keys.len(), expected.len());
    let texts = |record: &KeyRecord| EntryDraft::new(record, None).texts.len();
    let list_of = |it: &KeyRecord| it.permissions.as_ref().map(ToString::to_string);
    let profile = |it: &KeyRecord| it.environment.to_string() + &list_of(it).unwrap_or_default();
    let profiles: BTreeSet<_> = expected.values().map(profile).collect();
    let profiles: usize = profiles.iter().map(String::len).sum();
    let teams: BTreeSet<_> =
        expected.values().filter_map(|it| it.teams.first()).map(|share| share.team).collect();
    let bytes: usize = expected.values().map(|record| KEY_BYTES + texts(record)).sum();
    assert_eq!(list.bytes(), bytes + profiles + teams.len() * size_of::<TeamId>());
}

#[derive(Clone, Debug)]
enum Event {
    /// A commit, which the index's writer applies later.
    Put(u16, u8),
    Remove(u16),
    /// The index's writer applies the oldest commits.
    Follow(usize),
    /// A request reads up to this many keys from the store.
    Read(usize),
    /// The request adds what it has read.
    Add,
    /// The request fails before it adds what it has read.
    GiveUp,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0..40_u16, any::<u8>()).prop_map(|(number, version)| Event::Put(number, version)),
        2 => (0..40_u16).prop_map(Event::Remove),
        4 => (1..6_usize).prop_map(Event::Follow),
        3 => (1..12_usize).prop_map(Event::Read),
        3 => Just(Event::Add),
        1 => Just(Event::GiveUp),
    ]
}

proptest! {
    /// A list has every key of the store once, even if keys change while requests read parts, and if the
    /// index's writer applies changes late.
    #[test]
    fn a_list_that_follows_the_feed_has_the_keys_of_the_store(
        events in prop::collection::vec(event(), 1..120),
    ) {
        let list = KeyList::default();
        let (mut store, mut feed) = (BTreeMap::new(), VecDeque::new());
        let mut read: Option<(UnreadPart<'_>, Vec<EntryDraft>, Option<KeyId>)> = None;
        for event in events.into_iter().chain([Event::GiveUp]) {
            match event {
                Event::Put(number, version) => {
                    store.insert(id(number), key(number, version));
                    feed.push_back(put(&key(number, version)));
                },
                Event::Remove(number) => {
                    store.remove(&id(number));
                    feed.push_back(ListChange::Remove(id(number)));
                },
                Event::Follow(count) => {
                    let changes = feed.drain(..count.min(feed.len()));
                    changes.for_each(|change| follow(&list, change));
                },
                Event::Read(count) if read.is_none() => {
                    let below = list.read().unread_below();
                    let Some(part) = below.and_then(|below| list.unread_part(below)) else { continue };
                    let (drafts, from) = page(&store, part.below, count);
                    read = Some((part, drafts, from));
                },
                Event::Add => {
                    if let Some((part, drafts, from)) = read.take() {
                        part.add(drafts, from);
                    }
                },
                Event::GiveUp => drop(read.take()),
                Event::Read(_) => {},
            }
        }
        for change in feed {
            follow(&list, change);
        }
        let unread = || list.read().unread_below();
        while let Some(below) = unread() {
            let part = list.unread_part(below).unwrap();
            let (drafts, from) = page(&store, below, 7);
            part.add(drafts, from);
        }
        check(&list, &store);
    }
}

/// The newest keys before one, and the last of them, unless no more keys follow.
fn page(
    store: &BTreeMap<KeyId, KeyRecord>,
    below: KeyId,
    count: usize,
) -> (Vec<EntryDraft>, Option<KeyId>) {
    let keys = store.range(..below).rev().take(count);
    let drafts: Vec<EntryDraft> = keys.map(|(_, record)| EntryDraft::new(record, None)).collect();
    let last = drafts.last().map(|draft| draft.id).filter(|_last| drafts.len() == count);
    (drafts, last)
}

/// Reads an empty store, so that the list has all keys.
fn read_whole(list: &KeyList) {
    let below = list.read().unread_below().unwrap();
    list.unread_part(below).unwrap().add(Vec::new(), None);
}

#[test]
fn a_list_of_many_chunks_has_every_change() {
    let list = KeyList::default();
    read_whole(&list);
    let (mut random, mut expected) = (StdRng::seed_from_u64(7), BTreeMap::new());
    for number in 0..9_000_u16 {
        // Half of the keys are new ones, the others belong between older keys.
        let number = if number % 2 == 0 { number } else { random.random_range(0..9_000) };
        let record = key(number, random.random());
        assert!(list.push(put(&record)));
        expected.insert(record.id, record);
    }
    check(&list, &expected);
    for _ in 0..9_000 {
        let id = id(random.random_range(0..9_000));
        assert!(list.push(ListChange::Remove(id)));
        expected.remove(&id);
    }
    check(&list, &expected);
}

#[test]
fn the_writer_waits_for_no_reader_and_the_next_reader_has_its_changes() {
    let list = KeyList::default();
    read_whole(&list);
    let held = list.read();
    let mut expected = BTreeMap::new();
    for number in 0..300 {
        assert!(list.push(put(&key(number, 1))), "the list is in use, but the writer goes on");
        expected.insert(id(number), key(number, 1));
    }
    assert_eq!(held.before(None).count(), 0);
    drop(held);
    check(&list, &expected);
}

#[test]
fn a_list_with_too_many_waiting_changes_is_closed() {
    let lists = KeyLists::default();
    let record = key(1, 1);
    let list = lists.of(record.organization);
    read_whole(&list);
    let live = Arc::new(KeyCounters::new(record.id));
    let held = list.read();
    for _ in 0..CHANGES_WAITING_MAX {
        lists.put(&record, &live);
    }
    assert_eq!(lists.size().0, 1);
    lists.put(&record, &live);
    assert_eq!(lists.size().0, 0);
    drop(held);
}

#[test]
fn a_list_needs_no_change_of_a_key_that_no_request_has_read() {
    let list = KeyList::default();
    let below = list.read().unread_below().unwrap();
    assert!(!list.needs(id(7)), "a request that reads the key reads the change");
    let part = list.unread_part(below).unwrap();
    assert!(list.needs(id(7)), "the request may have an older state");
    part.add(vec![EntryDraft::new(&key(8, 1), None)], Some(id(8)));
    assert!(list.needs(id(8)), "the list has the key");
    assert!(list.needs(id(9)), "a new key");
    assert!(!list.needs(id(7)));
    let held = list.keys_mut();
    assert!(list.needs(id(7)), "not known while a request changes the list");
    drop(held);
}

/// While a request reads a part, another client may change keys without end.
#[test]
fn a_part_is_read_again_after_too_many_changes() {
    let list = KeyList::default();
    let below = list.read().unread_below().unwrap();
    let removed = |number: usize| {
        let number = u128::try_from(number).unwrap();
        ListChange::Remove(KeyId::from_bytes(number.to_be_bytes()))
    };
    let part = list.unread_part(below).unwrap();
    (0..CHANGES_WAITING_MAX).for_each(|number| follow(&list, removed(number)));
    part.add(vec![EntryDraft::new(&key(8, 1), None)], Some(id(8)));
    check(&list, &BTreeMap::from([(id(8), key(8, 1))]));

    let part = list.unread_part(id(8)).unwrap();
    (0..=CHANGES_WAITING_MAX).for_each(|number| follow(&list, removed(number)));
    assert!(!list.needs(id(7)), "no more changes are noted");
    part.add(vec![EntryDraft::new(&key(7, 1), None)], None);
    assert_eq!(list.read().unread_below(), Some(id(8)), "nothing was added");
    let part = list.unread_part(id(8)).unwrap();
    part.add(vec![EntryDraft::new(&key(7, 2), None)], None);
    check(&list, &BTreeMap::from([(id(7), key(7, 2)), (id(8), key(8, 1))]));
}

#[test]
fn the_memory_of_all_lists_is_the_sum_of_theirs() {
    let lists = KeyLists::default();
    let organization = |number: u8| OrganizationId::from_bytes([number; 16]);
    let all = || lists.bytes.load(Ordering::Relaxed);
    let [one, other] = [1, 2].map(|number| lists.of(organization(number)));
    for list in [&one, &other] {
        read_whole(list);
        (0..9).for_each(|number| follow(list, put(&key(number, 2))));
    }
    follow(&one, put(&key(3, 1)));
    follow(&one, ListChange::Remove(id(4)));
    assert_eq!(all(), one.bytes() + other.bytes());
    lists.close_all();
    assert_eq!(all(), one.bytes() + other.bytes(), "requests still use the lists");
    drop(one);
    assert_eq!(all(), other.bytes());
    drop(other);
    assert_eq!(all(), 0);
}

#[test]
fn the_lists_used_the_longest_ago_make_room() {
    let lists = KeyLists::default();
    let organization = |number: u8| OrganizationId::from_bytes([number; 16]);
    let open = |number: u8, keys: u16| {
        let list = lists.of(organization(number));
        read_whole(&list);
        (0..keys).for_each(|key| assert!(list.push(put(&self::key(key, 1)))));
        list
    };
    let bytes = |list: &Arc<KeyList>| list.bytes();
    let (first, third) = (open(1, 50), open(3, 60));
    drop(open(2, 10));
    drop(lists.of(organization(3)));
    drop(lists.of(organization(1)));
    let all = bytes(&first) + bytes(&third) + LIST_BYTES_MIN;
    lists.make_room_of(&third, all);
    assert_eq!(lists.size(), (3, 120), "the second list counts as LIST_BYTES_MIN");
    lists.make_room_of(&third, all - 1);
    assert_eq!(lists.size(), (2, 110), "the second was used the longest ago");
    lists.make_room_of(&third, 10);
    assert_eq!(lists.size(), (1, 60), "a list that alone is too large stays");
    lists.close_all();
    let (large, small) = (open(4, 300), open(5, 1));
    let bytes_max = 4 * LIST_BYTES_MIN;
    assert!(bytes(&large) > bytes_max);
    lists.make_room_of(&small, bytes_max);
    assert_eq!(lists.size(), (2, 301), "a list that is too large leaves a quarter to others");
    lists.make_room_of(&large, 10);
    lists.close_unused();
    assert_eq!(lists.size().0, 1, "it was used");
    lists.close_unused();
    assert_eq!(lists.size().0, 0, "it was not used since");
}

#[test]
fn only_one_request_reads_a_part_and_one_that_fails_leaves_it_to_the_next() {
    let list = KeyList::default();
    let below = list.read().unread_below().unwrap();
    drop(list.unread_part(below).unwrap());
    let part = list.unread_part(below).unwrap();
    part.add(vec![EntryDraft::new(&key(7, 1), None)], Some(id(7)));
    assert!(list.unread_part(below).is_none(), "it was read");
    list.unread_part(id(7)).unwrap().add(Vec::new(), None);
    check(&list, &BTreeMap::from([(id(7), key(7, 1))]));
}

#[test]
fn an_open_list_follows_the_feed_and_a_rebuild_closes_it() {
    let index = Arc::new(Index::new());
    let mut writer = Writer::new(Arc::clone(&index));
    let (first, second) = (key(1, 1), key(2, 1));
    let row =
        |record: &KeyRecord| (record.place().to_bytes(), encode(&record.place(), record).unwrap());
    let write = |record: &KeyRecord| {
        let (key, value) = row(record);
        Write::Put { key, value }
    };
    let list = index.key_lists.of(first.organization);
    read_whole(&list);
    let second = KeyRecord { organization: first.organization, ..second };
    writer.apply(&[write(&first), write(&second)]).unwrap();
    let both = BTreeMap::from([(first.id, first.clone()), (second.id, second.clone())]);
    check(&list, &both);
    let address = Some([192, 0, 2, 7].into());
    let grant = index.grant(&second.secrets[0].digest).unwrap();
    let origin = CallOrigin { ip: address, ..CallOrigin::default() };
    index.note_call(&grant, crate::model::code::Code::Valid, Moment::BEGINNING, origin);
    let newest = list
        .read()
        .before(None)
        .flat_map(ChunkPart::entries)
        .next()
        .map(|entry| (entry.last_used_at(), entry.last_address()));
    assert_eq!(newest, Some((Some(Moment::BEGINNING), address)), "the list has its live state");
    writer.apply(&[Write::Delete { key: second.place().to_bytes() }]).unwrap();
    check(&list, &BTreeMap::from([(first.id, first.clone())]));

    let store = MemoryStore::new();
    let (key, value) = row(&first);
    store.commit(Batch::new().put(key, value)).unwrap();
    assert_eq!(index.key_lists.size(), (1, 1));
    assert!(writer.rebuild(&store, &Progress::default()).is_ok());
    assert_eq!(index.key_lists.size(), (0, 0));
}

#[test]
fn the_memory_of_a_key_is_what_the_bound_counts() {
    let parts = size_of::<KeyId>() + size_of::<EntryFacts>() + size_of::<Values>();
    assert_eq!(parts, 80, "and 16 bytes for what keys have in common");
    assert_eq!(KEY_BYTES, 96);
}
