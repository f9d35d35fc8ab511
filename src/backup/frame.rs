//! The frames of a backup: how they are written, and the bounds within which they are read.

use blake3::Hasher;
use keyhouse_storage::{BATCH_BYTES_MAX, KEY_BYTES_MAX, Row};
use serde::{Deserialize, Serialize};

use crate::model::secret::Digest;
use crate::records::text;

/// The version of the file's format that this program writes and reads.
pub(super) const FORMAT: u32 = 1;
/// The first line without its number.
pub(super) const LINE: &[u8] = b"keyhouse-backup ";
/// Maximum length of the first line, also of an encrypted file.
pub(super) const LINE_BYTES_MAX: usize = 32;
/// Separates the hashes of frames from all other uses of BLAKE3.
pub(super) const DOMAIN: &[u8] = b"keyhouse backup frame 1";
/// Length and kind, before the content.
pub(super) const HEAD_BYTES: usize = 5;
pub(super) const HASH_BYTES: usize = 32;

/// Maximum number of rows in one frame.
pub(super) const FRAME_ROWS_MAX: usize = 4_096;
/// A frame of rows ends when its uncompressed rows have this size.
pub(super) const FRAME_BYTES_FULL: usize = 1 << 20;
/// The lengths before a key and before a value.
const LENGTHS_BYTES: usize = 6;
/// Maximum size of a row: every row was written by one batch.
const ROW_BYTES_MAX: usize = LENGTHS_BYTES + BATCH_BYTES_MAX;
/// Maximum size of the uncompressed rows of one frame. A reader uncompresses no more.
pub(super) const FRAME_BYTES_MAX: usize = FRAME_BYTES_FULL + ROW_BYTES_MAX;
/// Maximum size of the compressed rows of one frame: zstd adds less than this to rows that it
/// cannot compress.
const ROWS_CONTENT_BYTES_MAX: usize = FRAME_BYTES_MAX + FRAME_BYTES_MAX / 128 + 1_024;
/// Maximum size of the JSON of a header or an end.
const JSON_CONTENT_BYTES_MAX: usize = 64 * 1_024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    Header,
    Rows,
    End,
}

impl FrameKind {
    pub(super) const fn byte(self) -> u8 {
        match self {
            Self::Header => 1,
            Self::Rows => 2,
            Self::End => 3,
        }
    }

    pub(super) const fn of(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Header),
            2 => Some(Self::Rows),
            3 => Some(Self::End),
            _ => None,
        }
    }

    /// Maximum length of the content.
    pub(super) const fn bytes_max(self) -> usize {
        match self {
            Self::Header | Self::End => JSON_CONTENT_BYTES_MAX,
            Self::Rows => ROWS_CONTENT_BYTES_MAX,
        }
    }
}

/// The content of the last frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BackupEnd {
    pub(super) rows: u64,
    /// BLAKE3 of all bytes before this frame.
    #[serde(with = "text")]
    pub(super) hash: Digest,
}

/// The hashes of a file so far, which its writer and its reader compute in the same way.
#[derive(Debug, Default)]
pub(super) struct FrameHashes {
    whole: Hasher,
    number: u64,
}

impl FrameHashes {
    /// Takes the line before the first frame.
    pub(super) fn take_line(&mut self, line: &[u8]) {
        self.whole.update(line);
    }

    /// The number of the next frame.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Takes a frame, and returns its hash.
    pub(super) fn take(&mut self, head: &[u8], content: &[u8]) -> blake3::Hash {
        let mut hasher = Hasher::new();
        hasher.update(DOMAIN).update(&self.number.to_be_bytes()).update(head).update(content);
        let hash = hasher.finalize();
        self.number += 1;
        self.whole.update(head).update(content).update(hash.as_bytes());
        hash
    }

    /// The hash of all bytes so far.
    pub(super) fn whole(&self) -> Digest {
        Digest::from_bytes(*self.whole.finalize().as_bytes())
    }
}

/// The first line of a file of this format.
pub(super) fn first_line() -> Vec<u8> {
    [LINE, FORMAT.to_string().as_bytes(), b"\n"].concat()
}

/// The head of a frame. `None` if the content is too long.
pub(super) fn head(kind: FrameKind, content: &[u8]) -> Option<[u8; HEAD_BYTES]> {
    let length = u32::try_from(content.len()).ok().filter(|_| content.len() <= kind.bytes_max())?;
    let [a, b, c, d] = length.to_be_bytes();
    Some([a, b, c, d, kind.byte()])
}

/// Adds a row to the uncompressed content of a frame. Returns false, and adds nothing, if the row
/// is larger than any row that a store accepts.
pub(super) fn add_row(content: &mut Vec<u8>, row: &Row) -> bool {
    let (Ok(key), Ok(value)) = (u16::try_from(row.key.len()), u32::try_from(row.value.len()))
    else {
        return false;
    };
    if row.key.len() + row.value.len() + LENGTHS_BYTES > ROW_BYTES_MAX {
        return false;
    }
    for part in [&key.to_be_bytes()[..], &row.key, &value.to_be_bytes(), &row.value] {
        content.extend_from_slice(part);
    }
    true
}

/// Takes the first row of uncompressed content, and returns its key and value. `None` if the
/// content is not a row and more.
pub(super) fn take_row<'a>(content: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (length, rest) = content.split_first_chunk()?;
    let (key, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    let (length, rest) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (value, rest) = rest.split_at_checked(length)?;
    *content = rest;
    (1..=KEY_BYTES_MAX).contains(&key.len()).then_some((key, value))
}
