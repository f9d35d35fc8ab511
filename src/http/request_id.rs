//! The id of a request, which its response and its log line repeat.

use http::HeaderName;
use http::request::Parts;

use crate::http::transport::HeaderLines;

/// Header of the request id, in requests and responses.
pub(super) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// [`REQUEST_ID`] as people write it.
pub(super) const REQUEST_ID_TITLE: &str = "X-Request-Id";
/// Placeholder for an id of a client whose header is not available.
const NOTHING: &str = "-";
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The id of a request. Its text is made only where it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestId {
    /// The id in the request's head, which is valid.
    OfClient,
    /// The number of an id that the server made.
    New(u64),
}

impl RequestId {
    /// The text of the id. `given` is the value of [`REQUEST_ID`] in the request.
    pub(super) fn text(self, given: Option<&str>) -> String {
        match (self, given) {
            (Self::OfClient, Some(given)) => given.to_owned(),
            (Self::OfClient, None) => NOTHING.to_owned(),
            (Self::New(number), _) => format!("req_{number:016x}"),
        }
    }

    /// The text of the id of a request with this head.
    pub(super) fn of_head(self, parts: &Parts) -> String {
        self.text(parts.headers.get(&REQUEST_ID).and_then(|id| id.to_str().ok()))
    }

    /// Adds the id to the lines of a response to a request with this head.
    pub(super) fn push_to(self, lines: &mut HeaderLines, parts: &Parts) {
        match self {
            Self::OfClient => lines.push(&REQUEST_ID, &self.of_head(parts)),
            Self::New(number) => lines.write(&REQUEST_ID, |bytes| {
                bytes.extend_from_slice(b"req_");
                for byte in number.to_be_bytes() {
                    let digits = [byte >> 4, byte & 15].map(|digit| DIGITS.get(usize::from(digit)));
                    bytes.extend(digits.into_iter().flatten());
                }
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_and_the_text_of_an_id_are_equal() {
        let request = http::Request::get("/").header(REQUEST_ID_TITLE, "a-1").body(()).unwrap();
        let (parts, ()) = request.into_parts();
        for (id, text) in [
            (RequestId::OfClient, "a-1"),
            (RequestId::New(0), "req_0000000000000000"),
            (RequestId::New(0x0123_4567_89ab_cdef), "req_0123456789abcdef"),
            (RequestId::New(u64::MAX), "req_ffffffffffffffff"),
        ] {
            let mut lines = HeaderLines::default();
            id.push_to(&mut lines, &parts);
            assert_eq!(lines.get(REQUEST_ID_TITLE), Some(text));
            assert_eq!(id.of_head(&parts), text);
        }
    }
}
