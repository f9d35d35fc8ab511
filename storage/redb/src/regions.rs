//! The size of the regions of a new file, by which the file grows.
//!
//! redb doubles the length of a file until the file has a region of 4 GiB, and sets the size of the
//! regions only in its own tests. The size is a number in the header, which redb reads when it
//! opens the file and never changes. This module changes that number in a file that has just been
//! made.

use std::io;

use crate::DiskFile;

/// Number of pages in a region: 32 MiB.
const REGION_PAGES: u32 = 8_192;
/// Number of pages in a region of a file that redb has made: 4 GiB.
const REGION_PAGES_OF_REDB: u32 = 1 << 20;
/// Place of the number of pages, after the magic number, three bytes, the size of a page, and the
/// number of header pages of a region.
const REGION_PAGES_AT: u64 = 9 + 3 + 4 + 4;

/// Sets the size of the regions of a file that is not open, was not closed in order, and is smaller
/// than one region.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] if the header is not that of a new file.
pub(crate) fn set_size(file: &dyn DiskFile) -> io::Result<()> {
    let mut pages = [0; 4];
    file.read(REGION_PAGES_AT, &mut pages)?;
    if u32::from_le_bytes(pages) != REGION_PAGES_OF_REDB {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "unknown header of a new file"));
    }
    file.write(REGION_PAGES_AT, &REGION_PAGES.to_le_bytes())?;
    file.sync()
}
