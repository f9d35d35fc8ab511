//! Which parsed heads are refused before anything decides on them.
//!
//! hyper already refuses what isn't HTTP at all, Content-Lengths that differ or aren't digits,
//! a transfer coding that doesn't end in chunked, folded lines and spaces before a colon.

use http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, COOKIE, FORWARDED, HOST, HeaderMap, IF_MATCH, ORIGIN,
    TRANSFER_ENCODING,
};
use http::request::Parts;
use http::{HeaderName, Method, Version};

use super::Refusal;
use super::head::RawHead;
use super::limits::HeadLimits;

/// Credentials and what decides where a request goes: single for every request.
const SINGLE: [&str; 4] = ["authorization", "host", "x-api-key", "mc-api-key"];
/// What the handlers of the pool decide on; `rouille::Request` would show the first line alone.
const SINGLE_ON_POOL: [HeaderName; 5] = [CONTENT_TYPE, COOKIE, FORWARDED, IF_MATCH, ORIGIN];
const SINGLE_ON_POOL_PREFIXES: [&str; 2] = ["x-forwarded-", "sec-fetch-"];
/// Proxies append to it, some (`HAProxy`) as a line of its own.
pub(super) const FORWARDED_FOR: &str = "x-forwarded-for";

/// What a head says about the body that follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Empty,
    Length(u64),
    Chunked,
}

impl Framing {
    /// As hyper decides it: Transfer-Encoding wins.
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

    /// `None` when only the end of the body shows its length.
    pub(super) fn body_bytes(self) -> Option<u64> {
        match self {
            Self::Empty => Some(0),
            Self::Length(bytes) => Some(bytes),
            Self::Chunked => None,
        }
    }
}

/// The rules for every request.
pub(super) fn check(parts: &Parts, framing: Framing, raw: Option<RawHead>) -> Result<(), Refusal> {
    check_framing(parts, framing, raw)?;
    if parts.method == Method::CONNECT {
        return Err(Refusal::TunnelAsked);
    }
    check_host(parts)?;
    check_single(&parts.headers, |name| SINGLE.contains(&name.as_str()))
}

/// The further rules for requests that rouille's types will carry.
pub(super) fn check_for_pool(parts: &Parts) -> Result<(), Refusal> {
    check_single(&parts.headers, |name| {
        let prefixed = SINGLE_ON_POOL_PREFIXES.iter().any(|it| name.as_str().starts_with(it));
        SINGLE_ON_POOL.contains(name) || (prefixed && name != FORWARDED_FOR)
    })
}

/// Whether a head is small enough.
pub(super) fn check_size(
    parts: &Parts,
    head_bytes: usize,
    limits: HeadLimits,
) -> Result<(), Refusal> {
    let HeadLimits { lines_max, bytes_max } = limits;
    if parts.headers.len() > lines_max || head_bytes > bytes_max {
        return Err(Refusal::HeadTooLarge { lines_max, bytes_max });
    }
    Ok(())
}

fn check_framing(parts: &Parts, framing: Framing, raw: Option<RawHead>) -> Result<(), Refusal> {
    let raw = raw.ok_or(Refusal::HeadUnseen)?;
    if raw.line_feed_alone {
        return Err(Refusal::LineFeedAlone);
    }
    if framing == Framing::Chunked {
        if raw.content_lengths > 0 {
            return Err(Refusal::LengthAndEncoding);
        }
        let mut encodings = parts.headers.get_all(TRANSFER_ENCODING).iter();
        let plain =
            encodings.next().is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"chunked"));
        if !plain || encodings.next().is_some() {
            return Err(Refusal::EncodingNotSupported);
        }
    }
    if raw.content_lengths > 1 {
        return Err(Refusal::DoubledHeader { name: CONTENT_LENGTH });
    }
    Ok(())
}

fn check_host(parts: &Parts) -> Result<(), Refusal> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let Some(host) = hosts.next() else {
        // Health checks of HAProxy and old scripts speak HTTP/1.0 without Host.
        return if parts.version == Version::HTTP_10 { Ok(()) } else { Err(Refusal::NoHost) };
    };
    if hosts.next().is_some() {
        return Err(Refusal::DoubledHeader { name: HOST });
    }
    // Without the sub-delimiters of RFC 3986: no name in use has them, and readers differ on them.
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%:[]".contains(byte);
    if host.is_empty() || !host.as_bytes().iter().all(fits) {
        return Err(Refusal::HostNotValid);
    }
    match parts.uri.authority() {
        Some(target) if !target.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes()) => {
            Err(Refusal::HostMismatch)
        },
        Some(_) | None => Ok(()),
    }
}

fn check_single(headers: &HeaderMap, single: impl Fn(&HeaderName) -> bool) -> Result<(), Refusal> {
    if headers.len() == headers.keys_len() {
        return Ok(());
    }
    let doubled = |name: &&HeaderName| headers.get_all(*name).iter().nth(1).is_some();
    match headers.keys().filter(|name| single(name)).find(doubled) {
        Some(name) => Err(Refusal::DoubledHeader { name: name.clone() }),
        None => Ok(()),
    }
}
