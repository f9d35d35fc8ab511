//! Claims about checking, closing and reopening.

use std::time::Duration;

use super::{
    Case, CommitError, FeedError, ReadError, ReopeningCase, Revision, Seen, all_rows, equal, holds,
    latest, next_commit,
};
use crate::{At, Batch, Range, Store};

pub(super) const CASES: &[Case] = &[
    ("the check of a store in use succeeds", store_is_sound),
    ("a store can be closed twice", closing_twice),
    ("a closed store is unavailable", closed_is_unavailable),
    ("closing ends every feed", closing_ends_feeds),
    ("closing commits all submitted batches", closing_decides),
];

pub(super) const REOPENING: &[ReopeningCase] = &[
    ("all acknowledged commits exist after reopening", acknowledged_is_kept),
    ("revisions continue after reopening", revisions_go_on),
    ("a feed from the last revision continues after reopening", feed_goes_on),
];

fn store_is_sound(store: &dyn Store) -> Seen {
    store.check()?;
    for number in 0..50_u8 {
        store
            .commit(Batch::new().put(vec![number + 1], vec![0; 1_000]).delete(vec![number / 2]))?;
    }
    Ok(store.check()?)
}

fn closing_twice(store: &dyn Store) -> Seen {
    store.close()?;
    Ok(store.close()?)
}

fn closed_is_unavailable(store: &dyn Store) -> Seen {
    store.commit(Batch::new().put("a", ""))?;
    store.close()?;
    let read = |error| matches!(error, Some(ReadError::Unavailable(_)));
    holds("get is unavailable", read(store.get(b"a", At::Latest).err()))?;
    holds("scan is unavailable", read(store.scan(&Range::prefix(b""), At::Latest).err()))?;
    holds("follow is unavailable", read(store.follow(Revision(1)).err()))?;
    holds("check is unavailable", read(store.check().err()))?;
    let outcome = store.commit(Batch::new().put("b", ""));
    holds("commit is unavailable", matches!(outcome, Err(CommitError::Unavailable(_))))
}

fn closing_ends_feeds(store: &dyn Store) -> Seen {
    let mut feed = store.follow(Revision::ZERO)?;
    store.commit(Batch::new().put("a", ""))?;
    next_commit(&mut *feed)?;
    store.close()?;
    for _ in 0..2 {
        equal(
            "the feed of a closed store ends",
            &feed.next(Duration::ZERO),
            &Err(FeedError::Stopped),
        )?;
    }
    Ok(())
}

fn closing_decides(store: &dyn Store) -> Seen {
    let batches = (0..100_u8).map(|number| Batch::new().put(vec![number], ""));
    let pending: Vec<_> = batches.map(|batch| store.submit(batch)).collect();
    store.close()?;
    for (expected, pending) in (1..).zip(pending) {
        equal(
            "revision of a batch that was submitted before closing",
            &pending.wait(),
            &Ok(Revision(expected)),
        )?;
    }
    Ok(())
}

fn acknowledged_is_kept(open: &dyn Fn() -> Box<dyn Store>) -> Seen {
    let store = open();
    for number in 0..100_u8 {
        let batch = Batch::new().put(vec![number + 1], vec![number; 300]).put("last", vec![number]);
        store.commit(batch.delete(vec![number / 3]))?;
    }
    let before = all_rows(&*store, 10)?;
    store.close()?;
    drop(store);
    let store = open();
    equal("rows and revision after reopening", &all_rows(&*store, 10)?, &before)?;
    Ok(store.close()?)
}

fn revisions_go_on(open: &dyn Fn() -> Box<dyn Store>) -> Seen {
    let mut last = Revision::ZERO;
    for _ in 0..4 {
        let store = open();
        equal("revision after reopening", &latest(&*store)?, &last)?;
        let revision = store.commit(Batch::new().put("a", ""))?;
        holds("the revision of a commit after reopening is greater", revision > last)?;
        equal("revision at which the store is read", &latest(&*store)?, &revision)?;
        last = revision;
        store.close()?;
    }
    Ok(())
}

fn feed_goes_on(open: &dyn Fn() -> Box<dyn Store>) -> Seen {
    let store = open();
    let first = store.commit(Batch::new().put("a", "1"))?;
    let last = store.commit(Batch::new().put("a", "2"))?;
    store.close()?;
    drop(store);
    let store = open();
    let earlier = store.follow(first).map(drop);
    // A store need not keep its history.
    holds(
        "a feed from an earlier revision starts or fails with compacted",
        matches!(earlier, Ok(()) | Err(ReadError::Compacted)),
    )?;
    let mut feed = store.follow(last)?;
    let next = store.commit(Batch::new().put("a", "3"))?;
    equal("first commit of a feed after reopening", &next_commit(&mut *feed)?.revision, &next)?;
    Ok(store.close()?)
}
