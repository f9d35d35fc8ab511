//! Converts requests and responses between hyper and rouille.
//!
//! `rouille::Request` shows only the first of several equal headers, and cannot hold header values
//! that are not text, or Unix peers. `rules` and `RequestOrigin` handle these cases. Upgrades are
//! not supported.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};

use http::header::{
    ACCEPT_RANGES, CONNECTION, CONTENT_LENGTH, CONTENT_RANGE, HeaderName, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use hyper::body::Bytes;

use super::prepared::{HeaderLines, PreparedResponse};
use super::rules::FORWARDED_FOR;
use super::streamed::SentBody;
use super::{Peer, TransportRefusal};

/// Address in `rouille::Request` for a peer without an address.
const PLACEHOLDER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Bytes of the header lines of most responses.
const LINES_BYTES: usize = 512;

/// Headers of the connection. hyper writes them itself where they are needed.
const OURS: [HeaderName; 8] = [
    ACCEPT_RANGES,
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Converts a request, with the target in origin form.
pub(super) fn request(
    parts: &Parts,
    peer: Peer,
    body: Vec<u8>,
) -> Result<rouille::Request, TransportRefusal> {
    let mut headers: Vec<(String, String)> = Vec::with_capacity(parts.headers.len());
    for name in parts.headers.keys() {
        let mut values = Vec::new();
        for value in parts.headers.get_all(name) {
            match str::from_utf8(value.as_bytes()) {
                Ok(value) => values.push(value),
                Err(_) => return Err(TransportRefusal::HeaderNotText { name: name.clone() }),
            }
        }
        if name == FORWARDED_FOR {
            headers.push((name.as_str().to_owned(), values.join(", ")));
        } else {
            let lines = values.into_iter();
            headers.extend(lines.map(|value| (name.as_str().to_owned(), value.to_owned())));
        }
    }
    let from = match peer {
        Peer::Tcp(address) => address,
        Peer::Unix => PLACEHOLDER,
    };
    let target = parts.uri.path_and_query().map_or("/", |it| it.as_str());
    Ok(rouille::Request::fake_http_from(from, parts.method.as_str(), target, headers, body))
}

impl From<rouille::Response> for PreparedResponse {
    /// Converts a response. Its body is read when it is sent. An upgrade cannot be sent.
    fn from(response: rouille::Response) -> Self {
        let mut lines = HeaderLines::with_capacity(LINES_BYTES);
        for (name, value) in response.headers {
            if !OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours.as_str())) {
                lines.push_named(&name, &value);
            }
        }
        let status = response.upgrade.map_or(response.status_code, |_upgrade| 0);
        Self::unread(status, lines, response.data)
    }
}

/// Reads a body whole, unless its length is unknown: such a body is sent while it is read.
pub(super) fn body(
    body: rouille::ResponseBody,
    bytes_max: usize,
) -> Result<SentBody, TransportRefusal> {
    let (reader, size) = body.into_reader_and_size();
    let Some(size) = size else { return Ok(SentBody::streamed(reader)) };
    if size == 0 {
        return Ok(SentBody::whole(Bytes::new()));
    }
    let mut bytes = Vec::with_capacity(size.min(bytes_max));
    let most = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    match reader.take(most).read_to_end(&mut bytes) {
        Ok(length) if length <= bytes_max => Ok(SentBody::whole(bytes.into())),
        Ok(_) => Err(TransportRefusal::ResponseNotSendable),
        Err(error) => {
            tracing::warn!(%error, "could not read a response body");
            Err(TransportRefusal::ResponseNotSendable)
        },
    }
}
