//! Reads and decodes the rows of the index in a thread of its own, while the index's writer applies
//! the rows before them.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope};

use keyhouse_storage::{At, Page, Progress, Range, ReadError, Revision, Store};

use crate::index::stopped::Stopped;
use crate::records::place::INDEXED;
use crate::records::{Stored, read};

/// Number of decoded pages that wait for the writer.
const PAGES_WAITING_MAX: usize = 2;

/// The decoded rows of a page which the index may keep, each with its store key.
pub(super) struct DecodedPage {
    pub(super) rows: Vec<(Vec<u8>, Stored)>,
    pub(super) revision: Revision,
}

/// Begins to read all rows of the index. The thread ends with its last page or its first error, or
/// when the receiver is dropped.
pub(super) fn begin<'scope>(
    scope: &'scope Scope<'scope, '_>,
    store: &'scope dyn Store,
    progress: &'scope Progress,
) -> io::Result<Receiver<Result<DecodedPage, Stopped>>> {
    let (sender, receiver) = sync_channel(PAGES_WAITING_MAX);
    Builder::new()
        .name("index-scan".to_owned())
        .spawn_scoped(scope, move || read_all(store, progress, &sender))?;
    Ok(receiver)
}

fn read_all(
    store: &dyn Store,
    progress: &Progress,
    sender: &SyncSender<Result<DecodedPage, Stopped>>,
) {
    progress.begin(0);
    for prefix in INDEXED {
        for page in store.pages(&Range::prefix(prefix), At::Latest) {
            let rows = page.as_ref().map_or(0, |page| page.rows.len() as u64);
            let page = page.map_err(ReadError::into).and_then(decoded);
            let is_error = page.is_err();
            if sender.send(page).is_err() || is_error {
                return;
            }
            progress.add(rows);
        }
    }
}

fn decoded(page: Page) -> Result<DecodedPage, Stopped> {
    let mut rows = Vec::with_capacity(page.rows.len());
    for row in page.rows {
        let stored = read(&row.key, &row.value)?;
        if is_kept(&stored) {
            rows.push((row.key, stored));
        }
    }
    Ok(DecodedPage { rows, revision: page.revision })
}

/// Whether the index may keep a row. Most digests are those of keys, which have rows of their own.
fn is_kept(stored: &Stored) -> bool {
    match stored {
        Stored::Taken(_, record) => record.retired || record.other,
        Stored::NotIndexed => false,
        Stored::Founded(_)
        | Stored::Organization(_)
        | Stored::User(_)
        | Stored::Role(_)
        | Stored::Team(_)
        | Stored::Plan(_)
        | Stored::Gate(_)
        | Stored::Key(_)
        | Stored::Use(..)
        | Stored::Quota(..)
        | Stored::PlanQuota(..)
        | Stored::Session(..) => true,
    }
}
