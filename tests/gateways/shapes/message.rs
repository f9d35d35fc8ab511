//! Heads and bodies of HTTP/1.1 on both sides of a proxy, in constant memory.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::LazyLock;

/// The size of the pieces in which bodies are written and compared.
const PIECE_BYTES: usize = 64 * 1024;
/// Longer content is only compared with the pattern.
const KEPT_BYTES_MAX: usize = 16 * 1024;
/// The pattern that bodies repeat, twice, so that a piece can begin anywhere in it.
static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let byte = |at: usize| u8::try_from((at % PIECE_BYTES * 31 + at % PIECE_BYTES / 251) % 256);
    (0..2 * PIECE_BYTES).map(|at| byte(at).unwrap_or_default()).collect()
});

/// The framing of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    None,
    /// With a Content-Length.
    Length(usize),
    Chunked(usize),
    /// In chunks, followed by trailers.
    Trailers(usize),
}

/// A start line and its header lines, names in lower case.
#[derive(Debug, Clone, Default)]
pub(super) struct Head {
    pub(super) line: String,
    pub(super) lines: Vec<(String, String)>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) bytes: usize,
    /// Whether the content is the repeated pattern.
    pub(super) is_pattern: bool,
    /// The whole content, if the content is short.
    pub(super) text: String,
    pub(super) trailers: Vec<(String, String)>,
}

impl Body {
    /// Returns the header lines that announce the body.
    pub(super) fn announced(self) -> String {
        match self {
            Self::None => String::new(),
            Self::Length(bytes) => format!("Content-Length: {bytes}\r\n"),
            Self::Chunked(_) => "Transfer-Encoding: chunked\r\n".to_owned(),
            Self::Trailers(_) => {
                "Transfer-Encoding: chunked\r\nTrailer: X-Sum, X-Count\r\n".to_owned()
            },
        }
    }

    pub(super) fn write(self, mut stream: &TcpStream) -> io::Result<()> {
        let (bytes, is_chunked) = match self {
            Self::None => return Ok(()),
            Self::Length(bytes) => (bytes, false),
            Self::Chunked(bytes) | Self::Trailers(bytes) => (bytes, true),
        };
        let mut at = 0;
        while at < bytes {
            let piece = piece(at, PIECE_BYTES.min(bytes - at));
            if is_chunked {
                write!(stream, "{:x}\r\n", piece.len())?;
                stream.write_all(piece)?;
                stream.write_all(b"\r\n")?;
            } else {
                stream.write_all(piece)?;
            }
            at += piece.len();
        }
        match self {
            Self::Chunked(_) => stream.write_all(b"0\r\n\r\n"),
            Self::Trailers(_) => stream.write_all(b"0\r\nX-Sum: 7\r\nX-Count: 1\r\n\r\n"),
            Self::None | Self::Length(_) => Ok(()),
        }
    }
}

impl Head {
    /// `None` if the connection ends first.
    pub(super) fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Self>> {
        let line = read_line(stream)?;
        if line.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { line: line.trim_end().to_owned(), lines: read_lines(stream)? }))
    }

    /// Returns the status of a response, or 0 without a response.
    pub(super) fn status(&self) -> u16 {
        self.line.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or_default()
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.lines.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn has_chunks(&self) -> bool {
        self.get("transfer-encoding").is_some_and(|it| it.eq_ignore_ascii_case("chunked"))
    }

    pub(super) fn length(&self) -> Option<usize> {
        self.get("content-length").and_then(|it| it.parse().ok())
    }
}

impl Content {
    /// Reads the given number of bytes.
    pub(super) fn of_length(stream: &mut BufReader<TcpStream>, bytes: usize) -> io::Result<Self> {
        let mut content = Self::empty();
        let read = content.take(stream, bytes)?;
        if read == bytes { Ok(content) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Reads to the end of the connection.
    pub(super) fn to_end(stream: &mut BufReader<TcpStream>) -> io::Result<Self> {
        let mut content = Self::empty();
        content.take(stream, usize::MAX)?;
        Ok(content)
    }

    pub(super) fn in_chunks(stream: &mut BufReader<TcpStream>) -> io::Result<Self> {
        let mut content = Self::empty();
        loop {
            let line = read_line(stream)?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(io::Error::other)?;
            if size == 0 {
                content.trailers = read_lines(stream)?;
                return Ok(content);
            }
            if content.take(stream, size)? != size {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            read_line(stream)?;
        }
    }

    fn empty() -> Self {
        Self { is_pattern: true, ..Self::default() }
    }

    /// Reads up to `bytes` more.
    fn take(&mut self, stream: &mut BufReader<TcpStream>, bytes: usize) -> io::Result<usize> {
        let mut left = bytes;
        while left > 0 {
            let held = stream.fill_buf()?;
            let held = held.get(..held.len().min(left).min(PIECE_BYTES)).unwrap_or_default();
            if held.is_empty() {
                break;
            }
            self.is_pattern &= held == piece(self.bytes, held.len());
            if self.text.len() + held.len() <= KEPT_BYTES_MAX {
                self.text.extend(held.iter().copied().map(char::from));
            }
            let read = held.len();
            self.bytes += read;
            left -= read;
            stream.consume(read);
        }
        if self.bytes > KEPT_BYTES_MAX {
            self.text.clear();
        }
        Ok(bytes - left)
    }
}

fn piece(at: usize, bytes: usize) -> &'static [u8] {
    let from = at % PIECE_BYTES;
    PATTERN.get(from..from + bytes).unwrap_or_default()
}

fn read_lines(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<(String, String)>> {
    let mut lines = Vec::new();
    loop {
        let line = read_line(stream)?;
        if line.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        if line.is_empty() {
            return Ok(lines);
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        lines.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// Reads a line with its line end. The line is empty if the connection has ended.
fn read_line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = Vec::new();
    stream.by_ref().take(2 * 1024 * 1024).read_until(b'\n', &mut line)?;
    Ok(String::from_utf8_lossy(&line).into_owned())
}
