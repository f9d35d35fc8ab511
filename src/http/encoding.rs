//! Compresses responses with a content coding that the client accepts.
//!
//! Only responses of management GETs and of batch checks are compressed, on the pool. These
//! responses contain no secret: only the change that creates a secret returns it, once. The length
//! of a compressed response that contains both a secret and text from an attacker would reveal the
//! secret (BREACH).

use std::io::{Read as _, Write as _};

use rouille::{Response, ResponseBody};

/// Smaller responses are not compressed: their head is about as long.
const COMPRESSED_FROM_BYTES: usize = 1024;
/// Brotli's quality for responses. At this quality, compression is about as fast as a slow network.
/// The page's files are compressed at build time, with the best quality.
const BROTLI_QUALITY: u32 = 4;
const BROTLI_WINDOW_BITS: u32 = 22;
const BROTLI_BUFFER_BYTES: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Brotli, defined in RFC 7932.
    Brotli,
    /// Gzip, defined in RFC 1952.
    Gzip,
}

impl Encoding {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// The smallest coding that the client accepts (RFC 9110, section 12.5.3).
    pub(super) fn accepted(accept_encoding: Option<&str>) -> Option<Self> {
        let accepted = accept_encoding.unwrap_or_default();
        let takes = |wanted: &Self| {
            accepted.split(',').any(|item| {
                let (name, quality) = item.split_once(';').unwrap_or((item, ""));
                let quality = quality.trim().strip_prefix("q=").map(str::parse::<f32>);
                name.trim().eq_ignore_ascii_case(wanted.name()) && quality != Some(Ok(0.0))
            })
        };
        [Self::Brotli, Self::Gzip].into_iter().find(takes)
    }

    /// The bytes in this coding. `None` if the coder fails, which only a lack of memory can cause.
    pub(super) fn encode(self, bytes: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Brotli => {
                let encoded = Vec::with_capacity(bytes.len() / 4);
                let mut writer = brotli::CompressorWriter::new(
                    encoded,
                    BROTLI_BUFFER_BYTES,
                    BROTLI_QUALITY,
                    BROTLI_WINDOW_BITS,
                );
                writer.write_all(bytes).ok()?;
                writer.flush().ok()?;
                Some(writer.into_inner())
            },
            Self::Gzip => {
                let encoded = Vec::with_capacity(bytes.len() / 4);
                let mut writer =
                    flate2::write::GzEncoder::new(encoded, flate2::Compression::default());
                writer.write_all(bytes).ok()?;
                writer.finish().ok()
            },
        }
    }
}

/// A text in every coding, created once.
#[derive(Debug)]
pub(super) struct Encoded {
    plain: Box<[u8]>,
    brotli: Option<Box<[u8]>>,
    gzip: Option<Box<[u8]>>,
}

impl Encoded {
    pub(super) fn new(plain: Vec<u8>) -> Self {
        let encode = |encoding: Encoding| encoding.encode(&plain).map(Vec::into_boxed_slice);
        let (brotli, gzip) = (encode(Encoding::Brotli), encode(Encoding::Gzip));
        Self { plain: plain.into_boxed_slice(), brotli, gzip }
    }

    /// 200 with the JSON, in a coding that the client accepts.
    pub(super) fn json(&self, accept_encoding: Option<&str>) -> Response {
        let encoding = Encoding::accepted(accept_encoding);
        let encoded = match encoding {
            Some(Encoding::Brotli) => self.brotli.as_deref(),
            Some(Encoding::Gzip) => self.gzip.as_deref(),
            None => None,
        };
        let body = ResponseBody::from_data(encoded.unwrap_or(&self.plain));
        let headers = vec![("Content-Type".into(), "application/json".into())];
        let mut response = Response { status_code: 200, headers, data: body, upgrade: None };
        add_headers(&mut response, encoding.filter(|_encoding| encoded.is_some()));
        response
    }
}

/// Compresses a response without secrets, if it is long JSON and the client accepts a coding.
pub(super) fn compressed(mut response: Response, accept_encoding: Option<&str>) -> Response {
    let header = |wanted: &str| {
        let mut lines = response.headers.iter();
        lines.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| &**value)
    };
    let is_json = header("Content-Type") == Some("application/json");
    // Responses with a cookie, which is a secret, and already encoded responses are not compressed.
    let is_apart = header("Set-Cookie").is_some() || header("Content-Encoding").is_some();
    if !is_json || is_apart {
        return response;
    }
    let (mut reader, _) = response.data.into_reader_and_size();
    let mut plain = Vec::new();
    let is_read = reader.read_to_end(&mut plain).is_ok();
    let encoding = Encoding::accepted(accept_encoding);
    let encoding = encoding.filter(|_it| is_read && plain.len() > COMPRESSED_FROM_BYTES);
    let encoded = encoding.and_then(|encoding| Some((encoding, encoding.encode(&plain)?)));
    let (encoding, body) = encoded.map_or((None, plain), |(it, bytes)| (Some(it), bytes));
    response.data = ResponseBody::from_data(body);
    add_headers(&mut response, encoding);
    response
}

fn add_headers(response: &mut Response, encoding: Option<Encoding>) {
    response.headers.push(("Vary".into(), "Accept-Encoding".into()));
    if let Some(encoding) = encoding {
        response.headers.push(("Content-Encoding".into(), encoding.name().into()));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::answer;

    #[test]
    fn the_smallest_accepted_coding_is_chosen() {
        for (accepted, chosen) in [
            ("gzip, deflate, br, zstd", Some(Encoding::Brotli)),
            ("gzip", Some(Encoding::Gzip)),
            ("br;q=0, gzip;q=0.5", Some(Encoding::Gzip)),
            ("BR ; q=1.0", Some(Encoding::Brotli)),
            ("", None),
            ("brotli", None),
            ("gzip;q=0.000", None),
        ] {
            assert_eq!(Encoding::accepted(Some(accepted)), chosen, "{accepted}");
        }
        assert_eq!(Encoding::accepted(None), None);
    }

    #[test]
    fn only_long_json_without_a_cookie_is_compressed() {
        let of = |length: usize| answer::json(&json!({ "a": "x".repeat(length) }));
        let long = 2 * COMPRESSED_FROM_BYTES;
        for (name, response, compresses) in [
            ("long JSON", of(long), true),
            ("short JSON", of(9), false),
            ("text", Response::text("x".repeat(long)), false),
            ("a cookie", of(long).with_additional_header("Set-Cookie", "a=b"), false),
            ("encoded", of(long).with_additional_header("Content-Encoding", "br"), false),
        ] {
            let sent = compressed(response, Some("gzip"));
            let is_marked = sent.headers.iter().any(|(_, value)| value == "gzip");
            assert_eq!(is_marked, compresses, "{name}");
        }
    }
}
