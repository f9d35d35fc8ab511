//! Responses as they are sent: complete header lines, and a body.
//!
//! hyper writes the status line, the length of the body, the date and the headers of the connection.
//! All other lines are written as bytes, once, and `stream` inserts them at the end of hyper's head. A
//! map of headers would hash each name, and hyper would write each line a second time.

use std::fmt;

use http::{HeaderName, StatusCode};
use hyper::body::Bytes;

use super::TransportRefusal;
use super::streamed::SentBody;

/// Complete header lines, each with its line end.
///
/// A name or value that HTTP does not allow makes the lines, and a response with them, malformed:
/// lines are not dropped silently, since an upstream relies on identity headers.
#[derive(Clone, Default)]
pub struct HeaderLines {
    bytes: Vec<u8>,
    is_malformed: bool,
}

/// A response that is ready to be sent.
pub struct PreparedResponse {
    status: u16,
    lines: HeaderLines,
    body: PreparedBody,
}

pub(super) enum PreparedBody {
    Whole(Bytes),
    /// A body that is read when the response is sent.
    Unread(rouille::ResponseBody),
}

/// Names only, since a value may be a secret.
impl fmt::Debug for HeaderLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

impl fmt::Debug for PreparedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedResponse")
            .field("status", &self.status)
            .field("lines", &self.lines)
            .finish_non_exhaustive()
    }
}

impl HeaderLines {
    /// No lines, with memory for this many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), is_malformed: false }
    }

    /// Adds a line for a name that is known to be valid.
    pub fn push(&mut self, name: &HeaderName, value: &str) {
        self.write(name, |bytes| bytes.extend_from_slice(value.as_bytes()));
    }

    /// Adds a line whose value `write` appends.
    pub fn write(&mut self, name: &HeaderName, write: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.extend_from_slice(name.as_str().as_bytes());
        self.end_line(write);
    }

    /// Adds a line with a name in any case.
    pub fn push_named(&mut self, name: &str, value: &str) {
        self.is_malformed |= name.is_empty() || !name.bytes().all(is_of_name);
        self.bytes.extend(name.bytes().map(|byte| byte.to_ascii_lowercase()));
        self.end_line(|bytes| bytes.extend_from_slice(value.as_bytes()));
    }

    /// Adds all lines of `other`.
    pub fn append(&mut self, other: &Self) {
        self.is_malformed |= other.is_malformed;
        self.bytes.extend_from_slice(&other.bytes);
    }

    /// The value of the first line with this name, in any case.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut start = 0;
        let value = memchr::memchr_iter(b'\n', &self.bytes).find_map(|end| {
            let line = self.bytes.get(start..end)?;
            start = end + 1;
            let (own, value) = line.split_at_checked(name.len())?;
            let value = value.strip_prefix(b": ")?.strip_suffix(b"\r")?;
            own.eq_ignore_ascii_case(name.as_bytes()).then_some(value)
        });
        value.and_then(|value| str::from_utf8(value).ok())
    }

    /// The names and values of all lines.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let text = str::from_utf8(&self.bytes).unwrap_or_default();
        text.split_terminator("\r\n").filter_map(|line| line.split_once(": "))
    }

    /// The bytes of all lines. `None` if a line is malformed.
    pub(super) fn into_bytes(self) -> Option<Vec<u8>> {
        (!self.is_malformed).then_some(self.bytes)
    }

    fn end_line(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.extend_from_slice(b": ");
        let start = self.bytes.len();
        write(&mut self.bytes);
        let value = self.bytes.get(start..).unwrap_or_default();
        // Reads every byte without an early exit, which compilers turn into vector instructions.
        let is_value = value.iter().fold(true, |good, byte| good & is_of_value(*byte));
        self.is_malformed |= !is_value;
        self.bytes.extend_from_slice(b"\r\n");
    }
}

impl PreparedResponse {
    /// A response with a body that is in memory.
    pub fn new(status: u16, lines: HeaderLines, body: impl Into<Bytes>) -> Self {
        Self { status, lines, body: PreparedBody::Whole(body.into()) }
    }

    pub(super) fn unread(status: u16, lines: HeaderLines, body: rouille::ResponseBody) -> Self {
        Self { status, lines, body: PreparedBody::Unread(body) }
    }

    pub fn status(&self) -> u16 {
        self.status
    }

    pub fn lines(&self) -> &HeaderLines {
        &self.lines
    }

    /// The response with a body that can be sent.
    ///
    /// # Errors
    /// [`TransportRefusal::ResponseNotSendable`].
    pub(super) fn into_sent(self, bytes_max: usize) -> Result<SentResponse, TransportRefusal> {
        let status = StatusCode::from_u16(self.status)
            .ok()
            .filter(|status| (200..600).contains(&status.as_u16()))
            .filter(|_status| !self.lines.is_malformed)
            .ok_or(TransportRefusal::ResponseNotSendable)?;
        let body = match self.body {
            PreparedBody::Whole(bytes) => SentBody::whole(bytes),
            PreparedBody::Unread(body) => super::bridge::body(body, bytes_max)?,
        };
        Ok(SentResponse { status, lines: self.lines, body })
    }
}

/// A response whose status and lines are valid, and whose body is in memory or streamed.
pub(super) struct SentResponse {
    pub(super) status: StatusCode,
    pub(super) lines: HeaderLines,
    pub(super) body: SentBody,
}

/// RFC 9110, section 5.6.2: the bytes of a token.
fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 9110, section 5.5: a tab, or a character of ASCII that is visible or a space.
fn is_of_value(byte: u8) -> bool {
    byte == b'\t' || (b' '..0x7f).contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_http_does_not_allow_makes_the_response_malformed() {
        for (name, value, is_sent) in [
            ("X-User", "ada", true),
            ("x-user", "", true),
            ("x-user", "a\tb c", true),
            ("x-user", "\u{e9}", false),
            ("x-user", "a\r\nX-Admin: 1", false),
            ("x-user", "a\nb", false),
            ("x-user", "a\0", false),
            ("x-user", "a\u{7f}", false),
            ("", "a", false),
            ("x user", "a", false),
            ("x-user:", "a", false),
            ("x\r\nx", "a", false),
        ] {
            let mut lines = HeaderLines::default();
            lines.push_named(name, value);
            let mut all = HeaderLines::default();
            all.append(&lines);
            let response = PreparedResponse::new(200, all, "");
            assert_eq!(response.into_sent(0).is_ok(), is_sent, "{name:?} {value:?}");
            let mut lines = HeaderLines::default();
            lines.push(&HeaderName::from_static("x-user"), value);
            let is_value = !value.contains(['\r', '\n', '\0', '\u{7f}', '\u{e9}']);
            assert_eq!(lines.into_bytes().is_some(), is_value, "{value:?}");
        }
    }

    #[test]
    fn lines_are_found_by_their_whole_name() {
        let mut lines = HeaderLines::default();
        for (name, value) in [("X-Ab", "1"), ("x-a", "2"), ("x-a", "3"), ("b", "x-c: 4")] {
            lines.push_named(name, value);
        }
        for (name, value) in [("x-a", Some("2")), ("X-Ab", Some("1")), ("x-c", None), ("x", None)] {
            assert_eq!(lines.get(name), value, "{name}");
        }
        assert_eq!(format!("{lines:?}"), r#"["x-ab", "x-a", "x-a", "b"]"#);
        let all: Vec<_> = lines.iter().collect();
        assert_eq!(all, [("x-ab", "1"), ("x-a", "2"), ("x-a", "3"), ("b", "x-c: 4")]);
        assert_eq!(lines.into_bytes().unwrap(), b"x-ab: 1\r\nx-a: 2\r\nx-a: 3\r\nb: x-c: 4\r\n");
    }
}
