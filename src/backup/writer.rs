//! Writes a backup: reads a store page by page, and is itself read as a stream of bytes.
//!
//! Nothing is read ahead: the store is read when the receiver takes bytes, so a slow receiver uses
//! no memory. A store holds a revision for [`HELD_AGE_MAX`] after its last use. A receiver that
//! takes no bytes for longer, or all bytes only after [`STREAM_TIME_MAX`], gets an error, and a
//! file without an end.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::vec::IntoIter;

use keyhouse_storage::{At, Range, ReadError, Revision, Row, Store};
use zstd::bulk::Compressor;

#[cfg(doc)]
use keyhouse_storage::HELD_AGE_MAX;

use crate::backup::encryption::Envelope;
use crate::backup::frame::{
    BackupEnd, FRAME_BYTES_FULL, FRAME_ROWS_MAX, FrameHashes, FrameKind, add_row, first_line, head,
};
use crate::backup::{BackupError, BackupHeader, Recipients};
use crate::model::moment::Moment;
use crate::records::PrepareError;

/// The longest time from the begin of a backup to its last byte. The store cannot free the space of
/// rows that changed meanwhile.
pub const STREAM_TIME_MAX: Duration = Duration::from_hours(1);
/// The level of zstd: its default, at about the speed at which rows are read.
const ZSTD_LEVEL: i32 = 3;

/// The bytes of a backup, from the first to the last.
pub struct BackupStream {
    store: Arc<dyn Store>,
    header: BackupHeader,
    state: BackupStage,
    /// The rows that were read and that no frame contains yet.
    page: IntoIter<Row>,
    rows: u64,
    content: Vec<u8>,
    compressor: Compressor<'static>,
    hashes: FrameHashes,
    envelope: Envelope,
    /// The bytes to return next, and how many of them were returned.
    ready: Vec<u8>,
    returned: usize,
    until: Instant,
}

#[derive(Debug)]
enum BackupStage {
    /// The next page begins after this key.
    Rows(Option<Vec<u8>>),
    LastPage,
    Ended,
    /// A part failed, so all later reads fail.
    Broken,
}

impl BackupStream {
    /// Begins a backup of the latest revision of a store.
    ///
    /// # Errors
    /// [`BackupError::NothingToBackUp`] for a store that no instance has opened; the errors of the
    /// store.
    pub fn begin(
        store: Arc<dyn Store>,
        created_at: Moment,
        recipients: &Recipients,
    ) -> Result<Self, BackupError> {
        // A store with an id, a format and nothing else has more rows than one, so that the store
        // holds the revision of this scan.
        let first = Range { limit: 1, ..Range::prefix(b"") };
        let revision = store.scan(&first, At::LatestHeld)?.revision;
        let header = BackupHeader::of(&*store, revision, created_at)
            .map_err(|error| gone(error, revision))?;
        let mut stream = Self {
            store,
            header,
            state: BackupStage::Rows(None),
            page: Vec::new().into_iter(),
            rows: 0,
            content: Vec::new(),
            compressor: Compressor::new(ZSTD_LEVEL).map_err(BackupError::Encode)?,
            hashes: FrameHashes::default(),
            envelope: Envelope::new(recipients).map_err(BackupError::Encode)?,
            ready: Vec::new(),
            returned: 0,
            until: now() + STREAM_TIME_MAX,
        };
        let line = first_line();
        stream.hashes.take_line(&line);
        stream.envelope.add(&line).map_err(BackupError::Encode)?;
        let header = serde_json::to_vec(&stream.header).map_err(|it| encode(it.into()))?;
        stream.add_frame(FrameKind::Header, &header)?;
        Ok(stream)
    }

    pub const fn header(&self) -> &BackupHeader {
        &self.header
    }

    /// Adds the next frame. Returns false after the end.
    fn advance(&mut self) -> Result<bool, BackupError> {
        if now() > self.until {
            return Err(BackupError::TooSlow { minutes: STREAM_TIME_MAX.as_secs() / 60 });
        }
        if self.page.len() == 0 {
            self.read_page()?;
        }
        if self.page.len() > 0 {
            return self.add_rows().map(|()| true);
        }
        match self.state {
            BackupStage::Rows(_) => Ok(true),
            BackupStage::LastPage => {
                let end = BackupEnd { rows: self.rows, hash: self.hashes.whole() };
                let end = serde_json::to_vec(&end).map_err(|it| encode(it.into()))?;
                self.add_frame(FrameKind::End, &end)?;
                self.envelope.end().map_err(encode)?;
                self.state = BackupStage::Ended;
                Ok(true)
            },
            BackupStage::Ended => Ok(false),
            BackupStage::Broken => Err(encode(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn read_page(&mut self) -> Result<(), BackupError> {
        let BackupStage::Rows(after) = &self.state else { return Ok(()) };
        let revision = Revision(self.header.revision);
        let range = Range { after: after.as_deref(), limit: FRAME_ROWS_MAX, ..Range::prefix(b"") };
        let page = self.store.scan(&range, At::Revision(revision));
        let page = page.map_err(|error| gone(error.into(), revision))?;
        let last = page.rows.last().filter(|_row| page.more).map(|row| row.key.clone());
        self.state = last.map_or(BackupStage::LastPage, |last| BackupStage::Rows(Some(last)));
        self.page = page.rows.into_iter();
        Ok(())
    }

    /// Adds a frame with the next rows of the page.
    fn add_rows(&mut self) -> Result<(), BackupError> {
        let mut content = std::mem::take(&mut self.content);
        content.clear();
        while content.len() < FRAME_BYTES_FULL
            && let Some(row) = self.page.next()
        {
            if !add_row(&mut content, &row) {
                return Err(encode(io::Error::other("a row is larger than a store accepts")));
            }
            self.rows += 1;
        }
        let compressed = self.compressor.compress(&content).map_err(encode)?;
        self.content = content;
        self.add_frame(FrameKind::Rows, &compressed)
    }

    fn add_frame(&mut self, kind: FrameKind, content: &[u8]) -> Result<(), BackupError> {
        let head = head(kind, content)
            .ok_or_else(|| encode(io::Error::other("a frame would be too long")))?;
        let hash = self.hashes.take(&head, content);
        for part in [&head[..], content, hash.as_bytes()] {
            self.envelope.add(part).map_err(encode)?;
        }
        Ok(())
    }
}

impl Read for BackupStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.returned == self.ready.len() {
            self.ready = self.envelope.take();
            self.returned = 0;
            if !self.ready.is_empty() {
                break;
            }
            match self.advance() {
                Ok(true) => {},
                Ok(false) => {
                    // The envelope may have written its last bytes at the end.
                    self.ready = self.envelope.take();
                    if self.ready.is_empty() {
                        return Ok(0);
                    }
                },
                Err(error) => {
                    self.state = BackupStage::Broken;
                    self.page = Vec::new().into_iter();
                    return Err(io::Error::other(error));
                },
            }
        }
        let count = self.ready.get(self.returned..).unwrap_or_default().read(buf)?;
        self.returned += count;
        Ok(count)
    }
}

impl fmt::Debug for BackupStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("BackupStream");
        debug.field("header", &self.header).field("state", &self.state);
        debug.field("rows", &self.rows).finish_non_exhaustive()
    }
}

fn encode(error: io::Error) -> BackupError {
    BackupError::Encode(error)
}

/// Names the revision if the store no longer has it.
fn gone(error: BackupError, revision: Revision) -> BackupError {
    let is_gone = matches!(
        error,
        BackupError::Store(ReadError::Compacted)
            | BackupError::Prepare(PrepareError::Read(ReadError::Compacted))
    );
    if is_gone { BackupError::RevisionGone { revision: revision.0 } } else { error }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the time only bounds how long the store holds a revision; no rule depends on it"
)]
fn now() -> Instant {
    Instant::now()
}
