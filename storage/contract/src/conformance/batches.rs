//! Claims about batches: guards, atomicity, revisions, bounds and concurrency.

use std::thread;

use super::{Case, Seen, Unexpected, all_rows, equal, holds, latest, value};
use crate::{
    At, BATCH_BYTES_MAX, BATCH_GUARDS_MAX, BATCH_WRITES_MAX, Batch, CommitError, InvalidBatch,
    KEY_BYTES_MAX, Revision, Store,
};

pub(super) const CASES: &[Case] = &[
    ("an empty store is at revision zero", empty_store_is_at_zero),
    ("every committed batch takes the next revision", revisions_count_batches),
    ("an absence guard holds only for a key without a row", guard_on_absence),
    ("a revision guard holds only for the row that was read", guard_on_revision),
    ("a conflicting batch changes nothing and takes no revision", conflict_leaves_nothing),
    ("guards see the store before the batch, not its own writes", guards_precede_writes),
    ("all writes of a batch have its revision", writes_share_a_revision),
    ("deleting an absent key takes a revision", deleting_the_absent),
    ("values may be empty and keys may have any bytes", any_bytes),
    ("a batch at the bounds is committed", batch_at_the_bounds),
    ("a batch beyond the bounds is rejected with its reason", batch_beyond_the_bounds),
    ("batches of one thread are committed in the order of submission", submission_order),
    ("a batch whose outcome is not awaited is committed", outcome_not_awaited),
    ("eight threads that count with guards lose no update", counting_loses_nothing),
    ("every thread reads acknowledged commits", acknowledged_is_read),
];

fn empty_store_is_at_zero(store: &dyn Store) -> Seen {
    equal("revision of an empty store", &latest(store)?, &Revision::ZERO)?;
    equal("row of an empty store", &store.get(b"a", At::Latest)?, &None)
}

fn revisions_count_batches(store: &dyn Store) -> Seen {
    for expected in 1..=5 {
        let revision = store.commit(Batch::new().put("a", "").put(vec![expected], ""))?;
        equal("revision of a commit", &revision, &Revision(expected.into()))?;
        equal("revision at which the store is read", &latest(store)?, &revision)?;
    }
    Ok(())
}

fn guard_on_absence(store: &dyn Store) -> Seen {
    let batch = Batch::new().absent("a").put("a", "1");
    store.commit(batch.clone())?;
    equal(
        "an absence guard on an existing row conflicts",
        &store.commit(batch.clone()),
        &Err(CommitError::Conflict),
    )?;
    store.commit(Batch::new().delete("a"))?;
    equal("an absence guard on a deleted row holds", &store.commit(batch), &Ok(Revision(3)))
}

fn guard_on_revision(store: &dyn Store) -> Seen {
    let first = store.commit(Batch::new().put("a", "1"))?;
    let conflict = Err(CommitError::Conflict);
    for (name, revision) in [
        ("a guard on an older revision conflicts", Revision::ZERO),
        ("a guard on a newer revision conflicts", first.next()),
    ] {
        let batch = Batch::new().unchanged("a", revision).put("a", "2");
        equal(name, &store.commit(batch), &conflict)?;
    }
    store.commit(Batch::new().put("other", ""))?;
    let second = store.commit(Batch::new().unchanged("a", first).put("a", "2"))?;
    let stale = Batch::new().unchanged("a", first).put("a", "3");
    equal("a guard on the revision before a change conflicts", &store.commit(stale), &conflict)?;
    store.commit(Batch::new().delete("a"))?;
    let deleted = Batch::new().unchanged("a", second).put("a", "3");
    equal("a guard on the revision of a deleted row conflicts", &store.commit(deleted), &conflict)?;
    store.commit(Batch::new().put("a", "2"))?;
    let again = Batch::new().unchanged("a", second).put("a", "3");
    equal(
        "a guard on the revision before a deletion conflicts after the same value is written again",
        &store.commit(again),
        &conflict,
    )
}

fn conflict_leaves_nothing(store: &dyn Store) -> Seen {
    let first = store.commit(Batch::new().put("a", "1").put("b", "1"))?;
    let batch = Batch::new().unchanged("a", first).absent("b");
    let outcome = store.commit(batch.put("a", "2").delete("b").put("c", "2"));
    equal("outcome of a batch with a failed guard", &outcome, &Err(CommitError::Conflict))?;
    equal("value of a after the conflict", &value(store, b"a")?, &Some(b"1".to_vec()))?;
    equal("value of b after the conflict", &value(store, b"b")?, &Some(b"1".to_vec()))?;
    equal("value of c after the conflict", &value(store, b"c")?, &None)?;
    equal("revision after the conflict", &latest(store)?, &first)?;
    equal(
        "revision of the next commit",
        &store.commit(Batch::new().put("c", "")),
        &Ok(first.next()),
    )
}

fn guards_precede_writes(store: &dyn Store) -> Seen {
    let batch = Batch::new().absent("a").absent("b").put("a", "").put("b", "");
    equal("outcome of guards on rows that the batch writes", &store.commit(batch), &Ok(Revision(1)))
}

fn writes_share_a_revision(store: &dyn Store) -> Seen {
    let first = store.commit(Batch::new().put("a", "1").put("b", "1"))?;
    let second = store.commit(Batch::new().put("b", "2").put("c", "2"))?;
    let (rows, _) = all_rows(store, 10)?;
    let seen: Vec<_> = rows.into_iter().map(|row| (row.key, row.value, row.revision)).collect();
    let row = |key: &str, value: &str, revision| (key.into(), value.into(), revision);
    let expected = vec![row("a", "1", first), row("b", "2", second), row("c", "2", second)];
    equal("rows with their revisions", &seen, &expected)
}

fn deleting_the_absent(store: &dyn Store) -> Seen {
    equal(
        "outcome of deleting an absent key",
        &store.commit(Batch::new().delete("a")),
        &Ok(Revision(1)),
    )
}

fn any_bytes(store: &dyn Store) -> Seen {
    let keys = [vec![0], vec![0, 0], vec![255], vec![255; KEY_BYTES_MAX], vec![10, 0, 255]];
    for key in &keys {
        store.commit(Batch::new().absent(key.clone()).put(key.clone(), ""))?;
        equal("empty value", &value(store, key)?, &Some(Vec::new()))?;
    }
    Ok(())
}

fn batch_at_the_bounds(store: &dyn Store) -> Seen {
    let mut most = Batch::new();
    for index in 0..BATCH_WRITES_MAX.max(BATCH_GUARDS_MAX) {
        most = most.absent(format!("{index}")).put(format!("{index}"), "");
    }
    equal(
        "outcome of a batch with the maximum number of writes",
        &store.commit(most),
        &Ok(Revision(1)),
    )?;
    let largest = Batch::new().put("large", vec![7; BATCH_BYTES_MAX - "large".len()]);
    equal("outcome of a batch of the maximum size", &store.commit(largest), &Ok(Revision(2)))?;
    let read = value(store, b"large")?.map(|value| value.len());
    equal("size of the value that is read", &read, &Some(BATCH_BYTES_MAX - "large".len()))
}

fn batch_beyond_the_bounds(store: &dyn Store) -> Seen {
    let many = || (0..=BATCH_WRITES_MAX).map(|index| format!("{index}"));
    let cases = [
        (InvalidBatch::Empty, Batch::new()),
        (InvalidBatch::Empty, Batch::new().absent("a")),
        (InvalidBatch::TooManyWrites, many().fold(Batch::new(), |batch, key| batch.put(key, ""))),
        (InvalidBatch::TooManyGuards, many().fold(Batch::new().put("a", ""), Batch::absent)),
        (InvalidBatch::TooLarge, Batch::new().put("a", vec![0; BATCH_BYTES_MAX])),
        (InvalidBatch::KeyLength, Batch::new().put("", "")),
        (InvalidBatch::KeyLength, Batch::new().put(vec![0; KEY_BYTES_MAX + 1], "")),
        (InvalidBatch::Repeated, Batch::new().put("a", "1").delete("a")),
        (InvalidBatch::Repeated, Batch::new().absent("a").absent("a").put("a", "1")),
    ];
    for (reason, batch) in cases {
        let outcome = store.commit(batch);
        equal(
            "outcome of a batch with a failed guard",
            &outcome,
            &Err(CommitError::Invalid(reason)),
        )?;
    }
    equal("revision of an empty store", &latest(store)?, &Revision::ZERO)
}

fn submission_order(store: &dyn Store) -> Seen {
    let mut waiting = Vec::new();
    for index in 0..600_u16 {
        let batch = Batch::new().put("last", index.to_be_bytes()).put(index.to_be_bytes(), "");
        waiting.push(store.submit(batch));
    }
    for (expected, pending) in (1..).zip(waiting) {
        equal(
            "revisions follow the order of submission",
            &pending.wait(),
            &Ok(Revision(expected)),
        )?;
    }
    equal(
        "the last submitted value is stored",
        &value(store, b"last")?,
        &Some(599_u16.to_be_bytes().to_vec()),
    )
}

fn outcome_not_awaited(store: &dyn Store) -> Seen {
    drop(store.submit(Batch::new().put("a", "1")));
    store.commit(Batch::new().put("b", "1"))?;
    equal(
        "value of a batch whose outcome is not awaited",
        &value(store, b"a")?,
        &Some(b"1".to_vec()),
    )
}

fn counting_loses_nothing(store: &dyn Store) -> Seen {
    const THREADS: u64 = 8;
    const STEPS: u64 = 25;
    let count = || -> Seen {
        let mut done = 0;
        while done < STEPS {
            let row = store.get(b"count", At::Latest)?;
            let batch = match &row {
                None => Batch::new().absent("count").put("count", 1_u64.to_be_bytes()),
                Some(row) => {
                    let next = number(&row.value)? + 1;
                    Batch::new().unchanged("count", row.revision).put("count", next.to_be_bytes())
                },
            };
            match store.commit(batch) {
                Ok(_) => done += 1,
                Err(CommitError::Conflict) => {},
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    };
    on_threads(THREADS, &count)?;
    let counted = value(store, b"count")?.unwrap_or_default();
    equal("count after all threads", &number(&counted)?, &(THREADS * STEPS))?;
    equal("revision after all threads", &latest(store)?, &Revision(THREADS * STEPS))
}

fn acknowledged_is_read(store: &dyn Store) -> Seen {
    let write_and_read = || -> Seen {
        for _ in 0..25 {
            let revision = store.commit(Batch::new().put("shared", ""))?;
            let row = store.get(b"shared", At::Latest)?;
            holds(
                "a thread reads its own commit",
                row.is_some_and(|row| row.revision >= revision),
            )?;
            holds(
                "the latest revision includes a thread's own commit",
                latest(store)? >= revision,
            )?;
        }
        Ok(())
    };
    on_threads(4, &write_and_read)
}

fn on_threads(threads: u64, work: &(dyn Fn() -> Seen + Sync)) -> Seen {
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err(Unexpected("a thread panicked".to_owned())))
        })
    })
}

fn number(bytes: &[u8]) -> Result<u64, Unexpected> {
    Ok(u64::from_be_bytes(bytes.try_into()?))
}
