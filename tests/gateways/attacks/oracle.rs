//! What may reach the application behind the gate of the attacks, decided from the bytes that
//! arrived.
//!
//! The oracle uses only the gate's routes, and reads paths and hosts in every way in which an
//! application might: a request passes only if every reading is allowed.

use std::collections::BTreeSet;

use super::{CLIENT, FORGED, IDENTITY, PROTECTED_HOST};

/// The sender of the attacks, as the application should see it.
pub(crate) struct Truth {
    /// Secrets that no request may hold, in any form in which they were sent.
    pub(crate) secrets: Vec<String>,
    /// The identity headers of the key that was presented.
    pub(crate) identity: Vec<(String, String)>,
    /// The marks of the requests that were sent.
    pub(crate) marks: BTreeSet<String>,
}

/// The identity with which a request may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Public,
    Key,
}

/// A request as it arrived, split but not corrected.
struct Arrived {
    method: String,
    target: Vec<u8>,
    headers: Vec<(String, String)>,
}

/// Headers that carry a credential, or a method, path or host that differs from the checked
/// request.
const UNWANTED: [&str; 11] = [
    "authorization",
    "x-api-key",
    "mc-api-key",
    "x-http-method",
    "x-method-override",
    "x-original",
    "x-rewrite",
    "x-forwarded-method",
    "x-forwarded-uri",
    "x-forwarded-prefix",
    "x-forwarded-path",
];

/// The header into whose value attacks fold a line.
const HARMLESS: &str = "x-harmless";

/// Whether the application may receive this request. The error is the reason why it is a bypass.
pub(crate) fn judge(record: &[u8], truth: &Truth) -> Result<(), String> {
    let arrived = split(record)?;
    check_framing(&arrived)?;
    check_mark(&arrived, truth)?;
    let host = host(&arrived)?;
    let access = access(&arrived, &host)?;
    check_identity(&arrived, access, truth)?;
    check_unwanted(&arrived)?;
    for secret in &truth.secrets {
        if find(record, secret.as_bytes()).is_some() {
            return Err("holds a secret".to_owned());
        }
    }
    Ok(())
}

/// Splits a head. A head that two programs could split differently counts as a bypass.
fn split(record: &[u8]) -> Result<Arrived, String> {
    let end = find(record, b"\r\n\r\n").ok_or("a head that doesn't end")?;
    let head = record.get(..end).unwrap_or_default();
    let mut lines = split_at_each(head, b"\r\n").into_iter();
    let first = lines.next().unwrap_or_default();
    let words: Vec<_> = first.split(|byte| *byte == b' ').collect();
    let [method, target, version] = words[..] else {
        return Err(format!("a request line of {} words", words.len()));
    };
    if version != b"HTTP/1.1" && version != b"HTTP/1.0" {
        return Err(format!("version {}", text(version)));
    }
    if method.is_empty() || !method.iter().all(u8::is_ascii_uppercase) {
        return Err(format!("method {}", text(method)));
    }
    if target.iter().any(|byte| !(0x21..=0x7e).contains(byte)) {
        return Err("a target with a byte that is not printable ASCII".to_owned());
    }
    let mut headers = Vec::new();
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':').ok_or("a line without a colon")?;
        let (name, value) = line.split_at(colon);
        let is_token =
            |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        if name.is_empty() || !name.iter().all(is_token) {
            return Err(format!("a header's name is {:?}", text(name)));
        }
        let value = value.get(1..).unwrap_or_default();
        if value.iter().any(|byte| *byte < 0x20 && *byte != b'\t') {
            return Err(format!("a control character in {}", text(name)));
        }
        headers.push((text(name), text(value).trim().to_owned()));
    }
    Ok(Arrived { method: text(method), target: target.to_vec(), headers })
}

fn check_framing(arrived: &Arrived) -> Result<(), String> {
    let lengths = named(arrived, "content-length");
    let codings = named(arrived, "transfer-encoding");
    if lengths.len() + codings.len() > 1 {
        return Err(format!("ambiguous length: {lengths:?} {codings:?}"));
    }
    if lengths.iter().any(|length| !length.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(format!("length {lengths:?}"));
    }
    if codings.iter().any(|coding| !coding.eq_ignore_ascii_case("chunked")) {
        return Err(format!("coding {codings:?}"));
    }
    let hops = named(arrived, "connection").join(",").to_ascii_lowercase();
    let hops: Vec<_> = hops.split(',').map(str::trim).collect();
    if hops.iter().any(|hop| !matches!(*hop, "" | "close" | "keep-alive" | "upgrade" | "te")) {
        return Err(format!("the request makes the next server drop {hops:?}"));
    }
    // After an upgrade the proxy would forward any bytes.
    let protocols = named(arrived, "upgrade").join(",").to_ascii_lowercase();
    if hops.contains(&"upgrade") && protocols.contains("h2c") {
        return Err("a change to h2c".to_owned());
    }
    Ok(())
}

fn check_mark(arrived: &Arrived, truth: &Truth) -> Result<(), String> {
    match named(arrived, "x-attack")[..] {
        [mark] if truth.marks.contains(mark) => Ok(()),
        ref marks => Err(format!("the attacks sent no such mark: {marks:?}")),
    }
}

/// The only host that the request names, as an application might compare it.
fn host(arrived: &Arrived) -> Result<String, String> {
    let lines = named(arrived, "host");
    if lines.len() > 1 {
        return Err(format!("hosts {lines:?}"));
    }
    let line = canonical(lines.first().copied().unwrap_or_default());
    let target = text(&arrived.target);
    match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => {
            let authority = canonical(rest.split('/').next().unwrap_or_default());
            if authority != line {
                return Err(format!("host {line:?}, but target {target:?}"));
            }
        },
        _ => {},
    }
    Ok(line)
}

fn canonical(host: &str) -> String {
    let host = host.rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
    host.split(':').next().unwrap_or_default().trim_end_matches('.').to_owned()
}

/// The decision of the gate's routes on every reading of the path.
fn access(arrived: &Arrived, host: &str) -> Result<Access, String> {
    let readings = readings(&arrived.target);
    let found: Vec<_> = readings.iter().map(|it| allowed(&arrived.method, host, it)).collect();
    match found[..] {
        [Some(access), ref rest @ ..] if rest.iter().all(|it| *it == Some(access)) => Ok(access),
        _ => Err(format!("{} {} at {host}: {readings:?}", arrived.method, text(&arrived.target))),
    }
}

fn allowed(method: &str, host: &str, reading: &str) -> Option<Access> {
    if host == PROTECTED_HOST {
        return None;
    }
    let segments: Vec<_> = reading.split('/').filter(|it| !it.is_empty()).collect();
    match segments[..] {
        ["open", "admin", ..] => None,
        ["open", ..] => Some(Access::Public),
        ["orders", _] if matches!(method, "GET" | "HEAD") => Some(Access::Key),
        _ => None,
    }
}

/// The path as careful and careless applications would read it.
fn readings(target: &[u8]) -> BTreeSet<String> {
    let mut path = target.to_vec();
    if let Some(at) = find(&path, b"://") {
        let rest = path.split_off(at + 3);
        let slash = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
        path = rest.get(slash..).unwrap_or_default().to_vec();
    }
    let raw = cut(&path, b"?");
    let mut decoded = vec![raw];
    for _ in 0..3 {
        let last = decoded.last().map(|it| decode(it)).unwrap_or_default();
        decoded.push(last);
    }
    let mut all = BTreeSet::new();
    for bytes in decoded {
        all.insert(resolved(&text(&bytes)));
        let bytes = replaced(&replaced(&bytes, b"\xc0\xae", b"."), b"\xc0\xaf", b"/");
        let bytes = replaced(&bytes, b"\\", b"/");
        all.insert(resolved(&text(&cut(&bytes, b";#?\0"))));
        let bare: Vec<_> = bytes.iter().copied().filter(|byte| *byte >= b' ').collect();
        all.insert(resolved(&text(&bare)));
        let segments = split_at_each(&bytes, b"/").into_iter().map(|it| cut(it, b";"));
        all.insert(resolved(&text(&segments.collect::<Vec<_>>().join(&b'/'))));
    }
    all
}

/// Removes dot segments and empty segments.
fn resolved(path: &str) -> String {
    let mut kept = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {},
            ".." => {
                kept.pop();
            },
            other => kept.push(other),
        }
    }
    format!("/{}", kept.join("/"))
}

fn check_identity(arrived: &Arrived, access: Access, truth: &Truth) -> Result<(), String> {
    let about = |name: &str| plain(name).contains("keyhouse");
    let seen: Vec<_> = arrived.headers.iter().filter(|(name, _)| about(name)).collect();
    if seen.len() != IDENTITY.len() {
        return Err(format!("identity of {} headers: {seen:?}", seen.len()));
    }
    for (name, value) in &truth.identity {
        let expected = if access == Access::Public { "-" } else { value };
        let values = named(arrived, name);
        if values != [expected] {
            return Err(format!("{name} is {values:?}, not {expected:?}"));
        }
    }
    Ok(())
}

fn check_unwanted(arrived: &Arrived) -> Result<(), String> {
    for (name, value) in &arrived.headers {
        let plain = plain(name);
        if UNWANTED.iter().any(|unwanted| plain.starts_with(unwanted)) {
            return Err(format!("carries {name}"));
        }
        let lower = value.to_ascii_lowercase();
        // A line that was folded into its value is no longer a line.
        if plain != HARMLESS && FORGED.iter().any(|forged| lower.contains(forged)) {
            return Err(format!("carries a forged {name}: {value}"));
        }
        if plain == "x-forwarded-for" && value != CLIENT {
            return Err(format!("client {value}"));
        }
    }
    Ok(())
}

/// Returns a header's name as CGI and similar interfaces spell it.
fn plain(name: &str) -> String {
    let letter = |it: char| if it.is_ascii_alphanumeric() { it.to_ascii_lowercase() } else { '-' };
    name.chars().map(letter).collect()
}

fn named<'a>(arrived: &'a Arrived, name: &str) -> Vec<&'a str> {
    let lines = arrived.headers.iter().filter(|(it, _)| it.eq_ignore_ascii_case(name));
    lines.map(|(_, value)| value.as_str()).collect()
}

fn decode(path: &[u8]) -> Vec<u8> {
    let (mut plain, mut at) = (Vec::new(), 0);
    while let Some(byte) = path.get(at) {
        let digits = path.get(at + 1..at + 3).and_then(|it| std::str::from_utf8(it).ok());
        let spelt = digits.and_then(|it| u8::from_str_radix(it, 16).ok());
        let (byte, length) = match spelt {
            Some(spelt) if *byte == b'%' => (spelt, 3),
            _ => (*byte, 1),
        };
        plain.push(byte);
        at += length;
    }
    plain
}

/// Returns the text up to the first of these bytes.
fn cut(bytes: &[u8], at: &[u8]) -> Vec<u8> {
    bytes.iter().copied().take_while(|byte| !at.contains(byte)).collect()
}

pub(crate) fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    split_at_each(bytes, from).join(to)
}

fn split_at_each<'a>(mut bytes: &'a [u8], mark: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some(at) = find(bytes, mark) {
        parts.push(bytes.get(..at).unwrap_or_default());
        bytes = bytes.get(at + mark.len()..).unwrap_or_default();
    }
    parts.push(bytes);
    parts
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
