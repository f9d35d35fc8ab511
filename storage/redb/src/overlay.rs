//! A file for redb whose changes stay in memory, so that an inspection does not change the file.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keyhouse_storage::Progress;

use crate::DiskFile;

const PAGE_BYTES: usize = 4_096;

type DiskPage = Box<[u8; PAGE_BYTES]>;

/// The file on disk, overlaid with the pages that redb has written during the inspection.
///
/// The overlay stays small: opening a database that was not closed writes only its header and the
/// state of its allocator.
#[derive(Debug)]
pub(crate) struct Overlay {
    file: Box<dyn DiskFile>,
    /// The number of bytes that were read.
    read: Arc<Progress>,
    state: Mutex<OverlayState>,
}

#[derive(Debug)]
struct OverlayState {
    length: u64,
    /// Length of the visible part of the file on disk. A truncation hides the rest permanently.
    file_visible: u64,
    pages: BTreeMap<u64, DiskPage>,
}

impl Overlay {
    pub(crate) fn new(file: Box<dyn DiskFile>, read: Arc<Progress>) -> io::Result<Self> {
        let length = file.length()?;
        let state = OverlayState { length, file_visible: length, pages: BTreeMap::new() };
        Ok(Self { file, read, state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, OverlayState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the bytes of the file at `offset`, and zeros after its visible part.
    fn read_file(&self, visible: u64, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let there = visible.saturating_sub(offset).min(into.len() as u64);
        let there = usize::try_from(there).map_err(io::Error::other)?;
        let (from_file, behind) = into.split_at_mut(there);
        behind.fill(0);
        if from_file.is_empty() { Ok(()) } else { self.file.read(offset, from_file) }
    }
}

/// Calls `each` for every page that the `length` bytes at `offset` touch, with the number of the page,
/// the offset within it, and the range of bytes in it.
fn on_pages(
    offset: u64,
    length: usize,
    mut each: impl FnMut(u64, usize, std::ops::Range<usize>) -> io::Result<()>,
) -> io::Result<()> {
    let mut done = 0;
    while done < length {
        let position = offset + done as u64;
        let within = usize::try_from(position % PAGE_BYTES as u64).map_err(io::Error::other)?;
        let end = length.min(done + PAGE_BYTES - within);
        each(position / PAGE_BYTES as u64, within, done..end)?;
        done = end;
    }
    Ok(())
}

fn out_of_range() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

impl redb::StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.lock();
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > state.length) {
            return Err(out_of_range());
        }
        self.read_file(state.file_visible, offset, out)?;
        self.read.add(out.len() as u64);
        let length = out.len();
        on_pages(offset, length, |number, within, part| {
            let Some(page) = state.pages.get(&number) else { return Ok(()) };
            let out = out.get_mut(part).ok_or_else(out_of_range)?;
            let page = page.get(within..within + out.len()).ok_or_else(out_of_range)?;
            out.copy_from_slice(page);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.lock();
        if len < state.length {
            state.file_visible = state.file_visible.min(len);
            state.pages.split_off(&len.div_ceil(PAGE_BYTES as u64));
            let within = usize::try_from(len % PAGE_BYTES as u64).map_err(io::Error::other)?;
            if let Some(page) = state.pages.get_mut(&(len / PAGE_BYTES as u64)) {
                page.iter_mut().skip(within).for_each(|byte| *byte = 0);
            }
        }
        state.length = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    #[expect(clippy::disallowed_names, reason = "the trait defines this name")]
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.lock();
        if offset.checked_add(data.len() as u64).is_none_or(|end| end > state.length) {
            return Err(out_of_range());
        }
        let visible = state.file_visible;
        on_pages(offset, data.len(), |number, within, part| {
            let written = data.get(part).ok_or_else(out_of_range)?;
            let page = match state.pages.entry(number) {
                Entry::Occupied(page) => page.into_mut(),
                Entry::Vacant(place) => {
                    let mut page = Box::new([0; PAGE_BYTES]);
                    self.read_file(visible, number * PAGE_BYTES as u64, &mut *page)?;
                    place.insert(page)
                },
            };
            let page = page.get_mut(within..within + written.len()).ok_or_else(out_of_range)?;
            page.copy_from_slice(written);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::FileExt;

    use redb::StorageBackend;

    use super::*;

    #[test]
    fn overlay_reads_like_a_changed_file_and_does_not_change_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let content: Vec<u8> = (0..10_000_u16).map(|byte| byte.to_le_bytes()[0]).collect();
        fs::write(&path, &content).unwrap();
        let open = || fs::File::options().read(true).write(true).open(&path).unwrap();
        let twin = tempfile::tempfile().unwrap();
        twin.write_all_at(&content, 0).unwrap();
        let overlay = Overlay::new(Box::new(open()), Arc::default()).unwrap();
        let writes: [(u64, usize); 4] = [(0, 1), (4_090, 20), (5_000, 5_000), (8_191, 2)];
        for (byte, (offset, length)) in (1..).zip(writes) {
            overlay.write(offset, &vec![byte; length]).unwrap();
            twin.write_all_at(&vec![byte; length], offset).unwrap();
        }
        for length in [10_000, 6_000, 12_000, 5_001, 20_000] {
            overlay.set_len(length).unwrap();
            twin.set_len(length).unwrap();
            let mut seen = vec![9; usize::try_from(length).unwrap()];
            let mut expected = seen.clone();
            overlay.read(0, &mut seen).unwrap();
            twin.read_exact_at(&mut expected, 0).unwrap();
            assert!(seen == expected, "after a length of {length}");
        }
        assert!(overlay.read(19_999, &mut [0; 2]).is_err(), "behind the end");
        assert!(fs::read(&path).unwrap() == content, "the file itself");
    }
}
