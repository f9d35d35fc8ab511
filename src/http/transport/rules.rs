//! Rejects parsed heads that are ambiguous or too large, before they are used.
//!
//! hyper already rejects text that is not HTTP, Content-Lengths that differ or are not digits, a transfer
//! coding that does not end in chunked, folded lines, and spaces before a colon.

use http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, COOKIE, FORWARDED, HOST, HeaderMap, IF_MATCH, ORIGIN,
    TRANSFER_ENCODING,
};
use http::request::Parts;
use http::{HeaderName, Method, Version};

use super::TransportRefusal;
use super::head::RawHead;
use super::limits::HeadLimits;

/// Credential headers and headers that determine the route. Each of these headers may appear only
/// once in a request.
const SINGLE: [&str; 4] = ["authorization", "host", "x-api-key", "mc-api-key"];
/// Headers that handlers on the pool evaluate. `rouille::Request` would show only the first line.
const SINGLE_ON_POOL: [HeaderName; 5] = [CONTENT_TYPE, COOKIE, FORWARDED, IF_MATCH, ORIGIN];
const SINGLE_ON_POOL_PREFIXES: [&str; 2] = ["x-forwarded-", "sec-fetch-"];
/// Proxies append to this header. Some proxies (`HAProxy`) add a separate line.
pub(super) const FORWARDED_FOR: &str = "x-forwarded-for";

/// The framing of a body, from the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Empty,
    Length(u64),
    Chunked,
}

impl Framing {
    /// The framing that hyper uses: Transfer-Encoding takes precedence.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        if headers.contains_key(TRANSFER_ENCODING) {
            return Self::Chunked;
        }
        let length = headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse().ok());
        match length {
            None | Some(0) => Self::Empty,
            Some(length) => Self::Length(length),
        }
    }

    /// The length of the body. `None` for a chunked body.
    pub(super) fn body_bytes(self) -> Option<u64> {
        match self {
            Self::Empty => Some(0),
            Self::Length(bytes) => Some(bytes),
            Self::Chunked => None,
        }
    }
}

/// The rules that apply to every request.
pub(super) fn check(
    parts: &Parts,
    framing: Framing,
    raw: Option<RawHead>,
) -> Result<(), TransportRefusal> {
    check_framing(parts, framing, raw)?;
    if parts.method == Method::CONNECT {
        return Err(TransportRefusal::TunnelAsked);
    }
    check_host(parts)?;
    check_single(&parts.headers, |name| SINGLE.contains(&name.as_str()))
}

/// Additional rules for requests that are converted to rouille's types.
pub(super) fn check_for_pool(parts: &Parts) -> Result<(), TransportRefusal> {
    check_single(&parts.headers, |name| {
        let prefixed = SINGLE_ON_POOL_PREFIXES.iter().any(|it| name.as_str().starts_with(it));
        SINGLE_ON_POOL.contains(name) || (prefixed && name != FORWARDED_FOR)
    })
}

/// Rejects a head that exceeds the limits.
pub(super) fn check_size(
    parts: &Parts,
    head_bytes: usize,
    limits: HeadLimits,
) -> Result<(), TransportRefusal> {
    let HeadLimits { lines_max, bytes_max } = limits;
    if parts.headers.len() > lines_max || head_bytes > bytes_max {
        return Err(TransportRefusal::HeadTooLarge { lines_max, bytes_max });
    }
    Ok(())
}

fn check_framing(
    parts: &Parts,
    framing: Framing,
    raw: Option<RawHead>,
) -> Result<(), TransportRefusal> {
    let raw = raw.ok_or(TransportRefusal::HeadUnseen)?;
    if raw.line_feed_alone {
        return Err(TransportRefusal::LineFeedAlone);
    }
    if framing == Framing::Chunked {
        if raw.content_lengths > 0 {
            return Err(TransportRefusal::LengthAndEncoding);
        }
        let mut encodings = parts.headers.get_all(TRANSFER_ENCODING).iter();
        let plain =
            encodings.next().is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"chunked"));
        if !plain || encodings.next().is_some() {
            return Err(TransportRefusal::EncodingNotSupported);
        }
    }
    if raw.content_lengths > 1 {
        return Err(TransportRefusal::DoubledHeader { name: CONTENT_LENGTH });
    }
    Ok(())
}

fn check_host(parts: &Parts) -> Result<(), TransportRefusal> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let Some(host) = hosts.next() else {
        // Health checks of HAProxy and old scripts use HTTP/1.0 without Host.
        return if parts.version == Version::HTTP_10 {
            Ok(())
        } else {
            Err(TransportRefusal::NoHost)
        };
    };
    if hosts.next().is_some() {
        return Err(TransportRefusal::DoubledHeader { name: HOST });
    }
    // The sub-delimiters of RFC 3986 are excluded: host names in use do not contain them, and
    // parsers differ on them.
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%:[]".contains(byte);
    if host.is_empty() || !host.as_bytes().iter().all(fits) {
        return Err(TransportRefusal::HostNotValid);
    }
    match parts.uri.authority() {
        Some(target) if !target.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes()) => {
            Err(TransportRefusal::HostMismatch)
        },
        Some(_) | None => Ok(()),
    }
}

fn check_single(
    headers: &HeaderMap,
    single: impl Fn(&HeaderName) -> bool,
) -> Result<(), TransportRefusal> {
    if headers.len() == headers.keys_len() {
        return Ok(());
    }
    let doubled = |name: &&HeaderName| headers.get_all(*name).iter().nth(1).is_some();
    match headers.keys().filter(|name| single(name)).find(doubled) {
        Some(name) => Err(TransportRefusal::DoubledHeader { name: name.clone() }),
        None => Ok(()),
    }
}
