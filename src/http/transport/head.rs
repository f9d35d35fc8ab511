//! Records the raw bytes of request heads, to detect ambiguities that hyper hides.
//!
//! hyper drops Content-Length silently if Transfer-Encoding is present too, merges equal
//! Content-Lengths, and accepts a bare line feed as the end of a line. A proxy in front may parse
//! such a head differently, and then the proxy and Keyhouse disagree about the start of the next
//! request. The stream therefore copies the bytes that it passes to hyper into this record, and the
//! head is inspected after hyper has parsed it. The inspection only finds the lines of a head that
//! hyper has accepted; it is not a second parser.

/// The most bytes of a record. A connection never holds as many, since hyper reads at most its
/// buffer ahead.
const RECORD_BYTES_MAX: usize = 256 * 1024;
/// Maximum number of bytes of buffer that an idle connection keeps.
const RECORD_BYTES_KEPT: usize = 2 * 1024;

/// Facts about a raw head that hyper does not report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RawHead {
    pub(super) bytes: usize,
    pub(super) content_lengths: usize,
    pub(super) line_feed_alone: bool,
}

/// The bytes that hyper has received after the last taken request.
#[derive(Debug, Default)]
pub(super) struct HeadRecord {
    bytes: Vec<u8>,
    body_left: u64,
    lost: bool,
}

impl HeadRecord {
    /// Adds bytes from the socket.
    pub(super) fn add(&mut self, read: &[u8]) {
        let of_body = usize::try_from(self.body_left).unwrap_or(usize::MAX).min(read.len());
        self.body_left -= u64::try_from(of_body).unwrap_or(self.body_left);
        let rest = read.get(of_body..).unwrap_or_default();
        if self.lost || self.bytes.len() + rest.len() > RECORD_BYTES_MAX {
            self.lost = true;
            return;
        }
        self.bytes.extend_from_slice(rest);
    }

    /// Whether bytes after the last request have arrived.
    pub(super) fn has_bytes(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// The first line of an incomplete head, as far as it has arrived.
    pub(super) fn first_line(&self) -> &[u8] {
        let begun = self.bytes.trim_ascii_start();
        begun.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end()
    }

    /// Takes the head that hyper has just parsed. The next head begins after `body_bytes` more
    /// bytes.
    ///
    /// `None` if the start of the head was not recorded. The caller must then not trust the head's
    /// lengths.
    pub(super) fn take(&mut self, body_bytes: u64) -> Option<RawHead> {
        if self.lost {
            return None;
        }
        let Some((head, bytes)) = scan(&self.bytes) else {
            self.lost = true;
            return None;
        };
        let held = u64::try_from(self.bytes.len() - bytes).unwrap_or(u64::MAX);
        let of_body = held.min(body_bytes);
        self.body_left = body_bytes - of_body;
        let taken = usize::try_from(of_body).map_or(self.bytes.len(), |it| it + bytes);
        if taken >= self.bytes.len() {
            self.bytes.clear();
            self.bytes.shrink_to(RECORD_BYTES_KEPT);
        } else {
            self.bytes.drain(..taken);
        }
        Some(head)
    }

    /// Marks the start of the next head as unknown. From then on, [`HeadRecord::take`] returns
    /// `None`.
    pub(super) fn lose(&mut self) {
        self.lost = true;
        self.bytes = Vec::new();
    }
}

/// The first head in `bytes`, and its length, including empty lines before it and the empty line at
/// its end.
fn scan(bytes: &[u8]) -> Option<(RawHead, usize)> {
    let mut head = RawHead::default();
    let mut start = 0;
    let mut begun = false;
    for end in memchr::memchr_iter(b'\n', bytes) {
        let line = bytes.get(start..end)?;
        start = end + 1;
        let line = if let Some((b'\r', line)) = line.split_last() {
            line
        } else {
            head.line_feed_alone = true;
            line
        };
        if line.is_empty() {
            if begun {
                head.bytes = start;
                return Some((head, start));
            }
            continue;
        }
        begun = true;
        head.content_lengths += usize::from(names_content_length(line));
    }
    None
}

fn names_content_length(line: &[u8]) -> bool {
    const NAME: &[u8] = b"content-length";
    line.get(..NAME.len()).is_some_and(|it| it.eq_ignore_ascii_case(NAME))
        && matches!(line.get(NAME.len()), Some(b':' | b' ' | b'\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(record: &mut HeadRecord, body_bytes: u64) -> Option<(usize, bool)> {
        record.take(body_bytes).map(|it| (it.content_lengths, it.line_feed_alone))
    }

    #[test]
    fn heads_are_separated_from_bodies_for_every_chunking() {
        let stream = b"\r\nPOST / HTTP/1.1\r\nContent-Length: 23\r\n\r\n\
            \r\nContent-Length: 1\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\
            GET / HTTP/1.1\r\nCONTENT-length: 0\r\ncontent-length:0\r\n\r\n";
        for size in 1..stream.len() {
            let mut record = HeadRecord::default();
            let mut found = Vec::new();
            let bodies = [23, 0, 0];
            for piece in stream.chunks(size) {
                record.add(piece);
                while record.body_left == 0 && scan(&record.bytes).is_some() {
                    found.push(taken(&mut record, bodies[found.len()]).unwrap());
                }
            }
            assert_eq!(found, [(1, false), (0, false), (2, false)], "pieces of {size}");
            assert!(!record.has_bytes());
        }
    }

    #[test]
    fn bare_line_feeds_are_detected() {
        for bytes in ["GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\n\r\n"] {
            let mut record = HeadRecord::default();
            record.add(bytes.as_bytes());
            assert_eq!(taken(&mut record, 0), Some((0, true)));
        }
    }

    #[test]
    fn a_lost_record_stays_lost() {
        let mut record = HeadRecord::default();
        assert_eq!(record.take(0), None);
        record.add(b"GET / HTTP/1.1\r\n\r\n");
        assert_eq!(record.take(0), None);
    }
}
