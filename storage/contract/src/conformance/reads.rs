//! Claims about reads: order, bounds of ranges, pages, and reads at a revision.

use super::{Case, Order, Range, Revision, Seen, all_rows, equal, holds};
use crate::{At, Batch, CommitError, HELD_MAX, PAGE_BYTES_MAX, PAGE_ROWS_MAX, ReadError, Store};

pub(super) const CASES: &[Case] = &[
    ("a scan returns the rows of its range in byte order", ranges_are_exact),
    ("a page reports whether more rows follow", page_says_more),
    ("the rows of a page are bounded for every limit", page_is_bounded_in_rows),
    ("the bytes of a page are bounded for every limit", page_is_bounded_in_bytes),
    ("a page has the revision at which it was read", page_names_its_revision),
    ("a scan continues at its revision while writers commit", scan_goes_on_unchanged),
    ("a get at a held revision returns the row of that revision", get_at_a_held_revision),
    ("seven scans in progress keep their revisions", several_scans_are_held),
    ("a scan that continues outlasts scans that do not", continued_scan_outlasts_others),
    (
        "a read at a future revision fails with compacted; a read at an old revision fails with compacted or is correct",
        nonsense_is_compacted,
    ),
    ("a read at the latest revision needs no scan before it", latest_by_number),
];

fn fill(store: &dyn Store, keys: &[&[u8]]) -> Result<Revision, CommitError> {
    store.commit(keys.iter().fold(Batch::new(), |batch, key| batch.put(*key, *key)))
}

/// Name, prefix, start, limit, order and expected keys of a scan.
type ScanCase<'a> = (&'a str, &'a [u8], Option<&'a [u8]>, usize, Order, &'a [&'a [u8]]);

fn ranges_are_exact(store: &dyn Store) -> Seen {
    use Order::{Ascending, Descending};
    fill(store, &[b"\xff\xff", b"b", b"a", b"ab", b"a\xff", b"\xff", b"a\xff\x01", b"\x00", b"c"])?;
    #[rustfmt::skip]
    let cases: &[ScanCase<'_>] = &[
        ("a scan without a prefix returns all rows", b"", None, 99, Ascending, &[b"\x00", b"a", b"ab", b"a\xff", b"a\xff\x01", b"b", b"c", b"\xff", b"\xff\xff"]),
        ("a descending scan starts at the last row", b"", None, 3, Descending, &[b"\xff\xff", b"\xff", b"c"]),
        ("a scan returns only rows with its prefix", b"a", None, 99, Ascending, &[b"a", b"ab", b"a\xff", b"a\xff\x01"]),
        ("a descending scan returns only rows with its prefix", b"a", None, 99, Descending, &[b"a\xff\x01", b"a\xff", b"ab", b"a"]),
        ("a prefix may end in 0xff", b"a\xff", None, 99, Ascending, &[b"a\xff", b"a\xff\x01"]),
        ("a prefix may be the byte 0xff", b"\xff", None, 99, Ascending, &[b"\xff", b"\xff\xff"]),
        ("a descending scan may have the prefix 0xff", b"\xff", None, 99, Descending, &[b"\xff\xff", b"\xff"]),
        ("a prefix may match no rows", b"d", None, 99, Ascending, &[]),
        ("a scan after a row omits that row", b"a", Some(b"ab"), 99, Ascending, &[b"a\xff", b"a\xff\x01"]),
        ("a scan may start after an absent key", b"a", Some(b"aa"), 1, Ascending, &[b"ab"]),
        ("a scan after a key before its prefix returns all rows of the prefix", b"b", Some(b"a"), 99, Ascending, &[b"b"]),
        ("a scan after a key behind its prefix returns no rows", b"a", Some(b"b"), 99, Ascending, &[]),
        ("a scan after the last row returns no rows", b"", Some(b"\xff\xff"), 99, Ascending, &[]),
        ("a descending scan after a row omits that row", b"a", Some(b"a\xff"), 99, Descending, &[b"ab", b"a"]),
        ("a descending scan may start after an absent key", b"a", Some(b"aa"), 99, Descending, &[b"a"]),
        ("a descending scan after a key behind its prefix starts at the prefix's last row", b"a", Some(b"c"), 1, Descending, &[b"a\xff\x01"]),
        ("a descending scan after a key before its prefix returns no rows", b"b", Some(b"a"), 99, Descending, &[]),
        ("a descending scan after the first row returns no rows", b"", Some(b"\x00"), 99, Descending, &[]),
        ("a scan with limit 0 returns no rows", b"", None, 0, Ascending, &[]),
    ];
    for (name, prefix, after, limit, order, expected) in cases {
        let range = Range { prefix, after: *after, limit: *limit, order: *order };
        let page = store.scan(&range, At::Latest)?;
        let keys: Vec<_> = page.rows.iter().map(|row| row.key.as_slice()).collect();
        equal(name, &keys, &expected.to_vec())?;
        holds("each value equals its key", page.rows.iter().all(|row| row.key == row.value))?;
    }
    Ok(())
}

fn page_says_more(store: &dyn Store) -> Seen {
    fill(store, &[b"a1", b"a2", b"a3", b"b"])?;
    for order in [Order::Ascending, Order::Descending] {
        for (limit, more) in [(0, true), (2, true), (3, false), (4, false)] {
            let range = Range { limit, order, ..Range::prefix(b"a") };
            equal("whether more rows follow", &store.scan(&range, At::Latest)?.more, &more)?;
        }
    }
    let nothing = store.scan(&Range { limit: 0, ..Range::prefix(b"c") }, At::Latest)?;
    equal("an empty range has no further rows", &nothing.more, &false)
}

fn page_is_bounded_in_rows(store: &dyn Store) -> Seen {
    let mut pending = Vec::new();
    for group in 0..=PAGE_ROWS_MAX / 1_000 {
        let keys = (0..1_000).map(|row| format!("{group:03}-{row:03}"));
        pending.push(store.submit(keys.fold(Batch::new(), |batch, key| batch.put(key, ""))));
    }
    for pending in pending {
        pending.wait()?;
    }
    let page = store.scan(&Range { limit: usize::MAX, ..Range::prefix(b"") }, At::Latest)?;
    equal("number of rows on the page", &page.rows.len(), &PAGE_ROWS_MAX)?;
    equal("whether more rows follow", &page.more, &true)
}

fn page_is_bounded_in_bytes(store: &dyn Store) -> Seen {
    const ROW_BYTES: usize = 1 << 19;
    for row in 0..=PAGE_BYTES_MAX / ROW_BYTES {
        store.commit(Batch::new().put(format!("{row:03}"), vec![1; ROW_BYTES]))?;
    }
    let page = store.scan(&Range::prefix(b""), At::Latest)?;
    let bytes: usize = page.rows.iter().map(|row| row.key.len() + row.value.len()).sum();
    holds("the bytes of a page are bounded", bytes <= PAGE_BYTES_MAX + ROW_BYTES)?;
    equal("whether more rows follow", &page.more, &true)?;
    let (rows, _) = all_rows(store, PAGE_ROWS_MAX)?;
    equal("number of rows on all pages", &rows.len(), &(PAGE_BYTES_MAX / ROW_BYTES + 1))
}

fn page_names_its_revision(store: &dyn Store) -> Seen {
    let revision = fill(store, &[b"a", b"b"])?;
    for prefix in ["", "a", "nothing"] {
        let page = store.scan(&Range::prefix(prefix.as_bytes()), At::Latest)?;
        equal("a page has the latest revision", &page.revision, &revision)?;
    }
    let last = fill(store, &[b"c"])?;
    equal(
        "a page after a commit has its revision",
        &store.scan(&Range::prefix(b"a"), At::Latest)?.revision,
        &last,
    )
}

fn scan_goes_on_unchanged(store: &dyn Store) -> Seen {
    let revision = fill(store, &[b"a", b"b", b"c", b"d", b"e"])?;
    for order in [Order::Ascending, Order::Descending] {
        let (before, at) = all_rows(store, 10)?;
        let first = Range { limit: 2, order, ..Range::prefix(b"") };
        let mut page = store.scan(&first, At::LatestHeld)?;
        let mut rows = page.rows;
        for round in 0..2 {
            store.commit(Batch::new().put("c", "changed").put(format!("bb{round}"), ""))?;
            store.commit(Batch::new().delete("d"))?;
            let after = rows.last().map(|row| row.key.clone());
            let range = Range { after: after.as_deref(), ..first };
            page = store.scan(&range, At::Revision(at))?;
            equal("a later page has the revision of the first page", &page.revision, &at)?;
            equal("whether more rows follow", &page.more, &(round == 0))?;
            rows.append(&mut page.rows);
            if !page.more {
                break;
            }
        }
        rows.sort_by(|one, other| one.key.cmp(&other.key));
        equal("number of rows on the page", &rows, &before)?;
        let undo = Batch::new().put("c", "c").put("d", "d").delete("bb0").delete("bb1");
        store.commit(undo)?;
    }
    holds("revision has increased", super::latest(store)? > revision)
}

fn get_at_a_held_revision(store: &dyn Store) -> Seen {
    fill(store, &[b"a", b"b"])?;
    let page = store.scan(&Range { limit: 1, ..Range::prefix(b"") }, At::LatestHeld)?;
    store.commit(Batch::new().put("b", "changed").put("c", "").delete("a"))?;
    let then = At::Revision(page.revision);
    let seen = store.get(b"b", then)?.map(|row| (row.value, row.revision));
    equal(
        "a row that changed later has its old value",
        &seen,
        &Some((b"b".to_vec(), page.revision)),
    )?;
    holds("a row that was deleted later exists", store.get(b"a", then)?.is_some())?;
    equal("a row that was added later is absent", &store.get(b"c", then)?, &None)
}

fn several_scans_are_held(store: &dyn Store) -> Seen {
    let mut under_way = Vec::new();
    for number in 0..HELD_MAX - 1 {
        fill(store, &[b"a", b"b", format!("c{number}").as_bytes()])?;
        let page = store.scan(&Range { limit: 1, ..Range::prefix(b"") }, At::LatestHeld)?;
        under_way.push((page.revision, number + 2));
    }
    store.commit(Batch::new().delete("b"))?;
    for (revision, rows_left) in under_way {
        let range = Range { after: Some(b"a"), ..Range::prefix(b"") };
        let page = store.scan(&range, At::Revision(revision))?;
        equal("number of rows on the page", &page.rows.len(), &rows_left)?;
    }
    Ok(())
}

/// A backup reads the whole store at one revision, while other scans begin and do not continue.
fn continued_scan_outlasts_others(store: &dyn Store) -> Seen {
    let (at, keys) = (fill(store, &[b"a", b"b", b"c", b"d"])?, [b"a", b"b", b"c"]);
    let first = Range { limit: 1, ..Range::prefix(b"") };
    store.scan(&first, At::LatestHeld)?;
    for (number, key) in keys.iter().enumerate() {
        let range = Range { after: Some(*key), ..first };
        let page = store.scan(&range, At::Revision(at))?;
        equal("number of rows on the page", &page.rows.len(), &1)?;
        // Another scan at the same revision that ends does not end this one.
        store.scan(&Range::prefix(b"d"), At::Revision(at))?;
        if !page.more {
            return Ok(());
        }
        store.scan(&range, At::Revision(at))?;
        for other in 0..HELD_MAX {
            store.commit(Batch::new().put(format!("e{number}{other}"), ""))?;
            store.scan(&first, At::LatestHeld)?;
        }
    }
    holds("the scan ended with its last page", false)
}

fn nonsense_is_compacted(store: &dyn Store) -> Seen {
    for _ in 0..3 {
        fill(store, &[b"a"])?;
    }
    for revision in [Revision(4), Revision(u64::MAX)] {
        let at = At::Revision(revision);
        equal("a get at a future revision", &store.get(b"a", at), &Err(ReadError::Compacted))?;
        equal(
            "a scan at a future revision",
            &store.scan(&Range::prefix(b""), at),
            &Err(ReadError::Compacted),
        )?;
    }
    // A store may keep more history than required. Additional history must be correct.
    match store.get(b"a", At::Revision(Revision(1))) {
        Err(ReadError::Compacted) => Ok(()),
        other => equal(
            "revision of the row at an old revision",
            &other?.map(|row| row.revision),
            &Some(Revision(1)),
        ),
    }
}

fn latest_by_number(store: &dyn Store) -> Seen {
    let revision = fill(store, &[b"a"])?;
    holds(
        "a get at the latest revision finds the row",
        store.get(b"a", At::Revision(revision))?.is_some(),
    )?;
    let page = store.scan(&Range::prefix(b""), At::Revision(revision))?;
    equal("number of rows on the page", &page.rows.len(), &1)
}
