//! Claims about feeds: complete commits, in order, without gaps, and the end of a feed.

use std::thread;
use std::time::Duration;

use super::{
    Case, FeedError, PATIENCE, Revision, Seen, Step, Unexpected, all_rows, equal, latest,
    next_commit,
};
use crate::{Batch, Commit, CommitError, ReadError, Store, Write};

pub(super) const CASES: &[Case] = &[
    ("a feed shows every commit completely and in order", commits_are_whole),
    ("a feed starts right after the requested revision", any_start),
    ("a rejected batch is not in the feed", refused_is_not_shown),
    ("a feed without commits reports its position", progress_is_reported),
    ("a feed waits for a later commit", waits_for_a_commit),
    ("a feed has no gaps while threads commit", no_gaps_under_load),
    ("a scan and the feed from its revision equal the store's rows", scan_then_follow),
    ("two feeds are independent", feeds_are_independent),
    ("a stopped feed ends at once and other feeds continue", stopped_feed_ends),
    ("a feed from a future revision fails with compacted", future_is_compacted),
    ("a commit that a feed returned can be read", shown_is_read),
];

fn commits_are_whole(store: &dyn Store) -> Seen {
    let mut feed = store.follow(Revision::ZERO)?;
    let batches = [
        Batch::new().absent("a").put("a", "1").put("b", ""),
        Batch::new().delete("a").delete("never was"),
        Batch::new().put("z", "3").put("a", "3"),
    ];
    for batch in &batches {
        store.commit(batch.clone())?;
    }
    for (number, batch) in (1..).zip(batches) {
        let expected = Commit { revision: Revision(number), writes: batch.into_writes() };
        equal("commit in the feed", &next_commit(&mut *feed)?, &expected)?;
    }
    Ok(())
}

fn any_start(store: &dyn Store) -> Seen {
    for number in 0..20_u8 {
        store.commit(Batch::new().put(vec![number], ""))?;
    }
    for start in 0..=20 {
        let mut feed = store.follow(Revision(start))?;
        for expected in start + 1..=20 {
            equal(
                "revision of the next commit",
                &next_commit(&mut *feed)?.revision,
                &Revision(expected),
            )?;
        }
        equal(
            "position after the last commit",
            &feed.next(Duration::ZERO)?,
            &Step::Progress(Revision(20)),
        )?;
    }
    Ok(())
}

fn refused_is_not_shown(store: &dyn Store) -> Seen {
    let mut feed = store.follow(Revision::ZERO)?;
    store.commit(Batch::new().put("a", "1"))?;
    let refused = store.commit(Batch::new().absent("a").put("a", "2"));
    equal("outcome of a batch with a failed guard", &refused, &Err(CommitError::Conflict))?;
    store.commit(Batch::new().put("b", "1"))?;
    next_commit(&mut *feed)?;
    let expected = vec![Write::Put { key: b"b".to_vec(), value: b"1".to_vec() }];
    equal("writes of the next commit", &next_commit(&mut *feed)?.writes, &expected)
}

fn progress_is_reported(store: &dyn Store) -> Seen {
    let mut feed = store.follow(Revision::ZERO)?;
    equal(
        "position in an empty store",
        &feed.next(Duration::ZERO)?,
        &Step::Progress(Revision::ZERO),
    )?;
    let revision = store.commit(Batch::new().put("a", ""))?;
    next_commit(&mut *feed)?;
    let step = feed.next(Duration::from_millis(1))?;
    equal("position after a commit", &step, &Step::Progress(revision))
}

fn waits_for_a_commit(store: &dyn Store) -> Seen {
    let mut feed = store.follow(Revision::ZERO)?;
    thread::scope(|scope| {
        let waiting = scope.spawn(move || next_commit(&mut *feed));
        let revision = store.commit(Batch::new().put("a", ""))?;
        equal("revision of the awaited commit", &joined(waiting.join())?.revision, &revision)
    })
}

fn no_gaps_under_load(store: &dyn Store) -> Seen {
    const WRITERS: u64 = 4;
    const COMMITS: u64 = 50;
    let write = |writer: u64| -> Seen {
        let pending = (0..COMMITS).map(|number| {
            let key = format!("{writer}-{number}");
            store.submit(Batch::new().put(key.clone(), "").put(format!("{key}+"), ""))
        });
        pending.collect::<Vec<_>>().into_iter().try_for_each(|pending| {
            pending.wait()?;
            Ok(())
        })
    };
    let follow = |from: u64| -> Seen {
        let mut feed = store.follow(Revision(from))?;
        for expected in from + 1..=WRITERS * COMMITS {
            let commit = next_commit(&mut *feed)?;
            equal("revision of the next commit", &commit.revision, &Revision(expected))?;
            equal("number of writes in a commit", &commit.writes.len(), &2)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let followers = [scope.spawn(|| follow(0)), scope.spawn(|| follow(0))];
        let writers: Vec<_> =
            (0..WRITERS).map(|writer| scope.spawn(move || write(writer))).collect();
        writers.into_iter().try_for_each(|writer| joined(writer.join()))?;
        followers.into_iter().try_for_each(|follower| joined(follower.join()))?;
        follow(WRITERS * COMMITS / 2)
    })
}

fn scan_then_follow(store: &dyn Store) -> Seen {
    const COMMITS: u64 = 100;
    let write = || -> Seen {
        for number in 0..COMMITS {
            let batch = Batch::new().put(format!("{}", number % 7), number.to_be_bytes());
            store.commit(batch.delete(format!("{}", (number + 3) % 7)))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let writer = scope.spawn(write);
        let (rows, revision) = all_rows(store, 2)?;
        let mut rows: std::collections::BTreeMap<_, _> =
            rows.into_iter().map(|row| (row.key, row.value)).collect();
        let mut feed = store.follow(revision)?;
        for _ in revision.0..COMMITS {
            for write in next_commit(&mut *feed)?.writes {
                match write {
                    Write::Put { key, value } => drop(rows.insert(key, value)),
                    Write::Delete { key } => drop(rows.remove(&key)),
                }
            }
        }
        joined(writer.join())?;
        let (now, _) = all_rows(store, 100)?;
        let now = now.into_iter().map(|row| (row.key, row.value)).collect();
        equal("rows of the scan with the writes of the feed", &rows, &now)
    })
}

fn feeds_are_independent(store: &dyn Store) -> Seen {
    let mut one = store.follow(Revision::ZERO)?;
    let mut other = store.follow(Revision::ZERO)?;
    let revision = store.commit(Batch::new().put("a", ""))?;
    for feed in [&mut one, &mut other] {
        equal("each feed returns the commit", &next_commit(&mut **feed)?.revision, &revision)?;
    }
    Ok(())
}

fn stopped_feed_ends(store: &dyn Store) -> Seen {
    let mut feed = store.follow(Revision::ZERO)?;
    let mut other = store.follow(Revision::ZERO)?;
    let stop = feed.stopper();
    thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            let ends = [feed.next(PATIENCE), feed.next(PATIENCE)];
            Ok::<_, Unexpected>(ends)
        });
        stop.stop();
        let stopped = Err(FeedError::Stopped);
        equal("a stopped feed ends twice", &joined(waiting.join())?, &[stopped.clone(), stopped])
    })?;
    stop.stop();
    store.commit(Batch::new().put("a", ""))?;
    equal(
        "commit in the feed that was not stopped",
        &next_commit(&mut *other)?.revision,
        &Revision(1),
    )
}

fn future_is_compacted(store: &dyn Store) -> Seen {
    store.commit(Batch::new().put("a", ""))?;
    for revision in [Revision(2), Revision(u64::MAX)] {
        equal(
            "a feed from a future revision",
            &store.follow(revision).map(drop),
            &Err(ReadError::Compacted),
        )?;
    }
    Ok(())
}

fn shown_is_read(store: &dyn Store) -> Seen {
    let mut feed = store.follow(Revision::ZERO)?;
    for number in 0..50_u8 {
        let pending = store.submit(Batch::new().put("a", vec![number]));
        let shown = next_commit(&mut *feed)?.revision;
        super::holds("a commit that the feed returned can be read", latest(store)? >= shown)?;
        pending.wait()?;
    }
    Ok(())
}

fn joined<T>(thread: thread::Result<Result<T, Unexpected>>) -> Result<T, Unexpected> {
    thread.unwrap_or_else(|_| Err(Unexpected("a thread panicked".to_owned())))
}
