//! Inserts a response's header lines at the end of the head that hyper has written.

use std::io::{self, IoSlice};

use memchr::memmem;

/// The start of a head.
const HEAD_START: &[u8] = b"HTTP/1.";
/// The end of a head: of its last line, and of the empty line after it.
const HEAD_END: &[u8] = b"\r\n\r\n";
/// What hyper may write before a response, to a client that waits with its body (RFC 9110, section
/// 10.1.1).
const INTERIM: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// A body of at most this many bytes is written together with its head.
const BODY_BYTES_MAX: usize = 4 * 1024;

/// The head with these lines, and the start of its body. Returns also the number of hyper's bytes
/// that are in it.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] if hyper's first bytes are not a whole head. The connection is cut
/// then, since a response without its lines could let a client's own headers through.
pub(super) fn inserted(lines: &[u8], hypers: &[IoSlice<'_>]) -> io::Result<(Vec<u8>, usize)> {
    let (first, rest) = hypers.split_first().ok_or(io::ErrorKind::InvalidData)?;
    let begins = if first.starts_with(INTERIM) { INTERIM.len() } else { 0 };
    let head = first.get(begins..).unwrap_or_default();
    // Bytes of an earlier body, or of an interim head that is partly written, are not a head.
    if !head.starts_with(HEAD_START) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let end = memmem::find(head, HEAD_END).ok_or(io::ErrorKind::InvalidData)?;
    let at = begins + end + b"\r\n".len();
    let (before, after) = first.split_at_checked(at).ok_or(io::ErrorKind::InvalidData)?;
    let body: usize = rest.iter().map(|piece| piece.len()).sum();
    let rest = if body <= BODY_BYTES_MAX { rest } else { &[] };
    let replaced = first.len() + rest.iter().map(|piece| piece.len()).sum::<usize>();
    let mut bytes = Vec::with_capacity(replaced + lines.len());
    for piece in [before, lines, after] {
        bytes.extend_from_slice(piece);
    }
    for piece in rest {
        bytes.extend_from_slice(piece);
    }
    Ok((bytes, replaced))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(pieces: &[&str]) -> Option<(String, usize)> {
        let pieces: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece.as_bytes())).collect();
        let (bytes, replaced) = inserted(b"a: b\r\n", &pieces).ok()?;
        Some((String::from_utf8(bytes).unwrap(), replaced))
    }

    #[test]
    fn lines_are_inserted_at_the_end_of_the_head() {
        let head = "HTTP/1.1 200 OK\r\nx: y\r\n\r\n";
        let with = "HTTP/1.1 200 OK\r\nx: y\r\na: b\r\n\r\n";
        let interim = "HTTP/1.1 100 Continue\r\n\r\n";
        let large = "z".repeat(BODY_BYTES_MAX + 1);
        for (claim, pieces, expected, left) in [
            ("a head", vec![head.to_owned()], with.to_owned(), 0),
            (
                "a body",
                vec![head.into(), "r\n\r\n".into(), "t".into()],
                format!("{with}r\n\r\nt"),
                0,
            ),
            ("a body in one", vec![format!("{head}e\r\n\r\n")], format!("{with}e\r\n\r\n"), 0),
            ("a large body", vec![head.into(), large.clone()], with.into(), large.len()),
            ("an interim head", vec![format!("{interim}{head}")], format!("{interim}{with}"), 0),
        ] {
            let pieces: Vec<_> = pieces.iter().map(String::as_str).collect();
            let length: usize = pieces.iter().map(|piece| piece.len()).sum();
            assert_eq!(made(&pieces), Some((expected, length - left)), "{claim}");
        }
    }

    #[test]
    fn bytes_that_are_no_whole_head_cut_the_connection() {
        for pieces in [
            &[][..],
            &[""],
            &["HTTP/1.1 200 OK\r\n"],
            &["HTTP/1.1 100 Continue\r\n\r\n"],
            &["TTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"],
            &["a body\r\n\r\n"],
        ] {
            assert_eq!(made(pieces), None, "{pieces:?}");
        }
    }
}
