//! The oracle for raw paths: a path that a gate allows must not reach a denied path of an upstream.
//!
//! The oracle interprets a path in every way that upstreams are known to, and shares no code with
//! the router. The fuzz target calls it with the input of libFuzzer, the tests of `model::route`
//! with the corpus and with generated paths.

use super::{
    Ambiguities, Ambiguity, PathPattern, RawPath, Route, RouteQuery, RouteTable, raw_path,
};

/// Whether the gate allows the path without a key. `allow` is the allowance of its open route.
fn is_open(path: RawPath<'_>, allow: Ambiguities) -> bool {
    let rules = [("/open/**", true), ("/open/secret/**", false), ("/admin/**", false)];
    let rules = rules.map(|(text, open)| {
        let path: PathPattern = text.parse().unwrap();
        let allow = if open { allow } else { Ambiguities::default() };
        (Route { host: None, path, methods: None, allow }, open)
    });
    let table = RouteTable::new(rules.into()).unwrap();
    let found = table.find(RouteQuery { host: "a.org", path, method: "GET" });
    found.ok().flatten().is_some_and(|(_, open)| *open)
}

/// Panics if a path bypasses a rule.
pub(super) fn check(target: &str) {
    let Ok(path) = raw_path(target) else { return };
    assert!(
        target.starts_with(path.as_str()),
        "{target:?}: the path is not a prefix of the target"
    );
    // A route with every allowance must not open a path that a more specific route denies.
    for allow in [Ambiguities::default(), Ambiguity::ALL.into_iter().collect()] {
        if is_open(path, allow) {
            assert!(!is_closed_to_a_reader(target), "{target:?} bypasses a rule: {allow:?}");
        }
    }
}

/// Whether some upstream would interpret a target as a denied path.
pub(super) fn is_closed_to_a_reader(target: &str) -> bool {
    readings(target).iter().any(|segments| {
        let names: Vec<&str> = segments.iter().map(String::as_str).collect();
        matches!(&names[..], ["admin", ..] | ["open", "secret", ..])
    })
}

/// The segments of a target in every interpretation: decoded up to three times; with or without
/// parameters; with `\\` as a slash or not; cut at a NUL, a fragment or a query or not; with dots and
/// spaces removed from the ends of segments, as on Windows; with wide characters as narrow
/// characters.
fn readings(target: &str) -> Vec<Vec<String>> {
    let mut texts = vec![target.split('?').next().unwrap_or_default().to_owned()];
    for _ in 0..3 {
        for change in [decoded, without_parameters, with_slashes, cut, without_ends, narrowed] {
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
            // `%c0%ae`, an overlong dot that lenient decoders accept.
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

fn without_ends(text: &str) -> String {
    text.split('/').map(without_end).collect::<Vec<_>>().join("/")
}

/// Keeps `..` unchanged.
fn without_end(segment: &str) -> &str {
    if segment == ".." { segment } else { segment.trim_end_matches(['.', ' ']) }
}

fn narrowed(text: &str) -> String {
    let narrow = |letter: char| match letter {
        // Wide letters are distinct letters. Wide punctuation is read as narrow punctuation.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(letter) - 0xfee0)
            .filter(char::is_ascii_punctuation)
            .unwrap_or(letter),
        '\u{2044}' | '\u{2215}' | '\u{29f8}' => '/',
        '\u{2024}' | '\u{fe52}' => '.',
        '\u{a0}' | '\u{3000}' => ' ',
        other => other,
    };
    text.chars().map(narrow).collect()
}

fn cut(text: &str) -> String {
    text.split(['\0', '#', '?']).next().unwrap_or_default().to_owned()
}

/// Returns the segments without empty segments, `.` and `..`.
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
