//! What must hold of every raw path: none that a gate lets through is one that some upstream would
//! take for a place which the gate closes. The fuzz target asks it of bytes that libFuzzer makes up,
//! the tests of `model::route` of the corpus and of made-up paths.
//!
//! It reads paths as upstreams are known to, in all their ways at once, and shares nothing with the
//! code that it tests.

use super::{Asked, PathPattern, Route, RouteTable, raw_path};

/// Whether the gate lets everybody through.
fn is_open(path: &str) -> bool {
    let rules = [("/open/**", true), ("/open/secret/**", false), ("/admin/**", false)];
    let rules = rules.map(|(text, open)| {
        let path: PathPattern = text.parse().unwrap();
        (Route { host: None, path, methods: None }, open)
    });
    let table = RouteTable::new(rules.into()).unwrap();
    table.find(Asked { host: "a.org", path, method: "GET" }).is_some_and(|(_, open)| *open)
}

/// Fails where a path leads around a rule.
pub(super) fn check(target: &str) {
    let Ok(path) = raw_path(target) else { return };
    assert!(target.starts_with(path), "{target:?}: the path is not its beginning");
    if is_open(path) {
        assert!(!is_closed_to_somebody(target), "{target:?} leads around a rule");
    }
}

/// Whether some upstream would take a target for a place that is closed.
pub(super) fn is_closed_to_somebody(target: &str) -> bool {
    readings(target).iter().any(|segments| {
        let names: Vec<&str> = segments.iter().map(String::as_str).collect();
        matches!(&names[..], ["admin", ..] | ["open", "secret", ..])
    })
}

/// The segments of a target in every way of reading: decoded never, once or twice; before or after
/// its parameters are cut off; with `\\` as a slash or not; cut at a NUL, a fragment and a query or not.
fn readings(target: &str) -> Vec<Vec<String>> {
    let mut texts = vec![target.split('?').next().unwrap_or_default().to_owned()];
    for _ in 0..2 {
        for change in [decoded, without_parameters, with_slashes, cut] {
            let more: Vec<String> = texts.iter().map(|text| change(text)).collect();
            texts.extend(more);
            texts.sort();
            texts.dedup();
        }
    }
    texts.iter().map(|text| resolved(text)).collect()
}

fn decoded(text: &str) -> String {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).and_then(|it| std::str::from_utf8(it).ok());
        let byte = digits.and_then(|it| u8::from_str_radix(it, 16).ok());
        match byte.filter(|_byte| bytes[at] == b'%') {
            // An overlong dot and an overlong slash, as lenient decoders read them.
            Some(0xc0)
                if text.get(at + 3..at + 6).is_some_and(|it| it.eq_ignore_ascii_case("%ae")) =>
            {
                out.push(b'.');
                at += 6;
            },
            Some(byte) => {
                out.push(byte);
                at += 3;
            },
            None => {
                out.push(bytes[at]);
                at += 1;
            },
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn without_parameters(text: &str) -> String {
    let plain = text.split('/').map(|segment| segment.split(';').next().unwrap_or_default());
    plain.collect::<Vec<_>>().join("/")
}

fn with_slashes(text: &str) -> String {
    text.replace('\\', "/")
}

fn cut(text: &str) -> String {
    text.split(['\0', '#', '?']).next().unwrap_or_default().to_owned()
}

/// Segments without empty ones and dots.
fn resolved(text: &str) -> Vec<String> {
    let mut segments = Vec::new();
    for segment in text.split('/') {
        match segment {
            "" | "." => {},
            ".." => drop(segments.pop()),
            name => segments.push(name.to_owned()),
        }
    }
    segments
}
