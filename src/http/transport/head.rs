//! Follows the raw bytes of request heads, to see what hyper hides.
//!
//! hyper drops Content-Length without a trace when Transfer-Encoding is there too, merges equal
//! Content-Lengths, and takes a bare line feed for a line's end. A proxy in front may read such a
//! head otherwise, and the two then disagree about where the next request begins. So the stream
//! copies what it hands to hyper in here, and the head is looked at again once hyper has parsed it.
//! This is no second parser: it finds the lines of a head that hyper has accepted, nothing more.

/// More bytes than a connection ever holds back: hyper reads at most its buffer ahead.
const RECORD_BYTES_MAX: usize = 256 * 1024;
/// A connection that waits keeps at most this much.
const RECORD_BYTES_KEPT: usize = 2 * 1024;

/// What is remarkable about a raw head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RawHead {
    pub(super) bytes: usize,
    pub(super) content_lengths: usize,
    pub(super) line_feed_alone: bool,
}

/// The bytes that hyper has been given and that belong to no request taken so far.
#[derive(Debug, Default)]
pub(super) struct HeadRecord {
    bytes: Vec<u8>,
    body_left: u64,
    lost: bool,
}

impl HeadRecord {
    /// Adds what the socket gave.
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

    /// Whether bytes of a next head, or of what follows it, are here.
    pub(super) fn has_bytes(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// The first line of a head that isn't whole, or what is here of it.
    pub(super) fn first_line(&self) -> &[u8] {
        let begun = self.bytes.trim_ascii_start();
        begun.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end()
    }

    /// Takes the head that hyper has just parsed. After `body_bytes` more, the next one begins.
    ///
    /// `None` when its bytes weren't seen from their beginning; the caller must not trust lengths.
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

    /// Says that the next head's beginning can't be known; it and all later ones are `None`.
    pub(super) fn lose(&mut self) {
        self.lost = true;
        self.bytes = Vec::new();
    }
}

/// The first head in `bytes`, and its length with the empty line at its end and those before it.
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
    fn heads_are_told_from_bodies_however_the_bytes_arrive() {
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
    fn bare_line_feeds_are_seen() {
        for bytes in ["GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\n\r\n"] {
            let mut record = HeadRecord::default();
            record.add(bytes.as_bytes());
            assert_eq!(taken(&mut record, 0), Some((0, true)));
        }
    }

    #[test]
    fn record_that_lost_its_place_stays_lost() {
        let mut record = HeadRecord::default();
        assert_eq!(record.take(0), None);
        record.add(b"GET / HTTP/1.1\r\n\r\n");
        assert_eq!(record.take(0), None);
    }
}
