//! Reads a backup, and refuses every file that is not exactly what a writer wrote.
//!
//! Each frame is verified before its rows are returned. Only the end proves that no frame is
//! missing, so a caller that must not act on half of a backup reads it to its end first. Memory is
//! bounded by the size of one frame, whatever lengths the file claims.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufReader, Cursor, Read};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zstd::bulk::Decompressor;

use crate::backup::encryption::{Identities, decrypted};
use crate::backup::frame::{
    BackupEnd, FORMAT, FRAME_BYTES_MAX, FRAME_ROWS_MAX, FrameHashes, FrameKind, HASH_BYTES,
    HEAD_BYTES, LINE, LINE_BYTES_MAX, take_row,
};
use crate::backup::{BackupError, BackupHeader};
use crate::model::secret::Digest;
use crate::records::text;

/// The first line of a file that age encrypted.
const AGE_LINE: &[u8] = b"age-encryption.org/v1\n";
/// Maximum number of kinds of rows that a summary counts. Keyhouse has about 35.
const KINDS_MAX: usize = 100;
/// The kind of rows that a summary does not count by kind.
const OTHER_KIND: &str = "other";
/// Maximum length of a kind's name.
const KIND_BYTES_MAX: usize = 32;

/// A row of a backup.
pub type BackupRow = (Vec<u8>, Vec<u8>);

/// A backup whose header was read and verified.
pub struct BackupReader<'a> {
    source: FrameSource<'a>,
    header: BackupHeader,
    decompressor: Decompressor<'static>,
    rows: u64,
    kinds: BTreeMap<String, u64>,
    last_key: Vec<u8>,
    end: Option<Digest>,
    is_encrypted: bool,
}

/// What a complete and undamaged backup contains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BackupSummary {
    #[serde(flatten)]
    pub header: BackupHeader,
    pub encrypted: bool,
    /// The sum of all kinds.
    pub rows: u64,
    /// The number of rows of each kind: the part of their keys before the first `/`.
    pub kinds: BTreeMap<String, u64>,
    /// BLAKE3 of the file without its end; of the decrypted file if it is encrypted.
    #[serde(with = "text")]
    pub hash: Digest,
}

impl<'a> BackupReader<'a> {
    /// Reads the header of a backup. `identities` decrypt an encrypted backup.
    pub fn open(
        input: impl Read + 'a,
        identities: Option<&Identities>,
    ) -> Result<Self, BackupError> {
        let mut input = BufReader::new(input);
        let line = first_line(&mut input)?;
        if line != AGE_LINE {
            return Self::open_plain(&line, Box::new(input), false);
        }
        let whole = Cursor::new(line).chain(input);
        let mut plain = decrypted(whole, identities.ok_or(BackupError::IdentityRequired)?)?;
        let line = first_line(&mut plain)?;
        Self::open_plain(&line, Box::new(plain), true)
    }

    fn open_plain(
        line: &[u8],
        input: Box<dyn Read + 'a>,
        is_encrypted: bool,
    ) -> Result<Self, BackupError> {
        let found = line.strip_prefix(LINE).and_then(|rest| rest.strip_suffix(b"\n"));
        let found = found.and_then(|number| str::from_utf8(number).ok());
        // `parse` accepts a sign and leading zeros, which no writer writes.
        let found = found.and_then(|it| it.parse().ok().filter(|n: &u32| n.to_string() == it));
        match found {
            Some(FORMAT) => {},
            Some(found) if found > FORMAT => return Err(BackupError::Newer { found }),
            Some(_) | None => return Err(BackupError::NotABackup),
        }
        let mut hashes = FrameHashes::default();
        hashes.take_line(line);
        let at = u64::try_from(line.len()).unwrap_or(u64::MAX);
        let mut source = FrameSource::new(input, hashes, at);
        if source.next()? != FrameKind::Header {
            return Err(source.damaged("a header is missing"));
        }
        Ok(Self {
            header: source.json()?,
            source,
            decompressor: Decompressor::new().map_err(BackupError::Input)?,
            rows: 0,
            kinds: BTreeMap::new(),
            last_key: Vec::new(),
            end: None,
            is_encrypted,
        })
    }

    pub const fn header(&self) -> &BackupHeader {
        &self.header
    }

    /// The rows of the next frame, in byte order of their keys. `None` after the end, which was
    /// verified.
    pub fn next_rows(&mut self) -> Result<Option<Vec<BackupRow>>, BackupError> {
        if self.end.is_some() {
            return Ok(None);
        }
        match self.source.next()? {
            FrameKind::Rows => self.rows().map(Some),
            FrameKind::End => self.end().map(|()| None),
            FrameKind::Header => Err(self.source.damaged("a second header")),
        }
    }

    /// Reads the rest of the backup.
    ///
    /// # Errors
    /// If the backup is not complete and undamaged.
    pub fn finish(mut self) -> Result<BackupSummary, BackupError> {
        while self.next_rows()?.is_some() {}
        let Some(hash) = self.end else { return Err(self.source.damaged("an end is missing")) };
        let (header, kinds) = (self.header, self.kinds);
        Ok(BackupSummary { header, encrypted: self.is_encrypted, rows: self.rows, kinds, hash })
    }

    fn rows(&mut self) -> Result<Vec<BackupRow>, BackupError> {
        let content = self.decompressor.decompress(&self.source.content, FRAME_BYTES_MAX);
        let content = content.map_err(|_zstd| self.source.damaged("rows do not decompress"))?;
        let (mut rest, mut rows) = (&content[..], Vec::new());
        while !rest.is_empty() {
            let row = take_row(&mut rest).filter(|_row| rows.len() < FRAME_ROWS_MAX);
            let (key, value) = row.ok_or_else(|| self.source.damaged("a row is malformed"))?;
            if key <= &self.last_key[..] {
                return Err(self.source.damaged("rows are not in order"));
            }
            self.last_key.clear();
            self.last_key.extend_from_slice(key);
            self.count(key);
            rows.push((key.to_vec(), value.to_vec()));
        }
        Ok(rows)
    }

    fn count(&mut self, key: &[u8]) {
        self.rows += 1;
        let kind = kind_of(key);
        if let Some(count) = self.kinds.get_mut(kind) {
            *count += 1;
        } else {
            let kind = if self.kinds.len() < KINDS_MAX { kind } else { OTHER_KIND };
            *self.kinds.entry(kind.to_owned()).or_default() += 1;
        }
    }

    fn end(&mut self) -> Result<(), BackupError> {
        let end: BackupEnd = self.source.json()?;
        if end.rows != self.rows {
            return Err(self.source.damaged("the number of rows is wrong"));
        }
        if end.hash != self.source.before {
            return Err(self.source.damaged("the hash of the whole file is wrong"));
        }
        self.source.require_end_of_file()?;
        self.end = Some(end.hash);
        Ok(())
    }
}

/// The kind of a row: the part of its key before the first `/`.
pub(super) fn kind_of(key: &[u8]) -> &str {
    let kind = key.split(|byte| *byte == b'/').next().unwrap_or_default();
    let kind = str::from_utf8(kind).ok().filter(|kind| kind.len() <= KIND_BYTES_MAX);
    kind.unwrap_or(OTHER_KIND)
}

/// The frames of a file.
struct FrameSource<'a> {
    input: Box<dyn Read + 'a>,
    hashes: FrameHashes,
    /// The hash of all bytes before the current frame.
    before: Digest,
    /// The number of the current frame, and where it begins and ends.
    frame: u64,
    begin: u64,
    end: u64,
    content: Vec<u8>,
}

impl<'a> FrameSource<'a> {
    fn new(input: Box<dyn Read + 'a>, hashes: FrameHashes, at: u64) -> Self {
        let before = hashes.whole();
        Self { input, hashes, before, frame: 0, begin: at, end: at, content: Vec::new() }
    }

    /// Reads and verifies the next frame, whose content is then in `content`.
    fn next(&mut self) -> Result<FrameKind, BackupError> {
        (self.frame, self.begin) = (self.hashes.number(), self.end);
        self.before = self.hashes.whole();
        let (mut head, mut hash) = ([0; HEAD_BYTES], [0; HASH_BYTES]);
        self.fill(&mut head)?;
        let [a, b, c, d, kind] = head;
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        let kind = FrameKind::of(kind).filter(|kind| length <= kind.bytes_max());
        let kind = kind.ok_or_else(|| self.damaged("the length or the kind is invalid"))?;
        let mut content = std::mem::take(&mut self.content);
        content.resize(length, 0);
        self.fill(&mut content)?;
        self.fill(&mut hash)?;
        if self.hashes.take(&head, &content) != hash {
            return Err(self.damaged("the hash is wrong"));
        }
        self.content = content;
        Ok(kind)
    }

    fn json<T: DeserializeOwned>(&self) -> Result<T, BackupError> {
        serde_json::from_slice(&self.content).map_err(|_json| self.damaged("the JSON is invalid"))
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), BackupError> {
        match self.input.read_exact(buffer) {
            Ok(()) => {
                self.end += u64::try_from(buffer.len()).unwrap_or(u64::MAX);
                Ok(())
            },
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Requires that the file ends here.
    fn require_end_of_file(&mut self) -> Result<(), BackupError> {
        let mut surplus = [0];
        loop {
            match self.input.read(&mut surplus) {
                Ok(0) => return Ok(()),
                Ok(_) => return Err(BackupError::Surplus),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {},
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    fn damaged(&self, what: &'static str) -> BackupError {
        BackupError::Damaged { what, frame: self.frame, at: self.begin }
    }

    /// The error of a failed read. age reports damage as invalid data.
    fn failed(&self, error: io::Error) -> BackupError {
        let kind = error.kind();
        if kind == io::ErrorKind::UnexpectedEof {
            return BackupError::Incomplete { frame: self.frame, at: self.begin };
        }
        if kind == io::ErrorKind::InvalidData {
            return self.damaged("the encryption is invalid");
        }
        BackupError::Input(error)
    }
}

/// The first line with its line feed, or the start of a longer line.
fn first_line(input: &mut impl Read) -> Result<Vec<u8>, BackupError> {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") && line.len() < LINE_BYTES_MAX {
        let mut byte = [0];
        match input.read_exact(&mut byte) {
            Ok(()) => line.extend(byte),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData
                ) =>
            {
                return Err(BackupError::NotABackup);
            },
            Err(error) => return Err(BackupError::Input(error)),
        }
    }
    Ok(line)
}

impl fmt::Debug for BackupReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("BackupReader");
        debug.field("header", &self.header).field("rows", &self.rows).finish_non_exhaustive()
    }
}
